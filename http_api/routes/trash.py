"""The trash of the workspace."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from core.services import trash
from http_api.bodies import StrictRoute
from http_api.dependencies import RequestContext, TrashFilters
from http_api.envelope import Envelope, listed
from http_api.errors import NAMED, PAGED, refusals
from schemas.trash import TrashResponse

router = APIRouter(prefix="/trash", tags=["search"], route_class=StrictRoute)


@router.get("", operation_id="list_trash", response_model=Envelope[TrashResponse], responses=refusals(*NAMED, *PAGED))
async def list_trash(ctx: RequestContext, request: Request, query: Annotated[TrashFilters, Query()]) -> Response:
    """List what was deleted and can be restored, the latest deletion first, with what comes back with it."""
    return listed(ctx, request, await ctx.run_long(trash.list_trash, query))
