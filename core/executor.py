"""Runs services off the event loop, on threads that own the database.

SQLite's work is CPU work under the interpreter lock, where many threads only slow each other
down: one thread serves everything short, a second one the reads of whole projects. Calls that wait
for the first one together share a transaction, for waiting for the disk is the dearest part of a
small write. PostgreSQL gets a thread per connection. SQLAlchemy is not imported here: a process may
start long before its first call.
"""

import asyncio
import contextvars
import queue
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import Any, Literal, NamedTuple, TypeVar

from core.errors import StorageBusy
from core.meter import UNCOUNTED, Meter

T = TypeVar("T")

LONG_QUEUE = 8
PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = (0.005, 0.03)
# A round ends after so many calls, or with the call that makes it last longer than this.
ROUND_CALLS = 64
ROUND_SECONDS = 0.02

Together = Callable[[], AbstractContextManager[object]]


class StoreExecutor:
    """The `Runner` of a process."""

    def __init__(
        self,
        kind: Literal["sqlite", "postgresql"],
        *,
        pool_size: int = 8,
        together: Together = nullcontext,
        meter: Meter = UNCOUNTED,
    ) -> None:
        self._meter = meter
        if kind == "sqlite":
            self._thread: StoreThread | None = StoreThread(together)
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="store-long")
        else:
            self._thread = None
            self._pool = ThreadPoolExecutor(pool_size, thread_name_prefix="store")
        # One long read runs, the others wait; more than that is refused at once.
        self._long_places = threading.BoundedSemaphore(LONG_QUEUE + 1)

    async def run(self, fn: Callable[[], T], *, long: bool = False) -> T:
        """Return `fn()`; a locked database is tried again for a while, with other calls passing in between.

        A cancelled caller does not stop a call that has begun.

        Raises:
            StorageBusy: the lock was not released in time, or too many long reads wait.
        """
        self._meter.wait()
        try:
            loop = asyncio.get_running_loop()
            deadline = loop.time() + PATIENCE_SECONDS
            in_context = partial(contextvars.copy_context().run, fn)
            while True:
                call = self._call(loop, in_context, long)
                try:
                    return await call
                except StorageBusy:
                    if loop.time() >= deadline:
                        raise
                await asyncio.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311  # jitter
        finally:
            self._meter.done()

    def _call(self, loop: asyncio.AbstractEventLoop, fn: Callable[[], T], long: bool) -> "asyncio.Future[T]":
        if not long:
            return self._thread.call(loop, fn) if self._thread else asyncio.wrap_future(self._pool.submit(fn), loop=loop)
        if not self._long_places.acquire(blocking=False):
            raise StorageBusy("Too many long reads are waiting; try again in a moment.")
        call = self._pool.submit(fn)
        call.add_done_callback(lambda _: self._long_places.release())
        return asyncio.wrap_future(call, loop=loop)

    def close(self) -> None:
        """Let the running calls end; refuse the waiting ones."""
        if self._thread is not None:
            self._thread.close()
        self._pool.shutdown(wait=True, cancel_futures=True)


class _Call(NamedTuple):
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"
    fn: Callable[[], Any]


class _Outcome(NamedTuple):
    value: Any = None
    error: BaseException | None = None

    def give(self, future: "asyncio.Future[Any]") -> None:
        if future.done():  # nobody waits any more
            return
        if self.error is None:
            future.set_result(self.value)
        else:
            future.set_exception(self.error)


class StoreThread:
    """One thread that serves calls in the order they came.

    A call that finds others waiting opens a round: they run one after another inside `together()`,
    which commits at once what they wrote, and none is answered before that. If that fails each is run
    again by itself, so that a read does not fail with the write beside it.
    """

    def __init__(self, together: Together) -> None:
        self._together = together
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()  # None: no more will come
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False

    def call(self, loop: asyncio.AbstractEventLoop, fn: Callable[[], T]) -> "asyncio.Future[T]":
        """Run `fn` when its turn comes; the future belongs to `loop`, the running one."""
        future: asyncio.Future[T] = loop.create_future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the store's thread has been ended")
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="store", daemon=True)
                self._thread.start()
            self._calls.put(_Call(loop, future, fn))
        return future

    def close(self) -> None:
        """Let the running calls end, and cancel those that wait."""
        with self._lock:
            self._closed = True
            while (call := self._next()) is not None:
                _at(call.loop, call.future.cancel)
            self._calls.put(None)
        if self._thread is not None:
            self._thread.join()

    def _next(self) -> _Call | None:
        """Return the next call that waits already; the end of the queue is left in its place."""
        try:
            call = self._calls.get_nowait()
        except queue.Empty:
            return None
        if call is None:
            self._calls.put(None)
        return call

    def _serve(self) -> None:
        while self._serve_next():
            pass

    def _serve_next(self) -> bool:
        """Serve the next call, and those that wait with it; False when no more will come."""
        call = self._calls.get()
        if call is None:
            return False
        ended = [(call, _run(call))] if self._calls.empty() else self._round(call)
        _answer(ended)
        return True

    def _round(self, call: _Call | None) -> list[tuple[_Call, _Outcome]]:
        """Run `call` and those that wait behind it as one transaction; return how each ended."""
        ended: list[tuple[_Call, _Outcome]] = []
        until = time.monotonic() + ROUND_SECONDS
        try:
            with self._together():
                while call is not None:
                    ended.append((call, _run(call)))
                    if isinstance(ended[-1][1].error, StorageBusy):
                        break  # so would all others be
                    call = self._next() if len(ended) < ROUND_CALLS and time.monotonic() < until else None
        except BaseException:  # noqa: BLE001  # nothing was committed, and what the calls saw of each other never was
            if not ended and call is not None:  # no round could be opened
                return [(call, _run(call))]
            return [(one, _run(one)) for one, _ in ended]
        return ended


def _run(call: _Call) -> _Outcome:
    """Return how the call ended; one whose caller does not wait any more is not begun."""
    if call.future.cancelled():
        return _Outcome()
    try:
        return _Outcome(call.fn())
    except StopIteration:  # which no future takes
        return _Outcome(error=RuntimeError("a service has raised StopIteration"))
    except BaseException as error:  # noqa: BLE001  # it belongs to the caller
        return _Outcome(error=error)


def _answer(ended: list[tuple[_Call, _Outcome]]) -> None:
    """Answer all callers of an event loop at once: to wake it for each would hand it the interpreter as often."""
    answers: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], _Outcome]]] = {}
    for call, outcome in ended:
        answers.setdefault(call.loop, []).append((call.future, outcome))
    for loop, given in answers.items():
        _at(loop, _give, given)


def _give(answers: list[tuple["asyncio.Future[Any]", _Outcome]]) -> None:
    for future, outcome in answers:
        outcome.give(future)


def _at(loop: asyncio.AbstractEventLoop, call: Callable[..., object], *args: object) -> None:
    with suppress(RuntimeError):  # the loop has ended, and its callers with it
        loop.call_soon_threadsafe(call, *args)
