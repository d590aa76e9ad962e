"""The header `Idempotency-Key`: a caller's name for one write, so that a repetition has no second effect."""

import asyncio
import hashlib
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Header, Request

from core.context import Context
from core.idempotency import Attempt
from http_api.bodies import PARSE_ASIDE_BYTES
from http_api.dependencies import request_context
from schemas.primitives import IDEMPOTENCY_KEY


async def write_context(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            pattern=f"^{IDEMPOTENCY_KEY}$",
            description="your name for this write, kept for 24 hours: repeated with it, the write is answered and not done again",
        ),
    ] = None,
    prefer: Annotated[
        str | None,
        Header(
            max_length=1_000,
            description="`return=minimal`: answer without a body, with status, `ETag` and `Location` only; not for a dry run. "
            "`respond-async`, where 202 is documented: answer at once with a job, which goes on without you",
        ),
    ] = None,
) -> Context:
    """Return the context of a write; with a key, the one service it runs is run once."""
    ctx = await request_context(request)  # called, for a dependency of a dependency costs as much as the rest of this one
    preferred = preferences(prefer) if prefer else set[str]()
    if "return=minimal" in preferred and "dry_run" not in request.query_params:
        request.scope["state"]["minimal"] = True  # the edge leaves the body out
    request.scope["state"]["deferred"] = "respond-async" in preferred
    if idempotency_key is None:
        return ctx
    return replace(ctx, attempt=Attempt(idempotency_key, await _fingerprint(request)))


def preferences(prefer: str) -> set[str]:
    """Return what a `Prefer` header asks for (RFC 7240), without parameters and quotes."""
    asked = (one.partition(";")[0].replace('"', "").replace(" ", "").lower() for one in prefer.split(","))
    return set(asked)


WriteContext = Annotated[Context, Depends(write_context)]


async def _fingerprint(request: Request) -> str:
    """Return a hash of what is asked for: method, path, query, `If-Match`, and the body as sent."""
    content = request.scope["state"].get("body", b"")  # some routes read none
    place = [request.method, request.url.path, request.url.query, request.headers.get("if-match", "")]
    asked = b"\0".join([*(part.encode() for part in place), content])
    if len(asked) > PARSE_ASIDE_BYTES:
        return await asyncio.to_thread(_digest, asked)
    return _digest(asked)


def _digest(asked: bytes) -> str:
    return hashlib.sha256(asked).hexdigest()
