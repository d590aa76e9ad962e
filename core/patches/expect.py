"""Check `expect` against the stored state, before any patch is played."""

from typing import Any

from core.patches.changes import project_value, task_value
from core.patches.snapshot import ProjectRecord, TaskRecord
from core.patches.state import WorkingState
from core.patches.values import same
from schemas.errors import Conflict, ErrorCode
from schemas.patches import (
    DeleteProject,
    DeleteTask,
    MoveTask,
    Patch,
    RestoreProject,
    RestoreTask,
    UpdateProject,
    UpdateTask,
)
from schemas.projects import ProjectExpect
from schemas.tasks import TaskExpect


def check_expectations(state: WorkingState, index: int, patch: Patch) -> list[Conflict]:
    """Return a conflict for each expected value that is not the stored one."""
    match patch.op:
        case "update_task" | "move_task" | "delete_task" | "restore_task" if patch.expect is not None:
            if patch.task.startswith("$"):
                _on_new_item(state, index, patch.task)
            elif task_id := state.snapshot.task_names.get(patch.task):
                return _check_task(state, index, state.snapshot.tasks[task_id], patch.expect, _proposed(patch))
        case "update_project" | "delete_project" | "restore_project" if patch.expect is not None:
            if patch.project.startswith("$"):
                _on_new_item(state, index, patch.project)
            elif project_id := state.snapshot.project_names.get(patch.project):
                return _check_project(index, state.snapshot.projects[project_id], patch.expect, _proposed(patch))
        case _:
            pass
    return []


def _on_new_item(state: WorkingState, index: int, ref: str) -> None:
    state.issue(ErrorCode.VALIDATION_ERROR, index, "/expect", f"{ref} is created by this set, so nothing is stored to expect")


def _proposed(
    patch: UpdateTask | MoveTask | DeleteTask | RestoreTask | UpdateProject | DeleteProject | RestoreProject,
) -> dict[str, Any]:
    match patch:
        case UpdateTask() | UpdateProject():
            return patch.fields.model_dump(mode="json", exclude_unset=True)
        case DeleteTask() | DeleteProject():
            return {"deleted": True}
        case RestoreTask() | RestoreProject():
            return {"deleted": False}
        case _:
            return {"parent": patch.parent} if "parent" in patch.model_fields_set else {}


def _check_task(
    state: WorkingState, index: int, task: TaskRecord, expect: TaskExpect, proposed: dict[str, Any]
) -> list[Conflict]:
    found = []
    for name, expected in expect.model_dump(mode="json", exclude_unset=True).items():
        if name == "parent":
            wanted: Any = _key_of(state, expected)
            current: Any = state.snapshot.tasks[task.parent_id].key if task.parent_id else None
        elif name == "depends_on":
            wanted = sorted(str(_key_of(state, item)) for item in expected or ())
            ends = (state.snapshot.tasks[item] for item in state.snapshot.edges.get(task.id, ()))
            current = sorted(end.key for end in ends if end.deleted_at is None)
        elif name == "deleted":
            wanted, current = bool(expected), task.deleted_at is not None
        else:
            wanted, current = _emptied(expected), _emptied(task_value(task, name))
        if not same(wanted, current):
            found.append(_conflict(index, task.key, name, wanted, current, proposed))
    return found


def _check_project(index: int, project: ProjectRecord, expect: ProjectExpect, proposed: dict[str, Any]) -> list[Conflict]:
    found = []
    for name, expected in expect.model_dump(mode="json", exclude_unset=True).items():
        if name == "deleted":
            wanted: Any = bool(expected)
            current: Any = project.deleted_at is not None
        else:
            wanted, current = _emptied(expected), _emptied(project_value(project, name))
        if not same(wanted, current):
            found.append(_conflict(index, project.key, name, wanted, current, proposed))
    return found


def _emptied(value: Any) -> Any:
    """null = is empty, whatever a field's empty value is."""
    return None if value in ("", [], {}) else value


def _key_of(state: WorkingState, name: str | None) -> str | None:
    """Return the key of a named task; an unknown name can equal no key, so it stays as it is."""
    task_id = state.snapshot.task_names.get(name or "")
    return state.snapshot.tasks[task_id].key if task_id else name


def _conflict(index: int, key: str, name: str, wanted: Any, current: Any, proposed: dict[str, Any]) -> Conflict:
    return Conflict(
        patch_index=index,
        path=f"/patches/{index}/expect/{name}",
        key=key,
        field=name,
        base=wanted,
        current=current,
        proposed=proposed.get(name, current),
    )
