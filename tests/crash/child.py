"""The process that is killed: it applies numbered sets and acknowledges each, until it dies.

It is forked from a server process that has imported everything (`multiprocessing`'s fork server), so a
kill costs a fork and not a start of Python. Where it shall die is found by watching the statements it
runs, from outside: the product has no hooks for tests.
"""

import itertools
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

import psycopg
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool

from tests.crash.workload import apply, opened

COMMIT, ACKNOWLEDGE = "COMMIT", "ACKNOWLEDGE"
# Where a process dies: before the nth statement (or row, where a statement runs once per row) that begins so.
POINTS: dict[str, tuple[str | tuple[str, ...], int]] = {
    "after_begin": ("SELECT", 1),
    "before_projects": ("UPDATE projects", 1),
    "between_projects": ("UPDATE projects", 2),
    "before_tasks": ("INSERT INTO tasks", 1),
    "between_tasks": ("INSERT INTO tasks", 3),
    "between_task_updates": ("UPDATE tasks", 2),
    "between_dependencies": ("INSERT INTO dependencies", 2),
    "before_comments": ("INSERT INTO comments", 1),
    "before_patch_set": ("INSERT INTO patch_sets", 1),
    "between_touched_projects": ("INSERT INTO patch_set_projects", 2),
    "before_changes": ("INSERT INTO patch_set_changes", 1),
    "between_changes": ("INSERT INTO patch_set_changes", 4),
    "before_sequence": (("UPDATE patch_sets", "SELECT coalesce(max(patch_sets.seq)"), 1),  # on PostgreSQL, on SQLite
    "before_commit": (COMMIT, 1),
    "after_commit_before_acknowledging": (ACKNOWLEDGE, 1),
}
SQLITE_STEPS = 25  # virtual machine instructions between two chances to die inside a statement


@dataclass
class Order:
    """How a child shall live and die."""

    url: str
    first: int  # the set it begins with
    point: str | None = None  # of POINTS, in its second set; otherwise the parent kills it
    steps: int | None = None  # or inside a statement of its second set, after so many steps (SQLite)
    checkpoint_pages: int | None = None  # copy the write-ahead log back this often, so that kills fall into it (SQLite)


@dataclass
class _Watch:
    """Counts what the process does, once armed, and ends it at the place ordered."""

    order: Order
    armed: bool = False
    seen: dict[str | tuple[str, ...], int] = field(default_factory=dict)
    steps: int = 0

    def statement(self, sql: str) -> None:
        if not self.armed or self.order.point is None:
            return
        prefix, nth = POINTS[self.order.point]
        if sql.startswith(prefix):
            self.seen[prefix] = self.seen.get(prefix, 0) + 1
            if self.seen[prefix] == nth:
                die()

    def step(self) -> None:
        if self.armed and self.order.steps is not None:
            self.steps += 1
            if self.steps >= self.order.steps:
                die()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def live(order: Order, reports: Connection) -> None:
    """Apply set after set; report ("ready",) once open, then (number, replayed) for each, or ("failed", why)."""
    watch = _Watch(order)
    _observe(watch)
    try:
        orchestrator = opened(order.url)
        reports.send(("ready",))
        for number in itertools.count(order.first):
            watch.armed = number > order.first
            answer = apply(orchestrator, number)
            watch.statement(ACKNOWLEDGE)
            reports.send((number, answer.replayed))
    except Exception:  # noqa: BLE001  # whatever it is, the parent shall see it
        reports.send(("failed", traceback.format_exc()))


def create(url: str, nth: int, reports: Connection) -> None:
    """Make a new database and die before the nth statement of it; report ("ready",) if there are not so many."""
    count = itertools.count(1)

    def seen(_sql: str) -> None:
        if next(count) == nth:
            die()

    _trace(seen)
    opened(url, create=True)
    reports.send(("ready",))


def _observe(watch: _Watch) -> None:
    """Show every statement to `watch` before it runs."""
    _trace(watch.statement)

    @event.listens_for(Pool, "checkout")
    def checked_out(driver: Any, _record: object, _proxy: object) -> None:
        if isinstance(driver, psycopg.Connection):
            return
        if watch.order.steps is not None:
            driver.set_progress_handler(watch.step, SQLITE_STEPS)
        if watch.order.checkpoint_pages is not None:
            driver.execute(f"PRAGMA wal_autocheckpoint={watch.order.checkpoint_pages}")

    @event.listens_for(Engine, "commit")
    def committing(_connection: object) -> None:
        watch.statement(COMMIT)


def _trace(seen: Callable[[str], None]) -> None:
    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *args: Any, **options: Any) -> "Cursor":
            seen(str(query))
            super().execute(query, *args, **options)
            return self

        def executemany(self, query: Any, params_seq: Iterable[Any], **options: Any) -> None:
            def rows() -> Iterator[Any]:
                for row in params_seq:
                    seen(str(query))
                    yield row

            super().executemany(query, rows(), **options)

    @event.listens_for(Pool, "connect")
    def connected(driver: Any, _record: object) -> None:
        if isinstance(driver, psycopg.Connection):
            driver.cursor_factory = Cursor
        else:
            driver.set_trace_callback(seen)


# -- the parent's side

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["__main__", __name__, "tests.crash.warm"])


class Child:
    """A child as its parent sees it."""

    def __init__(self, process: ForkServerProcess, reports: Connection) -> None:
        self.process = process
        self._reports = reports

    def report(self) -> Any:
        """Return the next thing it says; EOFError once it is dead and all is read."""
        report = self._reports.recv()
        assert report[0] != "failed", report[1]
        return report

    def ends(self, within_seconds: float = 30) -> list[tuple[int, bool]]:
        """Wait for its death by SIGKILL; return the sets it acknowledged that were not read yet."""
        self.process.join(within_seconds)
        assert self.process.exitcode is not None, "it lives on"
        found = []
        with suppress(EOFError):
            while True:
                found.append(self.report())
        assert self.process.exitcode == -signal.SIGKILL, f"exit code {self.process.exitcode}"
        return [report for report in found if report != ("ready",)]


@contextmanager
def started(work: Callable[..., None], *arguments: Any) -> Iterator[Child]:
    """Run `work` in a process of its own, which is dead at the latest when this ends."""
    reading, writing = _context.Pipe(duplex=False)
    process = _context.Process(target=work, args=(*arguments, writing), daemon=True)
    process.start()
    writing.close()
    try:
        yield Child(process, reading)
    finally:
        process.kill()
        process.join()
        reading.close()
