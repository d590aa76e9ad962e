"""Projects: list, read, write, and the views of a whole project."""

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response

from core.exports.rendering import render_export
from core.schedule_rendering import render_schedule
from core.services import history, projects, reverting
from core.services.patch_sets import Written
from http_api import examples
from http_api.bodies import StrictRoute
from http_api.dependencies import Cascade, DryRun, HistoryFilters, IfMatch, ProjectFilters, ProjectName, RequestContext, Then
from http_api.envelope import API_PREFIX, REVALIDATE, Envelope, digest_tag, found, found_bytes, listed, written
from http_api.errors import BODY, GUARDED, NAMED, PAGED, WRITES, refusals
from http_api.idempotency import WriteContext
from http_api.ready import ReadyProjects, project_tag
from schemas.changes import ApplyResponse, RevisionDiff
from schemas.export import ExportDocument, ExportFormat
from schemas.patches import HistoryResponse, RevertRequest
from schemas.primitives import Day
from schemas.projects import (
    Project,
    ProjectDetail,
    ProjectHierarchy,
    ProjectListResponse,
    ProjectUpdate,
    ProjectWithTasks,
)
from schemas.schedule import Schedule, ScheduleFormat

router = APIRouter(prefix="/projects", tags=["projects"], route_class=StrictRoute)

MEDIA_TYPES = {ExportFormat.MARKDOWN: "text/markdown", ExportFormat.CSV: "text/csv"}
SCHEDULE_TYPES = {
    ScheduleFormat.TEXT: "text/plain",
    ScheduleFormat.TIMELINE: "text/plain",
    ScheduleFormat.MERMAID: "text/vnd.mermaid",
    ScheduleFormat.ICS: "text/calendar",
}
SCHEDULE_SUFFIXES = {
    ScheduleFormat.TEXT: "txt",
    ScheduleFormat.TIMELINE: "txt",
    ScheduleFormat.MERMAID: "mmd",
    ScheduleFormat.ICS: "ics",
}


def _files(media_types: Iterable[str]) -> dict[int | str, dict[str, Any]]:
    """Document the forms of an answer that are not JSON."""
    return {200: {"content": {media_type: {"schema": {"type": "string"}} for media_type in media_types}}}


@router.get("", operation_id="list_projects", response_model=Envelope[ProjectListResponse], responses=refusals(*PAGED))
async def list_projects(ctx: RequestContext, request: Request, query: Annotated[ProjectFilters, Query()]) -> Response:
    """List projects, newest first unless sorted otherwise."""
    return listed(ctx, request, await ctx.run(projects.list_projects, query))


@router.post(
    "",
    operation_id="create_project",
    status_code=201,
    response_model=Envelope[Project | ProjectDetail],
    responses=refusals(*BODY, *WRITES) | {200: {"model": Envelope[ApplyResponse], "description": "Dry run: what would change"}},
)
async def create_project(
    ctx: WriteContext,
    draft: Annotated[ProjectWithTasks, Body(openapi_examples=examples.PROJECT_CREATE)],
    dry_run: DryRun = False,
) -> Response:
    """Create a project, with its first tasks if given; its key is derived from the name unless given."""
    if draft.tasks:
        return _written(ctx, await ctx.run(projects.create_with_tasks, draft, draft.tasks, dry_run=dry_run), created=True)
    return _written(ctx, await ctx.run(projects.create_project, draft, dry_run=dry_run), created=True)


@router.get(
    "/{project_id}", operation_id="get_project", response_model=Envelope[ProjectDetail], responses=refusals(*NAMED, *PAGED)
)
async def get_project(
    ctx: RequestContext,
    request: Request,
    project_id: ProjectName,
    include_tasks: bool = True,
    tasks_cursor: str | None = None,
    revision: Then = None,
) -> Response:
    """Get a project with its first 1,000 tasks in outline order; `tasks_next_cursor` continues."""
    if include_tasks and revision is None:
        if tasks_cursor is None:
            projects_at_hand: ReadyProjects = request.app.state.ready_projects
            if (ready := await projects_at_hand.find(ctx, project_id)) is not None:
                return found_bytes(ctx, ready.body, tag=ready.tag)
        shown = await ctx.run(projects.get_project_json, project_id, tasks_cursor=tasks_cursor)
        return found_bytes(ctx, shown.body, tag=project_tag(shown.revision, ctx.today))
    run = ctx.run if revision is None else ctx.run_long
    project = await run(
        projects.get_project, project_id, include_tasks=include_tasks, tasks_cursor=tasks_cursor, revision=revision
    )
    tag = project_tag(project.revision, ctx.today) if include_tasks else f'"{project.revision}"'
    return found(ctx, project, tag=tag)


@router.patch(
    "/{project_id}",
    operation_id="patch_project",
    response_model=Envelope[Project | ApplyResponse],
    responses=refusals(*BODY, *WRITES, *GUARDED),
)
@router.put(
    "/{project_id}",
    operation_id="update_project",
    response_model=Envelope[Project | ApplyResponse],
    responses=refusals(*BODY, *WRITES, *GUARDED),
)
async def update_project(
    ctx: WriteContext,
    project_id: ProjectName,
    update: Annotated[ProjectUpdate, Body(openapi_examples=examples.PROJECT_UPDATE)],
    if_match: IfMatch,
    dry_run: DryRun = False,
) -> Response:
    """Update a project: absent fields keep their value, null clears."""
    result = await ctx.run(projects.update_project, project_id, update, if_match=if_match, dry_run=dry_run)
    return _written(ctx, result)


@router.delete(
    "/{project_id}", operation_id="delete_project", response_model=Envelope[ApplyResponse], responses=refusals(*WRITES, *GUARDED)
)
async def delete_project(
    ctx: WriteContext, project_id: ProjectName, if_match: IfMatch, cascade: Cascade = True, dry_run: DryRun = False
) -> Response:
    """Delete a project with all its tasks; it can be restored."""
    effect = await ctx.run(projects.delete_project, project_id, cascade=cascade, if_match=if_match, dry_run=dry_run)
    return written(ctx, effect, effect, dry_run=dry_run)


@router.post(
    "/{project_id}/restore",
    operation_id="restore_project",
    response_model=Envelope[Project | ApplyResponse],
    responses=refusals(*BODY, *WRITES),
)
async def restore_project(ctx: WriteContext, project_id: ProjectName, dry_run: DryRun = False) -> Response:
    """Revive a deleted project and exactly what its deletion removed."""
    return _written(ctx, await ctx.run(projects.restore_project, project_id, dry_run=dry_run))


@router.get(
    "/{project_id}/hierarchy", operation_id="get_hierarchy", response_model=Envelope[ProjectHierarchy], responses=refusals(*NAMED)
)
async def get_hierarchy(ctx: RequestContext, project_id: ProjectName, revision: Then = None) -> Response:
    """Get a project with its whole tree of tasks."""
    return found(ctx, await ctx.run_long(projects.get_hierarchy, project_id, revision=revision))


@router.get(
    "/{project_id}/schedule",
    operation_id="get_schedule",
    response_model=Envelope[Schedule],
    responses=refusals(*NAMED) | _files(SCHEDULE_TYPES.values()),
)
async def get_schedule(
    ctx: RequestContext,
    project_id: ProjectName,
    start_date: Annotated[Day | None, Query(description="default: the project's, and not before today")] = None,
    hours_per_day: Annotated[int | None, Query(ge=1, le=24, description="working hours; default: HOURS_PER_DAY")] = None,
    format: ScheduleFormat = ScheduleFormat.JSON,
    revision: Then = None,
) -> Response:
    """Get earliest and latest times of every open task, and the critical path: JSON in the envelope, the rest as files."""
    schedule = await ctx.run_long(
        projects.get_schedule, project_id, start_date=start_date, hours_per_day=hours_per_day, revision=revision
    )
    if format is ScheduleFormat.JSON:
        return found(ctx, schedule)
    content = await asyncio.to_thread(render_schedule, schedule, format)
    return _file(content, f"{schedule.project}.{SCHEDULE_SUFFIXES[format]}", SCHEDULE_TYPES[format])


@router.get(
    "/{project_id}/history",
    operation_id="list_history",
    response_model=Envelope[HistoryResponse],
    responses=refusals(*NAMED, *PAGED),
)
async def list_history(
    ctx: RequestContext, request: Request, project_id: ProjectName, query: Annotated[HistoryFilters, Query()]
) -> Response:
    """List the patch sets applied to a project, newest first."""
    return listed(ctx, request, await ctx.run(history.list_history, project_id, query.query()))


@router.get(
    "/{project_id}/diff", operation_id="diff_revisions", response_model=Envelope[RevisionDiff], responses=refusals(*NAMED)
)
async def diff_revisions(
    ctx: RequestContext,
    project_id: ProjectName,
    from_revision: Annotated[int, Query(alias="from", description="the older revision")],
    to_revision: Annotated[int | None, Query(alias="to", description="the newer one; the present one unless given")] = None,
) -> Response:
    """Get what differs between two revisions of a project: the net effect of all sets in between."""
    diff = await ctx.run_long(history.diff_revisions, project_id, from_revision=from_revision, to_revision=to_revision)
    return found(ctx, diff)


@router.post(
    "/{project_id}/revert",
    operation_id="revert_to_revision",
    response_model=Envelope[ApplyResponse],
    responses=refusals(*BODY, *WRITES),
)
async def revert_to_revision(
    ctx: WriteContext,
    project_id: ProjectName,
    revert: Annotated[RevertRequest, Body(openapi_examples=examples.REVERT)],
    dry_run: DryRun = False,
) -> Response:
    """Bring a project back to an earlier revision, by one new set that takes back every later one."""
    effect = await ctx.run(reverting.revert_to_revision, project_id, revert.to_revision, dry_run=dry_run)
    return written(ctx, effect, effect, dry_run=dry_run)


@router.get(
    "/{project_id}/export",
    operation_id="export_project",
    response_model=Envelope[ExportDocument],
    responses=refusals(*NAMED) | _files(MEDIA_TYPES.values()),
)
async def export_project(
    ctx: RequestContext, project_id: ProjectName, format: ExportFormat = ExportFormat.JSON, revision: Then = None
) -> Response:
    """Export a project with its tasks and comments: JSON in the envelope, Markdown and CSV as files."""
    document = await ctx.run_long(projects.export_project, project_id, revision=revision)
    if format is ExportFormat.JSON:  # it names the moment it was made, so two of the same state are not the same bytes
        return found(ctx, document, tag=f"W/{project_tag(document.project.revision, ctx.today)}")
    content = await asyncio.to_thread(render_export, document, format)
    return _file(content, f"{document.project.key}.{format}", MEDIA_TYPES[format])


def _file(text: str, name: str, media_type: str) -> Response:
    content = text.encode()
    headers = {"ETag": digest_tag(content), "Content-Disposition": f'attachment; filename="{name}"', **REVALIDATE}
    return Response(content, headers=headers, media_type=f"{media_type}; charset=utf-8")


def _written(ctx: RequestContext, result: Written[Project] | Written[ProjectDetail], *, created: bool = False) -> Response:
    project = result.item
    if project is None:
        return written(ctx, result.effect, result.effect, dry_run=True)
    headers = {"ETag": f'"{project.revision}"'}
    if created:
        headers["Location"] = f"{API_PREFIX}/projects/{project.id}"
    return written(ctx, project, result.effect, status=201 if created else 200, headers=headers)
