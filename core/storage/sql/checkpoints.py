"""Copy SQLite's log back into the file beside the writes, not in them.

SQLite does it in the commit that makes the log too long, which would make that one commit, of a
large set always, wait for the disk twice. A thread with a connection of its own does it soon after
the commit instead. Nothing depends on it: what is in the log is as durable, and if nobody comes
round to it the commits do it themselves, later (`engines`).
"""

import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

log = logging.getLogger(__name__)

LONG_LOG_BYTES = 8 * 2**20
# Commits that follow each other at once share a copy.
REST_SECONDS = 0.2


class Checkpoints:
    """The thread of one process; it begins with the first long log."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._log = file.with_name(f"{file.name}-wal")
        self._stirred = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def stir(self) -> None:
        """Something was committed: see to it that a long log is copied back soon."""
        try:
            if self._log.stat().st_size < LONG_LOG_BYTES:
                return
        except FileNotFoundError:
            return
        self._stirred.set()
        with self._lock:
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._serve, name="checkpoints", daemon=True)
                self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._stirred.set()
        if self._thread is not None:
            self._thread.join()

    def _serve(self) -> None:
        while not self._closed.wait(REST_SECONDS):
            self._stirred.wait()
            self._stirred.clear()
            if self._closed.is_set():
                return
            try:
                self._copy_back()
            except sqlite3.Error:
                log.info("the log could not be copied back now; a later commit will try again", exc_info=True)

    def _copy_back(self) -> None:
        with closing(sqlite3.connect(f"{self._file.as_uri()}?mode=rw", uri=True, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")  # waits for nobody, and nobody waits for it
