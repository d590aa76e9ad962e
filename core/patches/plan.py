"""Return what a patch set would do to a snapshot, and every rule it breaks; nothing is changed.

Pure: no I/O, no clock, no await. Preview and apply call the same function, so a preview cannot
differ from what is applied to the same state.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.patches.changes import Comparison, project_value, task_value
from core.patches.conflicts import Touch, find_conflicts, unit_value
from core.patches.counters import recount
from core.patches.expect import check_expectations
from core.patches.invert import invert
from core.patches.parse import CREATING_OPS, CREATIONS, Mention, ParsedPatches
from core.patches.play import link_created, play
from core.patches.rules import check
from core.patches.snapshot import CommentRecord, ProjectRecord, Renumbering, Snapshot, TaskRecord
from core.patches.state import Ids, WorkingState
from core.patches.touches import PROJECT
from schemas.changes import NOTHING_DONE, Change, EntityKind, RefTarget, Totals
from schemas.errors import Conflict, ErrorCode, Issue, Severity
from schemas.patches import CreateProject, CreateTask, Patch


@dataclass(slots=True)
class Effects:
    """Rows for storage to write; counters and revisions are already up to date in them."""

    new_projects: list[ProjectRecord] = field(default_factory=list)
    changed_projects: list[ProjectRecord] = field(default_factory=list)  # includes those with only revision or counters changed
    new_tasks: list[TaskRecord] = field(default_factory=list)
    changed_tasks: list[TaskRecord] = field(default_factory=list)
    recounted_tasks: list[TaskRecord] = field(default_factory=list)  # only counters, depth or position differ
    new_edges: list[tuple[str, str]] = field(default_factory=list)  # (task id, id it waits for)
    removed_edges: list[tuple[str, str]] = field(default_factory=list)
    new_comments: list[CommentRecord] = field(default_factory=list)
    renumberings: list[Renumbering] = field(default_factory=list)
    revisions: dict[str, tuple[int, int]] = field(default_factory=dict)  # project id -> revision before and after
    project_keys: dict[str, str] = field(default_factory=dict)  # project id -> key, for the projects of `revisions`

    def revisions_by_key(self) -> dict[str, int]:
        """Return key -> revision after, of each project that changes."""
        return {self.project_keys[project_id]: after for project_id, (_, after) in self.revisions.items()}


@dataclass(slots=True)
class Plan:
    """Everything there is to know about a patch set before anything is stored."""

    issues: list[Issue] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)  # all of them, in the order answers and history show
    change_projects: list[str] = field(default_factory=list)  # project id of each change
    refs: dict[str, RefTarget] = field(default_factory=dict)
    totals: Totals = NOTHING_DONE
    inverse: list[dict[str, Any]] = field(default_factory=list)
    restore: dict[str, dict[str, Any]] = field(default_factory=dict)
    effects: Effects = field(default_factory=Effects)

    def errors(self) -> list[Issue]:
        """Return the issues that block."""
        return [issue for issue in self.issues if issue.severity is Severity.ERROR]

    def warnings(self) -> list[Issue]:
        return [issue for issue in self.issues if issue.severity is Severity.WARNING]


def plan(
    snapshot: Snapshot,
    parsed: ParsedPatches,
    *,
    ids: Ids,
    now: datetime,
    author: str,
    max_depth: int,
    preview: bool,
    system: Mapping[int, dict[str, Any]] | None = None,
) -> Plan:
    """Play `parsed` on `snapshot`.

    `preview` marks keys of new items as provisional; `system` holds, by patch index, fields that
    only a revert or a claim may set. Linear in patches and touched rows.
    """
    state = WorkingState(snapshot, parsed, ids=ids, now=now, author=author, system=system or {})
    creations = {index: patch for index, patch in parsed.patches if isinstance(patch, CREATIONS)}
    others = [(index, patch) for index, patch in parsed.patches if index not in creations]
    conflicts = [conflict for index, patch in others for conflict in check_expectations(state, index, patch)]
    _play_all(state, creations, others, parsed.mentions)
    check(state, max_depth=max_depth)
    result = Plan(issues=sorted(parsed.issues + state.issues, key=_by_patch), conflicts=conflicts)
    _place(state, result.effects)
    if result.errors():
        result.conflicts += _conflicts(state)
        return result
    recount(state)
    _compare(state, result, preview=preview)
    result.conflicts += _conflicts(state)
    result.inverse, result.restore = invert(state)
    return result


def _by_patch(issue: Issue) -> int:
    return -1 if issue.patch_index is None else issue.patch_index


# -- order


def _play_all(
    state: WorkingState,
    creations: Mapping[int, CreateTask | CreateProject],
    others: Sequence[tuple[int, Patch]],
    mentions: Sequence[Mention],
) -> None:
    """Creations first, in the order their refs demand, then their dependencies, then the rest by index.

    What malformed patches name is looked up when it would be their turn: a later patch may delete it.
    """
    for index in _creation_order(state, creations):
        play(state, index, creations[index])
    for index, creation in creations.items():
        if creation.op == "create_task" and creation.depends_on:
            link_created(state, index, creation)
    later = deque([mention for mention in mentions if mention.op not in CREATING_OPS])
    for mention in mentions:
        if mention.op in CREATING_OPS:
            _look_up(state, mention)
    for index, patch in others:
        while later and later[0].patch_index < index:
            _look_up(state, later.popleft())
        play(state, index, patch)
    for mention in later:
        _look_up(state, mention)


def _look_up(state: WorkingState, mention: Mention) -> None:
    """Report a name that is unknown, or of something deleted where the patch could not have meant that."""
    is_project = mention.kind is EntityKind.PROJECT
    if mention.op.startswith("restore_"):
        find: Callable[[str, int, str], object] = state.find_project if is_project else state.find_task
    else:
        find = state.live_project if is_project else state.live_task
    find(mention.name, mention.patch_index, mention.path)


def _creation_order(state: WorkingState, creations: Mapping[int, CreateTask | CreateProject]) -> Iterable[int]:
    """Return creations so that each comes after those its place names; ties by index (Kahn, 1962)."""
    by_name = _declared_names(creations)
    if _is_ordered(creations, by_name):
        return creations  # as most sets are written
    waiting: dict[int, int] = {}
    followers: dict[int, list[int]] = {}
    ready: list[int] = []
    for index, patch in creations.items():
        first = {by_name[name] for name in _place_names(patch) if name in by_name}  # itself, perhaps: then it is never ready
        if first:
            waiting[index] = len(first)
            for other in first:
                followers.setdefault(other, []).append(index)
        else:
            ready.append(index)
    heapq.heapify(ready)
    ordered: list[int] = []
    while ready:
        index = heapq.heappop(ready)
        ordered.append(index)
        for other in followers.get(index, ()):
            waiting[other] -= 1
            if not waiting[other]:
                heapq.heappush(ready, other)
    done = set(ordered)
    for index in waiting:
        if index not in done:
            state.issue(
                ErrorCode.INVALID_HIERARCHY,
                index,
                "/parent",
                "the new items of this set are placed below or beside each other in a circle",
                "let one of them name an existing item, or none",
            )
    return ordered


def _is_ordered(creations: Mapping[int, CreateTask | CreateProject], by_name: Mapping[str, int]) -> bool:
    checked: set[tuple[str | None, ...]] = set()  # places that many creations name
    for index, patch in creations.items():
        if patch.op == "create_task":
            place = (patch.project, patch.parent, patch.before, patch.after)
            if place not in checked:
                checked.add(place)
                for name in _place_names(patch):
                    if by_name.get(name, -1) >= index:
                        return False
    return True


def _declared_names(creations: Mapping[int, CreateTask | CreateProject]) -> dict[str, int]:
    names: dict[str, int] = {}
    for index, patch in creations.items():
        if patch.ref:
            names[patch.ref] = index
        if patch.op == "create_project" and patch.key:
            names.setdefault(patch.key, index)
    return names


def _place_names(patch: CreateTask | CreateProject) -> list[str]:
    if patch.op == "create_project":
        return []
    names = (patch.project, patch.parent, patch.before, patch.after)
    return [name if name[0] == "$" else name.upper() for name in names if name]


# -- result


def _place(state: WorkingState, effects: Effects) -> None:
    placed, renumbered = state.places.assign()
    for task_id, position in placed.items():
        state.tasks[task_id].position = position
    for (project_id, parent_id), positions in renumbered.items():
        home = state.tasks[parent_id] if parent_id else state.projects[project_id]
        steps: dict[str, tuple[int, int]] = {}
        for task_id, position in positions.items():
            steps[task_id] = (state.tasks[task_id].position, position)
            state.own_quietly(task_id).position = position
        state.renumbered |= steps.keys()
        effects.renumberings.append(Renumbering(project_id, home.key, steps))


def _compare(state: WorkingState, result: Plan, *, preview: bool) -> None:
    """Fill in changes, totals, refs and effects, and move revisions."""
    comparison = Comparison(state, preview=preview)
    effects = result.effects
    own_changes: dict[str, list[TaskRecord]] = {}
    for project_id, causes in state.project_causes.items():
        if causes:  # else only its counters or its next number differ
            comparison.add_project(project_id)
    for task_id in state.task_causes:
        task = state.tasks[task_id]
        if comparison.add_task(task_id):
            own_changes.setdefault(task.project_id, []).append(task)
        else:
            effects.recounted_tasks.append(task)
    for index, comment in state.comments:
        comparison.add_comment(index, comment)
        effects.new_comments.append(comment)
    for project_id in dict.fromkeys(comparison.change_projects):
        project = state.own_project_quietly(project_id)
        effects.revisions[project_id] = (project.revision, project.revision + 1)
        effects.project_keys[project_id] = project.key
        project.revision += 1
        project.updated_at = state.now
        for task in own_changes.get(project_id, ()):
            task.revision = project.revision
            task.updated_at = state.now
            (effects.changed_tasks if task.id in state.snapshot.tasks else effects.new_tasks).append(task)
        (effects.changed_projects if project_id in state.snapshot.projects else effects.new_projects).append(project)
    effects.recounted_tasks += state.quiet.values()
    effects.new_edges = list(state.added_edges)
    effects.removed_edges = list(state.removed_edges)
    result.changes, result.change_projects = comparison.changes, comparison.change_projects
    result.totals = comparison.totals()
    result.refs = {name: _target(state, kind, item) for name, (kind, item) in state.refs.items()}


def _target(state: WorkingState, kind: EntityKind, item_id: str) -> RefTarget:
    record = state.projects[item_id] if kind is PROJECT else state.tasks[item_id]
    return RefTarget.trusted(id=record.id, key=record.key)


# -- conflicts


def _conflicts(state: WorkingState) -> list[Conflict]:
    if not state.touches:
        return []
    snapshot = state.snapshot
    return find_conflicts(
        snapshot,
        state.touches,
        current=_reader(state, snapshot.tasks, snapshot.projects, planned=False),
        proposed=_reader(state, state.tasks, state.projects, planned=True),
    )


def _reader(
    state: WorkingState, tasks: Mapping[str, TaskRecord], projects: Mapping[str, ProjectRecord], *, planned: bool
) -> Callable[[Touch], Any]:
    def value(touch: Touch) -> Any:
        record = projects[touch.item_id] if touch.kind is EntityKind.PROJECT else tasks[touch.item_id]
        if touch.field == "deleted":
            return record.deleted_at is not None
        if isinstance(record, ProjectRecord):
            return unit_value(touch.field, project_value(record, touch.field), touch.unit)
        if touch.field == "parent":
            return tasks[record.parent_id].key if record.parent_id else None
        if touch.field == "depends_on":
            ids = state.waits_for(record.id) if planned else state.snapshot.edges.get(record.id, [])
            return touch.unit in [state.tasks[item].key for item in ids]
        return unit_value(touch.field, task_value(record, touch.field), touch.unit)

    return value
