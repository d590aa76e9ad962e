"""What storage hands to the pure code: the stored rows that a patch set touches, and no others.

Records are treated as immutable once loaded; the working state copies a record before it
changes it, so that every difference can be computed at the end.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from functools import partial
from operator import attrgetter
from typing import Any

from schemas.changes import Action, EntityKind
from schemas.primitives import Priority, ProjectStatus, TaskStatus

# The siblings of one place: project id and parent id (None = top level).
Place = tuple[str, str | None]

_LISTS: Callable[[], dict[str, list[str]]] = partial(defaultdict, list)


@dataclass(slots=True)
class ProjectRecord:
    """A stored project row. Counters cover live tasks only."""

    id: str
    key: str
    name: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    description: str = ""
    status: ProjectStatus = ProjectStatus.PLANNING
    priority: Priority = Priority.MEDIUM
    tags: list[str] = field(default_factory=list)
    start_date: date | None = None
    due_date: date | None = None
    links: dict[str, str] = field(default_factory=dict)
    task_schema: dict[str, Any] | None = None
    revision: int = 0
    next_number: int = 1
    task_count: int = 0
    completed_task_count: int = 0
    leaf_count: int = 0
    leaf_completed: int = 0
    estimated_minutes: int = 0
    deleted_at: datetime | None = None
    deletion_id: str | None = None

    def copy(self) -> "ProjectRecord":
        return ProjectRecord(*_PROJECT_VALUES(self))  # a third of the time of the generic way


@dataclass(slots=True)
class TaskRecord:
    """A stored task row. `leaf_count` and `leaf_completed` count live leaves below it, cancelled ones excluded."""

    id: str
    key: str
    number: int
    project_id: str
    parent_id: str | None
    position: int
    depth: int
    title: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    description: str = ""
    acceptance_criteria: list[str] = field(default_factory=list)
    status: TaskStatus = TaskStatus.TODO
    priority: Priority = Priority.MEDIUM
    tags: list[str] = field(default_factory=list)
    assignee: str | None = None
    start_date: date | None = None
    due_date: date | None = None
    estimated_minutes: int | None = None
    actual_minutes: int | None = None
    links: dict[str, str] = field(default_factory=dict)
    custom: dict[str, Any] = field(default_factory=dict)
    claimed_by: str | None = None
    claim_expires_at: datetime | None = None
    completed_at: datetime | None = None
    revision: int = 0
    deleted_at: datetime | None = None
    deletion_id: str | None = None
    subtask_count: int = 0
    leaf_count: int = 0
    leaf_completed: int = 0

    def copy(self) -> "TaskRecord":
        return TaskRecord(*_TASK_VALUES(self))


_PROJECT_VALUES = attrgetter(*(item.name for item in fields(ProjectRecord)))
_TASK_VALUES = attrgetter(*(item.name for item in fields(TaskRecord)))


@dataclass(slots=True)
class CommentRecord:
    id: str
    task_id: str
    project_id: str
    author: str
    body: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Renumbering:
    """New position numbers of the siblings at one place, in the same order: no change, but older numbers mean other places."""

    project_id: str
    home: str  # key of the parent; at the top level, of the project
    positions: dict[str, tuple[int, int]]  # task id -> number before and after


@dataclass(frozen=True, slots=True)
class GraphNode:
    """The little that the cycle check needs of a task it only passes through."""

    id: str
    key: str
    parent_id: str | None
    live: bool


@dataclass(frozen=True, slots=True)
class LaterChange:
    """One entry of the history of a touched item, made after the author's base revision."""

    revision: int
    action: Action
    fields: dict[str, dict[str, Any]]  # field -> {"before": .., "after": ..}, as stored in patch_set_changes


@dataclass(slots=True)  # not frozen: that would take three times as long, for each write
class Needs:
    """What a patch set touches. Names are ids or keys as written (keys compare case-blind)."""

    projects: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()
    anchors: frozenset[str] = frozenset()  # tasks named by `before` or `after`: their neighbours too
    subtrees: frozenset[str] = frozenset()  # tasks that move or go: everything below them, deleted rows included
    whole_projects: frozenset[str] = frozenset()  # projects that go: all their tasks
    deletions: frozenset[str] = frozenset()  # tasks to restore: all rows of the same deletion
    project_deletions: frozenset[str] = frozenset()  # projects to restore: all rows of the same deletion
    edges: frozenset[str] = frozenset()  # tasks whose stored dependencies are read
    starts: frozenset[str] = frozenset()  # cycle check begins where these tasks start ..
    ends: frozenset[str] = frozenset()  # .. and where these end
    append_to_tasks: frozenset[str] = frozenset()  # parents whose last position is needed
    append_to_projects: frozenset[str] = frozenset()  # the same for the top level of projects
    append_beside: frozenset[str] = frozenset()  # tasks: the same for the top level of their project and beside them
    key_bases: frozenset[str] = frozenset()  # keys that new projects would like to have
    placements: int = 0  # how many tasks are placed beside anchors
    base_revisions: dict[str, int] = field(default_factory=dict)  # project id or key -> revision the author saw


@dataclass(slots=True)
class Snapshot:
    """The stored state a plan starts from.

    `projects` holds every named project and the project of every loaded task; `tasks` every named
    task, all their ancestors, and what `Needs` asked for besides.
    """

    projects: dict[str, ProjectRecord] = field(default_factory=dict)  # by id
    tasks: dict[str, TaskRecord] = field(default_factory=dict)  # by id
    project_names: dict[str, str] = field(default_factory=dict)  # name as written -> id
    task_names: dict[str, str] = field(default_factory=dict)  # name as written -> id
    suggestions: dict[str, list[str]] = field(default_factory=dict)  # unknown name -> nearest existing keys
    edges: dict[str, list[str]] = field(default_factory=_LISTS)  # task id -> ids it waits for
    last_position: dict[Place, int] = field(default_factory=dict)  # absent: no task there yet
    # Known siblings around anchors as (position, id), ascending, deleted rows included. `complete_places`
    # are loaded whole because the gap could be exhausted.
    siblings: dict[Place, list[tuple[int, str]]] = field(default_factory=dict)
    complete_places: set[Place] = field(default_factory=set)
    taken_keys: set[str] = field(default_factory=set)  # existing project keys that begin with one of `key_bases`
    graph: dict[str, GraphNode] = field(default_factory=dict)  # reachable from `starts` and `ends`
    graph_children: dict[str, list[str]] = field(default_factory=_LISTS)
    graph_dependents: dict[str, list[str]] = field(default_factory=_LISTS)  # id -> tasks waiting for it
    base: dict[str, int] = field(default_factory=dict)  # project id -> base revision, for projects that exist
    later: dict[tuple[EntityKind, str], list[LaterChange]] = field(default_factory=dict)  # ascending by revision
