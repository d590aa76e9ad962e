"""Where a task goes: its project, parent and anchor as a patch names them, and whether they fit together."""

from core.patches.snapshot import Place, ProjectRecord, TaskRecord
from core.patches.state import WorkingState
from core.patches.touches import at_base, touch
from schemas.errors import ErrorCode
from schemas.patches import CreateTask


def place_for_creation(
    state: WorkingState, index: int, patch: CreateTask
) -> tuple[ProjectRecord, TaskRecord | None, TaskRecord | None] | None:
    """Return project, parent and anchor of a new task, or None after reporting what is wrong."""
    project = state.live_project(patch.project, index, "/project") if patch.project is not None else None
    parent, anchor, sound = parent_and_anchor(state, index, patch.parent, patch.before, patch.after)
    if not sound or (patch.project is not None and project is None):
        return None
    if anchor is not None and "parent" not in patch.model_fields_set:
        parent = state.tasks[anchor.parent_id] if anchor.parent_id else None
    beside = parent or anchor
    if project is None and beside is None:
        state.issue(
            ErrorCode.VALIDATION_ERROR, index, "/project", "is required", "name the project, or a parent, before or after"
        )
        return None
    project = project or state.projects[beside.project_id if beside else ""]
    beside_path = "/before" if patch.before else "/after"
    if not same_project(state, index, project.id, parent, anchor, beside_path):
        return None
    if anchor is not None:
        named = "parent" in patch.model_fields_set
        if not anchor_fits(state, index, anchor, parent.id if parent else None, beside_path, named=named):
            return None
    return project, parent, anchor


def parent_and_anchor(
    state: WorkingState, index: int, parent: str | None, before: str | None, after: str | None
) -> tuple[TaskRecord | None, TaskRecord | None, bool]:
    """Return the named parent and anchor, and whether all names given were sound."""
    found_parent = state.live_task(parent, index, "/parent") if parent is not None else None
    if before is None and after is None:
        return found_parent, None, parent is None or found_parent is not None
    found_before = state.live_task(before, index, "/before") if before is not None else None
    found_after = state.live_task(after, index, "/after") if after is not None else None
    if before is not None and after is not None:
        state.issue(ErrorCode.VALIDATION_ERROR, index, "/after", "cannot be given together with before", "keep one of the two")
        return None, None, False
    anchor = found_before or found_after
    sound = (parent is None or found_parent is not None) and anchor is not None
    return found_parent, anchor, sound


def same_project(
    state: WorkingState, index: int, project_id: str, parent: TaskRecord | None, anchor: TaskRecord | None, beside_path: str
) -> bool:
    if parent is not None and parent.project_id != project_id:
        item, path = parent, "/parent"
    elif anchor is not None and anchor.project_id != project_id:
        item, path = anchor, beside_path
    else:
        return True
    state.issue(
        ErrorCode.INVALID_HIERARCHY,
        index,
        path,
        f"{item.key} belongs to project {state.projects[item.project_id].key}, not {state.projects[project_id].key}",
        "a task stays in its project; name an item of the same project",
    )
    return False


def anchor_fits(state: WorkingState, index: int, anchor: TaskRecord, parent_id: str | None, path: str, *, named: bool) -> bool:
    """Whether the anchor is where the patch means to go: under the parent it has `named`, else where its author saw it."""
    if named and anchor.parent_id == parent_id:
        return True
    touch(state, index, anchor, "parent", path, relies=True)
    if anchor.parent_id == parent_id:
        return True
    if not at_base(state, anchor, "parent", relies=True)[0]:
        where = f"under {state.tasks[anchor.parent_id].key}" if anchor.parent_id else "at the top level"
        state.issue(
            ErrorCode.INVALID_HIERARCHY,
            index,
            path,
            f"{anchor.key} is {where}, so nothing can be placed beside it elsewhere",
            "leave the parent out to use the anchor's, or name an anchor under that parent",
        )
    return False


def put(state: WorkingState, task: TaskRecord, anchor: TaskRecord | None, *, before: bool) -> None:
    place: Place = (task.project_id, task.parent_id)
    if anchor is None:
        state.places.append(place, task.id)
    else:
        state.places.put(place, task.id, anchor.id, before=before)


def stands_there(
    state: WorkingState, task: TaskRecord, parent_id: str | None, anchor: TaskRecord | None, *, before: bool
) -> bool:
    """Whether others have moved the task since the author's base, to just where this patch wants it."""
    if parent_id != task.parent_id or not at_base(state, task, "position")[0]:
        return False
    place: Place = (task.project_id, task.parent_id)
    return state.places.stands(place, task.id, task.position, anchor.id if anchor else None, before=before)
