"""The order of siblings, and the numbers that say it: appended = last + 2^32, between = evenly spaced in the gap.

Part of the reference. A place lists all tasks that are or were there when the set began, deleted ones included; one
that has left keeps its number as a bound.
"""

from dataclasses import dataclass
from typing import Any

STEP = 2**32
Place = tuple[str, str | None]  # project, parent


class GapExhausted(Exception):
    """There is no number left between two siblings: all of them would get new ones."""


@dataclass
class _Spot:
    key: str | None  # None: it has left
    position: int | None  # None: it gets one at the end


class Order:
    """Where the tasks of all places stand while a set is played."""

    def __init__(self, tasks: dict[str, dict[str, Any]]) -> None:
        self._places: dict[Place, list[_Spot]] = {}
        self._fixed: dict[str, int] = {}
        for key, task in sorted(tasks.items(), key=lambda item: (item[1]["position"], item[1]["number"])):
            self._at((task["project"], task["parent"])).append(_Spot(key, task["position"]))

    def last(self, place: Place, key: str) -> None:
        self.leave(key)
        self._at(place).append(_Spot(key, None))

    def beside(self, place: Place, key: str, anchor: str, *, before: bool) -> None:
        self.leave(key)
        spots = self._at(place)
        there = [spot.key for spot in spots].index(anchor)
        spots.insert(there if before else there + 1, _Spot(key, None))

    def exactly(self, key: str, position: int) -> None:
        """Put a task where it once was, as only a revert does."""
        self.leave(key)
        self._fixed[key] = position

    def leave(self, key: str) -> None:
        self._fixed.pop(key, None)
        for spots in self._places.values():
            for spot in list(spots):
                if spot.key == key:
                    spot.key = None
                    if spot.position is None:
                        spots.remove(spot)

    def stands(self, place: Place, key: str, anchor: str | None, *, before: bool) -> bool:
        """Whether a task has not been placed by this set and is last, or right beside the anchor."""
        spots = self._at(place)
        where = next((index for index, spot in enumerate(spots) if spot.key == key), None)
        if where is None or spots[where].position is None:
            return False
        if anchor is None:
            return where == len(spots) - 1
        beside = where + 1 if before else where - 1
        return 0 <= beside < len(spots) and spots[beside].key == anchor

    def numbers(self) -> dict[str, int]:
        """Return the positions of all placed tasks."""
        found = dict(self._fixed)
        for spots in self._places.values():
            run: list[str] = []
            low: int | None = None
            for spot in spots:
                if spot.position is None:
                    run.append(spot.key or "")
                    continue
                found |= _spaced(run, low, spot.position)
                run, low = [], spot.position
            found |= _spaced(run, low, None)
        return found

    def _at(self, place: Place) -> list[_Spot]:
        return self._places.setdefault(place, [])


def _spaced(run: list[str], low: int | None, high: int | None) -> dict[str, int]:
    if not run:
        return {}
    if high is None:
        return {key: (low or 0) + STEP * number for number, key in enumerate(run, 1)}
    if low is None:
        return {key: high - STEP * (len(run) + 1 - number) for number, key in enumerate(run, 1)}
    step = (high - low) // (len(run) + 1)
    if step < 1:
        raise GapExhausted
    return {key: low + step * number for number, key in enumerate(run, 1)}
