"""What agents ask before they propose."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from core.services import patch_sets
from http_api import examples
from http_api.bodies import StrictRoute
from http_api.dependencies import RequestContext
from http_api.envelope import Envelope, written
from http_api.errors import BODY, refusals
from schemas.changes import ValidationResponse
from schemas.patches import PatchSet

router = APIRouter(prefix="/agent", tags=["agent"], route_class=StrictRoute)


@router.post(
    "/validate", operation_id="validate_patch_set", response_model=Envelope[ValidationResponse], responses=refusals(*BODY)
)
async def validate_patch_set(
    ctx: RequestContext, patch_set: Annotated[PatchSet, Body(openapi_examples=examples.PATCH_SET)]
) -> Response:
    """Check a patch set completely and show its exact effect; answers 200 with `valid: false` when rules are broken."""
    return written(ctx, await ctx.run(patch_sets.validate_patch_set, patch_set))
