"""Store the effects of a plan and its history entry.

Every table is written by one statement run for all its rows. What another process may have
changed since the plan was made is compared in the statement itself; a difference is a
`SerialisationFailure`, and the whole transaction runs again.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import Table, bindparam, delete, func, insert, select, update

from core.patches.plan import Effects, Plan
from core.patches.snapshot import ProjectRecord, TaskRecord
from core.storage.interface import PatchSetRecord
from core.storage.sql.failures import SerialisationFailure
from core.storage.sql.history import INSERT_TOUCHED, History
from core.storage.sql.rows import comment_row, project_row, task_row
from core.storage.sql.session import WORKSPACE, Row, Statement
from core.storage.sql.tables import comments, dependencies, patch_set_changes, patch_sets, projects, tasks
from schemas.patches import ProposalState

_FIXED = frozenset({"workspace_id", "id", "key", "number", "project_id", "created_by", "created_at"})
_COUNTED = ("position", "depth", "subtask_count", "leaf_count", "leaf_completed")


def insert_all(table: Table) -> Statement:
    """Return an insert that takes every column, in the table's order."""
    return Statement(insert(table).values({column: bindparam(f"v_{column.name}") for column in table.c}))


def _update(table: Table, columns: Sequence[str], *conditions: Any) -> Statement:
    """Return an update that takes `columns` in the table's order, then workspace and id, then the conditions."""
    own = (table.c.workspace_id == bindparam("w"), table.c.id == bindparam("i"))
    return Statement(update(table).where(*own, *conditions).values({name: bindparam(f"v_{name}") for name in columns}))


def _mutable(table: Table) -> list[str]:
    return [column.name for column in table.c if column.name not in _FIXED]


def _places(table: Table, columns: Sequence[str]) -> list[int]:
    return [position for position, column in enumerate(table.c) if column.name in columns]


INSERT_PROJECTS = insert_all(projects)
INSERT_TASKS = insert_all(tasks)
INSERT_EDGES = insert_all(dependencies)
INSERT_COMMENTS = insert_all(comments)
INSERT_CHANGES = insert_all(patch_set_changes)
UPDATE_PROJECTS = _update(projects, _mutable(projects), projects.c.revision == bindparam("before"))
UPDATE_TASKS = _update(tasks, _mutable(tasks))
RECOUNT_TASKS = _update(tasks, _COUNTED)
DELETE_EDGES = Statement(
    delete(dependencies).where(
        dependencies.c.workspace_id == bindparam("w"),
        dependencies.c.task_id == bindparam("t"),
        dependencies.c.depends_on_id == bindparam("d"),
    )
)
_PROJECT_PLACES = _places(projects, _mutable(projects))
_TASK_PLACES = _places(tasks, _mutable(tasks))

# Taken last and held to the commit, so that the order of `seq` is the order of commits.
LOCK_SEQUENCE = Statement(select(func.pg_advisory_xact_lock(func.hashtextextended(WORKSPACE, 0))))
TAKE_SEQ = Statement(
    update(patch_sets)
    .where(patch_sets.c.workspace_id == WORKSPACE, patch_sets.c.id == bindparam("i"))
    .values(
        seq=select(func.coalesce(func.max(patch_sets.c.seq), 0) + 1)
        .where(patch_sets.c.workspace_id == WORKSPACE)
        .scalar_subquery()
    )
    .returning(patch_sets.c.seq)
)


class Saving(History):
    """The part of a transaction that stores plans."""

    def save_plan(self, record: PatchSetRecord, plan: Plan) -> PatchSetRecord:
        """Store the effects of `plan` and `record` as applied; returns it with `seq` filled in."""
        effects = plan.effects
        applied = replace(
            record,
            state=ProposalState.APPLIED,
            seq=None,
            inverse=plan.inverse,
            restore=plan.restore,
            refs=plan.refs,
            totals=plan.totals,
            changes_total=len(plan.changes),
            revisions={effects.project_keys[project_id]: after for project_id, (_, after) in effects.revisions.items()},
        )
        self._save_projects(effects)
        self._save_tasks(effects)
        self.put_patch_set(applied)
        self._save_history(applied.id, plan)
        if self.locking:
            self.rows(LOCK_SEQUENCE)
        (seq,) = self.rows(TAKE_SEQ, i=applied.id)[0]
        return replace(applied, seq=seq)

    def _save_projects(self, effects: Effects) -> None:
        self.execute_many(INSERT_PROJECTS, [self._project_row(record) for record in effects.new_projects])
        rows = []
        for record in effects.changed_projects:
            before, _ = effects.revisions.get(record.id, (record.revision, record.revision))
            rows.append((*self._picked(self._project_row(record), _PROJECT_PLACES), self.workspace, record.id, before))
        if self.execute_many(UPDATE_PROJECTS, rows) != len(rows):
            raise SerialisationFailure

    def _save_tasks(self, effects: Effects) -> None:
        workspace, codec = self.workspace, self.codec
        self.execute_many(INSERT_TASKS, [task_row(workspace, record, codec) for record in effects.new_tasks])
        changed = [
            (*self._picked(self._task_row(record), _TASK_PLACES), workspace, record.id) for record in effects.changed_tasks
        ]
        self.execute_many(UPDATE_TASKS, changed)
        recounted = [
            (task.position, task.depth, task.subtask_count, task.leaf_count, task.leaf_completed, workspace, task.id)
            for task in effects.recounted_tasks
        ]
        self.execute_many(RECOUNT_TASKS, recounted)
        self.execute_many(DELETE_EDGES, [(workspace, *edge) for edge in effects.removed_edges])
        self.execute_many(INSERT_EDGES, [(workspace, *edge) for edge in effects.new_edges])
        self.execute_many(INSERT_COMMENTS, [comment_row(workspace, comment, codec) for comment in effects.new_comments])

    def _save_history(self, patch_set_id: str, plan: Plan) -> None:
        workspace, revisions = self.workspace, plan.effects.revisions
        touched = [(workspace, patch_set_id, project_id, *span) for project_id, span in revisions.items()]
        self.execute_many(INSERT_TOUCHED, touched)
        dumps = orjson.dumps
        changes = [
            (
                workspace,
                patch_set_id,
                ordinal,
                project_id,
                change.kind.value,
                change.id,
                change.key,
                change.title,
                revisions[project_id][1],
                change.action.value,
                dumps(change.fields).decode(),
                dumps(change.patch_indexes).decode(),
                change.cascaded,
            )
            for ordinal, (change, project_id) in enumerate(zip(plan.changes, plan.change_projects, strict=True))
        ]
        self.execute_many(INSERT_CHANGES, changes)

    def _project_row(self, record: ProjectRecord) -> Row:
        return project_row(self.workspace, record, self.codec)

    def _task_row(self, record: TaskRecord) -> Row:
        return task_row(self.workspace, record, self.codec)

    @staticmethod
    def _picked(row: Row, places: list[int]) -> list[Any]:
        return [row[place] for place in places]
