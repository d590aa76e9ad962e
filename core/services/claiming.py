"""Find the next task, and give it to one claimer for a while.

Within a project the ranking is made from light rows of all its tasks; across projects the database
sorts, and the critical path is not considered. A ranking is only advice: a claim looks at its task
again in the transaction that writes it, so no two callers get the same one.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from core.collector import collector_paused
from core.context import Context, Scope
from core.errors import ConcurrentUpdate, DeletedResource, NotFound, ValidationFailed
from core.patches.ranking import GIVES_TASKS, Standing, connected, rank
from core.patches.schedule import MAX_TASKS
from core.services.patch_sets import Written, write_patches
from core.services.projects import live_project
from core.services.tasks import held_task, task_named
from core.storage.interface import Transaction
from schemas.errors import Conflict, ErrorCode, Issue
from schemas.primitives import TaskStatus
from schemas.projects import Project
from schemas.tasks import EndedLease, NextTasksResponse, RankedTask, Task, WhyNext

LEASE_MINUTES = 60
MAX_LEASE_MINUTES = 7 * 24 * 60
MAX_NEXT = 50
WAITS_SHOWN = 10
_PROJECTS_KEPT = 8


@dataclass(frozen=True, slots=True)
class _Ranking:
    """Candidates, best first; `project` if all of it was ranked."""

    project: Project | None
    standings: list[Standing]


# By project id and revision: what a project is at a revision never changes. A claim hands its ranking on.
_kept: dict[tuple[str, int], list[Standing]] = {}


@collector_paused()
def list_next_tasks(ctx: Context, *, project: str | None = None, limit: int = 20) -> NextTasksResponse:
    """Return what `claim_task` would give, best first, each with the reasons for its rank; changes nothing.

    Projects that are on hold, completed or archived give nothing; a task of theirs can still be claimed by name.
    """
    ctx.principal.require(Scope.PROJECTS_READ)

    def work(tx: Transaction) -> NextTasksResponse:
        ranking = _rank(ctx, tx, project)
        best = [standing for standing in ranking.standings if standing.is_free(ctx.now)][:limit]
        shown = tx.show_by_id([standing.id for standing in best], today=ctx.today)
        ranked = [
            RankedTask.model_construct(**task.__dict__, rank=number, why=_why(standing))
            for number, (task, standing) in enumerate(zip(shown, best, strict=True), 1)
        ]
        return NextTasksResponse.model_construct(tasks=ranked)

    return ctx.read(work)


def _why(standing: Standing) -> WhyNext:
    ended = None
    if standing.claimed_by is not None and standing.claim_expires_at is not None:
        ended = EndedLease(claimed_by=standing.claimed_by, ended_at=standing.claim_expires_at)
    return WhyNext(
        priority=standing.priority,
        on_critical_path=None if standing.slack is None else standing.slack == 0,
        slack=standing.slack,
        due_date=standing.due_date,
        ended_lease=ended,
    )


@collector_paused()
def claim_task(
    ctx: Context,
    *,
    project: str | None = None,
    task: str | None = None,
    agent: str | None = None,
    lease_minutes: int | None = None,
    dry_run: bool = False,
) -> Written[Task] | None:
    """Give the best ready task (or the named one) to one claimer for `lease_minutes` (60 unless given); None if nothing is ready.

    `dry_run` answers what claiming the named task would change, and stores nothing.

    The claimer of a task renews its lease by naming it again; when a lease has ended, anybody may take over.

    Raises:
        ConcurrentUpdate: the named task is claimed by another, or is not ready.
    """
    ctx.principal.require(Scope.PATCHES_PROPOSE if dry_run else Scope.PATCHES_APPLY)
    claimer = agent or ctx.principal.subject
    lease = LEASE_MINUTES if lease_minutes is None else lease_minutes
    _check_lease(lease)
    if task is None:
        return _claim_best(ctx, project, claimer, lease)
    return _claim(ctx, task, claimer, lease, dry_run=dry_run)


def _check_lease(lease_minutes: int) -> None:
    if not 1 <= lease_minutes <= MAX_LEASE_MINUTES:
        message, hint = f"must be 1 to {MAX_LEASE_MINUTES}", "minutes until another may take the task over"
        issue = Issue(path="/lease_minutes", code=ErrorCode.VALIDATION_ERROR, message=message, hint=hint)
        raise ValidationFailed(details=[issue])


def _claim_best(ctx: Context, project: str | None, claimer: str, lease_minutes: int) -> Written[Task] | None:
    lost: set[str] = set()
    while True:  # whoever loses all of a ranking looks again: others were served, and there may be more
        ranking = ctx.read(lambda tx: _rank(ctx, tx, project))
        free = [standing for standing in ranking.standings if standing.is_free(ctx.now) and standing.key not in lost]
        for standing in free[:MAX_NEXT]:
            try:
                claimed = _claim(ctx, standing.key, claimer, lease_minutes)
            except (_NotClaimable, NotFound, DeletedResource):
                lost.add(standing.key)
                continue
            _hand_on(ranking, standing, claimed)
            return claimed
        if not free:
            return None


def _claim(ctx: Context, name: str, claimer: str, lease_minutes: int, *, dry_run: bool = False) -> Written[Task]:
    expires = ctx.now + timedelta(minutes=lease_minutes)

    def build(tx: Transaction) -> list[dict[str, Any]]:
        task = held_task(ctx, tx, name)
        if not _claimable(ctx, task, claimer):
            raise _NotClaimable(task, claimer, _waits_for(ctx, tx, task))
        fields: dict[str, Any] = {"status": TaskStatus.IN_PROGRESS.value}
        if task.assignee is None:
            fields["assignee"] = claimer
        return [{"op": "update_task", "task": task.id, "fields": fields}]

    return write_patches(
        ctx,
        build,
        summary=f"{claimer} claims {name}"[:500],
        result=lambda tx, _: task_named(ctx, tx, name),
        system={0: {"claimed_by": claimer, "claim_expires_at": expires}},
        dry_run=dry_run,
    )


def _claimable(ctx: Context, task: Task, claimer: str) -> bool:
    if task.status is TaskStatus.IN_PROGRESS and task.subtask_count == 0:
        expired = task.claim_expires_at is not None and task.claim_expires_at <= ctx.now
        return task.claimed_by == claimer or expired
    return task.is_ready


def _waits_for(ctx: Context, tx: Transaction, task: Task) -> list[str]:
    """Return the keys of the open tasks that this one or a task above it depends on."""
    keys: list[str] = []
    chain = [task]
    while (parent := chain[-1].parent_id) is not None:
        chain.append(task_named(ctx, tx, parent))
    for name in dict.fromkeys(name for link in chain for name in link.depends_on):
        dependency = task_named(ctx, tx, name)
        if dependency.status not in (TaskStatus.COMPLETED, TaskStatus.CANCELLED):
            keys.append(dependency.key)
    return keys


class _NotClaimable(ConcurrentUpdate):
    """The task is claimed by another, or is not ready."""

    def __init__(self, task: Task, claimer: str, waits_for: list[str]) -> None:
        taken = task.claimed_by is not None
        conflict = Conflict(
            patch_index=0,
            path="/task",
            key=task.key,
            field="claimed_by" if taken else "is_ready",
            base=None if taken else True,
            current=task.claimed_by if taken else False,
            proposed=claimer if taken else True,
        )
        way_on = "take one that is ready: claim_task without a task gives the best, GET /tasks/next lists them"
        super().__init__([conflict], f"{task.key} {_why_not(task, waits_for)}; {way_on}.")
        self.details = [detail.model_copy(update={"hint": way_on}) for detail in self.details]


def _why_not(task: Task, waits_for: list[str]) -> str:
    if task.claimed_by is not None and task.claim_expires_at is not None:
        return f"is claimed by {task.claimed_by} until {task.claim_expires_at:%Y-%m-%d %H:%M} UTC"
    if task.subtask_count:
        return "is not ready: it has subtasks, claim one of them"
    if task.status is not TaskStatus.TODO:
        return f"is not ready: its status is {task.status}"
    shown = ", ".join(waits_for[:WAITS_SHOWN])
    more = len(waits_for) - WAITS_SHOWN
    return f"is not ready: it waits for {shown}" + (f" and {more} more" if more > 0 else "")


# -- rankings


def _rank(ctx: Context, tx: Transaction, project: str | None) -> _Ranking:
    found = None if project is None else live_project(tx, project)
    if found is not None and found.status not in GIVES_TASKS:
        return _Ranking(None, [])
    if found is None or found.task_count > MAX_TASKS:  # the database sorts, as it does across projects
        project_id = found.id if found else None
        return _Ranking(None, tx.claim_candidates(project_id, now=ctx.now, limit=MAX_NEXT))
    standings = _kept.get((found.id, found.revision))
    if standings is None:
        standings = rank(connected(tx.light_project(found.id)))
        _keep(found.id, found.revision, standings)
    return _Ranking(found, standings)


def _hand_on(ranking: _Ranking, taken: Standing, claimed: Written[Task]) -> None:
    """Keep the ranking for the revision that the claim made, if nothing came between: a claim moves nobody's rank."""
    project, task = ranking.project, claimed.item
    if project is None or task is None or claimed.effect.revisions != {project.key: project.revision + 1}:
        return
    leased = replace(taken, status=task.status, claimed_by=task.claimed_by, claim_expires_at=task.claim_expires_at)
    _keep(project.id, project.revision + 1, [leased if item is taken else item for item in ranking.standings])


def _keep(project_id: str, revision: int, standings: list[Standing]) -> None:
    for older in [key for key in list(_kept) if key[0] == project_id]:
        _kept.pop(older, None)
    while len(_kept) >= _PROJECTS_KEPT:
        _kept.pop(next(iter(_kept)), None)
    _kept[project_id, revision] = standings
