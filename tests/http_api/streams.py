"""A client of the event stream that reads message by message."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

PATIENCE = 20.0


@dataclass(frozen=True)
class Message:
    """One message; a heartbeat has a comment in place of name and data."""

    name: str | None = None
    id: str | None = None
    data: Any = None
    retry: str | None = None
    comment: str | None = None


def read_message(lines: Iterator[str]) -> Message:
    """Return the message whose lines come next; raises StopIteration at the end of the stream."""
    fields: dict[str, str] = {}
    while line := next(lines):
        name, _, value = line.partition(": ")
        assert name not in fields, "one line each"
        fields[name or ":"] = value
    data = fields.get("data")
    return Message(
        name=fields.get("event"),
        id=fields.get("id"),
        data=None if data is None else json.loads(data),
        retry=fields.get("retry"),
        comment=fields.get(":"),
    )


class Stream:
    def __init__(self, answer: httpx2.Response) -> None:
        self.answer = answer
        self._lines = answer.iter_lines()
        self.opened = self.next()

    def next(self) -> Message:
        return read_message(self._lines)

    def seqs(self, count: int) -> list[int]:
        """Return the places of the next events."""
        events = [self.next() for _ in range(count)]
        assert {event.name for event in events} <= {"patch_set_applied"}
        assert [event.id for event in events] == [str(event.data["seq"]) for event in events]
        return [event.data["seq"] for event in events]

    def rest(self) -> list[Message]:
        """Return all messages up to the end of the stream."""
        messages = []
        while True:
            try:
                messages.append(self.next())
            except StopIteration:
                return messages


@contextmanager
def streaming(base_url: str, *, after: int | None = None, **query: Any) -> Iterator[Stream]:
    """Open the stream; `after` goes as Last-Event-ID."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    with httpx2.stream("GET", f"{base_url}/api/v1/events", params=query, headers=headers, timeout=PATIENCE) as answer:
        assert answer.status_code == 200, answer.read()
        yield Stream(answer)
