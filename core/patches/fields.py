"""Set fields: absent keeps, null clears, objects merge (RFC 7396), tags merge three-way with a base."""

from typing import Any

from core.patches.snapshot import ProjectRecord, TaskRecord
from core.patches.state import WorkingState
from core.patches.touches import at_base, touch
from schemas.changes import EntityKind
from schemas.primitives import TaskStatus
from schemas.projects import ProjectFields
from schemas.tasks import TaskFields

EMPTY_TEXT = frozenset({"description"})
EMPTY_LIST = frozenset({"tags", "acceptance_criteria"})
MERGED = frozenset({"links", "custom"})
# Fields with rules that are checked on the final state, and then need to know which patch to blame.
CHECKED_LATER = frozenset({"start_date", "due_date", "tags", "links", "custom", "task_schema"})
TASK = EntityKind.TASK  # once: members of enums are slow to look up before Python 3.12


def apply_task_fields(state: WorkingState, index: int, task: TaskRecord, fields: TaskFields) -> None:
    """Set the given fields of a task, and what follows from its status."""
    before = task.status
    _apply(state, index, TASK, task, fields)
    if task.status == before:
        return
    if task.status is TaskStatus.COMPLETED:
        task.completed_at = task.completed_at or state.now
    else:
        task.completed_at = None
    if task.status is not TaskStatus.IN_PROGRESS:
        task.claimed_by = task.claim_expires_at = None


def apply_project_fields(state: WorkingState, index: int, project: ProjectRecord, fields: ProjectFields) -> None:
    """Set the given fields of a project."""
    _apply(state, index, EntityKind.PROJECT, project, fields)


def _apply(
    state: WorkingState, index: int, kind: EntityKind, record: TaskRecord | ProjectRecord, fields: TaskFields | ProjectFields
) -> None:
    contested = bool(state.snapshot.later) and (kind, record.id) in state.snapshot.later
    for name in fields.model_fields_set:
        value: Any = getattr(fields, name)
        if name in MERGED:
            if contested:
                _touch_keys(state, index, record, name, value)
            value = {} if value is None else merge_patch(getattr(record, name), value)
        elif name == "tags":
            value = _merge_tags(state, record, value or [])
        else:
            if contested:
                touch(state, index, record, name, f"/fields/{name}")
            if value is None:
                value = "" if name in EMPTY_TEXT else [] if name in EMPTY_LIST else None
        setattr(record, name, value)
        if name in CHECKED_LATER:
            state.origins[record.id, name] = (index, f"/fields/{name}")


def merge_patch(target: Any, patch: Any) -> Any:
    """Return `target` with `patch` merged into it (RFC 7396); neither is changed."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def _touch_keys(
    state: WorkingState, index: int, record: TaskRecord | ProjectRecord, name: str, value: dict[str, Any] | None
) -> None:
    units = getattr(record, name) if value is None else value
    for unit in units:
        path = f"/fields/{name}" + ("" if value is None else f"/{pointer(unit)}")
        touch(state, index, record, name, path, unit=unit)


def pointer(token: str) -> str:
    """Return a JSON Pointer token (RFC 6901)."""
    return token.replace("~", "~0").replace("/", "~1")


def _merge_tags(state: WorkingState, record: TaskRecord | ProjectRecord, proposed: list[str]) -> list[str]:
    """Return the tags after a three-way merge: additions and removals of both sides hold."""
    changed, seen = at_base(state, record, "tags")
    if not changed:
        return proposed
    stored = state.snapshot.tasks[record.id] if isinstance(record, TaskRecord) else state.snapshot.projects[record.id]
    base, current = seen or [], stored.tags  # as stored: what an earlier patch of this set proposed is replaced
    kept = [tag for tag in current if tag in proposed or tag not in base]
    return kept + [tag for tag in proposed if tag not in base and tag not in current]
