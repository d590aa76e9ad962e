"""From stored tasks to tasks as shown: keys of neighbours in the graph, and what is ready.

A task waits while anything that it or an ancestor depends on is open; dependencies on deleted
tasks are inert.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from datetime import date
from itertools import repeat
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, bindparam, exists, null, select, union_all

from core.patches.snapshot import TaskRecord
from core.storage.sql.filters import is_open
from core.storage.sql.names import Naming
from core.storage.sql.session import SQLITE, WORKSPACE, Row, Statement
from core.storage.sql.shown import (
    ALONE,
    CLOSED,
    ID,
    KEY,
    PARENT_ID,
    SHOWN_COLUMNS,
    Around,
    loaded,
    record_row,
    task_model,
)
from core.storage.sql.tables import dependencies, tasks
from core.storage.sql.types import among
from schemas.tasks import Task

_T = tasks.c
_D = dependencies.c
_OTHER = tasks.alias("other")
_SHOWN = select(*SHOWN_COLUMNS).where(_T.workspace_id == WORKSPACE)


def _other_end(others: ColumnElement[str], *shown: ColumnElement[Any]) -> Select[Any]:
    """Select the live tasks at one end of dependencies."""
    joined = (_OTHER.c.workspace_id == _D.workspace_id) & (_OTHER.c.id == others)
    live = (_D.workspace_id == WORKSPACE, _OTHER.c.deleted_at.is_(None))
    return select(*shown).join_from(dependencies, _OTHER, joined).where(*live)


def _edges() -> Select[Any]:
    """Select what some tasks depend on, with its status, and what depends on them, without one."""
    key, number = _OTHER.c.key, _OTHER.c.number
    depends_on = _other_end(_D.depends_on_id, _D.task_id.label("mine"), key, number, _OTHER.c.status).where(
        among(_D.task_id, "ids")
    )
    blocks = _other_end(_D.task_id, _D.depends_on_id, key, number, null()).where(among(_D.depends_on_id, "ids"))
    edges = union_all(depends_on, blocks).subquery("edges")
    return select(edges.c.mine, edges.c.key, edges.c.status).order_by(edges.c.number)


def _upwards() -> Select[Any]:
    """Select some tasks and everything above them, and which of these depend on something open."""
    shown, own = (_T.id, _T.key, _T.parent_id), _T.workspace_id == WORKSPACE
    up = select(*shown).where(own, among(_T.id, "ids")).cte("up", recursive=True)
    up = up.union(select(*shown).join_from(up, tasks, _T.id == up.c.parent_id).where(own))
    awaited = exists().where(_OTHER.c.workspace_id == WORKSPACE, _OTHER.c.id == _D.depends_on_id)
    awaited = awaited.where(_OTHER.c.deleted_at.is_(None), is_open(_OTHER))  # joined, SQLite would begin with these
    return select(*up.c, exists().where(_D.workspace_id == WORKSPACE, _D.task_id == up.c.id, awaited))


def _edge_between() -> CompoundSelect[Any]:
    """Select one edge with an end between two ids."""

    def ending(end: ColumnElement[str]) -> Select[Any]:
        return select(end).where(_D.workspace_id == WORKSPACE, end.between(bindparam("first"), bindparam("last")))

    return union_all(ending(_D.task_id), ending(_D.depends_on_id)).limit(1)


SHOWN_BY_ID = Statement(_SHOWN.where(among(_T.id, "ids")), page=True)
SHOWN_BY_KEY = Statement(_SHOWN.where(among(_T.key, "ids")), page=True)
EDGES = Statement(_edges(), page=True)
EDGE_BETWEEN = Statement(_edge_between())
UPWARDS = Statement(_upwards())
FEW = 10  # tasks, whose edges are looked up as fast as it is found out that there are none


class Display(Naming):
    """Fills in what tasks show besides their own row, for a page of them in a handful of look-ups."""

    def show_tasks(self, rows: Collection[Row], today: date) -> list[Task]:
        """Return the models of these rows, of SHOWN_COLUMNS."""
        return [task_model(loaded(row, self.codec), around, today) for row, around in zip(rows, self.around(rows), strict=True)]

    def around(self, rows: Collection[Row]) -> Iterator[Around]:
        """Return what surrounds each of these tasks, whose rows begin with BASIS_COLUMNS."""
        edges = self._edges([row[ID] for row in rows])
        parents = {row[PARENT_ID] for row in rows} - {None}
        return self._around(rows, edges, parents) if edges or parents else repeat(ALONE, len(rows))

    def _edges(self, ids: Sequence[str]) -> list[Row]:
        """Return the rows of EDGES of these tasks.

        Ids begin with their time, so tasks that were made together lie side by side in the indexes: SQLite is asked first
        whether it has an edge anywhere between them, which takes a tenth of the look-up. PostgreSQL is not close by.
        """
        if self.codec is SQLITE and len(ids) > FEW and self.row(EDGE_BETWEEN, first=min(ids), last=max(ids)) is None:
            return []
        return list(self.rows_among(EDGES, ids))

    def _around(self, rows: Collection[Row], edges: Iterable[Row], parents: Set[str]) -> Iterator[Around]:
        keys = {row[ID]: row[KEY] for row in rows}
        above = {row[ID]: row[PARENT_ID] for row in rows}
        depends_on: dict[str, list[str]] = defaultdict(list)
        blocks: dict[str, list[str]] = defaultdict(list)
        held: set[str] = set()  # by something open that they depend on themselves
        for task_id, key, status in edges:
            if status is None:
                blocks[task_id].append(key)
                continue
            depends_on[task_id].append(key)
            if status not in CLOSED:
                held.add(task_id)
        for task_id, key, parent_id, is_held in self.rows_among(UPWARDS, parents - keys.keys()):
            keys[task_id], above[task_id] = key, parent_id
            if is_held:
                held.add(task_id)
        for row in rows:
            task_id, parent_id = row[ID], row[PARENT_ID]
            parent = None if parent_id is None else keys[parent_id]
            waits = bool(held) and _is_below(task_id, held, above)
            yield parent, depends_on.get(task_id, ()), blocks.get(task_id, ()), waits

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
            parent = None if record.parent_id is None else known[record.parent_id].key
            around = parent, _keys(own), _keys(blocks.get(record.id, ())), record.id in waiting
            shown.append(task_model(record_row(record), around, today))
        return shown


def show_new_task(record: TaskRecord, today: date) -> Task:
    """Show a task at the top level that nothing is below or waits for, and that waits for nothing."""
    return task_model(record_row(record), ALONE, today)


def _is_below(step: str | None, held: set[str], above: dict[str, str | None]) -> bool:
    """Return whether a task or one above it is among `held`."""
    while step is not None and step not in held:
        step = above[step]
    return step is not None


def _keys(records: Iterable[TaskRecord]) -> list[str]:
    return [record.key for record in sorted(records, key=lambda record: record.number)] if records else []
