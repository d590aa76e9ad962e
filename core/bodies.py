"""Read the body of a request over HTTP within its bounds; both faces do, each with a limit of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from core.errors import BodyTooLarge, RequestTimeout, UnsupportedMediaType

BODY_SECONDS = 30.0  # for the whole of it, so that a caller who drips holds nothing for long
MAX_DROPPED_BYTES = 64 * 1024 * 1024  # of a body that is refused for its size

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]  # ASGI's


class CallerGone(Exception):
    """The caller has left before the body was whole."""


async def read_bounded(receive: Receive, limit: int, headers: Mapping[bytes, bytes], *, is_here: bool = False) -> bytes:
    """Return the whole body, keeping no more of it than `limit` bytes; `headers` are the request's, in lower case.

    Many clients read no answer before all is sent, and would see a broken connection instead of the
    refusal; so what is not beyond all reason is read to its end and dropped. A timer costs more than all
    the rest of this: none is set for a body that `is_here` already, which is not waited for.

    Raises:
        UnsupportedMediaType: it is compressed.
        BodyTooLarge: it is larger, or says so and asks first.
        RequestTimeout: it did not arrive in time.
        CallerGone: it will not arrive.
    """
    if headers.get(b"content-encoding", b"identity").decode("latin-1").strip().lower() != "identity":
        raise UnsupportedMediaType("The body must be sent as it is, without Content-Encoding.")
    declared = headers.get(b"content-length", b"")
    asks_first = b"expect" in headers
    if declared.isdigit() and int(declared) > (limit if asks_first else MAX_DROPPED_BYTES):
        raise _too_large(limit)
    if is_here:
        return await _read(receive, limit)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(receive, limit)
    except TimeoutError:
        raise RequestTimeout from None


async def _read(receive: Receive, limit: int) -> bytes:
    kept: list[bytes] = []
    size, more = 0, True
    while more and size <= MAX_DROPPED_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            kept.clear()
        else:
            kept.append(chunk)
        more = message.get("more_body", False)
    if size > limit:
        raise _too_large(limit)
    return b"".join(kept)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than the {limit // 1024 // 1024} MiB that are accepted here; split it.")
