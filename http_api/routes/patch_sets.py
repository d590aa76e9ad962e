"""Patch sets: propose, review, apply, reject, revert."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Request, Response

from core.services import history, patch_sets, reverting
from http_api import examples
from http_api.bodies import StrictRoute
from http_api.dependencies import DryRun, PatchSetFilters, PatchSetName, RequestContext
from http_api.envelope import PREVIEWED, Envelope, found, listed, proposed, written
from http_api.errors import BODY, NAMED, PAGED, PATCH_SETS, WRITES, refusals
from http_api.idempotency import WriteContext
from schemas.changes import ApplyResponse, ChangeListResponse
from schemas.paging import MAX_PER_PAGE
from schemas.patches import (
    ApplyRequest,
    PatchSet,
    PatchSetDetail,
    PatchSetListResponse,
    RejectRequest,
    StoredPatchSet,
)
from schemas.primitives import ItemName

router = APIRouter(prefix="/patch-sets", tags=["patch sets"], route_class=StrictRoute)

EVERYTHING = ApplyRequest()
NO_REASON = RejectRequest()


@router.get("", operation_id="list_patch_sets", response_model=Envelope[PatchSetListResponse], responses=refusals(*NAMED, *PAGED))
async def list_patch_sets(ctx: RequestContext, request: Request, query: Annotated[PatchSetFilters, Query()]) -> Response:
    """List proposals and applied sets, newest first."""
    return listed(ctx, request, await ctx.run(patch_sets.list_patch_sets, query))


@router.post(
    "",
    operation_id="propose_patch_set",
    status_code=201,
    response_model=Envelope[PatchSetDetail],
    responses=refusals(*BODY, *WRITES, *PATCH_SETS) | PREVIEWED,
)
async def propose_patch_set(
    ctx: WriteContext,
    patch_set: Annotated[PatchSet, Body(openapi_examples=examples.PATCH_SET)],
    supersedes: Annotated[ItemName | None, Query(description="the proposal this one replaces")] = None,
    dry_run: DryRun = False,
) -> Response:
    """Store a valid patch set for review, with a preview; nothing is applied."""
    proposal = await ctx.run(patch_sets.propose_patch_set, patch_set, supersedes=supersedes, dry_run=dry_run)
    return proposed(ctx, proposal, dry_run=dry_run)


@router.get("/{patch_set_id}", operation_id="get_patch_set", response_model=Envelope[PatchSetDetail], responses=refusals(*NAMED))
async def get_patch_set(ctx: RequestContext, patch_set_id: PatchSetName) -> Response:
    """Get a patch set with its preview, or with its effect once applied."""
    return found(ctx, await ctx.run(patch_sets.get_patch_set, patch_set_id))


@router.get(
    "/{patch_set_id}/changes",
    operation_id="list_changes",
    response_model=Envelope[ChangeListResponse],
    responses=refusals(*NAMED, *PAGED),
)
async def list_changes(
    ctx: RequestContext,
    request: Request,
    patch_set_id: PatchSetName,
    cursor: Annotated[str | None, Query(max_length=1_000)] = None,
    per_page: Annotated[int, Query(ge=1, le=MAX_PER_PAGE)] = MAX_PER_PAGE,
) -> Response:
    """List every change of a set, in the order of its plan."""
    return listed(ctx, request, await ctx.run(history.list_changes, patch_set_id, cursor=cursor, per_page=per_page))


@router.post(
    "/{patch_set_id}/apply",
    operation_id="apply_proposal",
    response_model=Envelope[ApplyResponse],
    responses=refusals(*BODY, *WRITES, *PATCH_SETS),
)
async def apply_proposal(
    ctx: WriteContext,
    patch_set_id: PatchSetName,
    choice: Annotated[ApplyRequest, Body(openapi_examples=examples.APPLY)] = EVERYTHING,
    dry_run: DryRun = False,
) -> Response:
    """Apply a stored proposal, or only some of its patches."""
    effect = await ctx.run(patch_sets.apply_proposal, patch_set_id, only=choice.only, dry_run=dry_run)
    return written(ctx, effect, effect, dry_run=dry_run)


@router.post(
    "/{patch_set_id}/reject",
    operation_id="reject_patch_set",
    response_model=Envelope[StoredPatchSet],
    responses=refusals(*BODY, *NAMED, *PATCH_SETS),
)
async def reject_patch_set(
    ctx: WriteContext,
    patch_set_id: PatchSetName,
    rejection: Annotated[RejectRequest, Body(openapi_examples=examples.REJECT)] = NO_REASON,
    dry_run: DryRun = False,
) -> Response:
    """Close a proposal without applying it."""
    rejected = await ctx.run(patch_sets.reject_patch_set, patch_set_id, reason=rejection.reason, dry_run=dry_run)
    return written(ctx, rejected, dry_run=dry_run)


@router.post(
    "/{patch_set_id}/revert",
    operation_id="revert_patch_set",
    response_model=Envelope[ApplyResponse],
    responses=refusals(*BODY, *WRITES, *PATCH_SETS),
)
async def revert_patch_set(ctx: WriteContext, patch_set_id: PatchSetName, dry_run: DryRun = False) -> Response:
    """Undo an applied set by applying its inverse as a new set; reverting a revert is redo."""
    effect = await ctx.run(reverting.revert_patch_set, patch_set_id, dry_run=dry_run)
    return written(ctx, effect, effect, dry_run=dry_run)


@router.post(
    "/{patch_set_id}/rebase",
    operation_id="rebase_patch_set",
    status_code=201,
    response_model=Envelope[PatchSetDetail],
    responses=refusals(*BODY, *WRITES, *PATCH_SETS) | PREVIEWED,
)
async def rebase_patch_set(ctx: WriteContext, patch_set_id: PatchSetName, dry_run: DryRun = False) -> Response:
    """Propose the same patches again, on the current revisions."""
    return proposed(ctx, await ctx.run(patch_sets.rebase_patch_set, patch_set_id, dry_run=dry_run), dry_run=dry_run)
