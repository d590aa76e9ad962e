"""Connections: what each database needs to be told once.

SQLAlchemy begins SQLite's transactions, not the driver, which makes reads consistent and writes
lock at once (`BEGIN IMMEDIATE`). Lock waits are short; the executor queues a call again.
"""

import sqlite3
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from core.errors import DatabaseError
from core.settings import Settings

BUSY_TIMEOUT_MS = 50
# Of a new file: large sets cost about 7 % less than with the 4 KiB of SQLite, single changes about 3 % more.
PAGE_BYTES = 8192
# The cache (in KiB) holds the pages that a set of 10,000 patches touches; SQLite takes it as it needs it. The log is
# copied back into the file beside the commits (`checkpoints`); they do it themselves only where that falls behind.
_PRAGMAS = ("foreign_keys=ON", "temp_store=MEMORY", "cache_size=-32000", "wal_autocheckpoint=16000")


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
    sqlite_path(url)
    if url.query:
        raise DatabaseError("An SQLite DATABASE_URL takes no options.", hint="end it with the file; a ? in its name is %3F")
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})

    def connected(driver: sqlite3.Connection, _record: object) -> None:
        try:
            configure(driver)
        except sqlite3.Error:
            driver.close()
            raise

    def configure(driver: sqlite3.Connection) -> None:
        driver.isolation_level = None
        driver.create_function("lower", 1, _lower, deterministic=True)  # SQLite's own knows ASCII only
        for pragma in (f"page_size={PAGE_BYTES}", "journal_mode=WAL", f"synchronous={settings.sqlite_synchronous}", *_PRAGMAS):
            driver.execute(f"PRAGMA {pragma}")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    readonly = connection.get_execution_options().get("readonly")
    driver: Any = connection.connection.driver_connection  # SQLAlchemy's way to it costs ten times the statement
    driver.execute("BEGIN" if readonly else "BEGIN IMMEDIATE")


def _lower(value: str | None) -> str | None:
    return None if value is None else value.lower()


def _speak_json(driver: Any, _record: object) -> None:
    from psycopg.types.json import set_json_loads  # not needed, nor imported, on SQLite

    set_json_loads(orjson.loads, driver)
