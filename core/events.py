"""The live feed of a process: what is applied, by whatever process, goes to every reader in order.

The applied history itself is the outbox. A reader behind it reads pages of it; a reader that has
caught up is handed what the feed reads once for all. Joining is one step of the event loop, and a
place in the history is all a reader has, so nothing is lost or told twice at the seam, after a
restart, or when a reader was too slow and comes back.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.errors import DomainError, ServiceUnavailable
from schemas.events import EndReason, Event

if TYPE_CHECKING:
    from core.context import Runner
    from core.storage.interface import Storage, Watch

log = logging.getLogger(__name__)

PAGE = 200
QUEUE = 500  # events that wait for one reader; they are shared by all readers
MAX_READERS = 500
RETRY_SECONDS = 1.0


class FeedEnded(Exception):
    """No more events come to this reader; it may come back with its position."""

    def __init__(self, reason: EndReason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the history of a workspace a reader begins, and what it wants to hear of."""

    workspace: str
    after: int
    latest: int  # place of the last applied set when this was read
    project_id: str | None = None


class Reader:
    """One reader's place in the history; only its own task calls `take`."""

    def __init__(self, feed: "EventFeed", channel: "_Channel", place: Place) -> None:
        self.position = place.after
        self._feed = feed
        self._channel = channel
        self._project_id = place.project_id
        self._queue: deque[Event] = deque()
        self._stirred = asyncio.Event()
        self._end: EndReason | None = None

    async def take(self) -> list[Event]:
        """Return the next events, at least one, waiting for them; may be cancelled at any time without loss.

        Raises:
            FeedEnded: the reader was too slow, or the process ends; everything up to `position` has been taken.
            DomainError: the history cannot be read now.
        """
        while True:
            if self._queue:
                events = list(self._queue)
                self._queue.clear()
                self.position = events[-1].seq
                return events
            if self._end is not None:
                raise FeedEnded(self._end)
            if self in self._channel.live:
                self._stirred.clear()
                await self._stirred.wait()
            elif self.position >= self._channel.position:
                self._channel.live.add(self)
            else:
                goal = self._channel.position
                page = await self._feed.read(self._channel, after=self.position)
                self.position = page[-1].seq if page else goal
                if events := [event for event in page if self._wants(event)]:
                    return events

    def offer(self, event: Event) -> None:
        """Hand over an event of the live feed; a queue that is full ends the reader."""
        if event.seq <= self.position:
            return
        if not self._wants(event):
            if not self._queue:
                self.position = event.seq
        elif len(self._queue) < QUEUE:
            self._queue.append(event)
            self._stirred.set()
        else:
            self.end(EndReason.SLOW_READER)

    def end(self, reason: EndReason) -> None:
        """Let `take` hand over what waits, and raise FeedEnded after it."""
        self._end = self._end or reason
        self._stirred.set()
        self.close()

    def close(self) -> None:
        """Give up the place; to be called by whoever subscribed."""
        self._feed.leave(self, self._channel)

    def _wants(self, event: Event) -> bool:
        return self._project_id is None or any(project.id == self._project_id for project in event.projects)


@dataclass(eq=False, slots=True)
class _Channel:
    """One workspace: how far its history has been handed to live readers, and who they are."""

    workspace: str
    position: int
    readers: set[Reader] = field(default_factory=set)
    live: set[Reader] = field(default_factory=set)


class EventFeed:
    """Reads the history once for all readers of this process; it works only while there are any."""

    def __init__(self, storage: "Storage", runner: "Runner", *, max_readers: int = MAX_READERS) -> None:
        self._storage = storage
        self._runner = runner
        self._max_readers = max_readers
        self._channels: dict[str, _Channel] = {}
        self._stop: Callable[[], None] | None = None
        self._closed = False

    def subscribe(self, place: Place) -> Reader:
        """Return a reader that begins at `place`; called on the event loop, where the reader lives.

        Raises ServiceUnavailable when there are too many readers, or the process is about to end.
        """
        if self._closed:
            raise ServiceUnavailable("The server is about to end; come back in a moment.")
        if sum(len(channel.readers) for channel in self._channels.values()) >= self._max_readers:
            raise ServiceUnavailable(f"This process serves {self._max_readers} event streams already; try again later.")
        channel = self._channels.setdefault(place.workspace, _Channel(place.workspace, place.latest))
        reader = Reader(self, channel, place)
        channel.readers.add(reader)
        if self._stop is None:
            self._start()
        self._news.set()  # something may have been applied since `place` was read
        return reader

    async def read(self, channel: _Channel, *, after: int) -> list[Event]:
        """Return the page of the history that follows `after`."""
        return await self._runner.run(
            lambda: self._storage.read(channel.workspace, lambda tx: tx.list_events(after, limit=PAGE)),
        )

    def leave(self, reader: Reader, channel: _Channel) -> None:
        channel.readers.discard(reader)
        channel.live.discard(reader)
        if not channel.readers and self._channels.get(channel.workspace) is channel:
            del self._channels[channel.workspace]
        if not self._channels and self._stop is not None:
            self._stop()
            self._stop = None

    def close(self) -> None:
        """End every reader; nobody can subscribe any more. Safe to call twice."""
        self._closed = True
        self._end_all(EndReason.SHUTDOWN)

    def _end_all(self, reason: EndReason) -> None:
        for channel in list(self._channels.values()):
            for reader in list(channel.readers):
                reader.end(reason)

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

        def notify() -> None:
            with suppress(RuntimeError):  # the loop has ended in the meantime
                loop.call_soon_threadsafe(self._news.set)

        watch: Watch = self._storage.watch(notify)
        pump = loop.create_task(self._pump())
        pump.add_done_callback(self._pumped)

        def stop() -> None:
            watch.close()
            pump.cancel()

        self._stop = stop

    async def _pump(self) -> None:
        """Hand what is new to the live readers, for ever."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                for channel in list(self._channels.values()):
                    await self._advance(channel)
            except DomainError as refusal:
                log.warning("the history cannot be read now: %s", refusal.message)
                await asyncio.sleep(RETRY_SECONDS)
                self._news.set()

    async def _advance(self, channel: _Channel) -> None:
        page = await self.read(channel, after=channel.position)
        while page:
            channel.position = page[-1].seq
            for event in page:
                for reader in list(channel.live):
                    reader.offer(event)
            page = await self.read(channel, after=channel.position) if len(page) == PAGE else []

    def _pumped(self, pump: "asyncio.Task[None]") -> None:
        """End the readers when the feed itself has failed: they would wait for ever."""
        if not pump.cancelled() and (failure := pump.exception()) is not None:
            log.error("the feed of events has failed", exc_info=failure)
            self._end_all(EndReason.FAILURE)
