"""Field-level conflicts between what an author saw and what is stored now.

A patch conflicts when the value at its base differs from the current one and the current one from
the proposed one; where it only relies on a value, it proposes the one at its base. Rows that have
not moved since the base need no look-up; for the others storage has loaded the later history.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from core.patches.snapshot import LaterChange, Snapshot
from core.patches.values import same
from schemas.changes import Action, EntityKind
from schemas.errors import Conflict


@dataclass(frozen=True, slots=True)
class Touch:
    """A field (or existence, or one dependency edge) that a patch changes or relies on."""

    patch_index: int
    path: str
    kind: EntityKind
    item_id: str
    key: str
    field: str  # a field name, or "deleted" for existence
    unit: str | None = None  # one dependency's key, or one top-level key of links and custom
    relies: bool = False  # the patch leaves this value alone, but makes sense only while it is the one at its base

    def base(self, snapshot: Snapshot) -> tuple[bool, Any]:
        """Return whether the value has changed since the author's base (never without one), and what it was there."""
        later = snapshot.later.get((self.kind, self.item_id), ())
        if self.field == "deleted":
            deleted = _deleted_at_base(later)
            return deleted is not None, deleted
        for change in later:
            if self.relies and change.action is Action.CREATED:
                break  # at the base there was nothing to rely on
            if self.field in change.fields:
                sides = change.fields[self.field]
                before, after = (unit_value(self.field, sides[side], self.unit) for side in ("before", "after"))
                if not same(before, after) or self.field == "position":  # under another parent the same number is another place
                    return True, before
        return False, None


def _deleted_at_base(later: Iterable[LaterChange]) -> bool | None:
    """Return whether the item was deleted (or not there yet) at base; None if its existence has not changed since."""
    for change in later:
        if change.action is Action.DELETED:
            return False
        if change.action in (Action.RESTORED, Action.CREATED):
            return True
    return None


Value = Callable[[Touch], Any]


def find_conflicts(snapshot: Snapshot, touches: Iterable[Touch], *, current: Value, proposed: Value) -> list[Conflict]:
    """Return every conflict; `current` and `proposed` give a touch's stored and planned value."""
    found: dict[tuple[int, str, str, str | None], Conflict] = {}
    for touch in touches:
        changed, base = touch.base(snapshot)
        if not changed:
            continue
        now, then = current(touch), base if touch.relies else proposed(touch)
        was, there, goal = base, now, then
        if touch.field == "position":  # a number among siblings: compared together with the parent
            parent = replace(touch, field="parent")
            moved, home = parent.base(snapshot)
            was, there, goal = (home if moved else current(parent), base), (current(parent), now), (proposed(parent), then)
        if not (same(there, was) or same(there, goal)):
            if touch.field == "position":
                base, now, then = _place(was), _place(there), _place(goal)
            found.setdefault((touch.patch_index, touch.item_id, touch.field, touch.unit), _conflict(touch, base, now, then))
    return list(found.values())


def _place(value: tuple[str | None, int | None]) -> dict[str, Any] | None:
    """Return a parent's key and the number among its children; None for what was not there yet."""
    parent, position = value
    return None if position is None else {"parent": parent, "position": position}


def _conflict(touch: Touch, base: Any, current: Any, proposed: Any) -> Conflict:
    return Conflict(
        patch_index=touch.patch_index,
        path=touch.path,
        key=touch.key,
        field=touch.field if touch.unit is None else f"{touch.field}.{touch.unit}",
        base=base,
        current=current,
        proposed=proposed,
    )


def unit_value(field: str, value: Any, unit: str | None) -> Any:
    """Return the part of a field that one patch touches: all of it, membership of one dependency, or an object's key."""
    if unit is None:
        return value
    if field == "depends_on":
        return unit in (value or ())
    return (value or {}).get(unit)
