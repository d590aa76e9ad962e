"""Jobs of a process: they end once, however they end, and whoever ends them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from core import jobs as running
from core.context import Context
from core.errors import AiTimeout, NotFound, ServiceUnavailable
from core.idempotency import Attempt
from core.jobs import Jobs, Outcome
from core.services import jobs
from core.wiring import Orchestrator
from schemas.errors import ErrorCode
from schemas.jobs import Job, JobState


@pytest.fixture
async def process(orchestrator: Orchestrator) -> AsyncIterator[Jobs]:
    process = Jobs(orchestrator.context)
    yield process
    await process.close()


async def ended(orchestrator: Orchestrator, job: Job) -> Job:
    async with asyncio.timeout(20):
        while (seen := await orchestrator.context().run(jobs.get_job, job.id)).state is JobState.RUNNING:
            await asyncio.sleep(0.01)
    return seen


async def forever() -> Outcome:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_job_runs_on_and_keeps_its_result(orchestrator: Orchestrator, ctx: Context, process: Jobs) -> None:
    go_on = asyncio.Event()

    async def work() -> Outcome:
        await go_on.wait()
        return Outcome({"tasks": [1]})

    job = await process.start(ctx, "generate_plan", work)
    assert (await ctx.run(jobs.get_job, job.id)).state is JobState.RUNNING
    go_on.set()

    done = await ended(orchestrator, job)
    assert (done.state, done.result, done.error) == (JobState.DONE, {"tasks": [1]}, None)
    assert done.ended_at is not None


@pytest.mark.parametrize(
    ("failure", "code"), [(AiTimeout(), ErrorCode.AI_TIMEOUT), (ZeroDivisionError("secret"), ErrorCode.INTERNAL_ERROR)]
)
async def test_a_job_that_fails_says_why_and_nothing_of_the_inside(
    orchestrator: Orchestrator, ctx: Context, process: Jobs, failure: Exception, code: ErrorCode
) -> None:
    async def work() -> Outcome:
        raise failure

    failed = await ended(orchestrator, await process.start(ctx, "generate_plan", work))

    assert failed.error is not None
    assert (failed.state, failed.error.code) == (JobState.FAILED, code)
    assert "secret" not in failed.model_dump_json()


async def test_a_cancelled_job_is_ended_by_the_process_that_runs_it(
    orchestrator: Orchestrator, ctx: Context, process: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "RENEW_SECONDS", 0.01)
    was_cancelled = asyncio.Event()

    async def work() -> Outcome:
        try:
            return await forever()
        finally:
            was_cancelled.set()

    job = await process.start(ctx, "chat", work)
    cancelled = await orchestrator.context().run(jobs.cancel_job, job.id)  # as another process does: nobody tells this one

    async with asyncio.timeout(20):
        await was_cancelled.wait()
    assert cancelled.state is JobState.CANCELLED
    assert (await ctx.run(jobs.cancel_job, job.id)) == cancelled
    assert (await ctx.run(jobs.get_job, job.id)) == cancelled


async def test_a_process_that_stops_ends_its_jobs_as_failed_and_takes_no_more(
    orchestrator: Orchestrator, ctx: Context, process: Jobs
) -> None:
    job = await process.start(ctx, "chat", forever)
    await process.close()

    failed = await ended(orchestrator, job)
    assert failed.error is not None
    assert (failed.state, failed.error.code, failed.error.retryable) == (JobState.FAILED, ErrorCode.SERVICE_UNAVAILABLE, True)
    with pytest.raises(ServiceUnavailable):
        await process.start(ctx, "chat", forever)


async def test_the_same_key_begins_one_job(orchestrator: Orchestrator, ctx: Context, process: Jobs) -> None:
    begun = 0

    async def work() -> Outcome:
        nonlocal begun
        begun += 1
        return Outcome(begun)

    first = await process.start(replace(ctx, attempt=Attempt("k", "f")), "chat", work)
    await ended(orchestrator, first)
    again = await process.start(replace(ctx, attempt=Attempt("k", "f")), "chat", work)

    assert again == first
    assert begun == 1


async def test_a_job_is_its_callers_and_nobody_elses(ctx: Context, process: Jobs) -> None:
    job = await process.start(ctx, "chat", forever)
    stranger = replace(ctx, principal=replace(ctx.principal, subject="bob"))

    for look in (jobs.get_job, jobs.cancel_job):
        with pytest.raises(NotFound):
            await stranger.run(look, job.id)
