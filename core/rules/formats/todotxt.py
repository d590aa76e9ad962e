"""todo.txt: a task a line, `(A)` in front, `x` when it is done, `+project`, `@context`, `key:value`.

Source: https://github.com/todotxt/todo.txt. Projects and contexts are tags; the days of creation and
completion stay in the description.
"""

import re

from core.rules.formats.entries import Entry, outline_of
from core.rules.markdown import Document
from core.rules.outline import Outline

_DAY = r"\d{4}-\d{2}-\d{2}"
_LINE = re.compile(rf"\s*(?P<done>x[ ]+)?(?P<priority>\([A-Z]\)[ ]+)?(?P<first>{_DAY}[ ]+)?(?P<second>{_DAY}[ ]+)?(?P<text>.*)")
_TAG = re.compile(r"(?<!\S)[+@](\S*\w\S*)")
_KEYS = {"t": "start", "pri": "priority"}
_KEY = re.compile(r"(?<!\S)(t|pri):(?=\S)")
_OWN = re.compile(rf"x {_DAY} |\([A-Z]\) ")
_OTHER = re.compile(r"\s|#|[-*+] |\d+[.)] |>|\||```")


def is_todotxt(content: str) -> bool:
    """Tell whether no line could be of another format, one shows a state or priority as todo.txt does, and one a project."""
    lines = [line for line in content.splitlines() if line.strip()]
    return (
        len(lines) > 1
        and not any(_OTHER.match(line) for line in lines)
        and any(_OWN.match(line) for line in lines)
        and any(_TAG.search(line) for line in lines)
    )


def read_todotxt(lines: list[str]) -> tuple[Document, Outline]:
    """Return the tasks of the text, all on the top level."""
    return outline_of(lines, [_entry(number, line) for number, line in enumerate(lines) if line.strip()])


def _entry(number: int, line: str) -> Entry:
    match = _LINE.fullmatch(line)
    assert match is not None, line
    entry = Entry(number, 0, "", checkbox="x" if match["done"] else " ")
    completed, created = (match["first"], match["second"]) if match["done"] and match["second"] else (None, match["first"])
    if match["done"] and created and not match["second"]:  # of a done task, one day is that of its completion
        completed, created = created, None
    if not match["done"] and match["second"]:
        entry.notes.append(match["second"].strip())
    entry.notes += [f"Completed: {completed.strip()}"] if completed else []
    entry.notes += [f"Created: {created.strip()}"] if created else []
    entry.tag(_TAG.findall(match["text"]))
    text = " ".join(_TAG.sub(" ", match["text"]).split())
    text = _KEY.sub(lambda key: f"{_KEYS[key[1]]}:", text)
    entry.title = ((match["priority"] or "") + (text or match["text"].strip())).strip() or line.strip()
    return entry
