"""Runs services off the event loop, on threads that own the database.

SQLite's work is CPU work under the interpreter lock, where many threads only slow each other
down: one thread serves everything short, a second one the reads of whole projects. PostgreSQL gets
a thread per connection. SQLAlchemy is not imported here: a process may start long before its first call.
"""

import asyncio
import contextvars
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal, TypeVar

from core.errors import StorageBusy

T = TypeVar("T")

LONG_QUEUE = 8
PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = (0.005, 0.03)


class StoreExecutor:
    """The `Runner` of a process."""

    def __init__(self, kind: Literal["sqlite", "postgresql"], *, pool_size: int = 8) -> None:
        self._pools = [ThreadPoolExecutor(1 if kind == "sqlite" else pool_size, thread_name_prefix="store")]
        if kind == "sqlite":
            self._pools.append(ThreadPoolExecutor(1, thread_name_prefix="store-long"))
        # One long read runs, the others wait; more than that is refused at once.
        self._long_places = threading.BoundedSemaphore(LONG_QUEUE + 1)

    async def run(self, fn: Callable[[], T], *, long: bool = False) -> T:
        """Return `fn()`; a locked database is tried again for a while, with other calls passing in between.

        A cancelled caller does not stop a call that has begun.

        Raises:
            StorageBusy: the lock was not released in time, or too many long reads wait.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        context = contextvars.copy_context()
        while True:
            call = self._submit(context, fn, long)
            try:
                return await asyncio.wrap_future(call)
            except StorageBusy:
                if loop.time() >= deadline:
                    raise
            await asyncio.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311  # jitter

    def _submit(self, context: contextvars.Context, fn: Callable[[], T], long: bool) -> Future[T]:
        if not long:
            return self._pools[0].submit(context.run, fn)
        if not self._long_places.acquire(blocking=False):
            raise StorageBusy("Too many long reads are waiting; try again in a moment.")
        call = self._pools[-1].submit(context.run, fn)
        call.add_done_callback(lambda _: self._long_places.release())
        return call

    def close(self) -> None:
        """Let the running calls end; refuse the waiting ones."""
        for pool in self._pools:
            pool.shutdown(wait=True, cancel_futures=True)
