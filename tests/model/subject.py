"""The product under test: its services on a database, and all that the database holds, read past them."""

import json
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

import psycopg
from sqlalchemy import make_url

from core.clock import FixedClock
from core.context import Context, local_owner
from core.errors import DomainError
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.errors import Issue, Severity
from tests.model.state import Item
from tests.support.audit import TABLES

T = TypeVar("T")
MAX_DEPTH = 3
Rows = dict[str, list[tuple[Any, ...]]]
_JSON = {"tags", "links", "custom", "task_schema", "acceptance_criteria"}
_INSTANTS = {"created_at", "updated_at", "deleted_at", "completed_at", "claim_expires_at"}


@dataclass(frozen=True)
class Answer:
    """What a call came to."""

    value: Any = None
    code: str | None = None
    details: tuple[Issue, ...] = ()

    @property
    def issues(self) -> set[str]:
        return {str(issue.code) for issue in self.details if issue.conflict is None and issue.severity is Severity.ERROR}

    @property
    def conflicts(self) -> set[tuple[int, str, str]]:
        found = [issue.conflict for issue in self.details if issue.conflict is not None]
        return {(conflict.patch_index, conflict.key, conflict.field) for conflict in found}


class Subject:
    """One process of the product on a database."""

    def __init__(self, url: str, workspace: str, clock: FixedClock) -> None:
        self._settings = Settings(database_url=url, sqlite_synchronous="NORMAL", max_task_depth=MAX_DEPTH, pool_size=1)
        self._principal = local_owner(workspace)
        self._clock = clock
        self._orchestrator = self._started()
        self._reader = _Sqlite(url) if url.startswith("sqlite") else _Postgresql(url, workspace)

    def _started(self) -> Orchestrator:
        orchestrator = Orchestrator(self._settings, clock=self._clock)
        orchestrator.start(create=False)
        return orchestrator

    def restart(self) -> None:
        self._orchestrator.close()
        self._orchestrator = self._started()

    def close(self) -> None:
        self._orchestrator.close()
        self._reader.close()

    @property
    def context(self) -> Context:
        return self._orchestrator.context(self._principal)

    def call(self, service: Callable[..., T], *args: Any, **more: Any) -> Answer:
        try:
            return Answer(service(self.context, *args, **more))
        except DomainError as refusal:
            return Answer(code=str(refusal.code), details=tuple(refusal.details))

    def rows(self) -> Rows:
        """Return every committed row of the workspace."""
        return self._reader.rows()

    def items(self, table: str, rows: Iterable[tuple[Any, ...]]) -> list[Item]:
        """Return rows as dicts, with values in the form of the reference."""
        columns = self._reader.columns[table]
        return [{name: _value(name, value) for name, value in zip(columns, row, strict=True)} for row in rows]


class _Sqlite:
    """A new connection for every look: it sees what is committed and nothing else."""

    def __init__(self, url: str) -> None:
        self._path = make_url(url).database or ""
        self.columns: dict[str, list[str]] = {}

    def rows(self) -> Rows:
        with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            found = {}
            for table in TABLES:
                cursor = connection.execute(f"SELECT * FROM {table} ORDER BY rowid")  # noqa: S608  # our own table names
                self.columns[table] = [column[0] for column in cursor.description]
                found[table] = cursor.fetchall()
            return found

    def close(self) -> None:
        """There is no connection to close."""


class _Postgresql:
    """One connection, a new transaction for every look; other workspaces of the database are not looked at."""

    def __init__(self, url: str, workspace: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._workspace = workspace
        self.columns: dict[str, list[str]] = {}

    def rows(self) -> Rows:
        found = {}
        with self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            for table in TABLES:
                query = f"SELECT * FROM {table} WHERE workspace_id = %s ORDER BY ctid"  # noqa: S608  # our own table names
                cursor = self._connection.execute(query.encode(), [self._workspace])
                self.columns[table] = [column.name for column in cursor.description or ()]
                found[table] = cursor.fetchall()
        return found

    def close(self) -> None:
        self._connection.close()


def _value(name: str, value: Any) -> Any:
    if isinstance(value, str) and name in _JSON:
        return json.loads(value)
    if isinstance(value, str) and name in _INSTANTS:
        return datetime.fromisoformat(value)
    return value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else value
