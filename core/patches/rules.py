"""Rules on the final state of a plan: hierarchy, cycles, dates, sizes and the project's task schema."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.patches.fields import pointer
from core.patches.graph import Arrows, Node, components_with_cycles, path_within
from core.patches.schema_check import schema_errors, task_schema_errors
from core.patches.snapshot import ProjectRecord, TaskRecord
from core.patches.state import WorkingState
from schemas.errors import ErrorCode
from schemas.primitives import MAX_CUSTOM_BYTES, MAX_TASK_SCHEMA_BYTES

MAX_LINKS = 20
MAX_TAGS = 50
MAX_CYCLES_SHOWN = 20
MAX_SCHEMA_BREAKS_SHOWN = 20


def check(state: WorkingState, *, max_depth: int) -> None:
    """Report every broken rule of the result in `state.issues`; bring depths up to date."""
    if not _check_parents(state):  # in a parent cycle nothing has a depth or an order
        _check_depths(state, max_depth)
        _check_cycles(state)
    for task_id, causes in state.task_causes.items():
        task = state.tasks[task_id]
        if task.deleted_at is None:
            _check_dates(state, task, causes)
            _check_sizes(state, task, causes)
    for project_id, causes in state.project_causes.items():
        project = state.projects[project_id]
        if causes and project.deleted_at is None:
            _check_dates(state, project, causes)
            _check_sizes(state, project, causes)
            _check_task_schema(state, project, causes)
    _check_custom(state)


# -- hierarchy


def _check_parents(state: WorkingState) -> bool:
    found = False
    for task_id, index in state.moved.items():
        seen = [task_id]
        parent_id = state.tasks[task_id].parent_id
        while parent_id is not None and parent_id not in seen:
            seen.append(parent_id)
            parent_id = state.tasks[parent_id].parent_id
        if parent_id == task_id:
            chain = " > ".join(state.tasks[item].key for item in [*seen, task_id])
            state.issue(
                ErrorCode.INVALID_HIERARCHY,
                index,
                "/parent",
                f"a task cannot be below itself: {chain}",
                "move it under a task that is not below it",
            )
            found = True
        elif parent_id is not None:
            found = True  # it hangs below a cycle that another task reports
    return found


def _check_depths(state: WorkingState, max_depth: int) -> None:
    reported: set[int] = set()
    for task_id, causes in list(state.task_causes.items()):
        task = state.tasks[task_id]
        depth = _depth_of(state, task)
        if depth != task.depth or depth > max_depth:
            _set_depth(state, task, depth, causes[-1], max_depth, reported)
        if task_id in state.moved:
            for item in state.below(task_id):
                child = state.tasks[item]
                depth = _depth_of(state, child)
                if depth != child.depth or depth > max_depth:
                    _set_depth(state, child, depth, state.moved[task_id], max_depth, reported)


def _depth_of(state: WorkingState, task: TaskRecord) -> int:
    """Return the depth of a task, counted on the final tree."""
    depth = 0
    parent_id = task.parent_id
    while parent_id is not None:
        depth += 1
        parent_id = state.tasks[parent_id].parent_id
    return depth


def _set_depth(state: WorkingState, task: TaskRecord, depth: int, index: int, max_depth: int, reported: set[int]) -> None:
    if depth != task.depth:
        state.own_quietly(task.id).depth = depth
    if depth > max_depth and task.deleted_at is None and index not in reported:
        reported.add(index)
        state.issue(
            ErrorCode.INVALID_HIERARCHY,
            index,
            "/parent",
            f"{task.key} would be at level {depth}; the deepest allowed is {max_depth} (the top level is 0)",
            "put it under a task closer to the top level",
        )


# -- cycles


def _check_cycles(state: WorkingState) -> None:
    if not state.linked and not state.moved:
        return
    arrows = _arrows(state)
    roots: list[Node] = [("S", task_id) for task_id, _ in state.linked]
    for task_id in state.moved:
        roots.append(("S", task_id))
        parent_id = state.tasks[task_id].parent_id
        if parent_id is not None:
            roots.append(("E", parent_id))
    shown = 0
    for component in components_with_cycles(roots, arrows):
        for index, path, tail, head in _causes_within(state, component):
            if shown == MAX_CYCLES_SHOWN:
                return
            shown += 1
            chain = _chain(state, path_within(component, head, tail, arrows))
            state.issue(
                ErrorCode.DEPENDENCY_CYCLE,
                index,
                path,
                f"this would make a cycle: {chain}",
                "leave this out, or remove one of the dependencies named",
            )


def _arrows(state: WorkingState) -> Arrows:
    """Return the arrows of the final state: stored ones as loaded, changed ones as planned."""
    tasks, graph = state.tasks, state.snapshot.graph
    children = state.children_index()
    dependents: dict[str, list[str]] = {}
    for task_id, target_id in state.added_edges:
        dependents.setdefault(target_id, []).append(task_id)

    counted: set[str] = set()  # deleted again by the same set, perhaps: what is stored must bear to be restored
    for edge in state.added_edges:
        for end in edge:
            above: str | None = end
            while above is not None and above not in counted:
                counted.add(above)
                above = tasks[above].parent_id

    def live(task_id: str) -> bool:
        if task_id in counted:
            return True
        task = tasks.get(task_id)
        if task is None:
            return graph[task_id].live
        return task.deletion_id == state.projects[task.project_id].deletion_id  # what went with its project comes back unasked

    def parent_of(task_id: str) -> str | None:
        task = tasks.get(task_id)
        return task.parent_id if task is not None else graph[task_id].parent_id

    def arrows(node: Node) -> Iterable[Node]:
        side, task_id = node
        if side == "S":
            yield ("E", task_id)
            below = dict.fromkeys([*state.snapshot.graph_children.get(task_id, ()), *children.get(task_id, ())])
            for child in below:
                if parent_of(child) == task_id and live(child):
                    yield ("S", child)
            return
        parent_id = parent_of(task_id)
        if parent_id is not None:
            yield ("E", parent_id)
        waiting = dict.fromkeys([*state.snapshot.graph_dependents.get(task_id, ()), *dependents.get(task_id, ())])
        for other in waiting:
            if (other, task_id) not in state.removed_edges and live(other):
                yield ("S", other)

    return arrows


def _causes_within(state: WorkingState, component: set[Node]) -> Iterable[tuple[int, str, Node, Node]]:
    """Yield patch, path, tail and head of each changed arrow inside a component; of a move or restoration, one node twice."""
    found = False
    for edge, (index, path) in state.linked.items():
        tail, head = ("E", edge[1]), ("S", edge[0])
        if tail in component and head in component and state.has_edge(edge):
            found = True
            yield index, path, tail, head
    if found:
        return
    for task_id, index in state.moved.items():
        for item in (task_id, *state.below(task_id)):  # what is restored with it brings its edges back, too
            for node in (("S", item), ("E", item)):
                if node in component:
                    yield index, "", node, node
                    return


def _chain(state: WorkingState, path: list[Node]) -> str:
    keys: list[str] = []
    for _, task_id in path:
        task = state.tasks.get(task_id)
        key = task.key if task is not None else state.snapshot.graph[task_id].key
        if not keys or keys[-1] != key:
            keys.append(key)
    if keys[0] != keys[-1] or len(keys) == 1:  # the changed arrow closes it
        keys.append(keys[0])
    return " > ".join(keys)


# -- fields


def _check_dates(state: WorkingState, item: TaskRecord | ProjectRecord, causes: Sequence[int]) -> None:
    if item.start_date is None or item.due_date is None or item.start_date <= item.due_date:
        return
    state.issue(
        ErrorCode.VALIDATION_ERROR,
        *_blamed(state, item, causes, "due_date", "start_date"),
        f"{item.key} would start on {item.start_date} and be due on {item.due_date}",
        "start_date must not be after due_date",
    )


def _check_sizes(state: WorkingState, item: TaskRecord | ProjectRecord, causes: Sequence[int]) -> None:
    if len(item.links) > MAX_LINKS:
        state.issue(
            ErrorCode.VALIDATION_ERROR,
            *_blamed(state, item, causes, "links"),
            f"{item.key} would have {len(item.links)} links",
            f"at most {MAX_LINKS}; null removes one",
        )
    if len(item.tags) > MAX_TAGS:  # merged with those of others
        message = f"{item.key} would have {len(item.tags)} tags"
        blamed = _blamed(state, item, causes, "tags")
        state.issue(ErrorCode.VALIDATION_ERROR, *blamed, message, f"at most {MAX_TAGS}; take some away")


def _blamed(state: WorkingState, item: TaskRecord | ProjectRecord, causes: Sequence[int], *names: str) -> tuple[int, str]:
    """Return patch and path that set one of these fields; else the patch that restored the item.

    What a set deletes in the end is not checked, so it may have left anything there.
    """
    origins = (state.origins.get((item.id, name)) for name in names)
    return next((origin for origin in origins if origin is not None), (causes[-1], ""))


def _is_restored(state: WorkingState, item: TaskRecord | ProjectRecord) -> bool:
    stored = state.snapshot.tasks.get(item.id) or state.snapshot.projects.get(item.id)
    return stored is not None and stored.deleted_at is not None and item.deleted_at is None


def _check_task_schema(state: WorkingState, project: ProjectRecord, causes: Sequence[int]) -> None:
    if project.task_schema is None or not ((project.id, "task_schema") in state.origins or _is_restored(state, project)):
        return
    origin = _blamed(state, project, causes, "task_schema")
    if len(json.dumps(project.task_schema).encode()) > MAX_TASK_SCHEMA_BYTES:
        message = f"must be at most {MAX_TASK_SCHEMA_BYTES} bytes of JSON"
        state.issue(ErrorCode.VALIDATION_ERROR, *origin, message)
        return
    problem = task_schema_errors(project.task_schema)
    if problem is not None:
        path = origin[1] + "".join(f"/{pointer(str(part))}" for part in problem.path if origin[1])
        state.issue(
            ErrorCode.VALIDATION_ERROR,
            origin[0],
            path,
            f"task_schema of {project.key} is no valid JSON Schema: {problem.message}",
            "use JSON Schema 2020-12, without $ref to other documents",
        )
        state.bad_schemas.add(project.id)


def _check_custom(state: WorkingState) -> None:
    """Check `custom` of touched tasks, and of every task where the schema itself changed."""
    renewed = {item for item, name in state.origins if name == "task_schema"} - state.bad_schemas
    shown = 0
    for task in list(state.tasks.values()):
        if task.deleted_at is not None or not (task.id in state.task_causes or task.project_id in renewed):
            continue
        origin = state.origins.get((task.id, "custom"))
        if (origin is not None or _is_restored(state, task)) and _is_too_large(task.custom):
            blamed = _blamed(state, task, state.task_causes[task.id], "custom")
            message = f"custom of {task.key} must be at most {MAX_CUSTOM_BYTES} bytes of JSON"
            state.issue(ErrorCode.VALIDATION_ERROR, *blamed, message)
            continue
        project = state.projects[task.project_id]
        if project.task_schema is None or project.id in state.bad_schemas or shown >= MAX_SCHEMA_BREAKS_SHOWN:
            continue
        index, path = origin or state.origins.get((project.id, "task_schema")) or (state.task_causes[task.id][-1], "")
        for problem in schema_errors(project.task_schema, task.custom):
            shown += 1
            where = "".join(f"/{pointer(str(part))}" for part in problem.path)
            state.issue(
                ErrorCode.VALIDATION_ERROR,
                index,
                path + (where if origin else ""),
                f"custom{where} of {task.key} breaks the project's task_schema: {problem.message}",
                "see task_schema of the project",
            )


def _is_too_large(custom: Mapping[str, Any]) -> bool:
    return len(json.dumps(custom, ensure_ascii=False).encode()) > MAX_CUSTOM_BYTES
