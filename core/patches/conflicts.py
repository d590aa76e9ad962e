"""Field-level conflicts between what an author saw and what is stored now.

A patch conflicts when the value at its base differs from the current one and the current one from
the proposed one. Rows that have not moved since the base need no look-up; for the others storage
has loaded the later history.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from core.patches.snapshot import LaterChange, Snapshot
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
    wants_deleted: bool = False  # for "deleted": what the patch set wants

    def was_alive_at_base(self, snapshot: Snapshot) -> bool:
        """Whether the item existed, not deleted, at the author's base (False without a base)."""
        later = snapshot.later.get((self.kind, self.item_id), ())
        return _deleted_at_base(later) is False

    def field_changed(self, snapshot: Snapshot) -> bool:
        """Whether the field has changed since the author's base (False without a base)."""
        later = snapshot.later.get((self.kind, self.item_id), ())
        return any(self.field in change.fields for change in later)


def _deleted_at_base(later: Iterable[LaterChange]) -> bool | None:
    """Return whether the item was deleted at base; None if its existence has not changed since."""
    for change in later:
        if change.action is Action.DELETED:
            return False
        if change.action in (Action.RESTORED, Action.CREATED):
            return True
    return None


Value = Callable[[Touch], Any]


def find_conflicts(snapshot: Snapshot, touches: Iterable[Touch], *, current: Value, proposed: Value) -> list[Conflict]:
    """Return every conflict; `current` and `proposed` give a touch's stored and planned value."""
    found: list[Conflict] = []
    seen: set[tuple[int, str, str, str | None]] = set()
    for touch in touches:
        later = snapshot.later.get((touch.kind, touch.item_id))
        if not later:
            continue
        known, base = _base_value(touch, later)
        if not known:
            continue
        now, then = current(touch), proposed(touch)
        mark = (touch.patch_index, touch.item_id, touch.field, touch.unit)
        if now in (base, then) or mark in seen:
            continue
        seen.add(mark)
        found.append(
            Conflict(
                patch_index=touch.patch_index,
                path=touch.path,
                key=touch.key,
                field=touch.field if touch.unit is None else f"{touch.field}.{touch.unit}",
                base=base,
                current=now,
                proposed=then,
            )
        )
    return found


def _base_value(touch: Touch, later: list[LaterChange]) -> tuple[bool, Any]:
    """Return whether the touched value changed after the base, and what it was there."""
    if touch.field == "deleted":
        deleted = _deleted_at_base(later)
        return deleted is not None, deleted
    for change in later:
        if touch.field in change.fields:
            before, after = (unit_value(change.fields[touch.field][side], touch.unit) for side in ("before", "after"))
            if before != after:
                return True, before
    return False, None


def unit_value(value: Any, unit: str | None) -> Any:
    """Return the part of a field that one patch touches: all of it, a list's membership, or an object's key."""
    if unit is None:
        return value
    if isinstance(value, dict):
        return value.get(unit)
    return unit in (value or ())
