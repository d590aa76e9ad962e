"""Which tasks may be worked on next, best first: by priority, critical path, due date, then outline order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from core.patches.outline import in_outline_order
from core.patches.schedule import slack_of
from schemas.primitives import CLOSED_STATUSES, Priority, ProjectStatus, TaskStatus

_URGENCY = {priority: rank for rank, priority in enumerate(Priority)}
# Members of enums are slow to look up before Python 3.12.
TODO, IN_PROGRESS = TaskStatus.TODO, TaskStatus.IN_PROGRESS

# Nobody is sent to work on what is on hold or over.
GIVES_TASKS = (ProjectStatus.PLANNING, ProjectStatus.ACTIVE)


@dataclass(slots=True)
class Standing:
    """The little of a live task that decides when its turn is."""

    id: str
    key: str
    parent_id: str | None
    position: int
    status: TaskStatus
    priority: Priority
    due_date: date | None
    estimated_minutes: int | None
    claimed_by: str | None
    claim_expires_at: datetime | None
    depends_on: list[str] = field(default_factory=list)  # keys
    slack: int | None = None  # minutes it may slip; None until ranked, and where nothing is estimated

    def is_free(self, now: datetime) -> bool:
        """Whether nobody holds it, or the lease has ended."""
        return self.claim_expires_at is None or self.claim_expires_at <= now


@dataclass(frozen=True, slots=True)
class LightProject:
    """The live tasks of a project in no order, and all its edges: those of deleted tasks, which may come back, included."""

    steps: list[Standing]
    edges: list[tuple[str, str]]  # task id, id it waits for


def rank(steps: Iterable[Standing]) -> list[Standing]:
    """Return the ready and the claimed leaves of a whole project, best first, with their slack.

    What is claimed ranks where it would if it were free. O(tasks log tasks + dependencies).
    """
    outline = in_outline_order(steps)
    candidates = _candidates(outline)
    slack = slack_of(outline) if candidates else {}
    for step in candidates:
        step.slack = slack.get(step.key)
    no_day, urgency = date.max, _URGENCY
    candidates.sort(key=lambda step: (urgency[step.priority], step.slack != 0, step.due_date or no_day))  # stable: outline order
    return candidates


def connected(project: LightProject) -> list[Standing]:
    """Return the steps with what they wait for filled in; edges of deleted tasks are inert."""
    by_id = {step.id: step for step in project.steps}
    for step in project.steps:
        step.depends_on = []
    several = set()
    for task_id, depends_on_id in project.edges:
        waiting, awaited = by_id.get(task_id), by_id.get(depends_on_id)
        if waiting is not None and awaited is not None:
            waiting.depends_on.append(awaited.key)
            if len(waiting.depends_on) == 2:
                several.add(task_id)
    for task_id in several:  # as tasks show them
        by_id[task_id].depends_on.sort(key=lambda key: int(key.rpartition("-")[2]))
    return project.steps


def _candidates(outline: Sequence[Standing]) -> list[Standing]:
    """Return the leaves that are todo and wait for nothing open, themselves or above, and those with a lease."""
    opened = {step.key for step in outline if step.status not in CLOSED_STATUSES}
    parents = {step.parent_id for step in outline}
    held: set[str | None] = set()  # parents come first, so what holds them is known
    found = []
    for step in outline:
        if step.parent_id in held or (step.depends_on and not opened.isdisjoint(step.depends_on)):
            held.add(step.id)
        if step.id in parents:
            continue
        if (step.status is TODO and step.id not in held) or (step.status is IN_PROGRESS and step.claim_expires_at is not None):
            found.append(step)
    return found
