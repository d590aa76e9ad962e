"""Projects: read them, and write them as patch sets of one patch."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

import orjson

from core.context import Context, Scope
from core.errors import DeletedResource, InvalidCursor, PreconditionFailed
from core.patches.schedule import make_schedule
from core.services.errors import as_body_errors
from core.services.history import past_project
from core.services.names import project_named
from core.services.patch_sets import Written, apply_patches, write_patches
from core.services.tasks import creation_of
from core.storage.interface import Transaction
from schemas.changes import ApplyResponse
from schemas.export import ExportDocument
from schemas.projects import (
    Project,
    ProjectCreate,
    ProjectDetail,
    ProjectDraft,
    ProjectFields,
    ProjectHierarchy,
    ProjectListResponse,
    ProjectQuery,
    ProjectUpdate,
)
from schemas.schedule import Schedule
from schemas.tasks import FirstTask, Task, TaskNode

P = TypeVar("P", bound=Project)

TASKS_IN_DETAIL = 1_000


def list_projects(ctx: Context, query: ProjectQuery) -> ProjectListResponse:
    """Return a page of projects."""
    ctx.principal.require(Scope.PROJECTS_READ)
    return ctx.read(lambda tx: tx.list_projects(query))


def get_project(
    ctx: Context,
    project: str,
    *,
    include_tasks: bool = False,
    tasks_cursor: str | None = None,
    tasks_limit: int = TASKS_IN_DETAIL,
    revision: int | None = None,
) -> ProjectDetail:
    """Return a live project, with its first 1,000 tasks (or fewer) in outline order if asked for.

    With `revision` (as in all reads of a whole project) as it was then, even if it has been deleted
    since; that takes O(tasks + later changes).
    """
    ctx.principal.require(Scope.PROJECTS_READ)
    if revision is not None:
        past, all_tasks = _whole(ctx, project, revision)
        shown, following = _page(all_tasks, revision, tasks_limit, tasks_cursor) if include_tasks else (None, None)
        return ProjectDetail.model_construct(**past.__dict__, tasks=shown, tasks_next_cursor=following)

    def work(tx: Transaction) -> ProjectDetail:
        found = live_project(tx, project)
        if not include_tasks:
            return ProjectDetail.model_construct(**found.__dict__, tasks=None, tasks_next_cursor=None)
        return _with_tasks(ctx, tx, found, limit=tasks_limit, cursor=tasks_cursor)

    return ctx.read(work)


@dataclass(frozen=True, slots=True)
class ProjectJson:
    """A project with tasks as JSON, and what names this state of it."""

    id: str
    revision: int
    body: bytes


def get_project_json(ctx: Context, project: str, *, tasks_cursor: str | None = None) -> ProjectJson:
    """Return the JSON of what `get_project` returns with tasks: byte for byte, without its models."""
    ctx.principal.require(Scope.PROJECTS_READ)
    return ctx.read(lambda tx: _as_json(ctx, tx, [live_project(tx, project)], tasks_cursor)[0])


def get_projects_json(ctx: Context, names: Sequence[str], held: Callable[[str, int], bytes | None]) -> dict[str, ProjectJson]:
    """Return each live project among `names` as `get_project_json` does, by the name it was asked for.

    What `held` has of an id and a revision is not made again.
    """
    ctx.principal.require(Scope.PROJECTS_READ)
    revisions = ctx.read(lambda tx: tx.find_revisions(names), snapshot=False)
    shown = {state[0]: ProjectJson(*state, body) for state in set(revisions.values()) if (body := held(*state)) is not None}
    missing = {project_id for project_id, _ in revisions.values()} - shown.keys()
    if missing:
        shown |= {made.id: made for made in ctx.read(lambda tx: _as_json(ctx, tx, _live_projects(tx, missing)))}
    return {name: shown[project_id] for name, (project_id, _) in revisions.items() if project_id in shown}


def _live_projects(tx: Transaction, ids: Set[str]) -> list[Project]:
    return [project for project in tx.find_projects(ids) if project.deleted_at is None]


def _as_json(ctx: Context, tx: Transaction, found: Sequence[Project], cursor: str | None = None) -> list[ProjectJson]:
    outlines = tx.outlines_json([(project.id, cursor) for project in found], today=ctx.today, limit=TASKS_IN_DETAIL)
    shown = []
    for project, (tasks, following) in zip(found, outlines, strict=True):
        whole = {**vars(project), "tasks": tasks, "tasks_next_cursor": following}
        shown.append(ProjectJson(project.id, project.revision, orjson.dumps(whole, option=orjson.OPT_UTC_Z)))
    return shown


def get_hierarchy(ctx: Context, project: str, *, revision: int | None = None) -> ProjectHierarchy:
    """Return a project with its whole tree; O(tasks)."""
    found, tasks = _whole(ctx, project, revision)
    return ProjectHierarchy.model_construct(project=found, tasks=_tree(tasks))


def get_schedule(
    ctx: Context,
    project: str,
    *,
    start_date: date | None = None,
    hours_per_day: int | None = None,
    revision: int | None = None,
) -> Schedule:
    """Return earliest and latest times of the open leaves, from `start_date` (default: the project's, not before today).

    A day has `hours_per_day` working hours, unless given those of the settings.
    """
    found, tasks = _whole(ctx, project, revision)
    start = start_date or max(found.start_date or ctx.today, ctx.today)
    return make_schedule(
        found,
        tasks,
        start_date=start,
        hours_per_day=hours_per_day or ctx.settings.hours_per_day,
        days_per_week=ctx.settings.days_per_week,
    )


def export_project(ctx: Context, project: str, *, revision: int | None = None) -> ExportDocument:
    """Return a project, its live tasks in outline order and their comments."""
    ctx.principal.require(Scope.PROJECTS_READ)

    def work(tx: Transaction) -> ExportDocument:
        found, tasks = _outline(ctx, tx, project, revision)
        if revision is None:
            comments = tx.all_comments(found.id)
        else:
            live = {task.id for task in tasks}
            comments = [comment for comment in tx.comments_at(found.id, revision) if comment.task_id in live]
        return ExportDocument.model_construct(
            format="orchestrator/1", exported_at=ctx.now, project=found, tasks=tasks, comments=comments
        )

    return ctx.read(work)


def create_project(ctx: Context, draft: ProjectCreate, *, dry_run: bool = False) -> Written[Project]:
    """Create a project."""
    return _create(ctx, draft, [], project_named, dry_run)


def create_with_tasks(
    ctx: Context, draft: ProjectCreate, tasks: Sequence[FirstTask], *, dry_run: bool = False
) -> Written[ProjectDetail]:
    """Create a project and its first tasks: all of it, or nothing.

    The tasks name each other by their place in the list: `$t1`, `$t2`, ..; paths of issues begin with `/tasks/0`.
    """
    return _create(ctx, draft, tasks, lambda tx, project_id: _with_tasks(ctx, tx, project_named(tx, project_id)), dry_run)


def _create(
    ctx: Context,
    draft: ProjectCreate,
    tasks: Sequence[FirstTask],
    result: Callable[[Transaction, str], P],
    dry_run: bool,
) -> Written[P]:
    creation: dict[str, Any] = {"op": "create_project", "ref": "$new", "fields": ProjectDraft.part_of(draft)}
    if draft.key is not None:
        creation["key"] = draft.key
    patches = [creation, *(creation_of(task, f"$t{place}", project="$new") for place, task in enumerate(tasks, start=1))]
    with as_body_errors(listed="tasks"):
        return write_patches(
            ctx,
            lambda _: patches,
            summary=f"Create project {draft.name}"[:500],
            result=lambda tx, applied: result(tx, applied.refs["$new"].id),
            dry_run=dry_run,
        )


def update_project(
    ctx: Context, project: str, update: ProjectUpdate, *, if_match: int | None = None, dry_run: bool = False
) -> Written[Project]:
    """Change the given fields of a project."""
    build = _change(project, if_match, "update_project", fields=ProjectFields.part_of(update))
    return _write(ctx, project, f"Update {project}", build, dry_run)


def delete_project(
    ctx: Context, project: str, *, cascade: bool = True, if_match: int | None = None, dry_run: bool = False
) -> ApplyResponse:
    """Soft-delete a project with all its tasks; `restore_project` or a revert brings them back."""
    with as_body_errors():
        build = _change(project, if_match, "delete_project", cascade=cascade)
        return apply_patches(ctx, build, summary=f"Delete {project}"[:500], dry_run=dry_run)


def restore_project(ctx: Context, project: str, *, dry_run: bool = False) -> Written[Project]:
    """Revive a deleted project and exactly what that deletion removed."""
    return _write(ctx, project, f"Restore {project}", _change(project, None, "restore_project"), dry_run)


def live_project(tx: Transaction, name: str) -> Project:
    """Return the named project, or raise NotFound or DeletedResource."""
    project = project_named(tx, name)
    if project.deleted_at is not None:
        raise DeletedResource(
            f"{project.key} was deleted at {project.deleted_at:%Y-%m-%dT%H:%M:%SZ}",
            hint=f"use restore_project {project.key}, or revert the patch set that deleted it",
        )
    return project


def _change(project: str, if_match: int | None, op: str, **members: Any) -> Callable[[Transaction], list[dict[str, Any]]]:
    """Return what makes the patch of a project, in the transaction, unless it is at another revision than `if_match`."""

    def build(tx: Transaction) -> list[dict[str, Any]]:
        if if_match is not None:
            tx.lock_projects(projects=[project])  # no other write comes between the comparison and this one
            current = live_project(tx, project).revision
            if current != if_match:
                raise PreconditionFailed(hint=f"{project} is at revision {current}")
        return [{"op": op, "project": project, **members}]

    return build


def _write(
    ctx: Context, project: str, summary: str, build: Callable[[Transaction], list[dict[str, Any]]], dry_run: bool
) -> Written[Project]:
    with as_body_errors():
        return write_patches(ctx, build, summary=summary[:500], result=lambda tx, _: project_named(tx, project), dry_run=dry_run)


def _with_tasks(
    ctx: Context, tx: Transaction, project: Project, *, limit: int = TASKS_IN_DETAIL, cursor: str | None = None
) -> ProjectDetail:
    tasks, following = tx.outline(project.id, today=ctx.today, limit=limit, cursor=cursor)
    return ProjectDetail.model_construct(**project.__dict__, tasks=tasks, tasks_next_cursor=following)


def _whole(ctx: Context, project: str, revision: int | None) -> tuple[Project, list[Task]]:
    ctx.principal.require(Scope.PROJECTS_READ)
    return ctx.read(lambda tx: _outline(ctx, tx, project, revision))


def _outline(ctx: Context, tx: Transaction, project: str, revision: int | None) -> tuple[Project, list[Task]]:
    """Return a project and all its live tasks, of now or of `revision`."""
    if revision is not None:
        return past_project(tx, project, revision, today=ctx.today)
    found = live_project(tx, project)
    return found, tx.outline(found.id, today=ctx.today)[0]


def _page(tasks: list[Task], revision: int, limit: int, cursor: str | None) -> tuple[list[Task], str | None]:
    """Return a page of an outline of the past, which no longer changes: its cursor is revision and place."""
    made_for, _, place = (cursor or f"{revision}.0").partition(".")
    if made_for != str(revision) or not (place.isascii() and place.isdigit() and len(place) < 10):
        raise InvalidCursor
    end = int(place) + limit
    return tasks[int(place) : end], f"{revision}.{end}" if end < len(tasks) else None


def _tree(tasks: list[Task]) -> list[TaskNode]:
    """Nest an outline: parents come before their children."""
    roots: list[TaskNode] = []
    nodes: dict[str, TaskNode] = {}
    for task in tasks:
        node = TaskNode.model_construct(**task.__dict__, children=[])
        nodes[task.id] = node
        (nodes[task.parent_id].children if task.parent_id else roots).append(node)
    return roots
