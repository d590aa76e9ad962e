"""Store the effects of a plan and its history entry.

Every table is written by one statement run for all its rows. What another process may have
changed since the plan was made is compared in the statement itself; a difference is a
`SerialisationFailure`, and the whole transaction runs again.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import Table, bindparam, delete, func, literal_column, select, update

from core.patches.past import RENUMBERING
from core.patches.plan import Effects, Plan
from core.patches.snapshot import ProjectRecord, Renumbering, TaskRecord
from core.storage.interface import PatchSetRecord
from core.storage.sql.failures import SerialisationFailure
from core.storage.sql.history import History
from core.storage.sql.rows import comment_row, project_row, task_row
from core.storage.sql.session import WORKSPACE, Row, Statement
from core.storage.sql.tables import (
    comments,
    dependencies,
    item_tags,
    patch_set_changes,
    patch_set_projects,
    patch_sets,
    projects,
    tasks,
)
from core.storage.sql.watching import CHANNEL
from schemas.changes import Change
from schemas.patches import ProposalState

_FIXED = frozenset({"workspace_id", "id", "key", "number", "project_id", "created_by", "created_at"})
_COUNTED = ("position", "depth", "subtask_count", "leaf_count", "leaf_completed")


def _update(table: Table, columns: Sequence[str], *conditions: Any) -> Statement:
    """Return an update that takes `columns` in the table's order, then workspace and id, then the conditions."""
    own = (table.c.workspace_id == bindparam("w"), table.c.id == bindparam("i"))
    return Statement(update(table).where(*own, *conditions).values({name: bindparam(f"v_{name}") for name in columns}))


def _mutable(table: Table) -> list[str]:
    return [column.name for column in table.c if column.name not in _FIXED]


def _places(table: Table, columns: Sequence[str]) -> list[int]:
    return [position for position, column in enumerate(table.c) if column.name in columns]


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
DELETE_TAGS = Statement(
    delete(item_tags).where(item_tags.c.workspace_id == bindparam("w"), item_tags.c.item_id == bindparam("i"))
)
_PROJECT_PLACES = _places(projects, _mutable(projects))
_TASK_PLACES = _places(tasks, _mutable(tasks))

# Taken last and held to the commit, so that the order of `seq` is the order of commits.
# The notification is sent by the commit itself; it says no more than that the history has grown.
LOCK_SEQUENCE = Statement(
    select(
        func.pg_advisory_xact_lock(func.hashtextextended(WORKSPACE, 0)),
        func.pg_notify(literal_column(f"'{CHANNEL}'"), literal_column("''")),
    )
)
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
        self._save_tags(plan)
        self.put_patch_set(applied)
        self._save_history(applied.id, plan)
        if self.locking:
            self.rows(LOCK_SEQUENCE)
        (seq,) = self.rows(TAKE_SEQ, i=applied.id)[0]
        return replace(applied, seq=seq)

    def _save_projects(self, effects: Effects) -> None:
        workspace, codec, revisions = self.workspace, self.codec, effects.revisions

        def changed_row(record: ProjectRecord) -> Row:
            values = project_row(workspace, record, codec)
            before, _ = revisions.get(record.id, (record.revision, record.revision))
            return (*(values[place] for place in _PROJECT_PLACES), workspace, record.id, before)

        self.insert_many(projects, effects.new_projects, lambda record: project_row(workspace, record, codec))
        if self.execute_many(UPDATE_PROJECTS, effects.changed_projects, changed_row) != len(effects.changed_projects):
            raise SerialisationFailure

    def _save_tasks(self, effects: Effects) -> None:
        workspace, codec = self.workspace, self.codec

        def changed_row(record: TaskRecord) -> Row:
            values = task_row(workspace, record, codec)
            return (*(values[place] for place in _TASK_PLACES), workspace, record.id)

        def recounted_row(task: TaskRecord) -> Row:
            return (task.position, task.depth, task.subtask_count, task.leaf_count, task.leaf_completed, workspace, task.id)

        self.insert_many(tasks, effects.new_tasks, lambda record: task_row(workspace, record, codec))
        self.execute_many(UPDATE_TASKS, effects.changed_tasks, changed_row)
        self.execute_many(RECOUNT_TASKS, effects.recounted_tasks, recounted_row)
        self.execute_many(DELETE_EDGES, effects.removed_edges, lambda edge: (workspace, *edge))
        self.insert_many(dependencies, effects.new_edges, lambda edge: (workspace, *edge))
        self.insert_many(comments, effects.new_comments, lambda comment: comment_row(workspace, comment, codec))

    def _save_tags(self, plan: Plan) -> None:
        workspace, effects = self.workspace, plan.effects
        retagged = {change.id for change in plan.changes if "tags" in change.fields}
        changed: list[ProjectRecord | TaskRecord] = [*effects.changed_projects, *effects.changed_tasks]
        changed = [item for item in changed if item.id in retagged]
        tagged = [*effects.new_projects, *effects.new_tasks, *changed]
        self.execute_many(DELETE_TAGS, changed, lambda item: (workspace, item.id))
        self.insert_many(item_tags, [(workspace, tag, item.id) for item in tagged for tag in item.tags], lambda row: row)

    def _save_history(self, patch_set_id: str, plan: Plan) -> None:
        workspace, revisions, dumps, flag = self.workspace, plan.effects.revisions, orjson.dumps, self.codec.dump_flag
        ordinals, hidden = itertools.count(), itertools.count()

        def change_row(item: tuple[Change, str]) -> Row:
            change, project_id = item
            return (
                workspace,
                patch_set_id,
                next(ordinals),
                project_id,
                change.kind._value_,  # `value` is a property, and thousands of rows a budget
                change.id,
                change.key,
                change.title,
                revisions[project_id][1],
                change.action._value_,
                dumps(change.fields).decode(),
                dumps(change.patch_indexes).decode(),
                flag(change.cascaded),
            )

        def renumbering_row(renumbering: Renumbering) -> Row:
            steps = {task_id: {"before": old, "after": new} for task_id, (old, new) in renumbering.positions.items()}
            project_id, home = renumbering.project_id, renumbering.home
            place = (project_id, RENUMBERING, home, home, "", revisions[project_id][1], "renumbered", dumps(steps).decode())
            return (workspace, patch_set_id, -1 - next(hidden), *place, "[]", flag(False))  # below zero: no answer shows it

        self.insert_many(patch_set_projects, revisions.items(), lambda item: (workspace, patch_set_id, item[0], *item[1]))
        self.insert_many(patch_set_changes, list(zip(plan.changes, plan.change_projects, strict=True)), change_row)
        self.insert_many(patch_set_changes, plan.effects.renumberings, renumbering_row)
