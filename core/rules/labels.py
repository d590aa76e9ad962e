"""Lines of the form `Label: value`, plain or in bold, that state a field of the task they stand under."""

import re
from enum import StrEnum


class Label(StrEnum):
    ESTIMATE = "estimate"
    ASSIGNEE = "assignee"
    DUE = "due_date"
    START = "start_date"
    PRIORITY = "priority"
    TAGS = "tags"
    STATUS = "status"
    DEPENDENCIES = "depends_on"
    CRITERIA = "acceptance_criteria"


_NAMES = {
    Label.ESTIMATE: "duration, estimate, estimated duration, estimated effort, estimated time, time estimate, effort",
    Label.ASSIGNEE: "owner, assignee, assigned to",
    Label.DUE: "due, due date, deadline",
    Label.START: "start, start date",
    Label.PRIORITY: "priority",
    Label.TAGS: "tags, labels",
    Label.STATUS: "status",
    Label.DEPENDENCIES: "dependencies, dependency, depends on, blocked by",
    Label.CRITERIA: "acceptance criteria, definition of done, dod",
}
_LABELS = {name: label for label, names in _NAMES.items() for name in names.split(", ")}
_WORK = frozenset({Label.ESTIMATE, Label.ASSIGNEE, Label.DEPENDENCIES})

_ONE = r"(?:\*\*|__)?(?P<name>[A-Za-z][A-Za-z ]{1,20})(?:\*\*|__)?[ \t]*:[ \t]*(?:\*\*|__)?"
_LINE = re.compile(rf"[ \t]*(?:[-*+][ \t]+)?{_ONE}[ \t]*(?P<value>.*)", re.DOTALL)
# "Depends on X" needs no colon.
_PHRASE = re.compile(r"[ \t]*(?:[-*+][ \t]+)?(?P<name>depends on|blocked by)[ \t]+(?P<value>\S.*)", re.IGNORECASE)
# A second label in the same line: after `|` or `·`, or in bold.
_NEXT = re.compile(r"[|·]|[ \t](?=(?:\*\*|__)[A-Za-z][A-Za-z ]{1,20}(?::(?:\*\*|__)|(?:\*\*|__)[ \t]*:))")


def find_labels(line: str) -> list[tuple[Label, str]]:
    """Return the labels and values of a line that consists of nothing else, else an empty list."""
    found = []
    for part in filter(str.strip, _NEXT.split(line)):
        pair = _find_label(part)
        if pair is None:
            return []
        found.append(pair)
    return found


def _find_label(text: str) -> tuple[Label, str] | None:
    match = _LINE.match(text) or _PHRASE.match(text)
    label = _LABELS.get(match["name"].strip().casefold()) if match else None
    return (label, match["value"].strip()) if match and label else None


def is_label_line(line: str) -> bool:
    labels = find_labels(line)
    return bool(labels) and all(value for _, value in labels)


def states_work(line: str) -> bool:
    """Tell whether a line states an estimate, an owner or dependencies."""
    return any(label in _WORK and value for label, value in find_labels(line))


def announces_criteria(line: str) -> bool:
    return find_labels(line) == [(Label.CRITERIA, "")]
