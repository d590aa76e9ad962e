"""The product under test, in this process: real services on a real database, with a clock and ids that a test controls."""

import itertools
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import psycopg

from core.clock import FixedClock
from core.context import Context, Principal, Scope
from core.settings import Settings
from core.wiring import Orchestrator

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MAX_DEPTH = 3
AUTHOR = "local"
TABLES = (
    "projects",
    "tasks",
    "dependencies",
    "comments",
    "patch_sets",
    "patch_set_projects",
    "patch_set_changes",
    "idempotency_keys",
)
Row = tuple[Any, ...]
Contents = dict[str, list[Row]]
_numbers = itertools.count(1)  # never repeated in this process: the product may keep things by id and revision


class CountingIds:
    """Ids in the order of their making; the last one of a set can be looked up."""

    def new_id(self) -> str:
        return f"01950000-0000-7000-8000-{next(_numbers):012d}"

    def new_patch_set_id(self) -> str:
        return f"ps_{next(_numbers):016d}"


class Eyes(Protocol):
    """A connection of the test's own, which sees what has been committed."""

    def columns(self, table: str) -> list[str]: ...

    def contents(self) -> Contents:
        """Return every row of the workspace as stored; any write that was committed shows, even of equal values."""

    def close(self) -> None: ...


class Store:
    """A database with the product on it."""

    def __init__(self, settings: Settings, workspace: str, eyes: Eyes) -> None:
        self._settings, self.eyes = settings, eyes
        self._principal = Principal(subject=AUTHOR, workspace=workspace, scopes=frozenset(Scope))
        self.clock, self.ids = FixedClock(START), CountingIds()
        self._orchestrator = self._opened()

    def _opened(self) -> Orchestrator:
        orchestrator = Orchestrator(self._settings, clock=self.clock, ids=self.ids)
        orchestrator.start(create=False)
        return orchestrator

    def context(self) -> Context:
        return self._orchestrator.context(self._principal)

    def pass_time(self, minutes: int) -> None:
        self.clock.instant += timedelta(minutes=minutes)

    def restart(self) -> None:
        self._orchestrator.close()
        self._orchestrator = self._opened()

    def close(self) -> None:
        self._orchestrator.close()
        self.eyes.close()


class SqliteEyes:
    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        self._selects = {name: f"SELECT * FROM {name} ORDER BY 1, 2, 3" for name in TABLES}  # noqa: S608
        self._selects["commits"] = "PRAGMA data_version"  # another number after every commit of another connection

    def columns(self, table: str) -> list[str]:
        return [row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")]

    def contents(self) -> Contents:
        self._connection.execute("BEGIN")
        try:
            return {name: self._connection.execute(select).fetchall() for name, select in self._selects.items()}
        finally:
            self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


class PostgresEyes:
    def __init__(self, url: str, workspace: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._workspace = workspace

    def columns(self, table: str) -> list[str]:
        found = self._connection.execute(f"SELECT * FROM {table} LIMIT 0".encode())  # noqa: S608
        return [column.name for column in found.description or ()]

    def contents(self) -> Contents:
        with self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return {name: self._rows(name) for name in TABLES}

    def _rows(self, table: str) -> list[Row]:
        # ctid and xmin are others once a row has been written again
        select = f"SELECT *, ctid::text, xmin::text FROM {table} WHERE workspace_id = %s ORDER BY 1, 2, 3"  # noqa: S608
        return self._connection.execute(select.encode(), (self._workspace,)).fetchall()

    def close(self) -> None:
        self._connection.close()


def sqlite_store(template: Path, folder: Path) -> Store:
    """Return a new database, copied from a migrated one."""
    path = folder / f"model-{next(_numbers)}.db"
    shutil.copy(template, path)
    return Store(_settings(f"sqlite:///{path}"), "default", SqliteEyes(path))


def postgres_store(url: str) -> Store:
    """Return a new workspace in a migrated database."""
    workspace = f"model-{uuid4()}"
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO workspaces (id, created_at) VALUES (%s, %s)", (workspace, START))
    return Store(_settings(url), workspace, PostgresEyes(url, workspace))


def _settings(url: str) -> Settings:
    return Settings(database_url=url, sqlite_synchronous="NORMAL", max_task_depth=MAX_DEPTH, pool_size=1)

