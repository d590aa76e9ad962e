"""Connections of callers who are slow or say too much before a request begins.

uvicorn waits for ever for the head of a request and takes one of any length. Here both are bounded,
and what the parser itself refuses is answered in our envelope. It writes head and body of an answer
by a system call each, which are joined here.
"""

import asyncio
import secrets
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from http_api.envelope import failure_bytes
from http_api.errors import error_detail
from schemas.errors import ErrorCode

HEAD_SECONDS = 10.0  # from the connection, or the first byte of a further request, to the end of its head
MAX_HEAD_BYTES = 64 * 1024
LINGER_SECONDS = 5.0  # so long the rest of a body is taken that nobody reads, for closing at once could lose the answer


class _HeadTooLarge(Exception):
    """Leaves the parser."""


class PairedTransport(asyncio.Transport):
    """Sends what is written in one go, as the head of an answer and its body, by one system call instead of two.

    The first part waits for the second, and no longer than until the event loop goes on.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held: bytes | None = None

    def write(self, data: bytes) -> None:  # type: ignore[override]  # all that uvicorn writes
        held, self._held = self._held, None
        if held is None:
            self._held = data
            self._loop.call_soon(self._flush)
        elif not self._transport.is_closing():  # uvicorn asks for the newest request of a connection only
            self._transport.writelines((held, data))

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        held, self._held = self._held, None
        if held is not None and not self._transport.is_closing():
            self._transport.write(held)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    _timer: asyncio.TimerHandle | None = None
    _in_head = True
    _head_bytes = 0
    _refused = (HTTPStatus.BAD_REQUEST, "The request is not valid HTTP.")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(PairedTransport(transport, self.loop))
        self._close_after(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stay()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse_head()
            self.send_400_response("")
        elif self._in_head and self._timer is None and not self.transport.is_closing():
            self._close_after(HEAD_SECONDS)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self._in_head:  # a further request of this connection
            self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stay()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES:
            self._refuse_head()
            raise _HeadTooLarge
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.scope["state"]["body_is_here"] = True  # so whoever reads it needs no timer
        self._stay()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self._close_after(LINGER_SECONDS)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's text
        status, message = self._refused
        request_id = secrets.token_hex(8)
        body = failure_bytes(request_id, error_detail(ErrorCode.MALFORMED_BODY, message), {})
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\nx-content-type-options: nosniff\r\ncache-control: no-store\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _refuse_head(self) -> None:
        self._refused = (
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"Address and headers are larger than {MAX_HEAD_BYTES // 1024} KiB.",
        )

    def _close_after(self, seconds: float) -> None:
        self._stay()
        self._timer = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _stay(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
