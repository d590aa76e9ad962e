"""Conditions and sort orders that lists share."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Date, FromClause, and_, case, func, literal, or_, select

from core.storage.sql.paging import Sorting
from core.storage.sql.session import WORKSPACE
from core.storage.sql.tables import item_tags, projects, tasks
from schemas.primitives import CLOSED_STATUSES, Priority

_NO_DAY = date(9999, 12, 31)


def by_priority(table: FromClause) -> ColumnElement[int]:
    """The rank of a priority by its meaning: 0 for the most urgent."""
    return case({priority.value: rank for rank, priority in enumerate(Priority)}, value=table.c.priority)


def sorting_of(table: FromClause, sort: StrEnum) -> Sorting:
    """Return what a public sort name means; every order ends with the id."""
    c = table.c
    match sort.value:
        case "-created_at":
            return Sorting((c.created_at, c.id), descending=True)
        case "-updated_at":
            return Sorting((c.updated_at, c.id), descending=True)
        case "priority":
            return Sorting((by_priority(table), c.id))
        case "due_date":
            return Sorting((*due_last(table), c.id))
        case "name":
            return Sorting((c.name, c.id))
        case column:  # created_at, position
            return Sorting((c[column], c.id))


def due_last(table: FromClause) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Sort keys for the due date that put rows without one last."""
    undated = case((table.c.due_date.is_(None), 1), else_=0)
    return undated, func.coalesce(table.c.due_date, literal(_NO_DAY, Date()), type_=Date())


def contains_text(columns: Sequence[ColumnElement[str]], text: str, dialect: str) -> ColumnElement[bool]:
    """`text` occurs literally in one of the columns, whatever the case."""
    if dialect == "sqlite" and text.isascii():  # its LIKE ignores the case of ASCII by itself, and fast
        return or_(*(column.contains(text, autoescape=True) for column in columns))
    return or_(*(column.icontains(text, autoescape=True) for column in columns))


def is_live(table: FromClause, live: bool) -> ColumnElement[bool]:
    """Deleted rows are found by their deletion: the trash is small, and has an index of its own."""
    return table.c.deleted_at.is_(None) if live else and_(table.c.deleted_at.is_not(None), table.c.deletion_id.is_not(None))


def is_open(table: FromClause) -> ColumnElement[bool]:
    return and_(*(table.c.status != status.value for status in sorted(CLOSED_STATUSES)))


def has_tag(table: FromClause, tag: str) -> ColumnElement[bool]:
    tagged = select(item_tags.c.item_id).where(item_tags.c.workspace_id == WORKSPACE, item_tags.c.tag == tag)
    return table.c.id.in_(tagged)


PROJECT_TEXT = (projects.c.key, projects.c.name, projects.c.description)
TASK_TEXT = (tasks.c.key, tasks.c.title, tasks.c.description)
