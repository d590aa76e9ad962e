"""Compare the state before with the state after: what changed, item by item, in wire form."""

from collections.abc import Callable, Iterable
from datetime import date
from enum import Enum
from operator import attrgetter
from typing import Any

from core.patches.snapshot import CommentRecord, ProjectRecord, TaskRecord
from core.patches.state import WorkingState
from core.patches.values import same
from schemas.changes import NOTHING_DONE, Action, Change, EntityKind, FieldChange, Totals
from schemas.primitives import Priority, ProjectStatus, TaskStatus

PROJECT_FIELDS = ("name", "description", "status", "priority", "tags", "start_date", "due_date", "links", "task_schema")
TASK_FIELDS = (
    "title",
    "description",
    "acceptance_criteria",
    "status",
    "priority",
    "tags",
    "assignee",
    "start_date",
    "due_date",
    "estimated_minutes",
    "actual_minutes",
    "links",
    "custom",
    "completed_at",
    "claimed_by",
    "claim_expires_at",
)
_PROJECT_VALUES = attrgetter(*PROJECT_FIELDS)
_TASK_VALUES = attrgetter(*TASK_FIELDS)
# Members of enums that are needed per change: looking one up in its class is slow before Python 3.12.
TASK, CREATED, TODO, MEDIUM = EntityKind.TASK, Action.CREATED, TaskStatus.TODO, Priority.MEDIUM


def wire(value: Any) -> Any:
    """Return a stored value as JSON shows it."""
    if value.__class__ in PLAIN:
        return value
    if isinstance(value, Enum):
        return value.value
    moment: date = value  # a day, or more exactly an instant
    return moment.isoformat().replace("+00:00", "Z")


PLAIN = frozenset({str, int, list, dict, type(None)})


def task_value(task: TaskRecord, name: str) -> Any:
    return wire(getattr(task, name))


def project_value(project: ProjectRecord, name: str) -> Any:
    return wire(getattr(project, name))


class Comparison:
    """The differences a plan makes, and the counts of them."""

    def __init__(self, state: WorkingState, *, preview: bool) -> None:
        self._state = state
        self._preview = preview
        self._added = _grouped(state.added_edges)
        self._removed = _grouped(state.removed_edges)
        self.changes: list[Change] = []
        self.change_projects: list[str] = []
        self._counts: dict[str, int] = dict(NOTHING_DONE.__dict__)

    def totals(self) -> Totals:
        return Totals.trusted(**self._counts)

    def count(self, name: str, number: int = 1) -> None:
        self._counts[name] += number

    def add_project(self, project_id: str) -> None:
        """Compare one touched project."""
        after = self._state.projects[project_id]
        before = self._state.snapshot.projects.get(project_id)
        fields = _created_project(after) if before is None else _differences(before, after, PROJECT_FIELDS, _PROJECT_VALUES)
        action = self._action(before, after, fields)
        if action is None:
            return
        change = Change.trusted(
            kind=EntityKind.PROJECT,
            id=after.id,
            key=after.key,
            title=after.name,
            action=action,
            fields=fields,
            patch_indexes=self._state.project_causes[project_id],
            cascaded=False,
            provisional=self._preview and before is None,
        )
        self._append(change, project_id)

    def add_task(self, task_id: str) -> bool:
        """Compare one touched task; False if nothing about it differs."""
        state = self._state
        after = state.tasks[task_id]
        before = state.snapshot.tasks.get(task_id)
        if before is None:
            fields = _created_task(after, self._parent_key(after))
        else:
            fields = _differences(before, after, TASK_FIELDS, _TASK_VALUES)
            self._placement(before, after, fields)
        if task_id in self._added or task_id in self._removed:
            self._dependencies(after, fields, before is None)
        action = self._action(before, after, fields)
        if action is None:
            return False
        change = Change.trusted(
            kind=TASK,
            id=after.id,
            key=after.key,
            title=after.title,
            action=action,
            fields=fields,
            patch_indexes=state.task_causes[task_id],
            cascaded=task_id in state.cascaded,
            provisional=self._preview and before is None,
        )
        self._append(change, after.project_id)
        return True

    def add_comment(self, index: int, comment: CommentRecord) -> None:
        task = self._state.tasks[comment.task_id]
        fields: dict[str, FieldChange] = {
            "body": {"before": None, "after": comment.body},
            "author": {"before": None, "after": comment.author},
        }
        change = Change.trusted(
            kind=EntityKind.COMMENT,
            id=comment.id,
            key=task.key,
            title=task.title,
            action=Action.CREATED,
            fields=fields,
            patch_indexes=[index],
            cascaded=False,
            provisional=False,
        )
        self._append(change, comment.project_id)
        self.count("comments_added")

    def _append(self, change: Change, project_id: str) -> None:
        self.changes.append(change)
        self.change_projects.append(project_id)

    def _action(
        self,
        before: TaskRecord | ProjectRecord | None,
        after: TaskRecord | ProjectRecord,
        fields: dict[str, FieldChange],
    ) -> Action | None:
        gone = after.deletion_id is not None
        if before is None:
            self.count("created")
            if gone:
                self.count("deleted")
                fields["deleted_at"] = {"before": None, "after": wire(after.deleted_at)}
            return CREATED
        survival = (before.deletion_id is not None) is not gone
        if gone and not survival and before.deletion_id != after.deletion_id:  # restored and deleted anew
            fields["deleted_at"] = {"before": wire(before.deleted_at), "after": wire(after.deleted_at)}
        if survival:
            self.count("deleted" if gone else "restored")
        moved = "position" in fields
        if moved:
            self.count("moved")
        if fields.keys() - {"parent", "position", "depends_on"}:
            self.count("updated")
        if survival:
            return Action.DELETED if gone else Action.RESTORED
        if moved:
            return Action.MOVED
        return Action.UPDATED if fields else None

    def _placement(self, before: TaskRecord, after: TaskRecord, fields: dict[str, FieldChange]) -> None:
        if before.parent_id != after.parent_id:
            fields["parent"] = {"before": self._parent_key(before), "after": self._parent_key(after)}
        if before.parent_id != after.parent_id or (before.position != after.position and after.id not in self._state.renumbered):
            fields["position"] = {"before": before.position, "after": after.position}

    def _parent_key(self, task: TaskRecord) -> str | None:
        return self._state.tasks[task.parent_id].key if task.parent_id else None

    def _dependencies(self, task: TaskRecord, fields: dict[str, FieldChange], created: bool) -> None:
        added, removed = self._added.get(task.id, ()), self._removed.get(task.id, ())
        stored = self._state.snapshot.edges.get(task.id, ())
        before = [self._state.tasks[item].key for item in stored]
        after = [self._state.tasks[item].key for item in stored if item not in removed]
        after += [self._state.tasks[item].key for item in added]
        fields["depends_on"] = {"before": None if created else before, "after": after}  # type: ignore[typeddict-item]
        self.count("dependencies_added", len(added))
        self.count("dependencies_removed", len(removed))


def _grouped(edges: Iterable[tuple[str, str]]) -> dict[str, dict[str, None]]:
    groups: dict[str, dict[str, None]] = {}
    for task_id, target_id in edges:
        groups.setdefault(task_id, {})[target_id] = None
    return groups


def _created_project(project: ProjectRecord) -> dict[str, FieldChange]:
    """Return the fields of a new project that were set to something."""
    untold = {"status": ProjectStatus.PLANNING, "priority": Priority.MEDIUM}
    given = zip(PROJECT_FIELDS, _PROJECT_VALUES(project), strict=True)
    return {name: {"before": None, "after": wire(value)} for name, value in given if value and value is not untold.get(name)}


def _created_task(task: TaskRecord, parent: str | None) -> dict[str, FieldChange]:
    """Return the fields of a new task that were set to something; written out because 10,000 of these are a budget.

    Nobody has claimed it yet.
    """
    given: dict[str, Any] = {"title": task.title}
    if task.description:
        given["description"] = task.description
    if task.acceptance_criteria:
        given["acceptance_criteria"] = task.acceptance_criteria
    if task.status is not TODO:
        given["status"] = task.status._value_
    if task.priority is not MEDIUM:
        given["priority"] = task.priority._value_
    if task.tags:
        given["tags"] = task.tags
    if task.assignee:
        given["assignee"] = task.assignee
    if task.start_date:
        given["start_date"] = wire(task.start_date)
    if task.due_date:
        given["due_date"] = wire(task.due_date)
    if task.estimated_minutes:
        given["estimated_minutes"] = task.estimated_minutes
    if task.actual_minutes is not None:  # 0 is something, an empty text or list is not
        given["actual_minutes"] = task.actual_minutes
    if task.links:
        given["links"] = task.links
    if task.custom:
        given["custom"] = task.custom
    if task.completed_at:
        given["completed_at"] = wire(task.completed_at)
    if parent:
        given["parent"] = parent
    given["position"] = task.position
    return {name: {"before": None, "after": value} for name, value in given.items()}


def _differences(
    before: TaskRecord | ProjectRecord,
    after: TaskRecord | ProjectRecord,
    names: tuple[str, ...],
    values: Callable[[TaskRecord | ProjectRecord], tuple[Any, ...]],
) -> dict[str, FieldChange]:
    fields: dict[str, FieldChange] = {}
    for name, old, new in zip(names, values(before), values(after), strict=True):
        if not same(old, new):
            fields[name] = {"before": wire(old), "after": wire(new)}
    return fields
