"""Calls that go on after they were answered: look at them, or end them."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from core.services import jobs
from http_api.bodies import StrictRoute
from http_api.dependencies import RequestContext
from http_api.envelope import Envelope, found, written
from http_api.errors import refusals
from http_api.idempotency import WriteContext
from schemas.errors import ErrorCode
from schemas.jobs import Job
from schemas.primitives import ItemName

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=StrictRoute)

JobName = Annotated[ItemName, Path(description="id of the job")]


@router.get("/{job_id}", operation_id="get_job", response_model=Envelope[Job], responses=refusals(ErrorCode.NOT_FOUND))
async def get_job(ctx: RequestContext, job_id: JobName) -> Response:
    """Get a job of yours: whether it still runs, and its result or error."""
    return found(ctx, await ctx.run(jobs.get_job, job_id))


@router.delete(
    "/{job_id}",
    operation_id="cancel_job",
    response_model=Envelope[Job],
    responses=refusals(ErrorCode.NOT_FOUND, ErrorCode.IDEMPOTENCY_KEY_REUSED),
)
async def cancel_job(ctx: WriteContext, request: Request, job_id: JobName) -> Response:
    """End a running job of yours; one that has ended stays as it is."""
    cancelled = await ctx.run(jobs.cancel_job, job_id)
    request.app.state.jobs.cancel(job_id)
    return written(ctx, cancelled)
