"""What an agent is given: a plan as it was at one moment, and a way to ask what a draft would do. Nothing to write with."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from schemas.changes import ValidationResponse
from schemas.patches import PatchSet
from schemas.projects import Project
from schemas.tasks import Task

Check = Callable[[PatchSet], Awaitable[ValidationResponse]]


@dataclass(frozen=True, slots=True)
class PlanView:
    """One project, or none yet. `check` is the real validator, which answers and stores nothing."""

    check: Check
    today: date
    max_depth: int
    project: Project | None = None
    tasks: tuple[Task, ...] = ()  # live ones, in outline order
    by_id: Mapping[str, Task] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_id", {task.id: task for task in self.tasks})

    def below(self, task: Task) -> set[str]:
        """Return the keys of a task and of everything under it."""
        inside = {task.id}
        for other in self.tasks:  # parents come before their children
            if other.parent_id in inside:
                inside.add(other.id)
        return {self.by_id[task_id].key for task_id in inside}

    def above(self, task: Task) -> list[Task]:
        """Return the ancestors of a task, the nearest first."""
        found: list[Task] = []
        while (parent := self.by_id.get((found[-1] if found else task).parent_id or "")) is not None:
            found.append(parent)
        return found
