"""What a message consists of: commands, keys of tasks, quoted texts, and lists."""

import re
from collections.abc import Iterator

from schemas.primitives import TaskStatus

KEY = r"[A-Za-z][A-Za-z0-9]{1,9}-[0-9]{1,18}"
KEYS = rf"{KEY}(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+|\s+){KEY})*"
STATUS_VERBS = {
    "done": TaskStatus.COMPLETED,
    "complete": TaskStatus.COMPLETED,
    "completed": TaskStatus.COMPLETED,
    "finish": TaskStatus.COMPLETED,
    "finished": TaskStatus.COMPLETED,
    "close": TaskStatus.COMPLETED,
    "closed": TaskStatus.COMPLETED,
    "start": TaskStatus.IN_PROGRESS,
    "started": TaskStatus.IN_PROGRESS,
    "begin": TaskStatus.IN_PROGRESS,
    "block": TaskStatus.BLOCKED,
    "review": TaskStatus.IN_REVIEW,
    "cancel": TaskStatus.CANCELLED,
    "cancelled": TaskStatus.CANCELLED,
    "reopen": TaskStatus.TODO,
    "reopened": TaskStatus.TODO,
    "open": TaskStatus.TODO,
}
QUOTED = re.compile(r"""(?:"([^"]*)"|'([^']*)'|“([^”]*)”|„([^“”]*)[“”]|«([^»]*)»)""")

_VERBS = "|".join(
    [
        *STATUS_VERBS,
        *"mark set make change move push postpone delay reschedule rename assign reassign give unassign due estimate".split(),
        *"priority tag untag delete remove split add".split(),
    ]
)
_AFTER_KEY = (
    r"(?:is|are|due|starts?|not|no longer|after|before|depends?|needs?|waits?|blocked|done|under|estimate|takes?|priority|!|@|~)"
)
_BOUNDARY = re.compile(
    rf"(?:[.;!]|,(?:\s*and)?(?:\s+then)?|\s+and(?:\s+then)?|\s+then)\s+"
    rf"(?=(?:please\s+)?(?:(?:{_VERBS})\s+{KEY}\b|{KEYS}\s+{_AFTER_KEY}|add\s))",
    re.IGNORECASE,
)
_GAP = re.compile(r"\s{9,}")  # nobody's wording, and slow to look through
_BULLET = re.compile(r"\s*(?:[-*+]\s+|[0-9]{1,4}[.)]\s+)?(?:please\s+)?", re.IGNORECASE)


def mentioned_keys(text: str) -> list[str]:
    """Return the task keys in `text`, upper-case, each once, in order."""
    return list(dict.fromkeys(key.upper() for key in re.findall(rf"(?<![\w-]){KEY}(?![\w-])", text)))


def split_commands(line: str) -> Iterator[tuple[str, bool]]:
    """Yield the commands of a line, and whether each is the last of it."""
    line = _GAP.sub(" ", line)
    match = _BULLET.match(line)
    line = line[match.end() :] if match else line
    inside = [span.span() for span in QUOTED.finditer(line)]
    at = 0
    for boundary in _BOUNDARY.finditer(line):
        if any(left < boundary.start() < right for left, right in inside):
            continue
        yield line[at : boundary.start()].strip(), False
        at = boundary.end()
    if line[at:].strip():
        yield re.sub(r"^please\s+", "", line[at:].strip(), flags=re.IGNORECASE), True


def unquoted(text: str) -> str | None:
    """Return what stands in quotation marks, if that is all of the text."""
    match = QUOTED.fullmatch(text.strip().rstrip("."))
    return next(part for part in match.groups() if part is not None) if match else None


def parts_of(text: str) -> list[str]:
    """Return the parts of a split: between semicolons, else commas outside of parentheses and the last "and"."""
    parts = text.split(";")
    if len(parts) == 1:
        parts = re.split(r",(?![^()]*\))", text)
        *parts, last = parts
        last = re.sub(r"^\s*and\s+", "", last, flags=re.IGNORECASE) if parts else last
        parts += re.split(r"\s+and\s+", last, flags=re.IGNORECASE)
    return [part.strip().rstrip(".") for part in parts if part.strip(" .")]
