"""What a patch changes or relies on, noted wherever others have changed the same item since the author's base.

`conflicts` compares the values once the plan is complete. Without a base nothing is contested, so
nothing is noted, and small sets on quiet projects pay one look-up in an empty map.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.patches.conflicts import Touch
from core.patches.snapshot import ProjectRecord, TaskRecord
from core.patches.values import same
from schemas.changes import EntityKind
from schemas.errors import ErrorCode, Severity

if TYPE_CHECKING:
    from core.patches.state import WorkingState

PROJECT, TASK = EntityKind.PROJECT, EntityKind.TASK  # once: members of enums are slow to look up before Python 3.12


def touch(
    state: "WorkingState",
    index: int,
    item: TaskRecord | ProjectRecord,
    field: str,
    path: str = "",
    *,
    unit: str | None = None,
    relies: bool = False,
) -> None:
    """Note that a patch sets a field (or one unit of it), or relies on its value at the base."""
    kind = TASK if isinstance(item, TaskRecord) else PROJECT
    if (kind, item.id) in state.snapshot.later:
        state.touches.append(Touch(index, f"/patches/{index}{path}", kind, item.id, item.key, field, unit, relies))


def at_base(state: "WorkingState", item: TaskRecord | ProjectRecord, field: str, *, relies: bool = False) -> tuple[bool, Any]:
    """Return whether others have given a field another value than at the author's base, and what it was there."""
    kind = TASK if isinstance(item, TaskRecord) else PROJECT
    if (kind, item.id) not in state.snapshot.later:
        return False, None
    changed, before = Touch(0, "", kind, item.id, item.key, field, relies=relies).base(state.snapshot)
    return changed and not _is_back(state, item, field, before), before


def _is_back(state: "WorkingState", item: TaskRecord | ProjectRecord, field: str, before: Any) -> bool:
    """Whether a field is, as stored, what it was before others changed it."""
    stored = state.snapshot.tasks[item.id] if isinstance(item, TaskRecord) else state.snapshot.projects[item.id]
    value: Any = stored.deleted_at is not None if field == "deleted" else getattr(stored, field, None)
    if isinstance(stored, TaskRecord) and field == "parent":
        value = state.snapshot.tasks[stored.parent_id].key if stored.parent_id else None
    if field == "position" and at_base(state, item, "parent")[0]:
        return False  # a number among siblings: under another parent it is another place
    return same(value, [] if field == "tags" and before is None else before)  # what was not there yet had no tags


def touch_arrivals(state: "WorkingState", index: int, going: Sequence[TaskRecord]) -> None:
    """Note which tasks go with the first of `going` only because others have moved them below it."""
    if not state.snapshot.later:
        return
    keys = {task.key for task in going}
    for task in going[1:]:
        moved, parent = at_base(state, task, "parent", relies=True)
        if moved and parent not in keys:
            touch(state, index, task, "parent", relies=True)


def lost(state: "WorkingState", index: int, item: TaskRecord | ProjectRecord, path: str) -> bool:
    """Whether others have deleted an item that the patch relies on; that is a conflict, and noted here."""
    if not _others_made(state, item, deleted=True):
        return False
    touch(state, index, item, "deleted", path, relies=True)
    return True


def done_by_others(state: "WorkingState", index: int, item: TaskRecord | ProjectRecord, *, deleted: bool) -> bool:
    """Whether a deletion (or restoration) has nothing left to do, because others have done just that; a warning says so."""
    if (item.deleted_at is not None) is not deleted or not _others_made(state, item, deleted=deleted):
        return False
    path = "/task" if isinstance(item, TaskRecord) else "/project"
    message = f"{item.key} has been {'deleted' if deleted else 'restored'} already, so nothing is left to do"
    state.issue(ErrorCode.INVALID_PATCH, index, path, message, severity=Severity.WARNING)
    return True


def _others_made(state: "WorkingState", item: TaskRecord | ProjectRecord, *, deleted: bool) -> bool:
    """Whether the item was not deleted at the author's base and is so as stored (or the other way round)."""
    changed, before = at_base(state, item, "deleted")
    if not changed or before is deleted:
        return False
    stored = state.snapshot.tasks[item.id] if isinstance(item, TaskRecord) else state.snapshot.projects[item.id]
    return (stored.deleted_at is not None) is deleted
