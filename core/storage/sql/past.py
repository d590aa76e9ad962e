"""Read the history of one project backwards: its sets, what they changed, and its state at an earlier revision."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Select, bindparam, func, select

from core.patches.outline import in_outline_order
from core.patches.past import RENUMBERING, Past, Stamp, Step
from core.storage.sql.history import CHANGE_COLUMNS, SUMMARIES, change_of, summary_of, touching_task
from core.storage.sql.loading import TASKS_OF_PROJECT
from core.storage.sql.names import EDGES_OF_PROJECT, PROJECTS_BY_ID
from core.storage.sql.paging import Sorting, list_page
from core.storage.sql.rows import COMMENT_COLUMNS, comment_model, project_model, project_record, task_record
from core.storage.sql.session import WORKSPACE, Statement
from core.storage.sql.tables import comments, patch_set_changes, patch_set_projects, patch_sets
from core.storage.sql.tasks import TaskReads
from core.storage.sql.types import among
from schemas.changes import Change, EntityKind
from schemas.patches import HistoryEntry, HistoryResponse, PatchSetQuery
from schemas.projects import Project
from schemas.tasks import Comment, Task

_S = patch_sets.c
_R = patch_set_projects.c
_H = patch_set_changes.c
_C = comments.c
_OF_PROJECT = (_R.workspace_id == WORKSPACE, _R.project_id == bindparam("project"))
_SETS_AND_PROJECTS = patch_set_projects.join(patch_sets, (_S.workspace_id == _R.workspace_id) & (_S.id == _R.patch_set_id))
_CHANGES_AND_PROJECTS = patch_set_projects.join(
    patch_set_changes,
    (_H.workspace_id == _R.workspace_id) & (_H.patch_set_id == _R.patch_set_id) & (_H.project_id == _R.project_id),
)


def _stamps() -> Select[Any]:
    """Select the last change of some tasks that had been made at a revision."""
    other = patch_set_changes.alias("other")
    last = select(func.max(other.c.revision)).where(
        other.c.workspace_id == WORKSPACE,
        other.c.kind == EntityKind.TASK.value,
        other.c.entity_id == _H.entity_id,
        other.c.revision <= bindparam("revision"),
    )
    source = patch_set_changes.join(patch_sets, (_S.workspace_id == _H.workspace_id) & (_S.id == _H.patch_set_id))
    return (
        select(_H.entity_id, _H.revision, _S.closed_at)
        .select_from(source)
        .where(
            _H.workspace_id == WORKSPACE,
            _H.kind == EntityKind.TASK.value,
            among(_H.entity_id, "ids"),
            _H.revision == last.scalar_subquery(),
        )
    )


SETS_AFTER = Statement(
    select(_R.revision_after, _R.patch_set_id)
    .where(*_OF_PROJECT, _R.revision_after > bindparam("revision"))
    .order_by(_R.revision_after.desc())
)
STEPS_AFTER = Statement(
    select(_H.kind, _H.entity_id, _H.action, _H.fields)
    .select_from(_CHANGES_AND_PROJECTS)
    .where(*_OF_PROJECT, _R.revision_after > bindparam("revision"))
    .order_by(_R.revision_after.desc())
)
CHANGES_BETWEEN = Statement(
    select(*CHANGE_COLUMNS)
    .select_from(_CHANGES_AND_PROJECTS)
    .where(*_OF_PROJECT, _R.revision_after > bindparam("after"), _R.revision_after <= bindparam("to"), _H.ordinal >= 0)
    .order_by(_R.revision_after, _H.ordinal)
)
RENUMBERINGS = Statement(
    select(_H.entity_id, _H.revision, _H.fields)
    .where(
        _H.workspace_id == WORKSPACE,
        _H.kind == RENUMBERING,
        among(_H.entity_id, "ids"),
        _H.revision > bindparam("revision"),
    )
    .order_by(_H.entity_id, _H.revision)
)
TASK_STAMPS = Statement(_stamps())
PROJECT_STAMP = Statement(
    select(_R.revision_after, _S.closed_at)
    .select_from(_SETS_AND_PROJECTS)
    .where(*_OF_PROJECT, _R.revision_after == bindparam("revision"))
)
STEPS_OF_PROJECT = Statement(
    select(_R.patch_set_id, _R.revision_before, _R.revision_after).where(*_OF_PROJECT, among(_R.patch_set_id, "ids"))
)
COMMENTS_AT = Statement(
    select(*COMMENT_COLUMNS)
    .join_from(comments, patch_set_changes, (_H.workspace_id == _C.workspace_id) & (_H.entity_id == _C.id))
    .where(
        _C.workspace_id == WORKSPACE,
        _C.project_id == bindparam("project"),
        _H.kind == EntityKind.COMMENT.value,
        _H.revision <= bindparam("revision"),
    )
    .order_by(_C.created_at, _C.id)
)


class PastReads(TaskReads):
    """The part of a transaction that looks back."""

    def list_history(self, project_id: str, query: PatchSetQuery) -> HistoryResponse:
        """Return the sets that changed a project, newest first; filtered by the author and task of `query`."""
        filters = [_R.workspace_id == WORKSPACE, _R.project_id == project_id, _R.revision_after.is_not(None)]
        source = _SETS_AND_PROJECTS if query.author is not None else patch_set_projects
        if query.author is not None:
            filters.append(_S.author == query.author)
        if query.task is not None:
            filters.append(_R.patch_set_id.in_(touching_task(self.require_task_id(query.task))))
        page = list_page(self, query, source, filters, Sorting((_R.revision_after, _R.patch_set_id), descending=True))
        revisions = {row[0]: row[1:] for row in self.rows_among(STEPS_OF_PROJECT, page.ids, project=project_id)}
        entries = [
            HistoryEntry.model_construct(
                **summary_of(row, self.codec).__dict__, revision_before=revisions[row[0]][0], revision=revisions[row[0]][1]
            )
            for row in self.rows_in_order(SUMMARIES, page.ids)
        ]
        return HistoryResponse.model_construct(patch_sets=entries, **page.place)

    def sets_after(self, project_id: str, revision: int) -> list[tuple[int, str]]:
        """Return revision and id of the sets that changed a project after `revision`, newest first."""
        return [(row[0], row[1]) for row in self.rows(SETS_AFTER, project=project_id, revision=revision)]

    def changes_between(self, project_id: str, *, after: int, to: int) -> Iterator[Change]:
        """Yield every change that was made to a project after one revision up to another, oldest first."""
        for row in self.stream(CHANGES_BETWEEN, project=project_id, after=after, to=to):
            yield change_of(row, self.codec)

    def renumberings(self, homes: Collection[str], *, after: int) -> dict[str, list[tuple[int, dict[str, tuple[int, int]]]]]:
        """Return the renumberings at some places (keys of parents or projects): revision and numbers, oldest first."""
        found: dict[str, list[tuple[int, dict[str, tuple[int, int]]]]] = defaultdict(list)
        for home, revision, fields in self.rows_among(RENUMBERINGS, homes, revision=after):
            steps = self.codec.load_json(fields)
            found[home].append((revision, {item: (step["before"], step["after"]) for item, step in steps.items()}))
        return found

    def project_at(self, project_id: str, revision: int, *, today: date) -> tuple[Project, list[Task]]:
        """Return a project and its live tasks in outline order as they were at `revision`, which it must have had."""
        project = project_record(next(self.rows_among(PROJECTS_BY_ID, [project_id])), self.codec)
        rows = self.stream(TASKS_OF_PROJECT, project=project_id)
        past = Past(project, {record.id: record for record in (task_record(row, self.codec) for row in rows)})
        for task_id, depends_on_id in self.stream(EDGES_OF_PROJECT, project=project_id):
            past.edges[task_id].append(depends_on_id)
        steps = self.stream(STEPS_AFTER, project=project_id, revision=revision)
        past.rewind(Step(kind, item_id, action, self.codec.load_json(fields)) for kind, item_id, action, fields in steps)
        stamps = self.rows_among(TASK_STAMPS, past.changed, revision=revision)
        (row,) = self.rows(PROJECT_STAMP, project=project_id, revision=revision)
        past.stamp(self._stamp(row), {task_id: self._stamp(stamp) for task_id, *stamp in stamps})
        past.recount()
        live = in_outline_order(task for task in past.tasks.values() if task.deleted_at is None)
        edges = ((task_id, target) for task_id, targets in past.edges.items() for target in targets)
        return project_model(project), self.show_outline(live, edges, today)

    def comments_at(self, project_id: str, revision: int) -> list[Comment]:
        """Return the comments that a project's tasks, deleted ones included, had at `revision`; oldest first."""
        return [comment_model(row, self.codec) for row in self.rows(COMMENTS_AT, project=project_id, revision=revision)]

    def _stamp(self, row: Sequence[Any]) -> Stamp:
        return Stamp(row[0], self.codec.load_instant(row[1]))
