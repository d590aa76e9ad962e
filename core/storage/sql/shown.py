"""Tasks as shown: what the database holds of one, what follows from that, and both together as a model or as JSON.

Where a hundred tasks are read only to be sent, making models of them was most of the work, and making JSON of their
values most of the rest. SQLite therefore gives the JSON of what it holds, and only what is derived is put between.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

import orjson
from sqlalchemy import Column, Integer

from core.patches.snapshot import TaskRecord
from core.storage.sql.rows import PRIORITY, TASK_STATUS, progress
from core.storage.sql.session import SEPARATOR, Codec, Row
from core.storage.sql.tables import tasks
from core.storage.sql.types import CODE, Instant, Json
from schemas.primitives import CLOSED_STATUSES, TaskStatus
from schemas.tasks import Task

_FIELDS = tuple(Task.model_fields)
_DERIVED = ("parent", "depends_on", "blocks", "is_ready", "is_overdue", "progress")
# What the rest is derived from. Rows begin with it, whatever else they hold.
_BASIS = ("id", "key", "parent_id", "status", "due_date", "deleted_at", "subtask_count", "leaf_count", "leaf_completed")
_STORED = (*_BASIS, *(name for name in _FIELDS if name not in _BASIS + _DERIVED))
ID, KEY, PARENT_ID, STATUS, SUBTASK_COUNT = (_BASIS.index(name) for name in ("id", "key", "parent_id", "status", "subtask_count"))
_BASIS_OF_STATE = slice(STATUS, len(_BASIS))  # the arguments of state_of

SHOWN_COLUMNS = [tasks.c[name] for name in _STORED]
BASIS_COLUMNS = SHOWN_COLUMNS[: len(_BASIS)]
_RECORD_VALUES = attrgetter(*_STORED)
_IN_ORDER = itemgetter(*((_STORED + _DERIVED).index(name) for name in _FIELDS))
_PRIORITY = _STORED.index("priority")
_INSTANTS = [place for place, column in enumerate(SHOWN_COLUMNS) if isinstance(column.type, Instant)]
_DAYS = [_STORED.index(name) for name in ("start_date", "due_date")]

TODO, COMPLETED = TaskStatus.TODO.value, TaskStatus.COMPLETED.value
CLOSED = frozenset(status.value for status in CLOSED_STATUSES)

State = tuple[bool, bool, int]  # is_ready, is_overdue, progress
# Keys of the parent, of what a task depends on and of what it blocks; whether it or an ancestor depends on something open.
Around = tuple[str | None, Sequence[str], Sequence[str], bool]
ALONE: Around = None, (), (), False


def record_row(record: TaskRecord) -> Row:
    return _RECORD_VALUES(record)


def state_of(
    status: str,
    due_date: Any,
    deleted_at: object,
    subtask_count: int,
    leaf_count: int,
    leaf_completed: int,
    *,
    waits: bool,
    today: Any,
) -> State:
    """Return what follows from the basis of a task; `today` is of the kind of `due_date`, as stored or as in the model."""
    is_leaf = subtask_count == 0
    is_ready = deleted_at is None and is_leaf and status == TODO and not waits
    is_overdue = deleted_at is None and due_date is not None and due_date < today and status not in CLOSED
    if is_leaf:
        return is_ready, is_overdue, 100 if status == COMPLETED else 0
    return is_ready, is_overdue, progress(leaf_count, leaf_completed)


def loaded(row: Row, codec: Codec) -> Sequence[Any]:
    """Return a row of SHOWN_COLUMNS with the types that its values have in the model."""
    values = list(row)
    values[STATUS], values[_PRIORITY] = TASK_STATUS[row[STATUS]], PRIORITY[row[_PRIORITY]]
    for place in _DAYS:
        if row[place] is not None:
            values[place] = codec.load_day(row[place])
    for place in _INSTANTS:
        if row[place] is not None:
            values[place] = codec.load_instant(row[place])
    return values


def task_values(row: Sequence[Any], around: Around, today: Any) -> dict[str, Any]:
    """Return the fields of a task, from a row of SHOWN_COLUMNS."""
    parent, depends_on, blocks, waits = around
    state = state_of(*row[_BASIS_OF_STATE], waits=waits, today=today)
    return dict(zip(_FIELDS, _IN_ORDER((*row, parent, list(depends_on), list(blocks), *state)), strict=False))


def task_model(row: Sequence[Any], around: Around, today: Any) -> Task:
    return Task.trusted(**task_values(row, around, today))


def _stored_json() -> str:
    """Return how SQLite writes a task as JSON, with a gap for each run of fields that are derived."""
    written: list[str] = []
    values: list[str] = []
    for is_derived, names in groupby(_FIELDS, key=_DERIVED.__contains__):
        if is_derived:
            written.append(SEPARATOR)
            continue
        for name in names:
            place, value = _written(tasks.c[name])
            written.append(f'"{name}":{place}')
            values.append(value)
    return f"printf('{{{','.join(written)}}}', {', '.join(values)})"


def _written(column: Column[Any]) -> tuple[str, str]:
    """Return a place in a format of JSON, and what is put there."""
    name = f"tasks.{column.name}"
    if isinstance(column.type, Instant):  # RFC 3339, without a fraction that is zero
        place, value = '"%.*sZ"', f"CASE substr({name}, 20, 7) WHEN '.000000' THEN 19 ELSE 26 END, {name}"
    elif isinstance(column.type, Integer | Json):
        place, value = "%s", name
    elif column.type is CODE and not column.nullable:  # nothing in it needs an escape; that somebody is assigned may
        place, value = '"%s"', name
    else:
        place, value = "%s", f"json_quote({name})"
    if not column.nullable:
        return place, value
    if place != "%s":
        value = f"printf('{place}', {value})"
    return "%s", f"CASE WHEN {name} IS NULL THEN 'null' ELSE {value} END"


STORED_JSON = _stored_json()
_NO_PARENT, _NO_EDGES = b'"parent":null', b'"depends_on":[],"blocks":[]'


def tasks_json(rows: Iterable[Row], around: Iterable[Around], today: Any) -> orjson.Fragment:
    """Return the JSON of a list of tasks, from rows that end with their STORED_JSON."""
    parts: list[bytes] = []
    for row, (parent, depends_on, blocks, waits) in zip(rows, around, strict=True):
        begin, middle, end = row[-1]
        state = _state_json(row[_BASIS_OF_STATE], waits, today)
        if depends_on or blocks:
            edges = b'"depends_on":' + orjson.dumps(depends_on) + b',"blocks":' + orjson.dumps(blocks)
        else:
            edges = _NO_EDGES
        parts += (b",", begin, _NO_PARENT if parent is None else b'"parent":' + orjson.dumps(parent), middle, edges, state, end)
    parts[:1] = [b"["]
    parts.append(b"]")
    return orjson.Fragment(b"".join(parts))


@lru_cache(maxsize=1_024)  # most tasks of a project are in one of a few states
def _state_json(basis: Row, waits: bool, today: str) -> bytes:
    is_ready, is_overdue, done = state_of(*basis, waits=waits, today=today)
    return b"," + orjson.dumps({"is_ready": is_ready, "is_overdue": is_overdue, "progress": done})[1:-1]
