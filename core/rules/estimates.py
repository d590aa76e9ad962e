"""Durations: `90 min`, `2h`, `1.5 days`, `1h 30m`, `1w` as whole minutes of work."""

import re
from dataclasses import dataclass

MAX_MINUTES = 525_600

_NUMBER = r"[0-9]{1,6}(?:\.[0-9]{1,3})?"
_UNIT = r"(?:minutes?|mins?\.?|m|hours?|hrs?\.?|h|days?|d|weeks?|wks?\.?|w)(?![^\W\d])"
DURATION = rf"{_NUMBER}[ \t]?{_UNIT}(?:[ \t]?{_NUMBER}[ \t]?{_UNIT})?(?!\w)"
_DURATION = re.compile(DURATION, re.IGNORECASE)
_PARTS = re.compile(rf"({_NUMBER})[ \t]?({_UNIT})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WorkingTime:
    hours_per_day: int
    days_per_week: int

    def minutes(self, text: str) -> int | None:
        """Return the minutes `text` states, or None unless all of it is one duration of 1 minute to 1 year."""
        if not _DURATION.fullmatch(text.strip()):
            return None
        total = round(sum(float(number) * self._unit(unit) for number, unit in _PARTS.findall(text)))
        return total if 1 <= total <= MAX_MINUTES else None

    def _unit(self, unit: str) -> int:
        day = 60 * self.hours_per_day
        return {"m": 1, "h": 60, "d": day, "w": day * self.days_per_week}[unit[0].lower()]
