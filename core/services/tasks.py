"""Tasks: read them, and write them as small patch sets."""

from typing import Any

from core.context import Context, Scope
from core.errors import DeletedResource, NotFound, PreconditionFailed
from core.patches.plan import Plan
from core.services.contradictions import require_possible
from core.services.errors import as_body_errors
from core.services.names import project_named
from core.services.patch_sets import Written, apply_patches, write_patches
from core.storage.interface import Transaction
from schemas.changes import ApplyResponse
from schemas.projects import Project
from schemas.tasks import (
    Comment,
    CommentListResponse,
    FirstTask,
    Task,
    TaskCreate,
    TaskDetail,
    TaskDraft,
    TaskFields,
    TaskListResponse,
    TaskQuery,
    TaskUpdate,
)

COMMENTS_IN_DETAIL = 50
_PLACE = {"parent_id": "parent", "before": "before", "after": "after"}  # in a body, and in a patch


def list_tasks(ctx: Context, query: TaskQuery) -> TaskListResponse:
    """Return a page of tasks.

    Raises:
        ValidationFailed: filters contradict each other.
        NotFound: a named project or parent does not exist, or the parent is no task of the project.
    """
    ctx.principal.require(Scope.PROJECTS_READ)
    require_possible(query)

    def work(tx: Transaction) -> TaskListResponse:
        if query.project is not None and query.parent is not None:
            task_of(ctx, tx, query.parent, project_named(tx, query.project))
        return tx.list_tasks(query, today=ctx.today)

    return ctx.read(work)


def get_task(ctx: Context, task: str, *, include_subtasks: bool = True) -> TaskDetail:
    """Return a live task, its direct subtasks if asked for, and its newest comments."""
    ctx.principal.require(Scope.PROJECTS_READ)

    def work(tx: Transaction) -> TaskDetail:
        found = live_task(ctx, tx, task)
        subtasks = tx.list_subtasks(found.id, today=ctx.today) if include_subtasks else None
        comments = tx.list_comments(found.id, per_page=COMMENTS_IN_DETAIL).comments
        return TaskDetail.model_construct(**found.__dict__, subtasks=subtasks, comments=comments)

    return ctx.read(work)


def create_task(ctx: Context, draft: TaskCreate, *, dry_run: bool = False) -> Written[Task]:
    """Create a task."""
    patch = creation_of(draft, "$new", project=draft.project_id)
    with as_body_errors():
        return write_patches(
            ctx,
            lambda _: [patch],
            summary=f"Create task {draft.title}"[:500],
            result=lambda tx, applied: task_named(ctx, tx, applied.refs["$new"].id),
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
        fields, place = TaskFields.part_of(update), _place(update)
        if place and _stays(ctx, tx, task, place):
            place = {}
        if fields.model_fields_set or not (place or "depends_on" in update.model_fields_set):
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

    with as_body_errors():
        return apply_patches(ctx, build, summary=f"Delete {task}"[:500], dry_run=dry_run)


def restore_task(ctx: Context, task: str, *, dry_run: bool = False) -> Written[Task]:
    """Revive a deleted task and exactly what that deletion removed."""
    return _write(ctx, task, f"Restore {task}", lambda _: [{"op": "restore_task", "task": task}], dry_run)


def add_comment(ctx: Context, task: str, body: str, *, dry_run: bool = False) -> Written[Comment]:
    """Add a comment; comments are never changed or undone."""

    def result(tx: Transaction, applied: Plan) -> Comment:
        return Comment(
            id=applied.changes[0].id,
            task_id=task_named(ctx, tx, task).id,
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
    return ctx.read(lambda tx: tx.list_comments(live_task(ctx, tx, task).id, page=page, per_page=per_page))


# -- shared


def _write(ctx: Context, task: str, summary: str, build: Any, dry_run: bool) -> Written[Task]:
    with as_body_errors():
        return write_patches(ctx, build, summary=summary[:500], result=lambda tx, _: task_named(ctx, tx, task), dry_run=dry_run)


def _match(ctx: Context, tx: Transaction, task: str, if_match: int | None) -> None:
    if if_match is not None:
        current = held_task(ctx, tx, task).revision
        if current != if_match:
            raise PreconditionFailed(hint=f"{task} is at revision {current}")


def _stays(ctx: Context, tx: Transaction, task: str, place: dict[str, Any]) -> bool:
    """Whether a place names no sibling, and no parent but the task's own."""
    if place.get("before") is not None or place.get("after") is not None:
        return False
    if "parent" not in place:
        return True
    current = held_task(ctx, tx, task)
    if place["parent"] is None:
        return current.parent_id is None
    return place["parent"].upper() in ((current.parent or "").upper(), (current.parent_id or "").upper())


def _relink(ctx: Context, tx: Transaction, task: str, wanted: list[str]) -> list[dict[str, Any]]:
    """Return the operations that turn the current dependencies into the wanted ones."""
    current = set(held_task(ctx, tx, task).depends_on)
    keys: dict[str, None] = {}
    for name in wanted:
        found = tx.find_task(name, today=ctx.today)
        keys[found.key if found else name] = None
    added = [{"op": "add_dependency", "task": task, "depends_on": key} for key in keys if key not in current]
    removed = [{"op": "remove_dependency", "task": task, "depends_on": key} for key in sorted(current - keys.keys())]
    return added + removed


def held_task(ctx: Context, tx: Transaction, name: str) -> Task:
    """Return a live task after locking its project: what is decided by it still holds when it is written."""
    tx.lock_projects(tasks=[name])
    return live_task(ctx, tx, name)


def live_task(ctx: Context, tx: Transaction, name: str) -> Task:
    """Return a task that is not deleted, or raise NotFound or DeletedResource with the way to restore it."""
    task = task_named(ctx, tx, name)
    if task.deleted_at is not None:
        raise DeletedResource(
            f"{task.key} was deleted at {task.deleted_at:%Y-%m-%dT%H:%M:%SZ}",
            hint=f"use {_way_back(ctx, tx, task)}, or revert the patch set that deleted it",
        )
    return task


def _way_back(ctx: Context, tx: Transaction, task: Task) -> str:
    """Return the operation that comes first: what holds a deleted task is restored before it, and mostly with it."""
    project = tx.find_project(task.project_id)
    if project is not None and project.deleted_at is not None:
        return f"restore_project {project.key}"
    while task.parent_id is not None:
        parent = tx.find_task(task.parent_id, today=ctx.today)
        if parent is None or parent.deleted_at is None:
            break
        task = parent
    return f"restore_task {task.key}"


def task_named(ctx: Context, tx: Transaction, name: str) -> Task:
    """Return a task, deleted or not, or raise NotFound with the nearest keys."""
    task = tx.find_task(name, today=ctx.today)
    if task is None:
        raise NotFound.named("task", name, tx.suggest_tasks(name))
    return task


def task_of(ctx: Context, tx: Transaction, name: str, project: Project) -> Task:
    """Return a task of a project, deleted or not, or raise NotFound, which says where it is."""
    task = task_named(ctx, tx, name)
    if task.project_id != project.id:
        home = task.key.rpartition("-")[0]
        raise NotFound(f"{task.key} is no task of {project.key}", hint=f"it is a task of {home}")
    return task


def creation_of(draft: FirstTask, ref: str, *, project: str | None) -> dict[str, Any]:
    """Return the patch that creates a task."""
    patch: dict[str, Any] = {"op": "create_task", "ref": ref, "fields": TaskDraft.part_of(draft), **_place(draft)}
    if project is not None:
        patch["project"] = project
    if draft.depends_on:
        patch["depends_on"] = draft.depends_on
    return patch


def _place(draft: FirstTask | TaskUpdate) -> dict[str, Any]:
    given = draft.model_fields_set
    return {op_name: getattr(draft, name) for name, op_name in _PLACE.items() if name in given}
