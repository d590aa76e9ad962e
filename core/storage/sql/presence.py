"""Notice that the SQLite file was moved, deleted or replaced under a running process.

SQLite would go on with the file that nobody else can open any more: what it acknowledges is lost with
the last connection, and other processes see another database. One `stat` before each write; writes of one
round share two, at its begin and before its commit, and reads share one for a moment: the call lets go of
the interpreter, and a busy process waits longer to get it back than many a read takes.
"""

import time
from pathlib import Path

from core.errors import DatabaseError


class Presence:
    """Holds a path to the file that was there when it was opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: tuple[int, int] | None = None
        self._looked = 0.0

    def remember(self) -> None:
        """Take the file that is there now for the right one."""
        self._opened = self._found()

    def require(self, *, within: float = 0.0) -> None:
        """Raise DatabaseError unless the path still leads to the file that was remembered, if one was.

        It did so at most `within` seconds ago.
        """
        now = time.monotonic()
        if self._opened is None or now - self._looked < within:
            return
        if self._found() != self._opened:
            raise DatabaseError(
                "The database file was moved, deleted or replaced while it was in use; nothing was changed.",
                hint="put it back, or restart to open what is there now",
                place=str(self._path),
            )
        self._looked = now

    def _found(self) -> tuple[int, int] | None:
        """Return what tells the file from all others of this machine; it stays so while any process has it open."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
