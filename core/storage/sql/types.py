"""Column types that mean the same on SQLite and PostgreSQL, and the few expressions that differ.

The hot statements run on the driver's own cursor (see `session`) and convert values by a codec;
the conversions here serve statements that SQLAlchemy executes itself.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import BindParameter, ColumnElement, Dialect, Text, bindparam, literal_column
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TIMESTAMP, NullType, TypeDecorator, TypeEngine

# Ids, keys and states: compared and sorted byte by byte on both databases.
CODE = Text().with_variant(Text(collation="C"), "postgresql")


@lru_cache(maxsize=1_024)  # a patch set stamps all its rows with one instant
def encode_instant(value: datetime) -> str:
    """Return fixed-width text in UTC, so that text order is time order."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant; SQLite keeps it as fixed-width ISO text."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else encode_instant(value)

    def process_result_value(self, value: Any, _dialect: Dialect) -> datetime | None:
        return datetime.fromisoformat(value) if isinstance(value, str) else value


class Json(TypeDecorator[Any]):
    """A JSON value; text on SQLite, `json` (which keeps the text as written) on PostgreSQL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(postgresql.JSON(none_as_null=True) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else orjson.dumps(value).decode()

    def process_result_value(self, value: Any, _dialect: Dialect) -> Any:
        return orjson.loads(value) if isinstance(value, str) else value


def parsed(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return JSON text as JSON to SQLite's json_array and json_object. Nearly all of it is empty, and need not be parsed."""
    return literal_column(f"CASE {column} WHEN '[]' THEN json('[]') WHEN '{{}}' THEN json('{{}}') ELSE json({column}) END")


class among(FunctionElement[Any]):  # noqa: N801  # reads as a condition among SQLAlchemy's lower-case ones
    """`column` is one of the texts bound to `name`, however many: one parameter, one cached statement."""

    type = NullType()  # a Boolean would be rendered as `(..) = 1` on SQLite, which hides the index
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        bound: BindParameter[Any] = bindparam(name)
        super().__init__(column, bound)


@compiles(among, "sqlite")
def _among_sqlite(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608  # both are compiled by SQLAlchemy


@compiles(among, "postgresql")
def _among_postgresql(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY(CAST({values} AS TEXT[]))"
