"""The live feed on the wire.

Every message names the place reached as its `id`, which a client sends back as `Last-Event-ID`;
heartbeats too, so that a reader of one quiet project does not come back to a long way through the others.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from fastapi.sse import format_sse_event
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from core.errors import DomainError
from core.events import FeedEnded, Reader
from http_api.metrics import EVENT_STREAMS
from http_api.sse import HEARTBEAT_SECONDS, Stream
from schemas.events import EndReason, StreamClosed, StreamOpened

RETRY_MILLISECONDS = 2_000  # how long browsers wait before they come back


class EventStream(Stream):
    """The events of a reader until it, its client, or the client's access ends."""

    def __init__(self, reader: Reader, access_ended: Callable[[], Awaitable[DomainError]]) -> None:
        self._reader = reader
        self._access_ended = access_ended
        super().__init__(_messages(reader))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        EVENT_STREAMS.inc()
        guard = asyncio.create_task(self._end_with_access())
        try:
            await super().__call__(scope, receive, send)
        finally:
            EVENT_STREAMS.dec()
            guard.cancel()
            self._reader.close()

    async def _end_with_access(self) -> None:
        await self._access_ended()
        self._reader.end(EndReason.ACCESS_ENDED)


async def _messages(reader: Reader) -> AsyncGenerator[bytes]:
    yield _message("stream_opened", StreamOpened(seq=reader.position), id=reader.position, retry=RETRY_MILLISECONDS)
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                events = await reader.take()
        except TimeoutError:
            yield format_sse_event(comment="heartbeat", id=str(reader.position))
        except FeedEnded as end:
            yield _message("stream_closed", StreamClosed(reason=end.reason, seq=reader.position))
            return
        except DomainError:  # logged where it arose; the client comes back, as after any end
            yield _message("stream_closed", StreamClosed(reason=EndReason.FAILURE, seq=reader.position))
            return
        else:
            yield b"".join(_message("patch_set_applied", event, id=event.seq) for event in events)


def _message(name: str, data: BaseModel, *, id: int | None = None, retry: int | None = None) -> bytes:
    return format_sse_event(event=name, data_str=data.model_dump_json(), id=None if id is None else str(id), retry=retry)
