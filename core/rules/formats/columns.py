"""The columns of a table of tasks, by the names that common tools give them, and what is in their cells."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import JsonValue

from core.rules.dates import Calendar, NoDay
from core.rules.estimates import MAX_MINUTES, WorkingTime
from core.rules.vocabulary import find_priority, find_status
from schemas.primitives import TaskStatus


class Column(StrEnum):
    """What a column holds; values of fields are named as those."""

    TYPE = "type"
    KEY = "key"
    PARENT = "parent"
    LEVEL = "level"
    TITLE = "title"
    STATUS = "status"
    DONE = "done"
    PRIORITY = "priority"
    ASSIGNEE = "assignee"
    START = "start_date"
    DUE = "due_date"
    ESTIMATE = "estimated_minutes"
    ACTUAL = "actual_minutes"
    DEPENDS = "depends_on"
    TAGS = "tags"
    DESCRIPTION = "description"
    CRITERIA = "acceptance_criteria"
    LINKS = "links"
    CUSTOM = "custom"
    SCHEMA = "task_schema"


_NAMES = {
    Column.KEY: """key, id, issue key, task id, issue id, item id, card id, unique id, identifier, #, no, nr, number, ref, wbs,
        outline number""",
    Column.PARENT: """parent, parent task, parent id, parent key, parent issue, parent item, parent summary, subtask of, epic,
        epic link""",
    Column.LEVEL: "level, indent, outline level, indent level, depth",
    Column.TITLE: """title, name, summary, task, task name, task title, issue, subject, item, item name, content, to do, todo,
        action, action item, story, user story, card, card name, card title, work item, feature, activity, step""",
    Column.STATUS: "status, state, task status, issue status",
    Column.DONE: """done, completed, complete, is done, is completed, finished, closed, completed at, completed on, % complete,
        percent complete""",
    Column.PRIORITY: "priority, prio, importance, urgency, task priority",
    Column.ASSIGNEE: """assignee, owner, assigned to, assigned, responsible, responsible person, who, assignee name, assignees,
        owners, members, assign, resource, resource names, person""",
    Column.START: "start, start date, starts, start on, begin, begin date, planned start, from",
    Column.DUE: "due, due date, due on, due by, deadline, finish, finish date, end, end date, target date, target",
    Column.ESTIMATE: """estimate, estimated, estimation, duration, effort, estimated time, time estimate, original estimate,
        estimated duration, estimated effort, time estimated, planned time, work""",
    Column.ACTUAL: "actual, actual time, actual work, actual effort, time spent, spent, logged, time logged",
    Column.DEPENDS: """depends on, dependencies, dependency, blocked by, is blocked by, predecessors, predecessor, waits for,
        after, prerequisites, inward issue link (blocks)""",
    Column.TAGS: "tags, tag, labels, label, categories, category, keywords",
    Column.DESCRIPTION: "description, notes, note, details, body, remarks",
    Column.CRITERIA: "acceptance criteria, definition of done, dod",
}
_COLUMNS = {name.strip(): column for column, names in _NAMES.items() for name in names.split(",")}
_UNITS = re.compile(r"(?:^|[ (\[])(?:in )?(minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|wks?|w)[)\]]?$")
_TRUE = frozenset("true yes y x 1 done completed complete finished closed 100 100% ✓ ✔ ☑ ✅".split())
_FALSE = frozenset("false no n 0 0% open ☐ -".split())
_NOTHING = frozenset(["", "-", "\u2013", "\u2014", "n/a", "none", "null", "no priority", "unassigned", "not set"])
_TIME = re.compile(r"(?<=\d)[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AP]M)?(?:Z|[+-]\d{2}:?\d{2})?$", re.IGNORECASE)
_NULLABLE = frozenset(
    [Column.STATUS, Column.DONE, Column.PRIORITY, Column.START, Column.DUE, Column.ESTIMATE, Column.ACTUAL, Column.TAGS]
)
_LIST = re.compile(r"[,;|\n]")


@dataclass(frozen=True, slots=True)
class Heading:
    """A column of one table: its name as written, what it holds, and the unit of its numbers."""

    name: str
    column: Column | None
    unit: str = ""  # of durations without one: `Estimate (h)`, `estimated_minutes`


def read_heading(written: str) -> Heading:
    """Return what the column of this name holds."""
    name = " ".join(re.sub(r"[\s_*:-]+", " ", written.casefold()).split())
    if column := _COLUMNS.get(name):
        return Heading(written, column)
    if column := _COLUMNS.get(re.sub(r" ?\([^()]*\)$", "", name)) if not _UNITS.search(name) else None:
        return Heading(written, column)  # "Blocked By (Dependencies)"
    unit = _UNITS.search(name)
    bare = name[: unit.start()].rstrip(" ([") if unit else name
    timed = _COLUMNS.get(bare or "estimate")
    if unit and timed in (Column.ESTIMATE, Column.ACTUAL):
        return Heading(written, timed, unit[1])
    return Heading(written, None)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a cell is kept as text."""

    reason: str


def read_cell(heading: Heading, text: str, calendar: Calendar, working_time: WorkingTime) -> JsonValue | Unreadable:
    """Return the value of the field that a cell states; None if it states nothing."""
    if heading.column in _NULLABLE and text.strip().casefold() in _NOTHING:
        return None
    match heading.column:
        case Column.STATUS:
            return status.value if (status := find_status(text)) else Unreadable("is no status I know")
        case Column.DONE:
            return _done(text.strip().casefold(), calendar)
        case Column.PRIORITY:
            return priority.value if (priority := find_priority(text)) else Unreadable("is no priority I know")
        case Column.START | Column.DUE:
            return _day(text.strip(), calendar)
        case Column.ESTIMATE | Column.ACTUAL:
            return _minutes(text.strip(), heading, working_time)
        case Column.TAGS:
            return _texts(text) or _tags(text)
        case Column.CRITERIA:
            return _texts(text) or [line for part in text.split("\n") if (line := part.strip().lstrip("-*• ").strip())]
        case Column.LINKS | Column.CUSTOM | Column.SCHEMA:
            value = _json(text)
            return value if isinstance(value, dict) else Unreadable("is no JSON object")
        case _:
            return text


def is_plain_answer(text: str) -> bool:
    """Tell whether a cell says yes or no and nothing else, such as when."""
    return text.strip().casefold() in _TRUE | _FALSE


def _done(word: str, calendar: Calendar) -> JsonValue | Unreadable:
    if word in _TRUE or not isinstance(_day(word, calendar), Unreadable):
        return TaskStatus.COMPLETED.value
    return None if word in _FALSE else Unreadable("is neither yes nor no")


def _day(text: str, calendar: Calendar) -> JsonValue | Unreadable:
    written = _TIME.sub("", text)
    found = calendar.find(written)
    if found is None or found.end != len(written):
        return Unreadable("names no day I can read; write YYYY-MM-DD")
    return Unreadable(found.value.value) if isinstance(found.value, NoDay) else found.value.isoformat()


def _minutes(text: str, heading: Heading, working_time: WorkingTime) -> JsonValue | Unreadable:
    is_number = re.fullmatch(r"[0-9]{1,6}(?:\.[0-9]{1,3})?", text)
    if is_number and float(text) == 0:
        return 0 if heading.column is Column.ACTUAL else None
    if is_number and not heading.unit:
        return Unreadable("has no unit; write 2h, or name the unit in the heading")
    minutes = working_time.minutes(f"{text} {heading.unit}" if is_number else text)
    return minutes or Unreadable(f"is no duration of 1 to {MAX_MINUTES:,} minutes")


def _texts(text: str) -> list[JsonValue]:
    """Return the texts of a JSON list; nothing if it is none."""
    value = _json(text)
    return value if isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value) else []


def _json(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text) if text.lstrip()[:1] in "[{" else None
    except (ValueError, RecursionError):
        return None
    return value


def _tags(text: str) -> list[JsonValue]:
    words: Sequence[str] = text.split() if all(word.startswith("#") for word in text.split()) else _LIST.split(text)
    return [tag for word in words if (tag := word.strip().removeprefix("#").strip())]
