"""Connections: what each database needs to be told once.

SQLAlchemy begins SQLite's transactions, not the driver, which makes reads consistent and writes
lock at once (`BEGIN IMMEDIATE`). Lock waits are short; the executor queues a call again.
"""

import sqlite3
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError

from core.errors import DatabaseError
from core.settings import Settings
from core.storage.sql.failures import SerialisationFailure
from core.storage.sql.sealed import State, sealed, sealed_uri

BUSY_TIMEOUT_MS = 50
# Of a new file: large sets cost about 7 % less than with the 4 KiB of SQLite, single changes about 3 % more.
PAGE_BYTES = 8192
# The cache (in KiB) holds the pages that a set of 10,000 patches touches; SQLite takes it as it needs it. The log is
# copied back into the file beside the commits (`checkpoints`); they do it themselves only where that falls behind.
_PRAGMAS = ("foreign_keys=ON", "temp_store=MEMORY", "cache_size=-32000", "wal_autocheckpoint=16000")

# For each None it binds the driver asks around for an adapter, unless one is known: half the time of a row with many of them.
sqlite3.register_adapter(type(None), {None: None}.__getitem__)


def make_engine(settings: Settings) -> Engine:
    """Return the connections to the database of DATABASE_URL, none of them made yet.

    Raises:
        DatabaseError: the URL cannot be read, or names no file.
    """
    try:
        url = make_url(settings.database_url)
    except (ArgumentError, ValueError):  # their text may hold the password
        hint = "write sqlite:///./orchestrator.db, or postgresql://user:password@host:5432/database"
        raise DatabaseError("DATABASE_URL cannot be read.", hint=hint) from None
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, settings)
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        connect_args={"options": "-c timezone=UTC", "connect_timeout": 5},
    )
    event.listen(engine, "connect", _speak_json)
    return engine


def reading(engine: Engine) -> Engine:
    """Return the same engine for read transactions: one snapshot each, and no writes."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(readonly=True)
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def glancing(engine: Engine) -> Engine:
    """Return the same engine for reads without a transaction, where one costs more than the read."""
    if engine.dialect.name == "sqlite":
        return reading(engine)
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def place_of(url: URL) -> str:
    """Return how messages name the database: the file, or host and database name without credentials."""
    if url.get_backend_name() == "sqlite":
        return str(sqlite_path(url))
    return f"{url.host or 'local socket'}/{url.database or ''}"


def sqlite_path(url: URL) -> Path:
    if not url.database or url.database.startswith((":", "file:")) or "\0" in url.database:
        raise DatabaseError("DATABASE_URL names no file.", hint="use sqlite:///./orchestrator.db or another path")
    return Path(url.database).absolute()


def _sqlite_engine(url: URL, settings: Settings) -> Engine:
    path = sqlite_path(url)
    if url.query:
        raise DatabaseError("An SQLite DATABASE_URL takes no options.", hint="end it with the file; a ? in its name is %3F")
    writing = (f"page_size={PAGE_BYTES}", "journal_mode=WAL", f"synchronous={settings.sqlite_synchronous}")

    def connect() -> sqlite3.Connection:
        state = sealed(path)
        driver = sqlite3.connect(
            str(path) if state is None else sealed_uri(path),
            timeout=BUSY_TIMEOUT_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
            factory=_Connection,
            uri=state is not None,
        )
        driver.sealed = state
        if state is not None and not event.contains(engine, "checkout", checkout):
            event.listen(engine, "checkout", checkout)  # from now on, for both cost each transaction something
            event.listen(engine, "commit", commit)
        try:
            driver.create_function("lower", 1, _lower, deterministic=True)  # SQLite's own knows ASCII only
            for pragma in _PRAGMAS if state is not None else (*writing, *_PRAGMAS):
                driver.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            driver.close()
            raise
        return driver

    def checkout(driver: Any, _record: object, _proxy: object) -> None:
        if driver.sealed is not None and driver.sealed != sealed(path):
            raise DisconnectionError  # another connection is made: the file is not what it was, or not sealed any more

    def commit(connection: Connection) -> None:
        state = _driver(connection).sealed
        if state is not None and state != sealed(path):
            raise SerialisationFailure

    engine = create_engine(url, hide_parameters=True, creator=connect)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


class _Connection(sqlite3.Connection):
    sealed: State | None  # as it was when the connection was made


def _begin_sqlite(connection: Connection) -> None:
    readonly = connection.get_execution_options().get("readonly")
    _driver(connection).execute("BEGIN" if readonly else "BEGIN IMMEDIATE")


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection  # SQLAlchemy's way to statements costs ten times as much as a short one


def _lower(value: str | None) -> str | None:
    return None if value is None else value.lower()


def _speak_json(driver: Any, _record: object) -> None:
    from psycopg.types.json import set_json_loads  # not needed, nor imported, on SQLite

    set_json_loads(orjson.loads, driver)
