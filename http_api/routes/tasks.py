"""Tasks: list, read, write, claim, and their comments."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Request, Response

from core.context import Context
from core.services import asking, claiming, tasks
from core.services.patch_sets import Written
from http_api import examples
from http_api.bodies import StrictRoute
from http_api.dependencies import Cascade, DryRun, IfMatch, RequestContext, TaskFilters, TaskName
from http_api.envelope import API_PREFIX, PREVIEWED, Envelope, found, listed, proposed, written
from http_api.errors import BODY, GUARDED, MODELS, NAMED, PAGED, WRITES, refusals
from http_api.idempotency import WriteContext
from http_api.long_calls import ACCEPTED, LongCallContext
from http_api.metrics import count_answer
from schemas.changes import ApplyResponse
from schemas.paging import MAX_PER_PAGE
from schemas.patches import PatchSetDetail
from schemas.planning import DecomposeRequest
from schemas.primitives import ItemName
from schemas.tasks import (
    ClaimRequest,
    Comment,
    CommentCreate,
    CommentListResponse,
    NextTasksResponse,
    Task,
    TaskCreate,
    TaskDetail,
    TaskListResponse,
    TaskUpdate,
)

router = APIRouter(prefix="/tasks", tags=["tasks"], route_class=StrictRoute)

BY_THE_CALLER = ClaimRequest()
AS_IT_IS = DecomposeRequest()


@router.get("", operation_id="list_tasks", response_model=Envelope[TaskListResponse], responses=refusals(*NAMED, *PAGED))
async def list_tasks(ctx: RequestContext, request: Request, query: Annotated[TaskFilters, Query()]) -> Response:
    """List tasks; all given filters must hold."""
    return listed(ctx, request, await ctx.run(tasks.list_tasks, query))


@router.post(
    "",
    operation_id="create_task",
    status_code=201,
    response_model=Envelope[Task],
    responses=refusals(*BODY, *WRITES) | {200: {"model": Envelope[ApplyResponse], "description": "Dry run: what would change"}},
)
async def create_task(
    ctx: WriteContext,
    draft: Annotated[TaskCreate, Body(openapi_examples=examples.TASK_CREATE)],
    dry_run: DryRun = False,
) -> Response:
    """Create a task in a project, below a parent, before or after a sibling."""
    return _written(ctx, await ctx.run(tasks.create_task, draft, dry_run=dry_run), created=True)


@router.get("/next", operation_id="list_next_tasks", response_model=Envelope[NextTasksResponse], responses=refusals(*NAMED))
async def list_next_tasks(
    ctx: RequestContext,
    project_id: Annotated[ItemName | None, Query(description="id or key; without it all projects, and no critical path")] = None,
    limit: Annotated[int, Query(ge=1, le=claiming.MAX_NEXT)] = 20,
) -> Response:
    """List what may be claimed now, best first, with the reasons; claim the first with POST /tasks/{id}/claim."""
    return found(ctx, await ctx.run_long(claiming.list_next_tasks, project=project_id, limit=limit))


@router.get("/{task_id}", operation_id="get_task", response_model=Envelope[TaskDetail], responses=refusals(*NAMED))
async def get_task(ctx: RequestContext, task_id: TaskName, include_subtasks: bool = True) -> Response:
    """Get a task with its direct subtasks and newest comments."""
    task = await ctx.run(tasks.get_task, task_id, include_subtasks=include_subtasks)
    return found(ctx, task, revision=task.revision)


@router.patch(
    "/{task_id}",
    operation_id="patch_task",
    response_model=Envelope[Task | ApplyResponse],
    responses=refusals(*BODY, *WRITES, *GUARDED),
)
@router.put(
    "/{task_id}",
    operation_id="update_task",
    response_model=Envelope[Task | ApplyResponse],
    responses=refusals(*BODY, *WRITES, *GUARDED),
)
async def update_task(
    ctx: WriteContext,
    task_id: TaskName,
    update: Annotated[TaskUpdate, Body(openapi_examples=examples.TASK_UPDATE)],
    if_match: IfMatch,
    dry_run: DryRun = False,
) -> Response:
    """Update or move a task: absent fields keep their value, null clears."""
    result = await ctx.run(tasks.update_task, task_id, update, if_match=if_match, dry_run=dry_run)
    return _written(ctx, result)


@router.delete(
    "/{task_id}", operation_id="delete_task", response_model=Envelope[ApplyResponse], responses=refusals(*WRITES, *GUARDED)
)
async def delete_task(
    ctx: WriteContext, task_id: TaskName, if_match: IfMatch, cascade: Cascade = True, dry_run: DryRun = False
) -> Response:
    """Delete a task with everything below it; it can be restored."""
    effect = await ctx.run(tasks.delete_task, task_id, cascade=cascade, if_match=if_match, dry_run=dry_run)
    return written(ctx, effect, effect, dry_run=dry_run)


@router.post(
    "/{task_id}/restore",
    operation_id="restore_task",
    response_model=Envelope[Task | ApplyResponse],
    responses=refusals(*BODY, *WRITES),
)
async def restore_task(ctx: WriteContext, task_id: TaskName, dry_run: DryRun = False) -> Response:
    """Revive a deleted task and exactly what its deletion removed."""
    return _written(ctx, await ctx.run(tasks.restore_task, task_id, dry_run=dry_run))


@router.post(
    "/{task_id}/claim",
    operation_id="claim_task",
    response_model=Envelope[Task | ApplyResponse],
    responses=refusals(*BODY, *WRITES),
)
async def claim_task(
    ctx: WriteContext,
    task_id: TaskName,
    claim: Annotated[ClaimRequest, Body(openapi_examples=examples.CLAIM)] = BY_THE_CALLER,
    dry_run: DryRun = False,
) -> Response:
    """Take a ready task for a while; 409 when it is not ready or another holds it."""
    claimed = await ctx.run(
        claiming.claim_task, task=task_id, agent=claim.agent, lease_minutes=claim.lease_minutes, dry_run=dry_run
    )
    if claimed is None:
        raise AssertionError("a named task is claimed or refused")
    return _written(ctx, claimed)


@router.post(
    "/{task_id}/decompose",
    operation_id="decompose_task",
    status_code=201,
    response_model=Envelope[PatchSetDetail],
    responses=refusals(*BODY, *WRITES, *MODELS) | ACCEPTED | PREVIEWED,
)
async def decompose_task(
    call: LongCallContext,
    task_id: TaskName,
    request: Annotated[DecomposeRequest, Body(openapi_examples=examples.DECOMPOSE)] = AS_IT_IS,
    dry_run: DryRun = False,
) -> Response:
    """Turn a task (without a model, the list in its description) into a stored proposal of subtasks; nothing is applied."""

    async def answer(ctx: Context) -> Response:
        split = await asking.decompose_task(ctx, task_id, request, dry_run=dry_run)
        made = split.proposal.proposal
        count_answer(ctx, "decompose_task", made.engine, made.model, made.usage)
        return proposed(ctx, split.proposal, warnings=split.warnings, dry_run=dry_run)

    return await call.answer(answer)


@router.get(
    "/{task_id}/comments", operation_id="list_comments", response_model=Envelope[CommentListResponse], responses=refusals(*NAMED)
)
async def list_comments(
    ctx: RequestContext,
    request: Request,
    task_id: TaskName,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    per_page: Annotated[int, Query(ge=1, le=MAX_PER_PAGE)] = 50,
) -> Response:
    """List a task's comments: the newest page first, each page oldest first."""
    return listed(ctx, request, await ctx.run(tasks.list_comments, task_id, page=page, per_page=per_page))


@router.post(
    "/{task_id}/comments",
    operation_id="add_comment",
    status_code=201,
    response_model=Envelope[Comment],
    responses=refusals(*BODY, *WRITES) | {200: {"model": Envelope[ApplyResponse], "description": "Dry run: what would change"}},
)
async def add_comment(
    ctx: WriteContext,
    task_id: TaskName,
    comment: Annotated[CommentCreate, Body(openapi_examples=examples.COMMENT)],
    dry_run: DryRun = False,
) -> Response:
    """Comment on a task; comments are never changed."""
    result = await ctx.run(tasks.add_comment, task_id, comment.body, dry_run=dry_run)
    if result.item is None:
        return written(ctx, result.effect, result.effect, dry_run=True)
    location = f"{API_PREFIX}/tasks/{result.item.task_id}/comments"
    return written(ctx, result.item, result.effect, status=201, headers={"Location": location})


def _written(ctx: RequestContext, result: Written[Task], *, created: bool = False) -> Response:
    task = result.item
    if task is None:
        return written(ctx, result.effect, result.effect, dry_run=True)
    place = {"Location": f"{API_PREFIX}/tasks/{task.id}"} if created else {}
    return written(ctx, task, result.effect, status=201 if created else 200, headers=place, revision=task.revision)
