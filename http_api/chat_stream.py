"""An answer of the chat while it is made, as the UI message stream of the Vercel AI SDK, version 1.

The text comes in pieces as it is made, the proposal as one part once it is stored, and one of `finish`, `error` or
`abort` at the end. The published client reads it as it is; a test holds that.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import orjson
from fastapi.sse import format_sse_event
from starlette.types import Receive, Scope, Send

from core.errors import DomainError
from core.services.conversations import Turn
from http_api.sse import HEARTBEAT_SECONDS, Stream
from schemas.chat import ChatResponse
from schemas.errors import ErrorCode

log = logging.getLogger("http_api")

HEADERS = {"X-Vercel-AI-UI-Message-Stream": "v1"}
PIECES = 256  # of text that wait for a slow client; then the model waits too
DONE = format_sse_event(data_str="[DONE]")
TEXT = "text"  # id of the one text part


class Listener:
    """What a turn tells while it is answered."""

    def __init__(self) -> None:
        self.begun: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self.pieces: asyncio.Queue[str] = asyncio.Queue(PIECES)

    def begin(self, turn: Turn) -> None:
        self.begun.set_result(turn)

    async def text(self, piece: str) -> None:
        await self.pieces.put(piece)


class ChatStream(Stream):
    """An answer that has begun; it ends with its client."""

    def __init__(self, listener: Listener, answering: "asyncio.Future[ChatResponse]") -> None:
        self._answering = answering
        super().__init__(_messages(listener, answering), HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._answering.cancel()
            await asyncio.wait((self._answering,))


async def stream_chat(chat: Callable[[Listener], Awaitable[ChatResponse]]) -> ChatStream:
    """Return the answer that `chat` is about to make, once it has begun.

    Raises what `chat` raises before it has: it is refused like any call.
    """
    listener = Listener()
    answering = asyncio.ensure_future(chat(listener))
    try:
        await asyncio.wait((answering, listener.begun), return_when=asyncio.FIRST_COMPLETED)
        if not listener.begun.done():
            answering.result()  # of an answer that was made before; or the refusal
    except BaseException:
        answering.cancel()
        raise
    return ChatStream(listener, answering)


async def _messages(listener: Listener, answering: "asyncio.Future[ChatResponse]") -> AsyncGenerator[bytes]:
    message_id = listener.begun.result().id if listener.begun.done() else answering.result().message_id
    yield _part("start", messageId=message_id) + _part("start-step")
    told = False
    async for piece in _pieces(listener, answering):
        if piece is None:
            yield format_sse_event(comment="heartbeat")
            continue
        yield (b"" if told else _part("text-start", id=TEXT)) + _part("text-delta", id=TEXT, delta=piece)
        told = True
    try:
        answer = answering.result()
    except DomainError as refusal:
        yield _error(f"{refusal.code}: {refusal.message}", told=told)
    except Exception:  # the head has been sent: this is the last place that can turn a bug into an answer
        log.exception("an answer failed while it was streamed")
        yield _error(f"{ErrorCode.INTERNAL_ERROR}: Something went wrong on the server.", told=told)
    else:
        yield _whole(answer, told=told)


async def _pieces(listener: Listener, answering: "asyncio.Future[ChatResponse]") -> AsyncGenerator[str | None]:
    """Yield the pieces of text until the answer is done, and None for each while in which there was nothing."""
    while not (answering.done() and listener.pieces.empty()):
        coming = asyncio.ensure_future(listener.pieces.get())
        try:
            await asyncio.wait((coming, answering), timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                yield coming.result()
            elif not answering.done():
                yield None
        finally:
            coming.cancel()


def _whole(answer: ChatResponse, *, told: bool) -> bytes:
    """Return what follows the pieces: all of the text if there were none, the proposal, what it cost, and the end."""
    parts = [] if told else [_part("text-start", id=TEXT), _part("text-delta", id=TEXT, delta=answer.message)]
    parts.append(_part("text-end", id=TEXT))
    if answer.patch_set is not None:
        parts.append(_part("data-proposal", id=answer.patch_set.id, data=answer.patch_set.model_dump(mode="json")))
    parts.append(_part("data-usage", data=answer.usage.model_dump(mode="json"), transient=True))
    about = answer.model_dump(mode="json", include={"conversation_id", "route", "questions", "engine", "model"})
    parts.append(_part("message-metadata", messageMetadata=about))
    return b"".join([*parts, _part("finish-step"), _part("finish"), DONE])


def _error(text: str, *, told: bool) -> bytes:
    return (_part("text-end", id=TEXT) if told else b"") + _part("error", errorText=text) + DONE


def _part(kind: str, **values: Any) -> bytes:
    return format_sse_event(data_str=orjson.dumps({"type": kind, **values}).decode())
