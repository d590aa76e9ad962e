"""The tasks of a project in outline order: depth first, siblings by position."""

from collections.abc import Iterator
from datetime import date

from sqlalchemy import bindparam, select, tuple_

from core.errors import InvalidCursor
from core.patches.outline import in_outline_order
from core.patches.snapshot import TaskRecord
from core.storage.sql.display import Display
from core.storage.sql.loading import UPWARDS
from core.storage.sql.names import EDGES_OF_PROJECT
from core.storage.sql.paging import parse_cursor, render_cursor
from core.storage.sql.rows import TASK_COLUMNS, task_record
from core.storage.sql.session import WORKSPACE, Statement
from core.storage.sql.tables import tasks
from schemas.tasks import Task

_T = tasks.c
_PARENTS = tasks.alias("parents").c
_LIVE = select(*TASK_COLUMNS).where(_T.workspace_id == WORKSPACE, _T.deleted_at.is_(None))
_NEXT = _LIVE.where(tuple_(_T.position, _T.id) > tuple_(bindparam("position"), bindparam("id"))).order_by(_T.position, _T.id)
_NEXT = _NEXT.limit(bindparam("limit"))
LIVE_OF_PROJECT = Statement(_LIVE.where(_T.project_id == bindparam("project")))
CHILDREN = Statement(_NEXT.where(_T.parent_id == bindparam("parent")), page=True)
TOP_LEVEL = Statement(_NEXT.where(_T.parent_id.is_(None), _T.project_id == bindparam("project")), page=True)
_EARLIER = (
    select(_T.key)
    .where(
        _T.workspace_id == WORKSPACE, _T.deleted_at.is_(None), _T.key != bindparam("besides"), _T.position < bindparam("position")
    )
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
        records = self._outline_page(project_id, limit, cursor)
        more = len(records) > limit
        shown = self.show_tasks(records[:limit], today)
        return shown, render_cursor([project_id, shown[-1].id]) if more else None

    def earlier_sibling(self, project_id: str, parent: str | None, position: int, *, besides: str) -> str | None:
        """Return the last live task before `position` below `parent`, other than `besides`; None if there is none. Keys."""
        at_top = parent is None
        home = {"project": project_id} if at_top else {"parent": parent}
        found = self.row(EARLIER_AT_TOP if at_top else EARLIER_CHILD, position=position, besides=besides, **home)
        return None if found is None else str(found[0])

    def list_subtasks(self, task_id: str, *, today: date) -> list[Task]:
        """Return direct live children in order, at most 1,000."""
        return self.show_tasks(self._next(None, task_id, _BEFORE_ALL, MAX_SUBTASKS), today)

    def _outline_page(self, project_id: str, limit: int, cursor: str | None) -> list[TaskRecord]:
        """Walk depth first from the cursor on, until one more than `limit` is found."""
        found: list[TaskRecord] = []
        levels = self._resume(project_id, limit, cursor)
        while levels and len(found) <= limit:
            record = next(levels[-1], None)
            if record is None:
                levels.pop()
                continue
            found.append(record)
            if record.subtask_count:
                levels.append(iter(self._next(project_id, record.id, _BEFORE_ALL, limit + 1 - len(found))))
        return found

    def _resume(self, project_id: str, limit: int, cursor: str | None) -> list[Iterator[TaskRecord]]:
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

    def _next(self, project_id: str | None, parent_id: str | None, after: tuple[int, str], limit: int) -> list[TaskRecord]:
        position, task_id = after
        statement = TOP_LEVEL if parent_id is None else CHILDREN
        rows = self.rows(statement, project=project_id, parent=parent_id, position=position, id=task_id, limit=limit)
        return [task_record(row, self.codec) for row in rows]
