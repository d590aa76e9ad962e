"""What agents ask before they propose."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Body, Request, Response

from core.services import agents, patch_sets
from http_api import examples
from http_api.bodies import StrictRoute
from http_api.dependencies import RequestContext
from http_api.envelope import Envelope, found, written
from http_api.errors import BODY, refusals
from schemas.agents import CapabilitiesResponse
from schemas.changes import ValidationResponse
from schemas.patches import PatchSet

router = APIRouter(prefix="/agent", tags=["agent"], route_class=StrictRoute)


@router.get("/capabilities", operation_id="get_capabilities", response_model=Envelope[CapabilitiesResponse], responses=refusals())
async def get_capabilities(ctx: RequestContext, request: Request) -> Response:
    """Say which agents answer with which engine, what they can do, and which tools models have at `/mcp`."""
    tools = [tool for face in request.app.state.faces for tool in await asyncio.to_thread(face.tools)]
    return found(ctx, agents.get_capabilities(ctx, tools))


@router.post(
    "/validate", operation_id="validate_patch_set", response_model=Envelope[ValidationResponse], responses=refusals(*BODY)
)
async def validate_patch_set(
    ctx: RequestContext, patch_set: Annotated[PatchSet, Body(openapi_examples=examples.PATCH_SET)]
) -> Response:
    """Check a patch set completely and show its exact effect; answers 200 with `valid: false` when rules are broken."""
    return written(ctx, await ctx.run(patch_sets.validate_patch_set, patch_set))
