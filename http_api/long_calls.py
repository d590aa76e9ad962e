"""Calls that may take long: a caller can go on without waiting (`Prefer: respond-async`), and one that leaves ends the call."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request, Response
from starlette.requests import ClientDisconnect

from core.context import Context
from core.jobs import Jobs, Outcome
from http_api.envelope import API_PREFIX, Envelope, written
from http_api.idempotency import WriteContext
from schemas.errors import Issue
from schemas.jobs import Job

ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": Envelope[Job], "description": "With `Prefer: respond-async`: the job that goes on; `Location` shows it"}
}

Answer = Callable[[Context], Awaitable[Response]]


class LongCall:
    """A call whose answer may take long, and how its caller wants to have it."""

    def __init__(self, request: Request, ctx: Context, jobs: Jobs) -> None:
        self._request = request
        self._ctx = ctx
        self._jobs = jobs
        self.deferred: bool = request.state.deferred

    async def answer(self, make: Answer) -> Response:
        """Return what `make` answers, or at once the job that makes it.

        Raises ClientDisconnect when the caller has gone; what `make` was waiting for is cancelled.
        """
        if not self.deferred:
            return await self._while_connected(make)
        ctx = self._ctx.without_key()

        async def work() -> Outcome:
            answered = orjson.loads(bytes((await make(ctx)).body))
            warnings = answered["metadata"].get("warnings") or []
            return Outcome(answered["data"], [Issue(**warning) for warning in warnings])

        job = await self._jobs.start(self._ctx, self._request.scope["route"].operation_id, work)
        headers = {"Location": f"{API_PREFIX}/jobs/{job.id}", "Preference-Applied": "respond-async", "Retry-After": "1"}
        return written(self._ctx, job, status=202, headers=headers)

    async def _while_connected(self, make: Answer) -> Response:
        answering = asyncio.ensure_future(make(self._ctx))
        leaving = asyncio.ensure_future(_gone(self._request))
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise ClientDisconnect
            return answering.result()
        finally:
            for task in (answering, leaving):
                task.cancel()
            await asyncio.wait((answering, leaving))


async def _gone(request: Request) -> None:
    """Return when the caller has left; the body has been read already."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def long_call(request: Request, ctx: WriteContext) -> LongCall:
    return LongCall(request, ctx, request.app.state.jobs)


LongCallContext = Annotated[LongCall, Depends(long_call)]
