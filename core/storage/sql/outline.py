"""The tasks of a project in outline order: depth first, siblings by position."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import accumulate, islice
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, select, tuple_

from core.errors import InvalidCursor
from core.patches.outline import in_outline_order
from core.patches.snapshot import TaskRecord
from core.storage.sql.display import Display
from core.storage.sql.loading import UPWARDS
from core.storage.sql.names import EDGES_OF_PROJECT
from core.storage.sql.paging import parse_cursor, render_cursor
from core.storage.sql.rows import TASK_COLUMNS, task_record
from core.storage.sql.session import SQLITE, WORKSPACE, Row, Statement
from core.storage.sql.shown import (
    BASIS_COLUMNS,
    ID,
    PARENT_ID,
    SHOWN_COLUMNS,
    STORED_JSON,
    SUBTASK_COUNT,
    task_values,
    tasks_json,
)
from core.storage.sql.tables import tasks
from core.storage.sql.types import among
from schemas.tasks import Task

_T = tasks.c
_PARENTS = tasks.alias("parents").c
_LIVE = (_T.workspace_id == WORKSPACE, _T.deleted_at.is_(None))
LIVE_OF_PROJECT = Statement(select(*TASK_COLUMNS).where(*_LIVE, _T.project_id == bindparam("project")))


def _pages(*conditions: ColumnElement[bool], order: Sequence[ColumnElement[Any]]) -> dict[bool, Statement]:
    """Return how to read tasks as values, and (True) as what SQLite makes JSON of."""

    def page(columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
        return select(*columns).where(*_LIVE, *conditions).order_by(*order).limit(bindparam("limit"))

    return {
        False: Statement(page(SHOWN_COLUMNS), page=True),
        True: Statement(page(BASIS_COLUMNS), page=True, text=STORED_JSON),
    }


_PLACE = (_T.position, _T.id)
_AFTER = tuple_(*_PLACE) > tuple_(bindparam("position"), bindparam("id"))
TOP_LEVEL = _pages(_AFTER, _T.parent_id.is_(None), _T.project_id == bindparam("project"), order=_PLACE)
CHILDREN = _pages(_AFTER, _T.parent_id == bindparam("parent"), order=_PLACE)
CHILDREN_OF_SEVERAL = _pages(among(_T.parent_id, "ids"), order=(_T.parent_id, *_PLACE))
_EARLIER = (
    select(_T.key)
    .where(*_LIVE, _T.key != bindparam("besides"), _T.position < bindparam("position"))
    .order_by(_T.position.desc(), _T.id.desc())
    .limit(1)
)
_PARENT = select(_PARENTS.id).where(_PARENTS.workspace_id == WORKSPACE, _PARENTS.key == bindparam("parent")).scalar_subquery()
EARLIER_CHILD = Statement(_EARLIER.where(_T.parent_id == _PARENT))
EARLIER_AT_TOP = Statement(_EARLIER.where(_T.parent_id.is_(None), _T.project_id == bindparam("project")))

_BEFORE_ALL = (-(2**63), "")
MAX_SUBTASKS = 1_000


class Outline(Display):
    """The part of a transaction that reads trees."""

    def outline(
        self, project_id: str, *, today: date, limit: int | None = None, cursor: str | None = None
    ) -> tuple[list[Task], str | None]:
        """Return live tasks in outline order (parents before children), and a cursor if there are more.

        Without `limit` the project is read at once; with it the cost follows the page.
        """
        if limit is None:
            records = [task_record(row, self.codec) for row in self.rows(LIVE_OF_PROJECT, project=project_id)]
            return self.show_outline(in_outline_order(records), self.rows(EDGES_OF_PROJECT, project=project_id), today), None
        rows, following = self._outline_page(project_id, limit, cursor)
        return self.show_tasks(rows, today), following

    def outlines_json(self, places: Sequence[tuple[str, str | None]], *, today: date, limit: int) -> list[tuple[Any, str | None]]:
        """Return what `outline` returns for each of these projects and cursors, the tasks as an encoder of JSON takes them.

        What surrounds the tasks is looked up for all of them together.
        """
        as_json, day = self.codec is SQLITE, self.codec.dump_day(today)
        pages = [self._outline_page(project_id, limit, cursor, as_json=as_json) for project_id, cursor in places]
        around = self.around([row for rows, _ in pages for row in rows])
        shown: list[tuple[Any, str | None]] = []
        for rows, following in pages:
            own = islice(around, len(rows))
            values = (
                tasks_json(rows, own, day)
                if as_json
                else [task_values(row, near, day) for row, near in zip(rows, own, strict=True)]
            )
            shown.append((values, following))
        return shown

    def earlier_sibling(self, project_id: str, parent: str | None, position: int, *, besides: str) -> str | None:
        """Return the last live task before `position` below `parent`, other than `besides`; None if there is none. Keys."""
        at_top = parent is None
        home = {"project": project_id} if at_top else {"parent": parent}
        found = self.row(EARLIER_AT_TOP if at_top else EARLIER_CHILD, position=position, besides=besides, **home)
        return None if found is None else str(found[0])

    def list_subtasks(self, task_id: str, *, today: date) -> list[Task]:
        """Return direct live children in order, at most 1,000."""
        return self.show_tasks(self._next(None, task_id, _BEFORE_ALL, MAX_SUBTASKS), today)

    def _outline_page(
        self, project_id: str, limit: int, cursor: str | None, *, as_json: bool = False
    ) -> tuple[list[Row], str | None]:
        """Read one more than `limit` if there are, level by level from what comes after the cursor on."""
        top = level = self._resume(project_id, limit + 1, cursor, as_json)
        below: dict[str, list[Row]] = defaultdict(list)
        while parents := [row for row in level if row[SUBTASK_COUNT]]:
            for row in self._below(parents, limit + 1, as_json):
                below[row[PARENT_ID]].append(row)
            level = [row for parent in parents for row in below.get(parent[ID], ())]
        found = list(islice(_depth_first(top, below), limit + 1)) if below else top
        more = len(found) > limit
        return found[:limit], render_cursor([project_id, found[limit - 1][ID]]) if more else None

    def _resume(self, project_id: str, count: int, cursor: str | None, as_json: bool) -> list[Row]:
        """Return what comes next and below nothing that does: children of the last task shown, then what follows it and
        each of its ancestors."""
        if cursor is None:
            return self._next(project_id, None, _BEFORE_ALL, count, as_json)
        path = self._path(project_id, cursor)
        found = self._next(project_id, path[-1].id, _BEFORE_ALL, count, as_json)
        for step in reversed(path):
            found += self._next(project_id, step.parent_id, (step.position, step.id), count - len(found), as_json)
        return found

    def _below(self, parents: Sequence[Row], count: int, as_json: bool) -> list[Row]:
        """Return the first `count` children of these tasks, or a few more; those of one parent in their order.

        As many parents share a statement as have that many; one that has more is asked for no more than are missing.
        """
        found: list[Row] = []
        while parents and (missing := count - len(found)) > 0:
            totals = accumulate(row[SUBTASK_COUNT] for row in parents)
            several = [row[ID] for row, total in zip(parents, totals, strict=True) if total <= missing]
            if several:
                found += self.rows_among(CHILDREN_OF_SEVERAL[as_json], several, limit=missing)
            else:
                found += self._next(None, parents[0][ID], _BEFORE_ALL, missing, as_json)
            parents = parents[len(several) or 1 :]
        return found

    def _path(self, project_id: str, cursor: str) -> list[TaskRecord]:
        """Return the task that the cursor names, after its ancestors."""
        content = parse_cursor(cursor)
        if len(content) != 2 or content[0] != project_id:
            raise InvalidCursor
        last = [str(content[1])]
        path = sorted((task_record(row, self.codec) for row in self.rows_among(UPWARDS, last)), key=lambda record: record.depth)
        if not path or path[-1].id != last[0] or path[0].project_id != project_id:
            raise InvalidCursor
        return path

    def _next(
        self, project_id: str | None, parent_id: str | None, after: tuple[int, str], limit: int, as_json: bool = False
    ) -> list[Row]:
        position, task_id = after
        statement = (TOP_LEVEL if parent_id is None else CHILDREN)[as_json]
        return self.rows(statement, project=project_id, parent=parent_id, position=position, id=task_id, limit=limit)


def _depth_first(rows: Sequence[Row], below: Mapping[str, Sequence[Row]]) -> Iterator[Row]:
    for row in rows:
        yield row
        yield from _depth_first(below.get(row[ID], ()), below)
