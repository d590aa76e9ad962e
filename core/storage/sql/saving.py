"""Store the effects of a plan and its history entry.

Every table is written by one statement run for all its rows. What another process may have
changed since the plan was made is compared in the statement itself; a difference is a
`SerialisationFailure`, and the whole transaction runs again.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from sqlalchemy import Table, bindparam, delete, func, literal_column, select, update

from core.patches.past import RENUMBERING
from core.patches.plan import Effects, Plan
from core.patches.snapshot import ProjectRecord, TaskRecord
from core.storage.interface import PatchSetRecord
from core.storage.sql.failures import SerialisationFailure
from core.storage.sql.history import History
from core.storage.sql.rounds import Known, Saved
from core.storage.sql.rows import comment_row, project_row, task_row
from core.storage.sql.session import WORKSPACE, Row, Statement, dump_json
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


LATEST_SEQ = Statement(select(func.coalesce(func.max(patch_sets.c.seq), 0)).where(patch_sets.c.workspace_id == WORKSPACE))


class Saving(History):
    """The part of a transaction that stores plans."""

    def save_plan(self, record: PatchSetRecord, plan: Plan) -> PatchSetRecord:
        """Store the effects of `plan` and `record`, which is filled in as applied and returned.

        In a round, what only creates tasks is written with others of its kind.
        """
        record.state, record.seq = ProposalState.APPLIED, None
        record.inverse, record.restore, record.refs = plan.inverse, plan.restore, plan.refs
        record.totals, record.changes_total = plan.totals, len(plan.changes)
        record.revisions = plan.effects.revisions_by_key()
        if self.part is not None and _only_creates_tasks(plan):
            record.seq = self._next_seq(self.part.known(self.workspace))
            self.part.hold(self.workspace, record, plan)
        elif self.locking:
            self.write_plans([(record, plan)])
            self.rows(LOCK_SEQUENCE)
            ((record.seq,),) = self.rows(TAKE_SEQ, i=record.id)
        else:  # nobody else writes, and to write the row again would take long where it holds thousands of patches
            record.seq = self._latest_seq() + 1
            self.write_plans([(record, plan)])
        return record

    def _next_seq(self, known: Known) -> int:
        known.seq = 1 + (self._latest_seq() if known.seq is None else known.seq)
        return known.seq

    def _latest_seq(self) -> int:
        ((latest,),) = self.rows(LATEST_SEQ)
        return int(latest)

    def write_plans(self, saved: Sequence[Saved]) -> None:
        """Write plans that were made one after the other, table by table."""
        plans = [plan for _, plan in saved]
        self._save_projects([plan.effects for plan in plans])
        self._save_tasks([plan.effects for plan in plans])
        self._save_tags(plans)
        self.put_patch_sets([record for record, _ in saved])
        self._save_history([(record.id, plan) for record, plan in saved])

    def _save_projects(self, effects: Sequence[Effects]) -> None:
        workspace, codec = self.workspace, self.codec
        new = [record for each in effects for record in each.new_projects]
        changed: dict[str, tuple[ProjectRecord, int]] = {}  # as they are in the end, and the revision they have in the table
        for each in effects:
            for record in each.changed_projects:
                before, _ = each.revisions.get(record.id, (record.revision, record.revision))
                changed[record.id] = (record, changed[record.id][1] if record.id in changed else before)

        def changed_row(item: tuple[ProjectRecord, int]) -> Row:
            record, before = item
            values = project_row(workspace, record, codec)
            return (*(values[place] for place in _PROJECT_PLACES), workspace, record.id, before)

        self.insert_many(projects, (project_row(workspace, record, codec) for record in new))
        if self.execute_many(UPDATE_PROJECTS, changed.values(), changed_row) != len(changed):
            raise SerialisationFailure

    def _save_tasks(self, effects: Sequence[Effects]) -> None:
        workspace, codec = self.workspace, self.codec

        def changed_row(record: TaskRecord) -> Row:
            values = task_row(workspace, record, codec)
            return (*(values[place] for place in _TASK_PLACES), workspace, record.id)

        def recounted_row(task: TaskRecord) -> Row:
            return (task.position, task.depth, task.subtask_count, task.leaf_count, task.leaf_completed, workspace, task.id)

        def all_of(name: str) -> list[Any]:
            return [item for each in effects for item in getattr(each, name)]

        self.insert_many(tasks, (task_row(workspace, record, codec) for record in all_of("new_tasks")))
        self.execute_many(UPDATE_TASKS, all_of("changed_tasks"), changed_row)
        self.execute_many(RECOUNT_TASKS, all_of("recounted_tasks"), recounted_row)
        self.execute_many(DELETE_EDGES, all_of("removed_edges"), lambda edge: (workspace, *edge))
        self.insert_many(dependencies, ((workspace, *edge) for edge in all_of("new_edges")))
        self.insert_many(comments, (comment_row(workspace, comment, codec) for comment in all_of("new_comments")))

    def _save_tags(self, plans: Sequence[Plan]) -> None:
        workspace = self.workspace
        retagged = {change.id for plan in plans for change in plan.changes if "tags" in change.fields}
        changed: list[ProjectRecord | TaskRecord] = []
        tagged: list[ProjectRecord | TaskRecord] = []
        for effects in (plan.effects for plan in plans):
            tagged += [*effects.new_projects, *effects.new_tasks]
            changed += [project for project in effects.changed_projects if project.id in retagged]
            changed += [task for task in effects.changed_tasks if task.id in retagged]
        self.execute_many(DELETE_TAGS, changed, lambda item: (workspace, item.id))
        self.insert_many(item_tags, ((workspace, tag, item.id) for item in (*tagged, *changed) for tag in item.tags))

    def _save_history(self, applied: Sequence[tuple[str, Plan]]) -> None:
        touched = [
            (self.workspace, patch_set_id, project_id, *steps)
            for patch_set_id, plan in applied
            for project_id, steps in plan.effects.revisions.items()
        ]
        self.insert_many(patch_set_projects, touched)
        self.insert_many(patch_set_changes, (row for item in applied for row in self._change_rows(*item)))
        self.insert_many(patch_set_changes, (row for item in applied for row in self._renumbering_rows(*item)))

    def _change_rows(self, patch_set_id: str, plan: Plan) -> Iterator[Row]:
        workspace, dumps, revisions = self.workspace, orjson.dumps, plan.effects.revisions
        for ordinal, (change, project_id) in enumerate(zip(plan.changes, plan.change_projects, strict=True)):
            yield (
                workspace,
                patch_set_id,
                ordinal,
                project_id,
                change.kind._value_,  # `value` is a property, and thousands of rows a budget
                change.id,
                change.key,
                change.title,
                revisions[project_id][1],
                change.action._value_,
                dumps(change.fields).decode(),
                dumps(change.patch_indexes).decode(),
                self.codec.dump_flag(change.cascaded),
            )

    def _renumbering_rows(self, patch_set_id: str, plan: Plan) -> Iterator[Row]:
        for number, renumbering in enumerate(plan.effects.renumberings):
            steps = {task_id: {"before": old, "after": new} for task_id, (old, new) in renumbering.positions.items()}
            project_id, home = renumbering.project_id, renumbering.home
            revision = plan.effects.revisions[project_id][1]
            ordinal = -1 - number  # below zero: no answer shows it
            place = (project_id, RENUMBERING, home, home, "", revision, "renumbered", dump_json(steps))
            yield (self.workspace, patch_set_id, ordinal, *place, "[]", self.codec.dump_flag(False))


def _only_creates_tasks(plan: Plan) -> bool:
    """Whether such plans may be written together, table by table: all that two of them can change is their project."""
    effects = plan.effects
    others = effects.new_edges or effects.recounted_tasks or effects.renumberings
    return len(plan.changes) == len(effects.new_tasks) and not others
