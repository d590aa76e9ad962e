"""Bodies are read to their end, within bounds, and waited for only while they are on their way."""

import asyncio
from typing import Any

import pytest

from core import bodies
from core.bodies import CallerGone, Receive, read_bounded
from core.errors import BodyTooLarge, RequestTimeout


def sending(*parts: bytes, whole: bool = True) -> Receive:
    """Return an ASGI `receive` that gives these parts; unless they are the whole body, no more comes after them."""
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if whole:
        messages[-1]["more_body"] = False

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    return receive


async def test_parts_are_joined() -> None:
    assert await read_bounded(sending(b"one, ", b"", b"two"), 8, {}) == b"one, two"


async def test_a_body_that_is_here_already_is_read_in_the_same_way() -> None:
    assert await read_bounded(sending(b"all of it"), 9, {}, is_here=True) == b"all of it"

    with pytest.raises(BodyTooLarge):
        await read_bounded(sending(b"all of it"), 8, {}, is_here=True)


async def test_a_body_that_does_not_end_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.01)

    with pytest.raises(RequestTimeout):
        await read_bounded(sending(b"one", whole=False), 8, {})


async def test_a_caller_who_leaves_meanwhile_is_no_refusal() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    with pytest.raises(CallerGone):
        await read_bounded(receive, 8, {})


async def test_what_is_too_large_is_read_to_its_end_within_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_DROPPED_BYTES", 20)
    receive, endless = sending(b"x" * 10, b"x" * 10, b"x"), sending(*[b"x" * 10] * 9)

    for parts in (receive, endless):
        with pytest.raises(BodyTooLarge):
            await read_bounded(parts, 8, {})

    assert (await endless())["more_body"]  # nobody has taken the rest
