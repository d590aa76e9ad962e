"""Pages of a sorted list, by number or by keyset cursor.

A cursor is the sort values of the last row shown, with a digest of filter and sort, so that it
survives inserts before it and is refused by any other list.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Date, FromClause, Integer, func, literal, select, tuple_

from core.errors import InvalidCursor
from core.storage.sql.session import Session
from core.storage.sql.types import Instant
from schemas.paging import PageRequest

MAX_POSITION = 2**63 - 1  # what both databases hold


@dataclass(frozen=True, slots=True)
class Sorting:
    """What a list is sorted by, all in one direction; the last expression is the id."""

    by: tuple[ColumnElement[Any], ...]
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Ids of one page in order, and what the answer says about it (the fields of `schemas.paging.Paging`)."""

    ids: list[str]
    place: dict[str, Any]


def list_page(
    session: Session, request: PageRequest, source: FromClause, filters: Sequence[ColumnElement[bool]], sorting: Sorting
) -> Page:
    """Return one page of `source`, and the total that the filters let pass.

    Only sort keys are read and sorted here; the caller fetches the few rows it shows.
    """
    if request.page is not None and request.cursor is not None:
        raise InvalidCursor("Give a page or a cursor, not both.")
    digest = _digest(session.workspace, request)
    statement = select(*sorting.by).select_from(source).where(*filters)
    statement = statement.order_by(*(key.desc() if sorting.descending else key.asc() for key in sorting.by))
    if request.cursor is not None:
        statement = statement.where(_beyond(sorting, _parse_cursor(request.cursor, digest, sorting)))
    else:
        statement = statement.offset(((request.page or 1) - 1) * request.per_page)
    total = session.query(select(func.count()).select_from(source).where(*filters))[0][0]
    found = session.query(statement.limit(request.per_page + 1)) if total else []
    rows, more = found[: request.per_page], len(found) > request.per_page
    place = {
        "total": total,
        "page": None if request.cursor is not None else request.page or 1,
        "per_page": request.per_page,
        "has_next": more,
        "has_prev": request.cursor is not None or (request.page or 1) > 1,
        "next_cursor": render_cursor([digest, *rows[-1]]) if more else None,
    }
    return Page([row[-1] for row in rows], place)


def _beyond(sorting: Sorting, values: list[Any]) -> ColumnElement[bool]:
    here = tuple_(*sorting.by)
    there = tuple_(*(literal(value, key.type) for key, value in zip(sorting.by, values, strict=True)))
    return here < there if sorting.descending else here > there


def _digest(workspace: str, request: PageRequest) -> str:
    asked = request.model_dump(mode="json", exclude={"page", "per_page", "cursor"})
    content = orjson.dumps([workspace, type(request).__name__, asked], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(content, digest_size=9).hexdigest()


def render_cursor(content: list[Any]) -> str:
    """Return JSON values as one opaque word (orjson writes instants and days in ISO form)."""
    return urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")


def parse_cursor(cursor: str) -> list[Any]:
    try:
        content = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError as error:
        raise InvalidCursor from error
    if not isinstance(content, list):
        raise InvalidCursor
    return content


def _parse_cursor(cursor: str, digest: str, sorting: Sorting) -> list[Any]:
    content = parse_cursor(cursor)
    if len(content) != len(sorting.by) + 1 or content[0] != digest:
        raise InvalidCursor
    return [_parse_value(value, key) for value, key in zip(content[1:], sorting.by, strict=True)]


def _parse_value(value: Any, key: ColumnElement[Any]) -> Any:
    try:
        if isinstance(key.type, Integer):
            if not isinstance(value, int) or abs(value) > MAX_POSITION:
                raise InvalidCursor
            return int(value)
        if not isinstance(value, str) or "\0" in value:
            raise InvalidCursor
        if isinstance(key.type, Instant):
            return datetime.fromisoformat(value).astimezone(UTC)
        return date.fromisoformat(value) if isinstance(key.type, Date) else value
    except (ValueError, OverflowError) as error:
        raise InvalidCursor from error
