"""Derived numbers kept by difference: child and leaf counts on ancestors, totals on projects.

A live leaf contributes to every ancestor and to its project. Only contributions that differ
between before and after are moved, so a change costs at most one update per ancestor.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from core.patches.snapshot import Place, TaskRecord
from core.patches.state import WorkingState
from schemas.primitives import TaskStatus

# (leaves that are not cancelled, completed leaves, estimated minutes)
Contribution = tuple[int, int, int]
NOTHING: Contribution = (0, 0, 0)
COMPLETED, CANCELLED = TaskStatus.COMPLETED, TaskStatus.CANCELLED  # once: slow look-ups before Python 3.12


def recount(state: WorkingState) -> None:
    """Bring all counters up to date."""
    counts = _Counts(state)
    counts.children()
    counts.leaves()


class _Counts:
    def __init__(self, state: WorkingState) -> None:
        self.state = state
        self._old_subtasks: dict[str, int] = {}

    def children(self) -> None:
        """Update `subtask_count` from tasks that came, went or changed their parent."""
        deltas: dict[str, int] = defaultdict(int)
        for task_id in self.state.task_causes:
            before, after = self.state.snapshot.tasks.get(task_id), self.state.tasks[task_id]
            old = before.parent_id if before is not None and before.deleted_at is None else None
            new = after.parent_id if after.deleted_at is None else None
            if old != new:
                if old is not None:
                    deltas[old] -= 1
                if new is not None:
                    deltas[new] += 1
        for task_id, delta in deltas.items():
            if delta:
                task = self.state.own_quietly(task_id)
                self._old_subtasks[task_id] = task.subtask_count
                task.subtask_count += delta

    def leaves(self) -> None:
        """Move the contributions that differ to the ancestors and the projects."""
        state, before_tasks = self.state, self.state.snapshot.tasks
        carried = {item for task_id in state.moved for item in (task_id, *state.below(task_id))}  # new ancestors for all of them
        changed: Iterable[str] = state.task_causes
        if self._old_subtasks or carried:
            changed = dict.fromkeys([*changed, *self._old_subtasks, *carried])
        gone: dict[Place, list[int]] = defaultdict(lambda: [0, 0, 0])
        come: dict[Place, list[int]] = defaultdict(lambda: [0, 0, 0])
        projects: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
        for task_id in changed:
            before, after = before_tasks.get(task_id), state.tasks[task_id]
            new = _contribution(after, after.subtask_count)
            lives = after.deleted_at is None
            total = projects[after.project_id]
            if before is not None:
                old = _contribution(before, self._old_subtasks.get(task_id, before.subtask_count))
                lived = before.deleted_at is None
                if (
                    task_id not in carried
                    and old == new
                    and before.parent_id == after.parent_id
                    and before.status is after.status
                    and lived == lives
                ):
                    continue
                if old is not NOTHING:
                    _add(gone[before.project_id, before.parent_id], old)
                total[3] -= lived
                total[4] -= lived and before.status is COMPLETED
            if new is not NOTHING:
                _add(come[after.project_id, after.parent_id], new)
            total[3] += lives
            total[4] += lives and after.status is COMPLETED
        ancestors: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for places, tasks, sign in ((gone, before_tasks, -1), (come, state.tasks, +1)):
            for (project_id, parent_id), contribution in places.items():
                _add(projects[project_id], contribution, sign)
                above = parent_id
                while above is not None:
                    _add(ancestors[above], contribution, sign)
                    above = tasks[above].parent_id
        for task_id, (count, completed, _) in ancestors.items():
            if count or completed:
                task = self.state.own_quietly(task_id)
                task.leaf_count += count
                task.leaf_completed += completed
        self._total(projects)

    def _total(self, projects: Mapping[str, list[int]]) -> None:
        for project_id, (count, completed, minutes, tasks, done) in projects.items():
            project = self.state.own_project_quietly(project_id)
            project.leaf_count += count
            project.leaf_completed += completed
            project.estimated_minutes += minutes
            project.task_count += tasks
            project.completed_task_count += done


def _contribution(task: TaskRecord, subtasks: int) -> Contribution:
    if task.deleted_at is not None or subtasks:
        return NOTHING
    if task.status is CANCELLED:
        return (0, 0, task.estimated_minutes or 0)
    return (1, int(task.status is COMPLETED), task.estimated_minutes or 0)


def _add(numbers: list[int], contribution: Sequence[int], sign: int = 1) -> None:
    leaves, completed, minutes = contribution
    numbers[0] += sign * leaves
    numbers[1] += sign * completed
    numbers[2] += sign * minutes
