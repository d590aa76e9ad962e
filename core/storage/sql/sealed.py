"""SQLite files in folders that this process cannot write: read-only media, volumes mounted to be read.

With a write-ahead log every reader makes a small index beside the file, which cannot be made there. Where no log lies
beside the file it is whole by itself, and SQLite reads it without one if it is told that nobody changes it (`immutable`).
Somebody else may do so all the same, through another mount: so the state of the files is looked at before such a
connection is used and again at the end of each read, and what was read of two states is read again.
"""

import os
from pathlib import Path
from typing import NamedTuple


class State(NamedTuple):
    """A sealed file, as one look saw it; any write by others makes another one of it."""

    modified_ns: int
    size: int
    inode: int


def sealed(path: Path) -> State | None:
    """Return the state of a file that can only be read without a log; None where SQLite finds its way by itself."""
    log = path.with_name(f"{path.name}-wal")
    try:
        found = path.stat()
        if os.access(path.parent, os.W_OK) or log.exists():
            return None
    except OSError:
        return None
    return State(found.st_mtime_ns, found.st_size, found.st_ino)


def sealed_uri(path: Path) -> str:
    return f"{path.as_uri()}?mode=ro&immutable=1"


def writable(path: Path) -> bool:
    """Return whether this process may change a database file, as far as its rights say."""
    return os.access(path.parent, os.W_OK) and (os.access(path, os.W_OK) or not path.exists())
