"""What the drivers raise, turned into refusals that say what happened and what to do."""

import logging
import sqlite3
from types import TracebackType

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.errors import DatabaseError, StorageBusy

log = logging.getLogger(__name__)

_SQLITE_MEANINGS = {
    sqlite3.SQLITE_READONLY: (
        "The database file cannot be written.",
        "make the file and its folder writable, or set DATABASE_URL",
    ),
    sqlite3.SQLITE_CANTOPEN: ("The database file cannot be opened.", "check the file and its folder, or set DATABASE_URL"),
    sqlite3.SQLITE_NOTADB: ("The file is not an SQLite database.", "move it away, or set DATABASE_URL"),
    sqlite3.SQLITE_CORRUPT: ("The database file is damaged.", "restore it from a backup"),
    sqlite3.SQLITE_FULL: ("There is no space left for the database.", "make space and try again"),
    sqlite3.SQLITE_IOERR: ("The disk reported an error.", "check the disk that holds the database"),
}
_SQLITE_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_POSTGRESQL_BUSY = ("55P03", "57014", "53300")  # lock not available, query cancelled, too many connections
_POSTGRESQL_STOPPED = ("57P01", "57P02", "57P03")  # shut down, crashed, starting
_POSTGRESQL_RETRY = ("40001", "40P01", "23505")  # 23505: another transaction took a key that was free when read


class SerialisationFailure(Exception):
    """Another transaction came first; the same work may succeed when it is run again."""


class ReadOnlyConnection(DatabaseError):
    """The database file could not be written when the connection was made; perhaps it can be by now."""


class translated:  # noqa: N801  # reads as a context manager, and as a generator each call of the store would pay for it
    """Turn driver errors into StorageBusy, DatabaseError or SerialisationFailure; `place` names the database."""

    __slots__ = ("_place",)

    def __init__(self, *, place: str) -> None:
        self._place = place

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        if error is None:
            return
        if isinstance(error, PoolTimeout):
            raise StorageBusy from error
        if isinstance(error, DBAPIError):
            raise refusal(error.orig or error, self._place) from error
        if isinstance(error, SQLAlchemyError | sqlite3.Error) or _is_of_psycopg(error):
            raise refusal(error, self._place) from error


def _is_of_psycopg(error: BaseException) -> bool:
    """Whether the driver of PostgreSQL has raised it, which is not imported where there is none."""
    return isinstance(error, Exception) and (
        getattr(error, "sqlstate", None) is not None or type(error).__module__.startswith("psycopg")
    )


def refusal(error: BaseException, place: str) -> Exception:
    """Return what to raise for a driver's error; what is no plain wait or retry is logged.

    What is known is one line: it comes with each call until somebody mends it. Of anything else all is written down.
    """
    code = getattr(error, "sqlite_errorcode", None)
    state = getattr(error, "sqlstate", None)
    if (code is not None and code & 0xFF in _SQLITE_BUSY) or state in _POSTGRESQL_BUSY:
        return StorageBusy()
    if state in _POSTGRESQL_RETRY:
        return SerialisationFailure()
    if code is not None and code & 0xFF in _SQLITE_MEANINGS:
        kind = ReadOnlyConnection if code & 0xFF == sqlite3.SQLITE_READONLY else DatabaseError
        message, hint = _SQLITE_MEANINGS[code & 0xFF]
    elif state in _POSTGRESQL_STOPPED or (type(error).__name__ == "OperationalError" and code is None):
        kind, message, hint = DatabaseError, "The database does not answer.", "check that it runs, and DATABASE_URL"
    else:
        log.error("database failure at %s", place, exc_info=error)
        return DatabaseError()
    if kind is not ReadOnlyConnection:  # the call is run once more, on another connection
        log.error("%s %s: %s", message, place, hint, exc_info=error if log.isEnabledFor(logging.DEBUG) else None)
    return kind(message, hint=hint, place=place)
