"""Whether the process lives, and whether its database answers; plain answers, for machines."""

from typing import Literal

from fastapi import APIRouter, Request

from core.context import Context
from http_api.errors import refusals
from schemas.primitives import Model

router = APIRouter(prefix="/health", tags=["health"])


class Health(Model):
    status: Literal["healthy"] = "healthy"


@router.get("/live", operation_id="get_liveness")
@router.get("", operation_id="get_health")
async def get_health() -> Health:
    """Answer while the process runs."""
    return Health()


@router.get("/ready", operation_id="get_readiness", responses={503: refusals()[503]})
async def get_readiness(request: Request) -> Health:
    """Answer while the database does; else 503."""
    await request.app.state.orchestrator.context().run(_ping)
    return Health()


def _ping(ctx: Context) -> None:
    ctx.storage.ping()
