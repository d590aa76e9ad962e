"""Derived numbers kept by difference: child and leaf counts on ancestors, totals on projects.

A live leaf contributes to every ancestor and to its project. Only contributions that differ
between before and after are moved, so a change costs at most one update per ancestor.
"""

from collections import defaultdict
from collections.abc import Mapping

from core.patches.snapshot import TaskRecord
from core.patches.state import WorkingState
from schemas.primitives import TaskStatus

# (leaves that are not cancelled, completed leaves, estimated minutes)
Contribution = tuple[int, int, int]
NOTHING: Contribution = (0, 0, 0)


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
        changed = dict.fromkeys([*state.task_causes, *self._old_subtasks, *carried])
        deltas: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        projects: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
        for task_id in changed:
            before, after = before_tasks.get(task_id), state.tasks[task_id]
            old = _contribution(before, self._old_subtasks.get(task_id)) if before is not None else NOTHING
            new = _contribution(after, None)
            was = before is not None and before.deleted_at is None
            lives = after.deleted_at is None
            if (
                task_id not in carried
                and before is not None
                and (old, before.parent_id, before.status, was) == (new, after.parent_id, after.status, lives)
            ):
                continue
            if old != NOTHING and before is not None:
                _walk(deltas, before_tasks, before.parent_id, old, -1)
            if new != NOTHING:
                _walk(deltas, state.tasks, after.parent_id, new, +1)
            total = projects[after.project_id]
            for place in range(3):
                total[place] += new[place] - old[place]
            total[3] += lives - was
            total[4] += (lives and after.status is TaskStatus.COMPLETED) - (
                was and before is not None and before.status is TaskStatus.COMPLETED
            )
        for task_id, (count, completed, _) in deltas.items():
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


def _contribution(task: TaskRecord, subtasks: int | None) -> Contribution:
    if task.deleted_at is not None or (task.subtask_count if subtasks is None else subtasks):
        return NOTHING
    if task.status is TaskStatus.CANCELLED:
        return (0, 0, task.estimated_minutes or 0)
    return (1, int(task.status is TaskStatus.COMPLETED), task.estimated_minutes or 0)


def _walk(
    deltas: dict[str, list[int]], tasks: Mapping[str, TaskRecord], parent_id: str | None, contribution: Contribution, sign: int
) -> None:
    while parent_id is not None:
        delta = deltas[parent_id]
        for place in range(3):
            delta[place] += sign * contribution[place]
        parent_id = tasks[parent_id].parent_id
