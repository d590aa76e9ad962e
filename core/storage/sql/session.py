"""One open transaction on one workspace, and statements that run on the driver's own cursor.

SQLAlchemy builds and compiles every statement; running the compiled text on the driver costs
about 8 us where `Connection.execute` costs 45, and a small apply is a dozen statements. Values
then pass the dialect's `Codec` instead of SQLAlchemy's type processors.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property, lru_cache
from itertools import chain, islice
from typing import Any, TypeVar

import orjson
from sqlalchemy import (
    BindParameter,
    Connection,
    Dialect,
    Executable,
    Select,
    Table,
    UpdateBase,
    bindparam,
    func,
    insert,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from core.storage.sql.rounds import Known, Part
from core.storage.sql.types import Json, encode_instant, parsed

CHUNK = 1_000
ROWS_AT_ONCE = (250, 25)
Row = tuple[Any, ...]
X = TypeVar("X")


def _same(value: Any) -> Any:
    return value


def dump_json(value: Any) -> str:
    return orjson.dumps(value, default=vars).decode()


@dataclass(frozen=True, slots=True)
class Codec:
    """How one dialect's driver carries instants, days, JSON and lists of ids."""

    dialect: Dialect
    dump_instant: Callable[[datetime], Any]
    dump_day: Callable[[date], Any]
    dump_flag: Callable[[bool], Any]
    dump_ids: Callable[[list[str]], Any]
    load_instant: Callable[[Any], datetime]
    load_day: Callable[[Any], date]
    load_json: Callable[[Any], Any]


SQLITE = Codec(
    dialect=SQLiteDialect_pysqlite(paramstyle="qmark"),
    dump_instant=encode_instant,
    dump_day=date.isoformat,
    dump_flag=int,
    dump_ids=dump_json,
    load_instant=datetime.fromisoformat,
    load_day=date.fromisoformat,
    load_json=orjson.loads,
)
# psycopg speaks datetimes and dates, and its JSON loader is set to orjson on each connection.
POSTGRESQL = Codec(
    dialect=PGDialect_psycopg(paramstyle="format"),  # type: ignore[no-untyped-call]
    dump_instant=_same,
    dump_day=_same,
    dump_flag=_same,
    dump_ids=_same,
    load_instant=_same,
    load_day=_same,
    load_json=_same,
)


class Statement:
    """A statement compiled once per dialect; its parameters are bound by name.

    SQLite's driver lets go of the interpreter for each row, and under load waits long to get it back.
    A `page` is a query whose rows are therefore given as one: a JSON array. What is JSON in it has been read already.
    `text` is what SQLite makes text of each row by; the row then ends with its parts between SEPARATORs, as bytes.
    """

    def __init__(self, source: Executable, *, page: bool = False, text: str = "") -> None:
        assert isinstance(source, ClauseElement)
        self.source = source
        self._page = page
        self._text = text
        self._compiled: dict[str, tuple[str, list[str], dict[str, Any]]] = {}

    def compiled(self, dialect: Dialect) -> tuple[str, list[str], dict[str, Any]]:
        """Return the SQL text, the names of its positional parameters, and those that are constants."""
        found = self._compiled.get(dialect.name)
        if found is None:
            source = _as_one(self.source, self._text) if self.in_one(dialect) else self.source
            compiled = source.compile(dialect=dialect)
            assert isinstance(compiled, SQLCompiler)
            constants = {name: value for name, value in compiled.params.items() if value is not None}
            found = self._compiled[dialect.name] = (str(compiled), list(compiled.positiontup or ()), constants)
        return found

    def in_one(self, dialect: Dialect) -> bool:
        """Return whether all rows come as one."""
        return self._page and dialect.name == SQLITE.dialect.name


SEPARATOR = "\x1e"  # JSON has control characters as escapes only


def _as_one(source: ClauseElement, text: str) -> ClauseElement:
    """Select all rows of `source` as one, for `_apart`."""
    assert isinstance(source, Select)
    values = func.json_array(*(parsed(column) if isinstance(column.type, Json) else column for column in source.selected_columns))
    columns, given = [values.label("line")], ["'[' || coalesce(group_concat(line), '') || ']'"]
    if text:
        columns.append(literal_column(text).label("text"))
        given.append(f"CAST(group_concat(text, '{SEPARATOR}') AS BLOB)")
    # The aggregates take the rows in the order of the query inside, as SQLite keeps it for all that depend on it.
    page = source.with_only_columns(*columns, maintain_column_froms=True).subquery("page")
    return select(*map(literal_column, given)).select_from(page)


def _apart(lines: str, texts: bytes | None = None) -> list[Row]:
    """Return the rows that `_as_one` has made one."""
    rows = orjson.loads(lines)
    if texts is None:
        return list(map(tuple, rows))
    parts = texts.split(SEPARATOR.encode())
    return [(*row, own) for row, own in zip(rows, zip(*[iter(parts)] * (len(parts) // len(rows)), strict=True), strict=True)]


WORKSPACE: BindParameter[str] = bindparam("workspace")


@cache
def _insert(table: Table) -> Statement:
    """Return an insert of one row that takes all columns in the table's order."""
    return Statement(insert(table).values({column.name: bindparam(f"v_{column.name}") for column in table.c}))


@lru_cache(maxsize=128)  # which columns are filled, and shared, varies with the rows
def _insert_at_once(table: Table, shared: tuple[int, ...], own: tuple[int, ...], rows: int, dialect: Dialect) -> str:
    """Return an insert of so many rows: of the columns at these places it takes what they share, then each row's own.

    Written as text, for to compile as many parameters takes SQLAlchemy longer than SQLite needs for a thousand rows.
    """
    columns = table.c.values()
    names = [dialect.identifier_preparer.format_column(columns[place]) for place in (*shared, *own)]
    marks = [str(bindparam(None, type_=columns[place].type).compile(dialect=dialect)) for place in (*shared, *own)]
    line = f"({', '.join(marks[len(shared) :])})"
    given = [*marks[: len(shared)], *(f"column{number}" for number in range(1, len(own) + 1))]
    lines = ", ".join([line] * rows)
    return f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(given)} FROM (VALUES {lines}) AS own"  # noqa: S608  # our own names


class Session:
    """A transaction bounded to one workspace. Nothing here commits."""

    def __init__(self, connection: Connection, workspace: str, codec: Codec, *, locking: bool, part: Part | None = None) -> None:
        self.connection = connection
        self.workspace = workspace
        self.codec = codec
        self.locking = locking  # rows that will be written are locked first (PostgreSQL writes)
        self.part = part  # of a round, which has to know before anything is read or written

    @cached_property
    def _driver(self) -> Any:
        """The driver's connection; not looked for where a round knows all that is asked."""
        return self.connection.connection.driver_connection

    def savepoint(self) -> AbstractContextManager[object, None]:
        """Undo what is written inside when it raises; the transaction itself goes on."""
        self._before_write()
        self.part = None  # holds back no more, for it could not tell what is undone
        return self.connection.begin_nested()

    def rows(self, statement: Statement, **parameters: Any) -> list[Row]:
        """Run a query with values the driver understands as they are."""
        found: list[Row] = self._run(statement, parameters).fetchall()
        return _apart(*found[0]) if statement.in_one(self.codec.dialect) else found

    def stream(self, statement: Statement, **parameters: Any) -> Iterator[Row]:
        """Run a query whose rows are read once; on SQLite they never exist all at the same time."""
        yield from self._run(statement, parameters)

    def row(self, statement: Statement, **parameters: Any) -> Row | None:
        return next(iter(self.rows(statement, **parameters)), None)

    def rows_among(self, statement: Statement, ids: Collection[str], **parameters: Any) -> Iterator[Row]:
        """Run a query for many ids (bound to `ids`), a thousand at a time."""
        for chunk in chunks(ids, CHUNK):
            yield from self.rows(statement, ids=self.codec.dump_ids(chunk), **parameters)

    def rows_in_order(self, statement: Statement, ids: Sequence[str]) -> list[Row]:
        """Run a query whose first column is the id, and return its rows in the order of `ids`."""
        found = {row[0]: row for row in self.rows_among(statement, ids)}
        return [found[item] for item in ids]

    def query(self, statement: Select[Any]) -> list[Row]:
        """Run a query that is built for one request, with SQLAlchemy's own conversions."""
        self._before_read()
        return [tuple(row) for row in self.connection.execute(statement, {"workspace": self.workspace})]

    def write(self, statement: UpdateBase) -> int:
        """Run a write that is built for one request; return how many rows it touched."""
        self._before_write()
        touched: int = self.connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount
        return touched

    def execute(self, statement: Statement, **parameters: Any) -> int:
        """Run a write; return how many rows it touched."""
        self._before_write()
        touched: int = self._run(statement, parameters).rowcount
        return touched

    @property
    def known(self) -> Known | None:
        """What may be used without asking the database, in a round."""
        return None if self.part is None else self.part.known(self.workspace)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Read what no plan that a round holds back changes, without having those written first."""
        part, self.part = self.part, None
        try:
            yield
        finally:
            self.part = part

    def _before_read(self) -> None:
        if self.part is not None:
            self.part.before_read()

    def _before_write(self) -> None:
        if self.part is not None:
            self.part.before_write()

    def _run(self, statement: Statement, parameters: dict[str, Any]) -> Any:
        self._before_read()
        sql, names, constants = statement.compiled(self.codec.dialect)
        values = constants | parameters
        values["workspace"] = self.workspace
        return self._driver.execute(sql, [values[name] for name in names])

    def insert_many(self, table: Table, rows: Iterable[Row]) -> None:
        """Insert rows that have every column in the table's order.

        Many rows take less time by three roundabout ways. Columns that none of them fills are left out, and a value that
        is the same in all is bound once: SQLite's driver takes its time for each. And a statement takes many of them:
        SQLite opens the table and its indexes once for each statement.
        """
        for batch in chunks(rows, CHUNK):  # thousands of rows never exist at once
            rest = batch
            for size in ROWS_AT_ONCE:
                if len(rest) >= size:
                    whole = len(rest) - len(rest) % size
                    self._insert_at_once(table, rest[:whole], size)
                    rest = rest[whole:]
            self.execute_many(_insert(table), rest, _same)

    def _insert_at_once(self, table: Table, rows: Sequence[Row], size: int) -> None:
        self._before_write()
        shared: dict[int, Any] = {}
        own: dict[int, Row] = {}
        for place, values in enumerate(zip(*rows, strict=True)):
            if _is_one_value(values):
                shared[place] = values[0]
            else:
                own[place] = values
        filled = {place: value for place, value in shared.items() if value is not None}
        sql = _insert_at_once(table, tuple(filled), tuple(own), size, self.codec.dialect)
        for group in chunks(zip(*own.values(), strict=True), size):
            self._driver.execute(sql, [*filled.values(), *chain.from_iterable(group)])

    def execute_many(self, statement: Statement, items: Collection[X], row: Callable[[X], Sequence[Any]]) -> int:
        """Run a write once per item, with the positional values of `row(item)`; return how many rows were touched."""
        if not items:
            return 0
        self._before_write()
        sql, _, _ = statement.compiled(self.codec.dialect)
        cursor = self._driver.cursor()
        try:
            cursor.executemany(sql, map(row, items))
            touched: int = cursor.rowcount
            return touched
        finally:
            cursor.close()


def _is_one_value(values: Row) -> bool:
    return values[0] == values[-1] and values.count(values[0]) == len(values)


def chunks(items: Iterable[X], size: int) -> Iterator[list[X]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
