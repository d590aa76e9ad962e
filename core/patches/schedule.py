"""When each open task can start and must end, and the chain of tasks that decides the end.

Every task is two nodes, its start and its end: a child starts after its parent's start and ends
before its parent's end, a task starts after the end of what it waits for. So a dependency on a
parent waits for all its leaves, and a parent that waits holds back everything below it. Nothing
here is recursive: chains may be as long as a project.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from schemas.primitives import CLOSED_STATUSES, TaskStatus
from schemas.projects import Project
from schemas.schedule import Schedule, ScheduledTask
from schemas.tasks import Task

MAX_TASKS = 20_000  # above, no other work waits for a look at the whole of a project


class Planned(Protocol):
    """What the schedule reads of a live task."""

    @property
    def id(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def parent_id(self) -> str | None: ...
    @property
    def status(self) -> TaskStatus: ...
    @property
    def estimated_minutes(self) -> int | None: ...
    @property
    def depends_on(self) -> list[str]: ...  # keys


def make_schedule(
    project: Project, tasks: Sequence[Task], *, start_date: date, hours_per_day: int, days_per_week: int
) -> Schedule:
    """Return the schedule of the open leaves among `tasks`, which come in outline order.

    Completed and cancelled tasks take no time and hold nothing back; tasks without an estimate
    count 0 minutes. Slack in minutes; O(tasks + dependencies); forward and backward pass, Kelley and
    Walker 1959.
    """
    live = [task for task in tasks if task.deleted_at is None]
    network = _Network(live)
    order, earliest, latest, total = network.passes()
    day_of = _working_days(start_date, hours_per_day * 60, days_per_week)
    ends = [node for node in order if node % 2 and network.is_open_leaf(node // 2)]
    scheduled = [_scheduled(live[end // 2], earliest[end - 1], latest[end - 1], total, day_of) for end in ends]
    load: dict[str, int] = {}
    for item in scheduled:
        if item.assignee is not None:
            load[item.assignee] = load.get(item.assignee, 0) + (item.estimated_minutes or 0)
    return Schedule(
        project=project.key,
        revision=project.revision,
        updated_at=project.updated_at,
        hours_per_day=hours_per_day,
        days_per_week=days_per_week,
        start_date=start_date,
        finish_date=day_of(max(total - 1, 0)),
        total_minutes=total,
        critical_path=network.critical_path(order, earliest, total),
        tasks=scheduled,
        load=load,
        unestimated=[item.key for item in scheduled if item.estimated_minutes is None],
    )


def critical_path_of(tasks: Sequence[Planned]) -> tuple[int, list[str]]:
    """Return `total_minutes` and `critical_path` of the schedule of live tasks in outline order; O(tasks + dependencies)."""
    network = _Network(tasks)
    order = network.topological_order()
    earliest = network.forward(order)
    total = max(earliest, default=0)
    return total, network.critical_path(order, earliest, total)


def slack_of(tasks: Sequence[Planned]) -> dict[str, int]:
    """Return key -> slack in minutes of the open leaves among live tasks in outline order; empty when nothing is estimated.

    As `make_schedule` has it, but only what dependencies reach is put into a network: everything else
    may start at once and end with the last.
    """
    linked = _linked(tasks)
    network = _Network(linked)
    _, earliest, latest, total = network.passes()
    parents = {task.parent_id for task in tasks}
    inside = {task.id for task in linked}
    free = {
        task.key: task.estimated_minutes or 0
        for task in tasks
        if task.id not in inside and task.id not in parents and task.status not in CLOSED_STATUSES
    }
    end = max(total, max(free.values(), default=0))
    if end == 0:
        return {}
    slack = {key: end - minutes for key, minutes in free.items()}
    for index, task in enumerate(linked):
        if network.is_open_leaf(index):
            slack[task.key] = end - total + latest[2 * index] - earliest[2 * index]
    return slack


def _linked(tasks: Sequence[Planned]) -> list[Planned]:
    """Return the tasks that wait or are waited for, and everything below them."""
    ends = {key for task in tasks for key in task.depends_on}
    reached: set[str] = set()
    for task in tasks:
        if task.depends_on or task.key in ends or task.parent_id in reached:
            reached.add(task.id)
    return [task for task in tasks if task.id in reached]


def _scheduled(task: Task, earliest_start: int, latest_start: int, total: int, day_of: Callable[[int], date]) -> ScheduledTask:
    minutes = task.estimated_minutes or 0
    finish_date = day_of(max(earliest_start + minutes - 1, 0))
    latest_finish_date = day_of(max(latest_start + minutes - 1, 0))
    return ScheduledTask(
        id=task.id,
        key=task.key,
        title=task.title,
        assignee=task.assignee,
        estimated_minutes=task.estimated_minutes,
        earliest_start=earliest_start,
        earliest_finish=earliest_start + minutes,
        latest_start=latest_start,
        latest_finish=latest_start + minutes,
        slack=latest_start - earliest_start,
        is_critical=total > 0 and latest_start == earliest_start,
        start_date=day_of(earliest_start) if minutes else finish_date,  # nothing to do: reached when the task before it ends
        finish_date=finish_date,
        latest_start_date=day_of(latest_start) if minutes else latest_finish_date,
        latest_finish_date=latest_finish_date,
        depends_on=task.depends_on,
    )


@dataclass(slots=True, init=False)
class _Network:
    """Node 2i is the start of task i, node 2i + 1 its end; only a leaf's own start-to-end step takes time."""

    tasks: Sequence[Planned]
    before: list[list[int]]  # node -> nodes that come before it
    open_leaves: list[bool]  # whether task i is open and has no live children
    minutes: list[int]  # node -> the time that passes before it: a start takes none, an end what its open leaf does

    def __init__(self, tasks: Sequence[Planned]) -> None:
        self.tasks = tasks
        by_id = {task.id: index for index, task in enumerate(tasks)}
        by_key = {task.key: index for index, task in enumerate(tasks)}
        closed = [task.status in CLOSED_STATUSES for task in tasks]
        parents = [False] * len(tasks)
        before: list[list[int]] = []
        for index in range(len(tasks)):
            before += [], [2 * index]
        for index, task in enumerate(tasks):
            if task.parent_id is not None and (parent := by_id.get(task.parent_id)) is not None:
                parents[parent] = True
                before[2 * index].append(2 * parent)
                before[2 * parent + 1].append(2 * index + 1)
        for index, task in enumerate(tasks):
            if task.depends_on and (parents[index] or not closed[index]):  # a closed leaf waits for nothing
                found = (by_key.get(key) for key in task.depends_on)
                before[2 * index] += [2 * other + 1 for other in found if other is not None and not closed[other]]
        self.before = before
        self.open_leaves = [not (is_parent or is_closed) for is_parent, is_closed in zip(parents, closed, strict=True)]
        self.minutes = []
        for task, is_open in zip(tasks, self.open_leaves, strict=True):
            self.minutes += 0, (task.estimated_minutes or 0) if is_open else 0

    def is_open_leaf(self, index: int) -> bool:
        return self.open_leaves[index]

    def passes(self) -> tuple[list[int], list[int], list[int], int]:
        """Return the nodes in topological order, their earliest and latest times, and when the last one ends."""
        order = self.topological_order()
        earliest = self.forward(order)
        total = max(earliest, default=0)
        return order, earliest, self.backward(order, total), total

    def topological_order(self) -> list[int]:
        """Return every node after those before it; tasks keep outline order where nothing forbids it."""
        order: list[int] = []
        seen = [False] * len(self.before)
        for root in range(len(self.before)):
            stack = [] if seen[root] else [root]
            while stack:
                node = stack[-1]
                if node < 0:  # marked: everything before it is in place
                    order.append(~stack.pop())
                elif seen[node]:
                    stack.pop()
                else:
                    seen[node] = True
                    stack[-1] = ~node
                    stack.extend(earlier for earlier in reversed(self.before[node]) if not seen[earlier])
        return order

    def forward(self, order: Sequence[int]) -> list[int]:
        before, minutes, earliest = self.before, self.minutes, [0] * len(self.before)
        for node in order:
            begin = 0
            for earlier in before[node]:
                if earliest[earlier] > begin:  # noqa: PLR1730  # max() costs several times as much
                    begin = earliest[earlier]
            earliest[node] = begin + minutes[node]
        return earliest

    def backward(self, order: Sequence[int], total: int) -> list[int]:
        before, minutes, latest = self.before, self.minutes, [total] * len(self.before)
        for node in reversed(order):
            begin = latest[node] - minutes[node]
            for earlier in before[node]:
                if latest[earlier] > begin:  # noqa: PLR1730  # as above
                    latest[earlier] = begin
        return latest

    def critical_path(self, order: Sequence[int], earliest: Sequence[int], total: int) -> list[str]:
        """Return one chain of open leaves that takes `total` minutes; empty when nothing is estimated."""
        if total == 0:
            return []
        place = {node: number for number, node in enumerate(order)}
        ends = (node for node in reversed(order) if node % 2 and earliest[node] == total and self.is_open_leaf(node // 2))
        node: int | None = next(ends, None)
        path: list[str] = []
        while node is not None:
            if node % 2 and self.is_open_leaf(node // 2):
                path.append(self.tasks[node // 2].key)
            begin = earliest[node] - self.minutes[node]
            tight = [earlier for earlier in self.before[node] if earliest[earlier] == begin]
            node = max(tight, key=place.__getitem__, default=None)
        return path[::-1]


def _working_days(start_date: date, minutes_per_day: int, days_per_week: int) -> Callable[[int], date]:
    """Return a function from a working minute to its day; weeks begin on Monday, free days come last."""
    monday = start_date.toordinal() - start_date.weekday()
    skipped = min(start_date.weekday(), days_per_week)  # a start on a free day becomes the next Monday
    last = date.max.toordinal()

    def day_of(minute: int) -> date:
        weeks, day = divmod(skipped + minute // minutes_per_day, days_per_week)
        return date.fromordinal(min(monday + 7 * weeks + day, last))

    return day_of
