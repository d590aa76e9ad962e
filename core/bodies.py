"""Read the body of a request over HTTP within its bounds; both faces do, each with a limit of its own."""

import asyncio
from collections.abc import AsyncIterator, Mapping

from core.errors import BodyTooLarge, RequestTimeout, UnsupportedMediaType

BODY_SECONDS = 30.0  # for the whole of it, so that a caller who drips holds nothing for long
MAX_DROPPED_BYTES = 64 * 1024 * 1024  # of a body that is refused for its size


async def read_bounded(chunks: AsyncIterator[bytes], limit: int, headers: Mapping[str, str]) -> bytes:
    """Return the whole body, keeping no more of it than `limit` bytes; `headers` are the request's, in lower case.

    Many clients read no answer before all is sent, and would see a broken connection instead of the
    refusal; so what is not beyond all reason is read to its end and dropped.

    Raises:
        UnsupportedMediaType: it is compressed.
        BodyTooLarge: it is larger, or says so and asks first.
        RequestTimeout: it did not arrive in time.
    """
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("The body must be sent as it is, without Content-Encoding.")
    declared = headers.get("content-length", "")
    asks_first = "expect" in headers
    if declared.isdecimal() and int(declared) > (limit if asks_first else MAX_DROPPED_BYTES):
        raise _too_large(limit)
    kept: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in chunks:
                size += len(chunk)
                if size > MAX_DROPPED_BYTES:
                    break
                if size > limit:
                    kept.clear()
                else:
                    kept.append(chunk)
    except TimeoutError:
        raise RequestTimeout from None
    if size > limit:
        raise _too_large(limit)
    return b"".join(kept)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than the {limit // 1024 // 1024} MiB that are accepted here; split it.")
