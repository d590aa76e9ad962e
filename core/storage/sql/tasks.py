"""Read tasks and comments as every door shows them."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, and_, bindparam, func, not_, or_, select

from core.storage.sql.display import SHOWN_BY_ID, SHOWN_BY_KEY, show_new_task
from core.storage.sql.filters import TASK_TEXT, contains_text, has_tag, is_live, is_open, sorting_of
from core.storage.sql.outline import Outline
from core.storage.sql.paging import list_page
from core.storage.sql.rows import COMMENT_COLUMNS, comment_model
from core.storage.sql.session import WORKSPACE, Statement
from core.storage.sql.tables import comments, dependencies, tasks
from schemas.primitives import TaskStatus
from schemas.tasks import Comment, CommentListResponse, Task, TaskListResponse, TaskQuery, TaskSort

_T = tasks.c
_C = comments.c
_OWN_COMMENTS = select(*COMMENT_COLUMNS).where(_C.workspace_id == WORKSPACE)

COMMENTS_OF_TASK = Statement(
    _OWN_COMMENTS.where(_C.task_id == bindparam("task"))
    .order_by(_C.created_at.desc(), _C.id.desc())
    .limit(bindparam("limit"))
    .offset(bindparam("skip"))
)
COUNT_COMMENTS = Statement(select(func.count()).where(_C.workspace_id == WORKSPACE, _C.task_id == bindparam("task")))
COMMENTS_OF_PROJECT = Statement(
    _OWN_COMMENTS.join_from(comments, tasks, (_T.workspace_id == _C.workspace_id) & (_T.id == _C.task_id))
    .where(_C.project_id == bindparam("project"), _T.deleted_at.is_(None))
    .order_by(_C.created_at, _C.id)
)


class TaskReads(Outline):
    """The part of a transaction that answers questions about tasks and comments."""

    def find_task(self, name: str, *, today: date) -> Task | None:
        """Return the task of this id or key, deleted or not."""
        if self.known is not None and name in self.known.tasks:
            return show_new_task(self.known.tasks[name], today)
        return next(iter(self.show_tasks(self.named_rows([name], SHOWN_BY_ID, SHOWN_BY_KEY), today)), None)

    def list_tasks(self, query: TaskQuery, *, today: date) -> TaskListResponse:
        """Return one page; an unknown project or parent is NotFound."""
        placed = query.root or query.parent is not None
        sort = query.sort or (TaskSort.POSITION if placed else TaskSort.NEWEST)
        page = list_page(self, query, tasks, self._task_filters(query, today), sorting_of(tasks, sort))
        return TaskListResponse.model_construct(tasks=self.show_by_id(page.ids, today=today), **page.place)

    def show_by_id(self, ids: Sequence[str], *, today: date) -> list[Task]:
        """Return these tasks, which exist, in this order."""
        return self.show_tasks(self.rows_in_order(SHOWN_BY_ID, ids), today)

    def list_comments(self, task_id: str, *, page: int = 1, per_page: int = 50) -> CommentListResponse:
        """Newest page first; each page oldest first."""
        ((total,),) = self.rows(COUNT_COMMENTS, task=task_id)
        rows = self.rows(COMMENTS_OF_TASK, task=task_id, limit=per_page, skip=(page - 1) * per_page)
        return CommentListResponse.model_construct(
            comments=[comment_model(row, self.codec) for row in reversed(rows)],
            total=total,
            page=page,
            per_page=per_page,
            has_next=page * per_page < total,
            has_prev=page > 1,
            next_cursor=None,
        )

    def all_comments(self, project_id: str) -> list[Comment]:
        """Return the comments of all live tasks of a project, oldest first."""
        return [comment_model(row, self.codec) for row in self.rows(COMMENTS_OF_PROJECT, project=project_id)]

    def _task_filters(self, query: TaskQuery, today: date) -> list[ColumnElement[bool]]:
        filters = [_T.workspace_id == WORKSPACE, is_live(tasks, not query.deleted)]
        project_id = None if query.project is None else self.require_project_id(query.project)
        if project_id is not None:
            filters.append(_T.project_id == project_id)
        if query.parent is not None:
            filters.append(_T.parent_id == self.require_task_id(query.parent))
        if query.root:
            filters.append(_T.parent_id.is_(None))
        filters.extend(self._plain_filters(query))
        if query.ready is not None:
            ready = and_(_T.subtask_count == 0, _T.status == TaskStatus.TODO.value, _T.id.not_in(waiting_tasks(project_id)))
            filters.append(ready if query.ready else not_(ready))
        if query.overdue is not None:
            overdue = and_(_T.due_date < today, is_open(tasks))
            filters.append(overdue if query.overdue else or_(_T.due_date.is_(None), not_(overdue)))
        return filters

    def _plain_filters(self, query: TaskQuery) -> Iterator[ColumnElement[bool]]:
        if query.status:
            yield _T.status.in_([status.value for status in query.status])
        if query.priority:
            yield _T.priority.in_([priority.value for priority in query.priority])
        if query.assignee is not None:
            yield _T.assignee == query.assignee
        if query.due_before is not None:
            yield _T.due_date < query.due_before
        if query.due_after is not None:
            yield _T.due_date > query.due_after
        if query.updated_since is not None:
            yield _T.updated_at >= query.updated_since
        if query.tag is not None:
            yield has_tag(tasks, query.tag)
        if query.query:
            yield contains_text(TASK_TEXT, query.query, self.codec.dialect.name)


def waiting_tasks(project_id: str | BindParameter[str] | None) -> Select[Any]:
    """Select the tasks that wait: they or an ancestor depend on something open."""
    task, other = tasks.alias("waiting_task"), tasks.alias("awaited")
    open_edges = (
        select(dependencies.c.task_id.label("id"))
        .join_from(dependencies, task, and_(task.c.workspace_id == WORKSPACE, task.c.id == dependencies.c.task_id))
        .join(other, and_(other.c.workspace_id == WORKSPACE, other.c.id == dependencies.c.depends_on_id))
        .where(dependencies.c.workspace_id == WORKSPACE, other.c.deleted_at.is_(None), is_open(other))
    )
    if project_id is not None:
        open_edges = open_edges.where(task.c.project_id == project_id)
    down = open_edges.cte("waiting", recursive=True)
    child = tasks.alias("waiting_child")
    down = down.union(
        select(child.c.id).join_from(down, child, and_(child.c.workspace_id == WORKSPACE, child.c.parent_id == down.c.id))
    )
    return select(down.c.id)
