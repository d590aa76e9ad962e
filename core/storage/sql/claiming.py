"""What may be claimed: the whole of one project as light rows to rank, or the most urgent tasks of the workspace."""

from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Select, and_, bindparam, or_, select

from core.patches.ranking import GIVES_TASKS, LightProject, Standing
from core.storage.sql.filters import by_priority
from core.storage.sql.names import EDGES_OF_PROJECT
from core.storage.sql.rows import PRIORITY, TASK_STATUS
from core.storage.sql.session import WORKSPACE, Row, Statement
from core.storage.sql.tables import projects, tasks
from core.storage.sql.tasks import TaskReads, waiting_tasks
from schemas.primitives import TaskStatus

_T = tasks.c
_STANDING = select(
    _T.id,
    _T.key,
    _T.parent_id,
    _T.position,
    _T.status,
    _T.priority,
    _T.due_date,
    _T.estimated_minutes,
    _T.claimed_by,
    _T.claim_expires_at,
).where(_T.workspace_id == WORKSPACE, _T.deleted_at.is_(None))


def _claimable(*, of_project: bool) -> Select[Any]:
    project: BindParameter[str] | None = bindparam("project") if of_project else None
    lapsed = and_(_T.status == TaskStatus.IN_PROGRESS.value, _T.claim_expires_at <= bindparam("now"))
    free = and_(_T.status == TaskStatus.TODO.value, _T.id.not_in(waiting_tasks(project)))
    live = or_(_T.status == TaskStatus.TODO.value, _T.status == TaskStatus.IN_PROGRESS.value)  # as the index wants it
    found = _STANDING.where(live, _T.subtask_count == 0, or_(free, lapsed))
    if project is not None:
        found = found.where(_T.project_id == project)
    else:
        going_on = or_(*(projects.c.status == status.value for status in GIVES_TASKS))
        found = found.where(_T.project_id.in_(select(projects.c.id).where(projects.c.workspace_id == WORKSPACE, going_on)))
    return found.order_by(by_priority(tasks), _T.due_date.is_(None), _T.due_date, _T.id).limit(bindparam("limit"))


STANDINGS = Statement(_STANDING.where(_T.project_id == bindparam("project")))
CLAIMABLE = {of_project: Statement(_claimable(of_project=of_project)) for of_project in (True, False)}


class ClaimReads(TaskReads):
    """The part of a transaction that finds work."""

    def light_project(self, project_id: str) -> LightProject:
        """Return all live tasks of a project, as far as their rank and the critical path need them, and its edges."""
        steps = [self._standing(row) for row in self.rows(STANDINGS, project=project_id)]
        return LightProject(steps, [(row[0], row[1]) for row in self.rows(EDGES_OF_PROJECT, project=project_id)])

    def claim_candidates(self, project_id: str | None, *, now: datetime, limit: int) -> list[Standing]:
        """Return ready leaves, and in_progress leaves whose lease has ended: by priority, due date, oldest first."""
        statement = CLAIMABLE[project_id is not None]
        rows = self.rows(statement, project=project_id, now=self.codec.dump_instant(now), limit=limit)
        return [self._standing(row) for row in rows]

    def _standing(self, row: Row) -> Standing:
        return Standing(
            row[0],
            row[1],
            row[2],
            row[3],
            TASK_STATUS[row[4]],
            PRIORITY[row[5]],
            None if row[6] is None else self.codec.load_day(row[6]),
            row[7],
            row[8],
            None if row[9] is None else self.codec.load_instant(row[9]),
        )
