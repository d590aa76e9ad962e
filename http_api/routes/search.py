"""Search over everything in the workspace."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from core.services import search as searching
from http_api.bodies import StrictRoute
from http_api.dependencies import RequestContext, SearchFilters
from http_api.envelope import Envelope, listed
from http_api.errors import NAMED, PAGED, refusals
from schemas.search import SearchResponse

router = APIRouter(prefix="/search", tags=["search"], route_class=StrictRoute)


@router.get("", operation_id="search", response_model=Envelope[SearchResponse], responses=refusals(*NAMED, *PAGED))
async def search(ctx: RequestContext, request: Request, query: Annotated[SearchFilters, Query()]) -> Response:
    """Find projects, tasks and comments that have all words, the most relevant first, with what was found marked."""
    return listed(ctx, request, await searching.search(ctx, query))
