"""A project as it was at an earlier revision: the stored rows, with everything changed since put back.

The history is walked from newest to oldest, so that each step meets the state it was made on. What
no change stores is worked out anew: depth and counters from the tree, and from the last change that
had been made by then (its stamp) the revision and time of an item.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from core.patches.snapshot import ProjectRecord, TaskRecord
from schemas.changes import Action, EntityKind
from schemas.primitives import Priority, ProjectStatus, TaskStatus


class Step(NamedTuple):
    """One entry of a project's history as stored."""

    kind: str  # an EntityKind, or RENUMBERING
    item_id: str
    action: str
    fields: Mapping[str, Any]  # field -> {"before": .., "after": ..}; of a renumbering, task id -> the same


class Stamp(NamedTuple):
    revision: int
    at: datetime


RENUMBERING = "renumbering"  # the kind of entries that say which position numbers have changed their meaning
_READ = {
    "priority": Priority,
    "start_date": date.fromisoformat,
    "due_date": date.fromisoformat,
    "completed_at": datetime.fromisoformat,
    "claim_expires_at": datetime.fromisoformat,
}
_NOT_STORED = frozenset({"parent", "depends_on", "deleted_at"})  # by the name that a change gives it
_READ_OF_TASK = _READ | {"status": TaskStatus}
_READ_OF_PROJECT = _READ | {"status": ProjectStatus}


@dataclass(slots=True)
class Past:
    """All rows of one project, deleted ones included, on their way back in time. The records are changed in place."""

    project: ProjectRecord
    tasks: dict[str, TaskRecord]  # by id
    edges: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # task id -> ids it waits for
    changed: set[str] = field(default_factory=set)  # ids of tasks whose revision and time are not those of then

    def rewind(self, steps: Iterable[Step]) -> None:
        """Put back what `steps`, from the newest to the oldest, have changed."""
        by_key = {task.key: task.id for task in self.tasks.values()}
        for step in steps:
            if step.kind == EntityKind.TASK.value:
                self._put_task_back(step, by_key)
            elif step.kind == EntityKind.PROJECT.value:
                _put_back(self.project, step, _READ_OF_PROJECT)
            elif step.kind == RENUMBERING:
                for task_id, sides in step.fields.items():
                    self.tasks[task_id].position = sides["before"]

    def stamp(self, project: Stamp, tasks: Mapping[str, Stamp]) -> None:
        """Set revision and time of the project and of the tasks in `changed`: those of their last change by then."""
        _stamp(self.project, project)
        for task_id, stamp in tasks.items():
            _stamp(self.tasks[task_id], stamp)

    def recount(self) -> None:
        """Work out depth and counters of the live tasks and of the project."""
        live = [task for task in self.tasks.values() if task.deleted_at is None]
        children: dict[str | None, list[TaskRecord]] = defaultdict(list)
        for task in live:
            children[task.parent_id].append(task)
        project = self.project
        project.task_count, project.completed_task_count = len(live), 0
        project.leaf_count = project.leaf_completed = project.estimated_minutes = 0
        for task in live:
            task.subtask_count = len(children.get(task.id, ()))
            task.leaf_count = task.leaf_completed = 0
            project.completed_task_count += task.status is TaskStatus.COMPLETED
        for depth, task in _with_depth(children):
            task.depth = depth
            if task.subtask_count == 0:
                self._count_leaf(task)

    def _count_leaf(self, leaf: TaskRecord) -> None:
        self.project.estimated_minutes += leaf.estimated_minutes or 0
        if leaf.status is TaskStatus.CANCELLED:
            return
        done = leaf.status is TaskStatus.COMPLETED
        above: TaskRecord | ProjectRecord = leaf
        while isinstance(above, TaskRecord):
            above = self.tasks[above.parent_id] if above.parent_id else self.project
            above.leaf_count += 1
            above.leaf_completed += done

    def _put_task_back(self, step: Step, by_key: Mapping[str, str]) -> None:
        if step.action == Action.CREATED.value:
            del self.tasks[step.item_id]
            self.edges.pop(step.item_id, None)
            self.changed.discard(step.item_id)
            return
        task = self.tasks[step.item_id]
        self.changed.add(task.id)
        _put_back(task, step, _READ_OF_TASK)
        if "parent" in step.fields:
            key = step.fields["parent"]["before"]
            task.parent_id = by_key[key] if key else None
        if "depends_on" in step.fields:
            self.edges[task.id] = [by_key[key] for key in step.fields["depends_on"]["before"]]


def _put_back(record: TaskRecord | ProjectRecord, step: Step, read: Mapping[str, Any]) -> None:
    for name, sides in step.fields.items():
        if name not in _NOT_STORED:
            value = sides["before"]
            setattr(record, name, read[name](value) if name in read and value is not None else value)
    if step.action == Action.DELETED.value:
        record.deleted_at = record.deletion_id = None
    elif step.action == Action.RESTORED.value:
        record.deleted_at = record.updated_at  # `stamp` says when


def _stamp(record: TaskRecord | ProjectRecord, stamp: Stamp) -> None:
    record.revision, record.updated_at = stamp
    if record.deleted_at is not None:
        record.deleted_at = stamp.at  # what is deleted changes no more


def _with_depth(children: Mapping[str | None, list[TaskRecord]]) -> Iterable[tuple[int, TaskRecord]]:
    waiting = [(0, task) for task in children.get(None, ())]
    while waiting:
        depth, task = waiting.pop()
        yield depth, task
        waiting += [(depth + 1, child) for child in children.get(task.id, ())]


def carried_over(position: int, renumberings: Iterable[Mapping[str, tuple[int, int]]]) -> int:
    """Return where an old position stands among siblings that were renumbered since, oldest renumbering first.

    Between two siblings it keeps its share of the gap, so that several such positions keep their order.
    """
    for numbers in renumberings:
        known = sorted(numbers.values())
        below = [pair for pair in known if pair[0] <= position]
        above = [pair for pair in known if pair[0] > position]
        if not below or not above:
            old, new = below[-1] if below else above[0]
            position += new - old
            continue
        (low, new_low), (high, new_high) = below[-1], above[0]
        position = new_low + (position - low) * (new_high - new_low) // (high - low)
    return position
