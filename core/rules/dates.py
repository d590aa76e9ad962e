"""Days, read only where a marker such as `due:` announces one.

Own grammar, because general date parsers find days in ordinary words ("may", "We", "5").
What has two readings (`01/02/2027`, "next Friday") is `AMBIGUOUS`: the caller keeps the text and says so.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = "january february march april may june july august september october november december".split()
_WEEKDAY = "(?:" + "|".join([*_WEEKDAYS, *(name[:3] for name in _WEEKDAYS)]) + ")"
_MONTH = "(?:" + "|".join([*_MONTHS, "sept", *(name[:3] for name in _MONTHS)]) + r")\.?"

_PATTERN = re.compile(
    rf"""
      (?P<iso>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})
    | (?P<slashed>[0-9]{{1,2}}[/.][0-9]{{1,2}}[/.][0-9]{{4}})
    | (?P<near>today|tomorrow)
    | in[ ](?P<count>[0-9]{{1,4}})[ ](?P<unit>day|week|month)s?
    | (?:the[ ])?end[ ]of[ ](?:the[ ]|this[ ])?(?P<end>week|month|quarter|year)
    | (?P<month>{_MONTH})[ ](?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?(?:,?[ ](?P<year>[0-9]{{4}}))?
    | (?P<day2>[0-9]{{1,2}})(?:st|nd|rd|th)?[ ](?P<month2>{_MONTH})(?:,?[ ](?P<year2>[0-9]{{4}}))?
    | (?P<vague>next[ ](?:week|month|quarter|year|{_WEEKDAY}))
    | (?:this[ ])?(?P<weekday>{_WEEKDAY})
    """,
    re.IGNORECASE | re.VERBOSE,
)


class NoDay(Enum):
    """Why a text that looks like a day is none."""

    AMBIGUOUS = "can be read as two different days; write YYYY-MM-DD"
    IMPOSSIBLE = "is not a day of the calendar"


@dataclass(frozen=True, slots=True)
class FoundDay:
    value: date | NoDay
    end: int  # offset after the text


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days as seen from `today`. A week ends with its last working day."""

    today: date
    days_per_week: int

    def find(self, text: str, start: int = 0) -> FoundDay | None:
        """Return the day written at `start` of `text`, or None if there is none."""
        match = _PATTERN.match(text, start)
        if match is None or re.match(r"[\w/-]", text[match.end() : match.end() + 1]):
            return None
        try:
            return FoundDay(self._read(match), match.end())
        except (ValueError, OverflowError):
            return FoundDay(NoDay.IMPOSSIBLE, match.end())

    def _read(self, match: re.Match[str]) -> date | NoDay:
        found = match.groupdict()
        if found["iso"]:
            return date.fromisoformat(found["iso"])
        if found["slashed"]:
            return _slashed(found["slashed"])
        if found["near"]:
            return self.today + timedelta(days=found["near"].lower() == "tomorrow")
        if found["count"]:
            return later(self.today, int(found["count"]), found["unit"].lower())
        if found["end"]:
            return self._end(found["end"].lower())
        if found["weekday"]:
            return self._next_weekday(_index(_WEEKDAYS, found["weekday"]))
        if found["vague"]:
            return NoDay.AMBIGUOUS
        month = _index(_MONTHS, found["month"] or found["month2"]) + 1
        year = found["year"] or found["year2"]
        return self._month_day(month, int(found["day"] or found["day2"]), int(year) if year else None)

    def _end(self, period: str) -> date:
        if period == "week":
            return self._next_weekday(self.days_per_week - 1)
        last_month = {"month": self.today.month, "quarter": (self.today.month + 2) // 3 * 3, "year": 12}[period]
        return date(self.today.year, last_month, calendar.monthrange(self.today.year, last_month)[1])

    def _next_weekday(self, weekday: int) -> date:
        """Today counts: "by Friday", written on a Friday, is today."""
        return self.today + timedelta(days=(weekday - self.today.weekday()) % 7)

    def _month_day(self, month: int, day: int, year: int | None) -> date:
        if year is not None:
            return date(year, month, day)
        for candidate in range(self.today.year, self.today.year + 9):  # 29 February may be 8 years away
            if day <= calendar.monthrange(candidate, month)[1] and date(candidate, month, day) >= self.today:
                return date(candidate, month, day)
        raise ValueError


def later(day: date, count: int, unit: str) -> date:
    """Return the day `count` days, weeks or months after another. Raises ValueError or OverflowError beyond the calendar."""
    if unit != "month":
        return day + timedelta(days=count * (7 if unit == "week" else 1))
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _slashed(text: str) -> date | NoDay:
    first, second, year = (int(part) for part in re.split(r"[/.]", text))
    if "." in text or first > 12:  # dots are written day first everywhere
        return date(year, second, first)
    if second > 12 or first == second:
        return date(year, first, second)
    return NoDay.AMBIGUOUS


def _index(names: tuple[str, ...] | list[str], word: str) -> int:
    return next(index for index, name in enumerate(names) if name[:3] == word[:3].lower())
