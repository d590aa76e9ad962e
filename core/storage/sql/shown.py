"""Tasks as shown, as rows: the fields of `schemas.tasks.Task` in its order, and what progress is computed from.

A row becomes a model, or a member of JSON as it is: where a hundred tasks are read only to be sent, making
models of them was most of the work.
"""

from collections.abc import Sequence
from datetime import date
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, null

from core.patches.snapshot import TaskRecord
from core.storage.sql.rows import PRIORITY, TASK_STATUS, progress
from core.storage.sql.session import Codec
from core.storage.sql.tables import tasks
from core.storage.sql.types import Instant
from schemas.primitives import CLOSED_STATUSES, TaskStatus
from schemas.tasks import Task

# In the order of FIELDS. Derived ones hold nothing that means anything until `fill`.
ShownRow = list[Any]

FIELDS = tuple(Task.model_fields)
_PLACES = {name: place for place, name in enumerate((*FIELDS, "leaf_count", "leaf_completed"))}
SHOWN_COLUMNS: list[ColumnElement[Any]] = [tasks.c[name] if name in tasks.c else null().label(name) for name in _PLACES]
_RECORD_VALUES = attrgetter(*(name if name in tasks.c else "id" for name in _PLACES))

ID, KEY, PARENT_ID, STATUS = (_PLACES[name] for name in ("id", "key", "parent_id", "status"))
SUBTASK_COUNT = _PLACES["subtask_count"]
_PARENT, _DEPENDS_ON, _BLOCKS = (_PLACES[name] for name in ("parent", "depends_on", "blocks"))
_IS_READY, _IS_OVERDUE, _PROGRESS = (_PLACES[name] for name in ("is_ready", "is_overdue", "progress"))
_PRIORITY, _DUE_DATE, _DELETED_AT = (_PLACES[name] for name in ("priority", "due_date", "deleted_at"))
_LEAF_COUNT, _LEAF_COMPLETED = (_PLACES[name] for name in ("leaf_count", "leaf_completed"))
_INSTANTS = [place for place, column in enumerate(SHOWN_COLUMNS) if isinstance(column.type, Instant)]
_DAYS = [_PLACES[name] for name in ("start_date", "due_date")]

TODO, COMPLETED = TaskStatus.TODO.value, TaskStatus.COMPLETED.value
CLOSED = frozenset(status.value for status in CLOSED_STATUSES)


def shown_row(record: TaskRecord) -> ShownRow:
    return list(_RECORD_VALUES(record))


def fill(
    row: ShownRow, *, parent: str | None, depends_on: Sequence[str], blocks: Sequence[str], waits: bool, today: date | str
) -> None:
    """Fill in what is derived. `waits`: it or an ancestor depends on something open; `today` is of the kind of `due_date`."""
    is_leaf = row[SUBTASK_COUNT] == 0
    live = row[_DELETED_AT] is None
    status, due_date = row[STATUS], row[_DUE_DATE]
    row[_PARENT], row[_DEPENDS_ON], row[_BLOCKS] = parent, depends_on, blocks
    row[_IS_READY] = live and is_leaf and status == TODO and not waits
    row[_IS_OVERDUE] = live and due_date is not None and due_date < today and status not in CLOSED
    if is_leaf:
        row[_PROGRESS] = 100 if status == COMPLETED else 0
    else:
        row[_PROGRESS] = progress(row[_LEAF_COUNT], row[_LEAF_COMPLETED])


def load(row: ShownRow, codec: Codec) -> ShownRow:
    """Give the stored values of `row` the types they have in the model; returns it."""
    row[STATUS], row[_PRIORITY] = TASK_STATUS[row[STATUS]], PRIORITY[row[_PRIORITY]]
    for place in _DAYS:
        if row[place] is not None:
            row[place] = codec.load_day(row[place])
    for place in _INSTANTS:
        if row[place] is not None:
            row[place] = codec.load_instant(row[place])
    return row


def task_model(row: ShownRow) -> Task:
    return Task.trusted(**dict(zip(FIELDS, row, strict=False)))


def task_values(row: ShownRow, codec: Codec) -> dict[str, Any]:
    """Return the fields of a task as its JSON has them; what is left to the encoder are days and instants of PostgreSQL."""
    for place in _INSTANTS:
        if row[place] is not None:
            row[place] = codec.show_instant(row[place])
    return dict(zip(FIELDS, row, strict=False))
