"""Calls that go on after they were answered, in the process that took them.

What is stored of a job is the truth: any process can show or cancel it, and one whose process says nothing
for a while has died with it. Used on the event loop only.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from pydantic import JsonValue

from core.context import Context, Principal
from core.errors import DomainError, ServiceUnavailable
from core.services import jobs
from schemas.errors import ErrorCode, ErrorDetail, Issue
from schemas.jobs import Job, JobState

log = logging.getLogger(__name__)

MAX_RUNNING = 64  # in one process; each may hold the answer of a model
RENEW_SECONDS = jobs.LEASE.total_seconds() / 3
STOPPED = ServiceUnavailable("The server was stopped before this was done; send the request again.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job answers once it is done."""

    result: JsonValue
    warnings: list[Issue] = field(default_factory=list)


Work = Callable[[], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class _Running:
    principal: Principal
    task: "asyncio.Task[None]"


class Jobs:
    """The jobs that this process runs."""

    def __init__(self, make_context: Callable[[Principal], Context]) -> None:
        self._make_context = make_context
        self._running: dict[str, _Running] = {}
        self._renewing: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self, ctx: Context, operation: str, work: Work) -> Job:
        """Run `work` and return its job at once; a repetition with the caller's key returns the job of the first call.

        Raises ServiceUnavailable when too many run, or the process is about to end.
        """
        if self._closed or len(self._running) >= MAX_RUNNING:
            raise ServiceUnavailable(f"This process runs {len(self._running)} jobs already; try again in a moment.")
        job = await ctx.run(jobs.begin_job, operation)
        if ctx.attempt is None or not ctx.attempt.replayed:
            task = asyncio.create_task(self._run(ctx.without_key(), job, work))
            self._running[job.id] = _Running(ctx.principal, task)
            task.add_done_callback(lambda _: self._running.pop(job.id, None))
            if self._renewing is None:
                self._renewing = asyncio.create_task(self._renew())
            await asyncio.sleep(0)  # a task that is cancelled before its first step would not store how it ended
        return job

    def cancel(self, job_id: str) -> None:
        """End the work of a job that was cancelled, if it is this process that runs it."""
        if (running := self._running.get(job_id)) is not None:
            running.task.cancel()

    async def close(self) -> None:
        """End all jobs as failed; no more are taken."""
        self._closed = True
        tasks = [running.task for running in self._running.values()]
        for task in tasks:
            task.cancel()
        if self._renewing is not None:
            self._renewing.cancel()
        await asyncio.gather(*tasks, *([self._renewing] if self._renewing else []), return_exceptions=True)

    async def _run(self, ctx: Context, job: Job, work: Work) -> None:
        try:
            ended = await self._outcome(ctx, job, work)
            now = self._make_context(ctx.principal)
            await now.run(jobs.end_job, ended(now))
        except DomainError:
            log.exception("the end of a job could not be stored", extra={"fields": {"request_id": ctx.request_id}})

    async def _outcome(self, ctx: Context, job: Job, work: Work) -> Callable[[Context], Job]:
        """Return how the job ended, as of the moment at which that is stored."""
        try:
            outcome = await work()
        except DomainError as refusal:
            return _failed(job, refusal.detail())
        except asyncio.CancelledError:
            return _failed(job, STOPPED.detail())  # stored only if nobody has cancelled it
        except Exception:
            log.exception("a job failed", extra={"fields": {"request_id": ctx.request_id}})
            message = f"Something went wrong on the server; report the request id {ctx.request_id}."
            return _failed(job, ErrorDetail(code=ErrorCode.INTERNAL_ERROR, message=message))
        done = {"state": JobState.DONE, "result": outcome.result, "warnings": outcome.warnings}
        return lambda now: job.model_copy(update=done | {"ended_at": now.now})

    async def _renew(self) -> None:
        """Renew the leases of the running jobs, and end those that another process has cancelled."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            principals = {running.principal.workspace: running.principal for running in self._running.values()}
            for workspace, principal in principals.items():
                ids = {job for job, running in self._running.items() if running.principal.workspace == workspace}
                with suppress(DomainError):  # the next round comes before the leases end
                    for job_id in ids - await self._make_context(principal).run(jobs.renew_jobs, ids):
                        self.cancel(job_id)


def _failed(job: Job, error: ErrorDetail) -> Callable[[Context], Job]:
    return lambda now: job.model_copy(update={"state": JobState.FAILED, "error": error, "ended_at": now.now})
