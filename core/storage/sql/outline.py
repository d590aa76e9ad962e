"""The tasks of a project in outline order: depth first, siblings by position."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy import bindparam, select, tuple_

from core.errors import InvalidCursor
from core.patches.outline import in_outline_order
from core.patches.snapshot import TaskRecord
from core.storage.sql.display import Display
from core.storage.sql.loading import UPWARDS
from core.storage.sql.names import EDGES_OF_PROJECT
from core.storage.sql.paging import parse_cursor, render_cursor
from core.storage.sql.rows import TASK_COLUMNS, task_record
from core.storage.sql.session import WORKSPACE, Row, Statement
from core.storage.sql.shown import ID, SHOWN_COLUMNS, SUBTASK_COUNT, task_values
from core.storage.sql.tables import tasks
from schemas.tasks import Task

_T = tasks.c
_PARENTS = tasks.alias("parents").c
_LIVE = (_T.workspace_id == WORKSPACE, _T.deleted_at.is_(None))
_NEXT = (
    select(*SHOWN_COLUMNS)
    .where(*_LIVE, tuple_(_T.position, _T.id) > tuple_(bindparam("position"), bindparam("id")))
    .order_by(_T.position, _T.id)
    .limit(bindparam("limit"))
)
LIVE_OF_PROJECT = Statement(select(*TASK_COLUMNS).where(*_LIVE, _T.project_id == bindparam("project")))
CHILDREN = Statement(_NEXT.where(_T.parent_id == bindparam("parent")), page=True)
TOP_LEVEL = Statement(_NEXT.where(_T.parent_id.is_(None), _T.project_id == bindparam("project")), page=True)
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

    def outline_values(
        self, project_id: str, *, today: date, limit: int, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return what `outline` returns, as JSON has it: the fields of each task, ready for an encoder."""
        rows, following = self._outline_page(project_id, limit, cursor)
        return [task_values(row, self.codec) for row in self.shown(rows, today)], following

    def earlier_sibling(self, project_id: str, parent: str | None, position: int, *, besides: str) -> str | None:
        """Return the last live task before `position` below `parent`, other than `besides`; None if there is none. Keys."""
        at_top = parent is None
        home = {"project": project_id} if at_top else {"parent": parent}
        found = self.row(EARLIER_AT_TOP if at_top else EARLIER_CHILD, position=position, besides=besides, **home)
        return None if found is None else str(found[0])

    def list_subtasks(self, task_id: str, *, today: date) -> list[Task]:
        """Return direct live children in order, at most 1,000."""
        return self.show_tasks(self._next(None, task_id, _BEFORE_ALL, MAX_SUBTASKS), today)

    def _outline_page(self, project_id: str, limit: int, cursor: str | None) -> tuple[list[Row], str | None]:
        """Walk depth first from the cursor on, until one more than `limit` is found."""
        found: list[Row] = []
        levels = self._resume(project_id, limit, cursor)
        while levels and len(found) <= limit:
            row = next(levels[-1], None)
            if row is None:
                levels.pop()
                continue
            found.append(row)
            if row[SUBTASK_COUNT]:
                levels.append(iter(self._next(project_id, row[ID], _BEFORE_ALL, limit + 1 - len(found))))
        more = len(found) > limit
        return found[:limit], render_cursor([project_id, found[limit - 1][ID]]) if more else None

    def _resume(self, project_id: str, limit: int, cursor: str | None) -> list[Iterator[Row]]:
        """Return what is still to visit on each level: below the last task shown, and after each of its ancestors."""
        if cursor is None:
            return [iter(self._next(project_id, None, _BEFORE_ALL, limit + 1))]
        path = self._path(project_id, cursor)
        levels = [self._next(project_id, step.parent_id, (step.position, step.id), limit + 1) for step in path]
        levels.append(self._next(project_id, path[-1].id, _BEFORE_ALL, limit + 1))
        return [iter(level) for level in levels]

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

    def _next(self, project_id: str | None, parent_id: str | None, after: tuple[int, str], limit: int) -> list[Row]:
        position, task_id = after
        statement = TOP_LEVEL if parent_id is None else CHILDREN
        return self.rows(statement, project=project_id, parent=parent_id, position=position, id=task_id, limit=limit)
