"""From stored tasks to tasks as shown: keys of neighbours in the graph, and what is ready.

A task waits while anything that it or an ancestor depends on is open; dependencies on deleted
tasks are inert.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Select, select

from core.patches.snapshot import TaskRecord
from core.storage.sql.names import Naming
from core.storage.sql.session import WORKSPACE, Row, Statement
from core.storage.sql.shown import (
    CLOSED,
    ID,
    KEY,
    PARENT_ID,
    SHOWN_COLUMNS,
    STATUS,
    SUBTASK_COUNT,
    TODO,
    ShownRow,
    fill,
    load,
    shown_row,
    task_model,
)
from core.storage.sql.tables import dependencies, tasks
from core.storage.sql.types import among
from schemas.tasks import Task

_T = tasks.c
_D = dependencies.c
_OTHER = tasks.alias("other")
_SHOWN = select(*SHOWN_COLUMNS).where(_T.workspace_id == WORKSPACE)


def _edges(mine: Any, others: Any) -> Select[Any]:
    """Select the live tasks at the other end of the edges of some tasks."""
    joined = select(mine, _OTHER.c.key, _OTHER.c.status).join_from(
        dependencies, _OTHER, (_OTHER.c.workspace_id == _D.workspace_id) & (_OTHER.c.id == others)
    )
    return joined.where(_D.workspace_id == WORKSPACE, _OTHER.c.deleted_at.is_(None), among(mine, "ids")).order_by(
        mine, _OTHER.c.number
    )


def _upwards() -> Select[Any]:
    """Select the parent of some tasks and of everything above them."""
    own = _T.workspace_id == WORKSPACE
    up = select(_T.id, _T.parent_id).where(own, among(_T.id, "ids")).cte("up", recursive=True)
    up = up.union(select(_T.id, _T.parent_id).join_from(up, tasks, _T.id == up.c.parent_id).where(own))
    return select(up.c.id, up.c.parent_id)


SHOWN_BY_ID = Statement(_SHOWN.where(among(_T.id, "ids")), page=True)
SHOWN_BY_KEY = Statement(_SHOWN.where(among(_T.key, "ids")), page=True)
DEPENDS_ON = Statement(_edges(_D.task_id, _D.depends_on_id), page=True)
BLOCKS = Statement(_edges(_D.depends_on_id, _D.task_id), page=True)
PARENTS_UPWARDS = Statement(_upwards())
KEYS = Statement(select(_T.id, _T.key).where(_T.workspace_id == WORKSPACE, among(_T.id, "ids")))


class Display(Naming):
    """Fills in what tasks show besides their own row, for a page of them in a handful of look-ups."""

    def show_tasks(self, rows: Iterable[Row], today: date) -> list[Task]:
        """Return the models of these rows, of SHOWN_COLUMNS."""
        return [task_model(load(row, self.codec)) for row in self.shown(rows, today)]

    def shown(self, found: Iterable[Row], today: date) -> list[ShownRow]:
        """Return rows of SHOWN_COLUMNS with what is derived."""
        rows = [list(row) for row in found]
        day = self.codec.dump_day(today)
        ids = [row[ID] for row in rows]
        parents = self._parent_keys(rows)
        depends_on: dict[str, list[str]] = defaultdict(list)
        blocks: dict[str, list[str]] = defaultdict(list)
        held: set[str] = set()
        for task_id, key, status in self.rows_among(DEPENDS_ON, ids):
            depends_on[task_id].append(key)
            if status not in CLOSED:
                held.add(task_id)
        for task_id, key, _ in self.rows_among(BLOCKS, ids):
            blocks[task_id].append(key)
        leaves = (row for row in rows if row[STATUS] == TODO and not row[SUBTASK_COUNT])
        waiting = self._waiting(leaves, ids, held)
        for row in rows:
            task_id, parent_id = row[ID], row[PARENT_ID]
            fill(
                row,
                parent=None if parent_id is None else parents[parent_id],
                depends_on=depends_on.get(task_id, []),
                blocks=blocks.get(task_id, []),
                waits=task_id in waiting,
                today=day,
            )
        return rows

    def _waiting(self, leaves: Iterable[ShownRow], known: Collection[str], held: set[str]) -> set[str]:
        """Return those that wait for something open, themselves or by an ancestor; `held` are those of `known` that do."""
        above: dict[str, str | None] = {row[ID]: row[PARENT_ID] for row in leaves}
        nested = {parent_id for parent_id in above.values() if parent_id is not None}
        above |= dict(self.rows_among(PARENTS_UPWARDS, nested))
        edges = self.rows_among(DEPENDS_ON, above.keys() - set(known))
        held = held | {task_id for task_id, _, status in edges if status not in CLOSED}
        waiting = set()
        for task_id in above:
            step: str | None = task_id
            while step is not None and step not in held:
                step = above[step]
            if step is not None:
                waiting.add(task_id)
        return waiting

    def _parent_keys(self, rows: Sequence[ShownRow]) -> dict[str, str]:
        keys = {row[ID]: row[KEY] for row in rows}
        missing = {row[PARENT_ID] for row in rows if row[PARENT_ID] is not None} - keys.keys()
        return keys | dict(self.rows_among(KEYS, missing))

    def show_outline(self, records: Sequence[TaskRecord], edges: Iterable[Row], today: date) -> list[Task]:
        """Show all live tasks of a project, parents before children; `edges` are pairs of task and what it waits for."""
        known = {record.id: record for record in records}
        depends_on: dict[str, list[TaskRecord]] = defaultdict(list)
        blocks: dict[str, list[TaskRecord]] = defaultdict(list)
        for task_id, depends_on_id in edges:
            if task_id in known and depends_on_id in known:
                depends_on[task_id].append(known[depends_on_id])
                blocks[depends_on_id].append(known[task_id])
        waiting: set[str] = set()
        shown = []
        for record in records:
            own = depends_on.get(record.id, ())
            if record.parent_id in waiting or any(other.status not in CLOSED for other in own):
                waiting.add(record.id)
            row = shown_row(record)
            fill(
                row,
                parent=None if record.parent_id is None else known[record.parent_id].key,
                depends_on=_keys(own),
                blocks=_keys(blocks.get(record.id, ())),
                waits=record.id in waiting,
                today=today,
            )
            shown.append(task_model(row))
        return shown


def show_new_task(record: TaskRecord, today: date) -> Task:
    """Show a task at the top level that nothing is below or waits for, and that waits for nothing."""
    row = shown_row(record)
    fill(row, parent=None, depends_on=[], blocks=[], waits=False, today=today)
    return task_model(row)


def _keys(records: Iterable[TaskRecord]) -> list[str]:
    return [record.key for record in sorted(records, key=lambda record: record.number)] if records else []
