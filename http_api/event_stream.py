"""Events on the wire, as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

Every message names the place reached as its `id`, which a client sends back as `Last-Event-ID`;
heartbeats too, so that a reader of one quiet project does not come back to a long way through the others.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from fastapi.sse import format_sse_event
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from core.errors import DomainError
from core.events import FeedEnded, Reader
from http_api.metrics import EVENT_STREAMS
from schemas.events import EndReason, StreamClosed, StreamOpened

RETRY_MILLISECONDS = 2_000  # how long browsers wait before they come back
HEARTBEAT_SECONDS = 15.0
SEND_SECONDS = 30.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # the second is for nginx, which would hold messages back


class EventStream(StreamingResponse):
    """The events of a reader until it, its client, or the client's access ends; a client that takes nothing for long is left."""

    media_type = "text/event-stream"

    def __init__(self, reader: Reader, access_ended: Callable[[], Awaitable[DomainError]]) -> None:
        self._reader = reader
        self._access_ended = access_ended
        self._messages = _messages(reader)
        super().__init__(self._messages, headers=HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await send(message)
            except TimeoutError:
                raise ClientDisconnect from None

        EVENT_STREAMS.inc()
        guard = asyncio.create_task(self._end_with_access())
        try:
            async with aclosing(self._messages):
                if scope["state"]["bodiless"]:
                    await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                    await send({"type": "http.response.body", "body": b""})
                else:
                    await super().__call__(scope, receive, send_in_time)
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
