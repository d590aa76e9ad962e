"""Tasks: read them, write them as small patch sets, claim the next one."""

from datetime import timedelta
from typing import Any

from core.context import Context, Scope
from core.errors import ConcurrentUpdate, DeletedResource, NotFound, PreconditionFailed, ValidationFailed
from core.patches.schedule import make_schedule
from core.services.errors import as_body_errors
from core.services.patch_sets import Written, write_patches
from core.services.projects import live_project
from core.storage.interface import Transaction
from schemas.changes import ApplyResponse
from schemas.errors import Conflict, ErrorCode, Issue
from schemas.primitives import TaskStatus
from schemas.tasks import (
    Comment,
    CommentListResponse,
    Task,
    TaskCreate,
    TaskDetail,
    TaskFields,
    TaskListResponse,
    TaskQuery,
    TaskUpdate,
)

COMMENTS_IN_DETAIL = 50
MAX_LEASE_MINUTES = 7 * 24 * 60
MAX_SCHEDULED_TASKS = 20_000


def list_tasks(ctx: Context, query: TaskQuery) -> TaskListResponse:
    """Return a page of tasks."""
    ctx.principal.require(Scope.PROJECTS_READ)
    return ctx.read(lambda tx: tx.list_tasks(query, today=ctx.today))


def get_task(ctx: Context, task: str, *, include_subtasks: bool = True) -> TaskDetail:
    """Return a live task, its direct subtasks if asked for, and its newest comments."""
    ctx.principal.require(Scope.PROJECTS_READ)

    def work(tx: Transaction) -> TaskDetail:
        found = _live(ctx, tx, task)
        subtasks = tx.list_subtasks(found.id, today=ctx.today) if include_subtasks else None
        comments = tx.list_comments(found.id, per_page=COMMENTS_IN_DETAIL).comments
        return TaskDetail.model_construct(**found.__dict__, subtasks=subtasks, comments=comments)

    return ctx.read(work)


def create_task(ctx: Context, draft: TaskCreate, *, dry_run: bool = False) -> Written[Task]:
    """Create a task."""
    patch: dict[str, Any] = {"op": "create_task", "ref": "$new", "fields": _fields(draft), **_place(draft)}
    if draft.project_id is not None:
        patch["project"] = draft.project_id
    if draft.depends_on:
        patch["depends_on"] = draft.depends_on
    with as_body_errors():
        return write_patches(
            ctx,
            lambda _: [patch],
            summary=f"Create task {draft.title}"[:500],
            result=lambda tx, effect: _get(ctx, tx, effect.refs["$new"].id),
            dry_run=dry_run,
        )


def update_task(
    ctx: Context, task: str, update: TaskUpdate, *, if_match: int | None = None, dry_run: bool = False
) -> Written[Task]:
    """Change the given fields of a task, its place, and its dependencies, as one set.

    Naming the parent it already has, without a sibling, leaves a task where it is: what was read can be sent back.
    """

    def build(tx: Transaction) -> list[dict[str, Any]]:
        _match(ctx, tx, task, if_match)
        patches: list[dict[str, Any]] = []
        fields, place = _fields(update), _place(update)
        if place and _stays(ctx, tx, task, place):
            place = {}
        if fields or not (place or "depends_on" in update.model_fields_set):
            patches.append({"op": "update_task", "task": task, "fields": fields})
        if place:
            patches.append({"op": "move_task", "task": task, **place})
        if "depends_on" in update.model_fields_set:
            patches += _relink(ctx, tx, task, update.depends_on)
        return patches or [{"op": "update_task", "task": task, "fields": {}}]

    return _write(ctx, task, f"Update {task}", build, dry_run)


def delete_task(
    ctx: Context, task: str, *, cascade: bool = True, if_match: int | None = None, dry_run: bool = False
) -> ApplyResponse:
    """Soft-delete a task with all its subtasks; `restore_task` or a revert brings them back."""

    def build(tx: Transaction) -> list[dict[str, Any]]:
        _match(ctx, tx, task, if_match)
        return [{"op": "delete_task", "task": task, "cascade": cascade}]

    return _write(ctx, task, f"Delete {task}", build, dry_run).effect


def restore_task(ctx: Context, task: str, *, dry_run: bool = False) -> Written[Task]:
    """Revive a deleted task and exactly what that deletion removed."""
    return _write(ctx, task, f"Restore {task}", lambda _: [{"op": "restore_task", "task": task}], dry_run)


def add_comment(ctx: Context, task: str, body: str, *, dry_run: bool = False) -> Written[Comment]:
    """Add a comment; comments are never changed or undone."""

    def result(tx: Transaction, effect: ApplyResponse) -> Comment:
        return Comment(
            id=effect.changes[0].id,
            task_id=_get(ctx, tx, task).id,
            author=ctx.principal.subject,
            body=body,
            created_at=ctx.now,
        )

    with as_body_errors():
        return write_patches(
            ctx,
            lambda _: [{"op": "add_comment", "task": task, "body": body}],
            summary=f"Comment on {task}"[:500],
            result=result,
            dry_run=dry_run,
        )


def list_comments(ctx: Context, task: str, *, page: int = 1, per_page: int = 50) -> CommentListResponse:
    """Return a page of a task's comments."""
    ctx.principal.require(Scope.PROJECTS_READ)
    return ctx.read(lambda tx: tx.list_comments(_live(ctx, tx, task).id, page=page, per_page=per_page))


# -- claim


def claim_task(
    ctx: Context, *, project: str | None = None, task: str | None = None, agent: str | None = None, lease_minutes: int = 60
) -> Task | None:
    """Give the best ready task (or the named one) to one claimer for `lease_minutes`; None if nothing is ready.

    Ranked by priority, critical path, due date, then order. The ranking is computed before the
    transaction and each candidate is checked again inside it, so two callers never get the same
    task. The same claimer renews its lease.

    Raises:
        ConcurrentUpdate: the named task is claimed by another, or is not ready.
    """
    ctx.principal.require(Scope.PATCHES_APPLY)
    claimer = agent or ctx.principal.subject
    _check_lease(lease_minutes)
    names = [task] if task is not None else _ranked(ctx, project)
    for name in names:
        claimed = _claim(ctx, name, claimer, lease_minutes, named=task is not None)
        if claimed is not None:
            return claimed
    return None


def _check_lease(lease_minutes: int) -> None:
    if not 1 <= lease_minutes <= MAX_LEASE_MINUTES:
        message, hint = f"must be 1 to {MAX_LEASE_MINUTES}", "minutes until another may take the task over"
        issue = Issue(path="/lease_minutes", code=ErrorCode.VALIDATION_ERROR, message=message, hint=hint)
        raise ValidationFailed(details=[issue])


def _ranked(ctx: Context, project: str | None) -> list[str]:
    def work(tx: Transaction) -> tuple[list[Task], set[str]]:
        found = live_project(tx, project) if project is not None else None
        candidates = tx.claim_candidates(found.id if found else None, now=ctx.now, today=ctx.today)
        critical: set[str] = set()
        if found is not None and found.task_count <= MAX_SCHEDULED_TASKS:
            tasks, _ = tx.outline(found.id, today=ctx.today)
            schedule = make_schedule(
                found,
                tasks,
                start_date=ctx.today,
                hours_per_day=ctx.settings.hours_per_day,
                days_per_week=ctx.settings.days_per_week,
            )
            critical = set(schedule.critical_path)
        return candidates, critical

    candidates, critical = ctx.read(work)
    order = list(type(candidates[0].priority)) if candidates else []
    # `candidates` come by priority, due date and order; a stable sort puts the critical path second
    candidates.sort(key=lambda task: (order.index(task.priority), task.key not in critical))
    return [candidate.key for candidate in candidates]


def _claim(ctx: Context, name: str, claimer: str, lease_minutes: int, *, named: bool) -> Task | None:
    expires = ctx.now + timedelta(minutes=lease_minutes)

    def work(tx: Transaction) -> list[dict[str, Any]]:
        task = _held(ctx, tx, name)
        if not _claimable(ctx, task, claimer):
            raise _NotClaimable(task)
        fields: dict[str, Any] = {"status": TaskStatus.IN_PROGRESS.value}
        if task.assignee is None:
            fields["assignee"] = claimer
        return [{"op": "update_task", "task": task.id, "fields": fields}]

    try:
        written = write_patches(
            ctx,
            work,
            summary=f"{claimer} claims {name}"[:500],
            result=lambda tx, _: _get(ctx, tx, name),
            system={0: {"claimed_by": claimer, "claim_expires_at": expires}},
        )
    except _NotClaimable as lost:
        if named:
            raise lost.refusal(claimer) from None
        return None
    return written.item


class _NotClaimable(Exception):
    def __init__(self, task: Task) -> None:
        self.task = task

    def refusal(self, claimer: str) -> ConcurrentUpdate:
        task = self.task
        taken = task.claimed_by is not None
        why = f"is claimed by {task.claimed_by}" if taken else f"is not ready: {_why_not_ready(task)}"
        return ConcurrentUpdate(
            [
                Conflict(
                    patch_index=0,
                    path="/task",
                    key=task.key,
                    field="claimed_by" if taken else "is_ready",
                    base=None if taken else True,
                    current=task.claimed_by if taken else False,
                    proposed=claimer if taken else True,
                )
            ],
            f"{task.key} {why}.",
        )


def _why_not_ready(task: Task) -> str:
    if task.subtask_count:
        return "it has subtasks, claim one of them"
    if task.status is not TaskStatus.TODO:
        return f"its status is {task.status}"
    return "something it or a task above it depends on is still open"


def _claimable(ctx: Context, task: Task, claimer: str) -> bool:
    if task.status is TaskStatus.IN_PROGRESS and task.subtask_count == 0:
        expired = task.claim_expires_at is not None and task.claim_expires_at <= ctx.now
        return task.claimed_by == claimer or expired
    return task.is_ready


# -- shared


def _write(ctx: Context, task: str, summary: str, build: Any, dry_run: bool) -> Written[Task]:
    with as_body_errors():
        return write_patches(ctx, build, summary=summary[:500], result=lambda tx, _: _get(ctx, tx, task), dry_run=dry_run)


def _match(ctx: Context, tx: Transaction, task: str, if_match: int | None) -> None:
    if if_match is not None:
        current = _held(ctx, tx, task).revision
        if current != if_match:
            raise PreconditionFailed(hint=f"{task} is at revision {current}")


def _stays(ctx: Context, tx: Transaction, task: str, place: dict[str, Any]) -> bool:
    """Whether a place names no sibling, and no parent but the task's own."""
    if place.get("before") is not None or place.get("after") is not None:
        return False
    if "parent" not in place:
        return True
    current = _held(ctx, tx, task)
    if place["parent"] is None:
        return current.parent_id is None
    return place["parent"].upper() in ((current.parent or "").upper(), (current.parent_id or "").upper())


def _relink(ctx: Context, tx: Transaction, task: str, wanted: list[str]) -> list[dict[str, Any]]:
    """Return the operations that turn the current dependencies into the wanted ones."""
    current = set(_held(ctx, tx, task).depends_on)
    keys: dict[str, None] = {}
    for name in wanted:
        found = tx.find_task(name, today=ctx.today)
        keys[found.key if found else name] = None
    added = [{"op": "add_dependency", "task": task, "depends_on": key} for key in keys if key not in current]
    removed = [{"op": "remove_dependency", "task": task, "depends_on": key} for key in sorted(current - keys.keys())]
    return added + removed


def _held(ctx: Context, tx: Transaction, name: str) -> Task:
    """Return a live task after locking its project: what is decided by it still holds when it is written."""
    tx.lock_projects(tasks=[name])
    return _live(ctx, tx, name)


def _live(ctx: Context, tx: Transaction, name: str) -> Task:
    task = _get(ctx, tx, name)
    if task.deleted_at is not None:
        raise DeletedResource(
            f"{task.key} was deleted at {task.deleted_at:%Y-%m-%dT%H:%M:%SZ}",
            hint=f"use restore_task {task.key}, or revert the patch set that deleted it",
        )
    return task


def _get(ctx: Context, tx: Transaction, name: str) -> Task:
    task = tx.find_task(name, today=ctx.today)
    if task is None:
        nearest = tx.suggest_tasks(name)
        raise NotFound(f"there is no task {name!r}", hint=f"nearest: {', '.join(nearest)}" if nearest else "list the tasks")
    return task


def _fields(draft: TaskFields) -> dict[str, Any]:
    return draft.model_dump(mode="json", exclude_unset=True, include=set(TaskFields.model_fields))


def _place(draft: TaskCreate | TaskUpdate) -> dict[str, Any]:
    place = {"parent_id": "parent", "before": "before", "after": "after"}
    return {op_name: getattr(draft, name) for name, op_name in place.items() if name in draft.model_fields_set}
