"""How answers leave: head and body together, and nothing later than it was written."""

import asyncio
from collections.abc import Iterable

from http_api.protocol import PairedTransport


class Socket(asyncio.Transport):
    """Remembers what each system call would have sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:  # type: ignore[override]  # all that uvicorn writes
        assert not self.closed
        self.sent.append(data)

    def writelines(self, parts: Iterable[bytes]) -> None:  # type: ignore[override]  # bytes, as all here
        self.write(b"".join(parts))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def paired() -> tuple[Socket, PairedTransport]:
    socket = Socket()
    return socket, PairedTransport(socket, asyncio.get_running_loop())


async def test_head_and_body_that_are_written_in_one_go_are_sent_at_once() -> None:
    socket, transport = paired()

    transport.write(b"head,")
    transport.write(b"body")

    assert socket.sent == [b"head,body"]


async def test_a_head_whose_body_does_not_follow_leaves_as_soon_as_the_loop_goes_on() -> None:
    socket, transport = paired()

    transport.write(b"head")
    await asyncio.sleep(0)
    transport.write(b"message")
    await asyncio.sleep(0)

    assert socket.sent == [b"head", b"message"]


async def test_parts_keep_their_order() -> None:
    socket, transport = paired()

    for part in (b"1", b"2", b"3", b"4", b"5"):
        transport.write(part)
    await asyncio.sleep(0)

    assert b"".join(socket.sent) == b"12345"


async def test_what_was_written_before_closing_is_sent() -> None:
    socket, transport = paired()

    transport.write(b"head")
    transport.close()
    await asyncio.sleep(0)

    assert socket.sent == [b"head"]


async def test_a_caller_who_has_left_is_sent_nothing() -> None:
    socket, transport = paired()

    transport.write(b"head")
    socket.close()
    await asyncio.sleep(0)

    assert socket.sent == []


async def test_an_answer_to_a_caller_who_has_left_is_dropped() -> None:
    socket, transport = paired()

    socket.close()
    transport.write(b"head")
    transport.write(b"body")
    await asyncio.sleep(0)

    assert socket.sent == []
