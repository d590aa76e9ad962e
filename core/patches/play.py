"""The effect of each operation on the working state: one function per op."""

from collections.abc import Mapping
from typing import Any, assert_never

from core.patches.fields import apply_project_fields, apply_task_fields
from core.patches.keys import derived_key
from core.patches.outline import in_outline_order
from core.patches.placement import (
    anchor_fits,
    parent_and_anchor,
    place_for_creation,
    put,
    same_project,
    stands_there,
)
from core.patches.snapshot import CommentRecord, ProjectRecord, TaskRecord
from core.patches.state import WorkingState
from core.patches.touches import PROJECT, TASK, done_by_others, lost, touch, touch_arrivals
from schemas.errors import ErrorCode, Severity
from schemas.patches import (
    AddComment,
    AddDependency,
    CreateProject,
    CreateTask,
    DeleteProject,
    DeleteTask,
    MoveTask,
    Patch,
    RemoveDependency,
    RestoreProject,
    RestoreTask,
    UpdateProject,
    UpdateTask,
)

NO_SYSTEM_FIELDS: Mapping[str, Any] = {}


def play(state: WorkingState, index: int, patch: Patch) -> None:
    """Change the working state as the patch says, or report why it cannot."""
    match patch.op:
        case "create_task":  # first, as thousands of them are a budget
            create_task(state, index, patch)
        case "create_project":
            create_project(state, index, patch)
        case "update_project":
            update_project(state, index, patch)
        case "delete_project":
            delete_project(state, index, patch)
        case "restore_project":
            restore_project(state, index, patch)
        case "update_task":
            update_task(state, index, patch)
        case "move_task":
            move_task(state, index, patch)
        case "delete_task":
            delete_task(state, index, patch)
        case "restore_task":
            restore_task(state, index, patch)
        case "add_dependency":
            add_dependency(state, index, patch)
        case "remove_dependency":
            remove_dependency(state, index, patch)
        case "add_comment":
            add_comment(state, index, patch)
        case _:
            assert_never(patch)


# -- projects


def create_project(state: WorkingState, index: int, patch: CreateProject) -> None:
    if patch.key is None:
        key = state.free_keys.like(derived_key(patch.fields.name))
    else:
        key = patch.key
        if state.free_keys.taken(key):
            state.issue(
                ErrorCode.DUPLICATE_RESOURCE,
                index,
                "/key",
                f"there is already a project {key}",
                f"leave the key out, or use a free one such as {state.free_keys.like(key)}",
            )
            return
    project = ProjectRecord(
        id=state.ids.new_id(), key=key, name="", created_by=state.author, created_at=state.now, updated_at=state.now
    )
    state.projects[project.id] = project
    state.project_causes[project.id] = [index]
    state.new_keys[key] = project.id
    if patch.ref:
        state.refs[patch.ref] = (PROJECT, project.id)
    apply_project_fields(state, index, project, patch.fields)


def update_project(state: WorkingState, index: int, patch: UpdateProject) -> None:
    project = state.live_project(patch.project, index, "/project")
    if project is not None:
        apply_project_fields(state, index, state.own_project(project.id, index), patch.fields)


def delete_project(state: WorkingState, index: int, patch: DeleteProject) -> None:
    project = state.find_project(patch.project, index, "/project")
    if project is None or done_by_others(state, index, project, deleted=True):
        return
    project = state.live_project(patch.project, index, "/project")
    if project is None:
        return
    tasks = [task for task in state.tasks.values() if task.project_id == project.id and task.deleted_at is None]
    if tasks and not patch.cascade:
        _has_children(state, index, project.key, len(tasks), "task")
        return
    deletion_id = _system(state, index).get("deletion_id") or state.ids.new_id()
    if not _exactly(state, index, project.key, [task.id for task in tasks]):
        return
    touch(state, index, project, "deleted")
    project = state.own_project(project.id, index)
    project.deleted_at, project.deletion_id = state.now, deletion_id
    for task in in_outline_order(tasks):
        _delete_row(state, index, task, deletion_id, cascaded=True)


def restore_project(state: WorkingState, index: int, patch: RestoreProject) -> None:
    project = state.find_project(patch.project, index, "/project")
    if project is None:
        return
    if done_by_others(state, index, project, deleted=False):
        return
    if project.deleted_at is None:
        state.issue(ErrorCode.INVALID_PATCH, index, "/project", f"{project.key} is not deleted", "leave this patch out")
        return
    touch(state, index, project, "deleted")
    deletion_id = project.deletion_id
    project = state.own_project(project.id, index)
    project.deleted_at = project.deletion_id = None
    # The cycle rule has looked at these tasks when they went, and nothing could change their dependencies since.
    gone = [task for task in state.tasks.values() if task.deletion_id == deletion_id and task.project_id == project.id]
    for task in in_outline_order(gone):
        _restore_row(state, index, task, cascaded=True)


# -- tasks


def create_task(state: WorkingState, index: int, patch: CreateTask) -> None:
    target = place_for_creation(state, index, patch)
    if target is None:
        return
    project, parent, anchor = target
    project = state.own_project_quietly(project.id)  # it only gives a number away
    number = project.next_number
    project.next_number += 1
    key = f"{project.key}-{number}"
    parent_id, depth = (None, 0) if parent is None else (parent.id, parent.depth + 1)
    # by position, as names take twice as long: 10,000 of these are a budget
    task = TaskRecord(state.ids.new_id(), key, number, project.id, parent_id, 0, depth, "", state.author, state.now, state.now)
    state.add_task(task, index)
    if patch.depends_on:
        state.created_by_patch[index] = task.id
    if patch.ref:
        state.refs[patch.ref] = (TASK, task.id)
    apply_task_fields(state, index, task, patch.fields)
    put(state, task, anchor, before=patch.before is not None)


def link_created(state: WorkingState, index: int, patch: CreateTask) -> None:
    """Add the dependencies a creation carries, once every new task exists."""
    created = state.created_by_patch.get(index)
    for number, name in enumerate(patch.depends_on):
        target = state.live_task(name, index, f"/depends_on/{number}")
        if created is not None and target is not None:
            _link(state, index, state.tasks[created], target, f"/depends_on/{number}")


def update_task(state: WorkingState, index: int, patch: UpdateTask) -> None:
    task = state.live_task(patch.task, index, "/task")
    if task is None:
        return
    task = state.own_task(task.id, index)
    apply_task_fields(state, index, task, patch.fields)
    for name, value in _system(state, index).items():
        touch(state, index, task, name)
        setattr(task, name, value)


def move_task(state: WorkingState, index: int, patch: MoveTask) -> None:
    task = state.live_task(patch.task, index, "/task")
    parent, anchor, sound = parent_and_anchor(state, index, patch.parent, patch.before, patch.after)
    if task is None or not sound:
        return
    beside_path = "/before" if patch.before else "/after"
    if anchor is not None and anchor.id == task.id:
        state.issue(
            ErrorCode.INVALID_HIERARCHY, index, beside_path, f"{task.key} cannot be placed beside itself", "name another sibling"
        )
        return
    named = "parent" in patch.model_fields_set
    parent_id = parent.id if parent else None
    if not named:
        parent_id = anchor.parent_id if anchor else task.parent_id
    if not same_project(state, index, task.project_id, parent, anchor, beside_path):
        return
    if anchor is not None and not anchor_fits(state, index, anchor, parent_id, beside_path, named=named):
        return
    touch(state, index, task, "parent", relies=not named and anchor is None)
    position = _system(state, index).get("position")
    if position is None and stands_there(state, task, parent_id, anchor, before=patch.before is not None):
        return
    touch(state, index, task, "position")
    task = state.own_task(task.id, index)
    if parent_id != task.parent_id:
        state.reparent(task, parent_id)
        state.moved[task.id] = index
    if position is None:
        put(state, task, anchor, before=patch.before is not None)
    else:
        state.places.fix(task.id, position)


def delete_task(state: WorkingState, index: int, patch: DeleteTask) -> None:
    task = state.find_task(patch.task, index, "/task")
    if task is None or done_by_others(state, index, task, deleted=True):
        return
    task = state.live_task(patch.task, index, "/task")
    if task is None:
        return
    below = [state.tasks[item] for item in state.below(task.id)]
    below = [item for item in below if item.deleted_at is None]
    if below and not patch.cascade:
        _has_children(state, index, task.key, len(below), "subtask")
        return
    if not _exactly(state, index, task.key, [task.id, *(item.id for item in below)]):
        return
    touch_arrivals(state, index, [task, *below])
    deletion_id = _system(state, index).get("deletion_id") or state.ids.new_id()
    _delete_row(state, index, task, deletion_id, cascaded=False)
    for item in in_outline_order(below):
        _delete_row(state, index, item, deletion_id, cascaded=True)


def restore_task(state: WorkingState, index: int, patch: RestoreTask) -> None:
    task = state.find_task(patch.task, index, "/task")
    if task is None:
        return
    if done_by_others(state, index, task, deleted=False):
        return
    if task.deleted_at is None:
        state.issue(ErrorCode.INVALID_PATCH, index, "/task", f"{task.key} is not deleted", "leave this patch out")
        return
    root = state.deletion_root(task)
    project = state.projects[task.project_id]
    parent = state.tasks[task.parent_id] if task.parent_id else None
    above = [item for item in (project, parent) if item is not None and item.deleted_at is not None]
    if any(lost(state, index, item, "/task") for item in above):
        return
    if root.id != task.id:
        _cannot_restore(state, index, f"{task.key} was deleted together with {root.key}", state.restore_advice(task))
    elif project.deleted_at is not None:
        _cannot_restore(state, index, f"the project {project.key} of {task.key} is deleted", f"restore_project {project.key}")
    elif parent is not None and parent.deleted_at is not None:
        _cannot_restore(state, index, f"the parent {parent.key} of {task.key} is deleted", state.restore_advice(parent))
    else:
        deletion_id = task.deletion_id
        _restore_row(state, index, task, cascaded=False)
        gone = [item for item in map(state.tasks.__getitem__, state.below(task.id)) if item.deletion_id == deletion_id]
        for item in in_outline_order(gone):
            _restore_row(state, index, item, cascaded=True)
        state.moved[task.id] = index  # its edges come back: the cycle rule looks again


# -- dependencies and comments


def add_dependency(state: WorkingState, index: int, patch: AddDependency) -> None:
    task = state.live_task(patch.task, index, "/task")
    target = state.live_task(patch.depends_on, index, "/depends_on")
    if task is not None and target is not None:
        _link(state, index, task, target, "/depends_on")


def remove_dependency(state: WorkingState, index: int, patch: RemoveDependency) -> None:
    task = state.live_task(patch.task, index, "/task")
    target = state.live_task(patch.depends_on, index, "/depends_on")
    if task is None or target is None:
        return
    touch(state, index, task, "depends_on", "/depends_on", unit=target.key)
    edge = (task.id, target.id)
    if not state.has_edge(edge):
        state.issue(
            ErrorCode.INVALID_PATCH,
            index,
            "/depends_on",
            f"{task.key} does not wait for {target.key}, so nothing is removed",
            severity=Severity.WARNING,
        )
        return
    state.own_task(task.id, index)
    if edge in state.added_edges:
        del state.added_edges[edge]
    else:
        state.removed_edges[edge] = index


def add_comment(state: WorkingState, index: int, patch: AddComment) -> None:
    task = state.live_task(patch.task, index, "/task")
    if task is not None:
        comment = CommentRecord(
            id=state.ids.new_id(),
            task_id=task.id,
            project_id=task.project_id,
            author=state.author,
            body=patch.body,
            created_at=state.now,
        )
        state.comments.append((index, comment))


# -- shared steps


def _system(state: WorkingState, index: int) -> Mapping[str, Any]:
    """Return fields that only a revert or a claim may set with this patch."""
    return state.system.get(index, NO_SYSTEM_FIELDS)


def _link(state: WorkingState, index: int, task: TaskRecord, target: TaskRecord, path: str) -> None:
    """Make `task` wait for `target`; a dependency that exists already stays as it is."""
    if task.project_id != target.project_id:
        state.issue(
            ErrorCode.INVALID_HIERARCHY,
            index,
            path,
            f"{task.key} and {target.key} belong to different projects",
            "a dependency joins two tasks of one project",
        )
        return
    touch(state, index, task, "depends_on", path, unit=target.key)
    edge = (task.id, target.id)
    if state.has_edge(edge):
        return
    state.own_task(task.id, index)
    if edge in state.removed_edges:
        del state.removed_edges[edge]
    else:
        state.added_edges[edge] = index
    state.linked[edge] = (index, path)


def _delete_row(state: WorkingState, index: int, task: TaskRecord, deletion_id: str, *, cascaded: bool) -> None:
    touch(state, index, task, "deleted")
    task = state.own_task(task.id, index)
    task.deleted_at, task.deletion_id = state.now, deletion_id
    if cascaded:
        state.cascaded.add(task.id)
    else:
        state.cascaded.discard(task.id)


def _restore_row(state: WorkingState, index: int, task: TaskRecord, *, cascaded: bool) -> None:
    touch(state, index, task, "deleted")
    task = state.own_task(task.id, index)
    task.deleted_at = task.deletion_id = None
    if cascaded:
        state.cascaded.add(task.id)


def _has_children(state: WorkingState, index: int, key: str, count: int, kind: str) -> None:
    state.issue(
        ErrorCode.HAS_CHILDREN,
        index,
        "/cascade",
        f"{key} has {count} live {kind}{'s' if count > 1 else ''}",
        "set cascade to true to delete them too, or move them first",
    )


def _exactly(state: WorkingState, index: int, key: str, ids: list[str]) -> bool:
    """A revert deletes what its set had created and nothing that others have put there since."""
    rows = _system(state, index).get("rows")
    if rows is None:
        return True
    others = sorted(state.tasks[item].key for item in set(ids) - set(rows))
    if others:
        state.issue(
            ErrorCode.HAS_CHILDREN,
            index,
            "",
            f"{', '.join(others[:5])} {'was' if len(others) == 1 else 'were'} put under {key} later",
            "move or delete them first",
        )
    return not others


def _cannot_restore(state: WorkingState, index: int, message: str, advice: str) -> None:
    state.issue(ErrorCode.DELETED_RESOURCE, index, "/task", message, f"use {advice} first")
