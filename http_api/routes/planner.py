"""From a written plan to a proposal, and from a reviewed patch set to the plan."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from core.context import Context
from core.services import asking, patch_sets, planning
from http_api import examples
from http_api.bodies import StrictRoute
from http_api.dependencies import DryRun
from http_api.envelope import PREVIEWED, Envelope, proposed, written
from http_api.errors import BODY, MODELS, PATCH_SETS, WRITES, refusals
from http_api.idempotency import WriteContext
from http_api.long_calls import ACCEPTED, LongCallContext
from http_api.metrics import count_answer
from schemas.changes import ApplyResponse
from schemas.errors import ErrorCode
from schemas.patches import PatchSet, PatchSetDetail
from schemas.planning import ImportRequest, PlannerRequest, PlannerResponse, RefineRequest

router = APIRouter(prefix="/planner", tags=["planner"], route_class=StrictRoute)


@router.post(
    "/import",
    operation_id="import_outline",
    response_model=Envelope[PlannerResponse],
    responses=refusals(*BODY, *WRITES, ErrorCode.SERVICE_UNAVAILABLE) | ACCEPTED,
)
async def import_outline(
    call: LongCallContext, outline: Annotated[ImportRequest, Body(openapi_examples=examples.IMPORT)], dry_run: DryRun = False
) -> Response:
    """Turn a written plan into a stored proposal; nothing is applied."""

    async def answer(ctx: Context) -> Response:
        return written(ctx, await ctx.run_long(planning.import_outline, outline, dry_run=dry_run), dry_run=dry_run)

    return await call.answer(answer)


@router.post(
    "/generate",
    operation_id="generate_plan",
    response_model=Envelope[PlannerResponse],
    responses=refusals(*BODY, *WRITES, *MODELS) | ACCEPTED,
)
async def generate_plan(
    call: LongCallContext, request: Annotated[PlannerRequest, Body(openapi_examples=examples.GENERATE)], dry_run: DryRun = False
) -> Response:
    """Turn a description into a stored proposal of a new project, by a model or without one by rules; nothing is applied."""

    async def answer(ctx: Context) -> Response:
        plan = await asking.generate_plan(ctx, request, dry_run=dry_run)
        count_answer(ctx, "generate_plan", plan.engine, plan.model, plan.usage)
        return written(ctx, plan, dry_run=dry_run)

    return await call.answer(answer)


@router.post(
    "/refine",
    operation_id="refine_plan",
    status_code=201,
    response_model=Envelope[PatchSetDetail],
    responses=refusals(*BODY, *WRITES, *MODELS) | ACCEPTED | PREVIEWED,
)
async def refine_plan(
    call: LongCallContext, request: Annotated[RefineRequest, Body(openapi_examples=examples.REFINE)], dry_run: DryRun = False
) -> Response:
    """Turn feedback on a project (commands, without a model) into a stored proposal; nothing is applied.

    What was not understood, and that something is deleted, is a warning.
    """

    async def answer(ctx: Context) -> Response:
        refined = await asking.refine_plan(ctx, request, dry_run=dry_run)
        made = refined.proposal.proposal
        count_answer(ctx, "refine_plan", made.engine, made.model, made.usage)
        return proposed(ctx, refined.proposal, warnings=refined.warnings, dry_run=dry_run)

    return await call.answer(answer)


@router.post(
    "/apply",
    operation_id="apply_patch_set",
    response_model=Envelope[ApplyResponse],
    responses=refusals(*BODY, *WRITES, *PATCH_SETS),
)
async def apply_patch_set(
    ctx: WriteContext, patch_set: Annotated[PatchSet, Body(openapi_examples=examples.PATCH_SET)], dry_run: DryRun = False
) -> Response:
    """Apply a reviewed patch set, whole or not at all."""
    effect = await ctx.run(patch_sets.apply_patch_set, patch_set, dry_run=dry_run)
    return written(ctx, effect, effect, dry_run=dry_run)
