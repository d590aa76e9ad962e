"""Work that several processes do at the same time, each started from nothing, as servers are."""

import multiprocessing
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection, wait
from multiprocessing.synchronize import Barrier
from typing import Any, TypeVar

Order = TypeVar("Order")
Result = TypeVar("Result")
Meet = Callable[[], object]

_context = multiprocessing.get_context("spawn")
_MEETING_SECONDS = 60


def together(work: Callable[[Order, Meet], Result], orders: Sequence[Order], *, within_seconds: float) -> list[Result]:
    """Run `work(order, meet)` in a process per order; return the results in the order of `orders`.

    `meet()` returns once all have called it, as often as they like. The first failure of any is raised here; nothing
    is left running.
    """
    deadline = time.monotonic() + within_seconds
    barrier = _context.Barrier(len(orders))
    results: dict[int, Result] = {}
    with ExitStack() as ending:
        waiting: dict[Any, int] = {}
        for number, order in enumerate(orders):
            reading, writing = _context.Pipe(duplex=False)
            process = _context.Process(target=_live, args=(work, order, barrier, writing), daemon=True)
            process.start()
            writing.close()
            ending.callback(process.join)
            ending.callback(process.kill)
            ending.callback(reading.close)
            waiting[reading] = number
        while waiting:
            ready = wait(list(waiting), timeout=max(0, deadline - time.monotonic()))
            assert ready, f"{len(waiting)} of {len(orders)} processes have not ended within {within_seconds} s"
            for end in ready:
                assert isinstance(end, Connection)
                number = waiting.pop(end)
                try:
                    succeeded, result = end.recv()
                except EOFError:
                    succeeded, result = False, f"process {number} has ended without a word"
                assert succeeded, result
                results[number] = result
    return [results[number] for number in range(len(orders))]


def _live(work: Callable[[Any, Meet], Any], order: Any, barrier: Barrier, results: Connection) -> None:
    try:
        results.send((True, work(order, lambda: barrier.wait(_MEETING_SECONDS))))
    except BaseException:  # noqa: BLE001  # whatever it is, the parent shall see it
        results.send((False, traceback.format_exc()))
        barrier.abort()
