"""Open a database for use: check it, create it, bring its schema up to date, or say what to do.

Alembic is imported only when the stored version is behind; at any other start one SELECT is all.
"""

import logging
import random
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from core.errors import DatabaseError, StorageBusy
from core.storage.migrations import VERSIONS
from core.storage.sql.engines import place_of, sqlite_path
from core.storage.sql.failures import translated
from core.storage.sql.sealed import writable
from core.storage.sql.tables import metadata

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 5.0
_CREATE_HINT = "`orchestrator import FILE` or `orchestrator-api` creates it, or set DATABASE_URL"
_OPEN_HINT = "check the file and its folder, or set DATABASE_URL"
_MIGRATE_HINT = "run `orchestrator migrate`, or set AUTO_MIGRATE=1"
_NEWER_HINT = "update orchestrator, or set DATABASE_URL to another database"
_FOREIGN_HINT = "set DATABASE_URL to another database"


def prepare_sqlite(writer: Engine, reader: Engine, *, create: bool) -> None:
    """Check the file and its folder, then upgrade the schema if it is behind."""
    path = sqlite_path(writer.url)
    try:
        _check_file(path, create=create)
    except OSError as error:  # the name is too long, or its folder is closed to this user
        message = f"The database file cannot be opened: {error.strerror}."
        raise DatabaseError(message, hint=_OPEN_HINT, place=str(path)) from error
    _patiently(path, lambda: _upgrade_sqlite(writer, reader, str(path)))


def _check_file(path: Path, *, create: bool) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise DatabaseError(f"The folder {folder} of the database does not exist.", hint="create it, or set DATABASE_URL")
    if path.is_dir():
        raise DatabaseError(f"{path} is a folder, not a database file.", hint="set DATABASE_URL to a file")
    if not path.exists() and not create:
        raise DatabaseError(f"There is no database at {path}.", hint=_CREATE_HINT)
    if writable(path):
        return
    if not path.exists():
        raise DatabaseError(
            "The database cannot be made.", hint="make its folder writable, or set DATABASE_URL", place=str(folder)
        )
    log.warning("The database at %s cannot be written: it is read, and every write is refused.", path)


def _patiently(path: Path, work: Callable[[], None]) -> None:
    """Run `work` again while another process holds the file, for a few seconds."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return work()
        except StorageBusy as busy:
            if time.monotonic() > deadline:
                raise DatabaseError(f"{path} is locked by another program.", hint="close it and try again") from busy
        time.sleep(random.uniform(0.02, 0.1))  # noqa: S311  # jitter


def _upgrade_sqlite(writer: Engine, reader: Engine, place: str) -> None:
    with translated(place=place):
        with reader.connect() as connection:
            if _is_current(connection, place):
                return
        with writer.connect() as connection, connection.begin():
            if not _is_current(connection, place):  # another process may have been first
                _upgrade(connection)


def prepare_postgresql(writer: Engine, *, migrate: bool) -> None:
    """Check the schema; upgrade it, one process at a time, where that is allowed."""
    place = place_of(writer.url)
    with translated(place=place), writer.connect() as connection, connection.begin():
        if _is_current(connection, place):
            return
        if not migrate:
            require_current(connection, place)
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('orchestrator migrate', 0))"))
        if not _is_current(connection, place):
            _upgrade(connection)


def _is_current(connection: Connection, place: str) -> bool:
    """Return whether the schema is the one this code knows; refuse one that it cannot know."""
    stored = _stored_version(connection, place)
    if stored is not None and stored not in VERSIONS:
        raise DatabaseError(
            f"The database has the schema version {stored!r}, which is newer than this program.", hint=_NEWER_HINT, place=place
        )
    return stored == VERSIONS[-1]


def require_current(connection: Connection, place: str) -> None:
    """Raise DatabaseError unless the schema is the one this code knows."""
    if not _is_current(connection, place):
        raise DatabaseError("The schema of the database is missing or old.", hint=_MIGRATE_HINT, place=place)


def _stored_version(connection: Connection, place: str) -> str | None:
    """Return the version of the schema, or None where there is none yet."""
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" in tables:
        version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return version
    foreign = tables if connection.dialect.name == "sqlite" else tables & metadata.tables.keys()
    if foreign:
        raise DatabaseError("The database holds tables of another program.", hint=_FOREIGN_HINT, place=place)
    return None


def _upgrade(connection: Connection) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # its progress is of no interest to whoever starts a server
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
