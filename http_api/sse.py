"""Answers as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

HEARTBEAT_SECONDS = 15.0
SEND_SECONDS = 30.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # the second is for nginx, which would hold messages back


class Stream(StreamingResponse):
    """Messages until they, or the client, end; a client that takes nothing for long is left. Asked by HEAD it has none."""

    media_type = "text/event-stream"

    def __init__(self, messages: AsyncGenerator[bytes], headers: Mapping[str, str] | None = None) -> None:
        self._messages = messages
        super().__init__(messages, headers={**HEADERS, **(headers or {})})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await send(message)
            except TimeoutError:
                raise ClientDisconnect from None

        async with aclosing(self._messages):
            if scope["state"]["bodiless"]:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await send({"type": "http.response.body", "body": b""})
            else:
                await super().__call__(scope, receive, send_in_time)
