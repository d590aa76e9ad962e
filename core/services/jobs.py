"""Jobs as stored: begun, looked at, ended or cancelled. `core.jobs` runs them."""

from collections.abc import Collection
from datetime import timedelta

from core.context import Context, Scope
from core.errors import NotFound
from core.storage.interface import JobRecord, Transaction
from schemas.errors import ErrorCode, ErrorDetail
from schemas.jobs import Job, JobState

LEASE = timedelta(seconds=30)
KEPT = timedelta(hours=24)
DIED = ErrorDetail(
    code=ErrorCode.SERVICE_UNAVAILABLE,
    message="The process that ran this has ended before it was done; send the request again.",
    retryable=True,
)


def begin_job(ctx: Context, operation: str) -> Job:
    """Store a job that runs from now on in this process; jobs older than a day are forgotten."""
    job = Job(id=ctx.ids.new_id(), operation=operation, state=JobState.RUNNING, created_at=ctx.now)
    record = JobRecord(job, ctx.principal.subject, ctx.now + LEASE)
    ctx.write(lambda tx: tx.add_job(record, forget_before=ctx.now - KEPT))
    return job


def get_job(ctx: Context, job_id: str) -> Job:
    """Return a job of the caller; one whose process has died has failed."""
    ctx.principal.require(Scope.PROJECTS_READ)
    return ctx.read(lambda tx: _named(ctx, tx, job_id))


def cancel_job(ctx: Context, job_id: str) -> Job:
    """End a running job of the caller; one that has ended stays as it is."""
    ctx.principal.require(Scope.PROJECTS_READ)

    def work(tx: Transaction) -> Job:
        job = _named(ctx, tx, job_id)
        if job.state is JobState.RUNNING:
            tx.end_job(job.model_copy(update={"state": JobState.CANCELLED, "ended_at": ctx.now}))
        return _named(ctx, tx, job_id)

    return ctx.write(work)


def end_job(ctx: Context, job: Job) -> bool:
    """Store how a job ended; False when it was cancelled before."""
    return ctx.write(lambda tx: tx.end_job(job))


def renew_jobs(ctx: Context, ids: Collection[str]) -> set[str]:
    """Say that this process still runs these jobs; return those that nobody has cancelled."""
    return ctx.write(lambda tx: tx.renew_jobs(ids, ctx.now + LEASE))


def _named(ctx: Context, tx: Transaction, job_id: str) -> Job:
    record = tx.find_job(ctx.principal.subject, job_id)
    if record is None:
        raise NotFound("You have no such job.", hint="jobs are kept for 24 hours")
    if record.job.state is JobState.RUNNING and record.lease_ends_at <= ctx.now:
        return record.job.model_copy(update={"state": JobState.FAILED, "ended_at": record.lease_ends_at, "error": DIED})
    return record.job
