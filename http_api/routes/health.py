"""Whether the process lives, whether it can work, and its numbers; plain answers, for machines."""

import asyncio
from typing import Literal

from fastapi import APIRouter, Request, Response

from core.context import Context, Scope
from core.errors import StorageBusy
from core.executor import PATIENCE_SECONDS
from http_api import metrics
from http_api.dependencies import RequestContext
from http_api.errors import refusals
from schemas.primitives import Model

READY_SECONDS = PATIENCE_SECONDS

router = APIRouter(tags=["health"])


class Health(Model):
    status: Literal["healthy"] = "healthy"


@router.get("/health/live", operation_id="get_liveness")
@router.get("/health", operation_id="get_health")
async def get_health() -> Health:
    """Answer while the process runs."""
    return Health()


@router.get("/health/ready", operation_id="get_readiness", responses={503: refusals()[503]})
async def get_readiness(request: Request) -> Health:
    """Answer while the store's thread serves calls, and the database answers with a schema this version knows; else 503.

    The check waits its turn like any call, and no longer than any call waits for a locked database.
    """
    try:
        async with asyncio.timeout(READY_SECONDS):
            await request.app.state.orchestrator.context().run(_check)
    except TimeoutError:
        raise StorageBusy(f"The store has not answered within {READY_SECONDS:g} seconds.") from None
    return Health()


def _check(ctx: Context) -> None:
    ctx.storage.check()


@router.get(
    "/metrics",
    operation_id="get_metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **refusals()},
)
async def get_metrics(ctx: RequestContext) -> Response:
    """Give the numbers of this server in Prometheus's text format; with AUTH set they need the scope `admin`."""
    ctx.principal.require(Scope.ADMIN)
    return Response(
        await asyncio.to_thread(metrics.rendered), headers={"Content-Type": metrics.MEDIA_TYPE, "Cache-Control": "no-store"}
    )
