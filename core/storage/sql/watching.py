"""Notice that something was committed, by this process or another one.

SQLite has no messages between processes, only a counter that moves with each commit of another
connection; it is polled. PostgreSQL sends a notification with the commit. Both only say "look": what
was committed is read from the history, so that a signal that comes twice or not at all loses nothing.
"""

import logging
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL

from core.storage.sql.engines import sqlite_path
from core.storage.sql.sealed import sealed, sealed_uri

if TYPE_CHECKING:
    from psycopg import Connection

log = logging.getLogger(__name__)

CHANNEL = "orchestrator_history"
POLL_SECONDS = 0.2
RETRY_SECONDS = 1.0
# PostgreSQL is looked at this often without a notification: a pooler between may swallow `LISTEN`.
NET_SECONDS = 5.0
# A server that vanished without a word is noticed within half a minute.
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}


class DatabaseWatch(ABC):
    """A thread with a connection of its own; it begins with one call of `notify`, for what came before it."""

    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._stirred = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="history-watch", daemon=True)
        self._thread.start()

    def stir(self) -> None:
        """Look now, and not at the next poll: this process has just committed."""
        self._stirred.set()

    def close(self) -> None:
        """Call `notify` no more; the thread and its connection end on their own."""
        self._closed = True
        self._stirred.set()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def join(self) -> None:
        self._thread.join(RETRY_SECONDS)

    def _run(self) -> None:
        while not self._closed:
            try:
                self._watch()
            except Exception:
                log.warning("the watch of the history lost its database; it tries again", exc_info=True)
                self._stirred.clear()
                if not self._closed:
                    self._stirred.wait(RETRY_SECONDS)

    @abstractmethod
    def _watch(self) -> None:
        """Connect, then call `notify` at once and at each commit, until closed."""


class SqliteWatch(DatabaseWatch):
    def __init__(self, path: Path, notify: Callable[[], None]) -> None:
        self._path = path
        super().__init__(notify)

    def _watch(self) -> None:
        state = sealed(self._path)
        # A file that is not there is not made.
        uri = f"{self._path.as_uri()}?mode=rw" if state is None else sealed_uri(self._path)
        connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        try:
            seen = None
            while not self._closed and (state is None or state == sealed(self._path)):
                self._stirred.clear()
                # Read before `notify`: what is committed after this line moves the counter once more.
                (version,) = connection.execute("PRAGMA data_version").fetchone()
                if version != seen:
                    seen = version
                    self._notify()
                self._stirred.wait(POLL_SECONDS)
        finally:
            connection.close()


class PostgresWatch(DatabaseWatch):
    """Own commits arrive as everybody's do, so nothing has to stir it."""

    def __init__(self, url: URL, notify: Callable[[], None]) -> None:
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        super().__init__(notify)

    def _watch(self) -> None:
        import psycopg  # not needed, nor imported, on SQLite

        keepalive: dict[str, Any] = _KEEPALIVE
        with psycopg.connect(self._dsn, autocommit=True, connect_timeout=5, **keepalive) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            while not self._closed:
                self._notify()
                self._wait(connection)

    def _wait(self, connection: "Connection[Any]") -> None:
        until = time.monotonic() + NET_SECONDS
        while not self._closed and time.monotonic() < until:
            for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                return


def watch_database(url: URL, notify: Callable[[], None]) -> DatabaseWatch:
    """Return a running watch that calls `notify`, from a thread of its own, whenever the history may have grown."""
    if url.get_backend_name() == "sqlite":
        return SqliteWatch(sqlite_path(url), notify)
    return PostgresWatch(url, notify)
