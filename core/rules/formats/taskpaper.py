"""TaskPaper: `Project:`, `- task @tag @due(2026-12-01)`, notes, nested by indentation. Its tags begin with `@`.

Source: the format as https://www.taskpaper.com describes it. A value that no field takes stays in the description.
"""

import re
from collections.abc import Iterator

from core.rules.formats.entries import Entry, indentation, outline_of
from core.rules.markdown import Document
from core.rules.outline import Outline
from core.rules.vocabulary import find_priority

_TASK = re.compile(r"\s*[-*+]\s+(?P<text>\S.*)")
_PROJECT = re.compile(r"(?P<text>\s*[^\s:].*?):(?P<tags>(?:\s+@[\w.-]+(?:\([^()]*\))?)*)\s*")
_TAG = re.compile(r"(?<!\S)@(?P<name>[\w.-]+)(?:\((?P<value>[^()]*)\))?(?!\S)")
_OWN = re.compile(r"^[ \t]*- .*(?<!\S)@(?:done|due|start|defer|priority|today|flag|cancelled|na|est)(?:\(|\s|$)", re.MULTILINE)
_MARKDOWN = re.compile(r"^[ \t]*(?:#{1,6} |[-*+] \[[ xX/-]\]|```)", re.MULTILINE)
_MARKERS = {
    "due": "due",
    "deadline": "due",
    "start": "start",
    "defer": "start",
    "estimate": "est",
    "est": "est",
    "duration": "est",
}
_OWNERS = frozenset({"owner", "assignee", "assigned", "who"})


def is_taskpaper(content: str) -> bool:
    """Tell whether a text has projects and tasks with the tags of TaskPaper, and nothing of Markdown's own."""
    has_project = any(_PROJECT.fullmatch(line) and not _TASK.match(line) for line in content.splitlines())
    return bool(_OWN.search(content)) and has_project and not _MARKDOWN.search(content)


def read_taskpaper(lines: list[str]) -> tuple[Document, Outline]:
    """Return the outline of the text. A single project that stands first and holds all the rest is the title."""
    entries = list(_entries(lines))
    first = entries[0] if entries else None
    holds_all = first is not None and first.depth == 0 and all(entry.depth > 0 for entry in entries[1:])
    is_project = first is not None and not _TASK.match(lines[first.line])
    if holds_all and is_project and len(entries) > 1 and first is not None and not first.fields and not first.checkbox:
        return outline_of(lines, entries[1:], title=first)
    return outline_of(lines, entries)


def _entries(lines: list[str]) -> Iterator[Entry]:
    entry: Entry | None = None
    has_project = False
    for number, line in enumerate(lines):
        task = _TASK.match(line)
        project = None if task else _PROJECT.fullmatch(line)
        if task is None and project is None:
            continue
        if entry is not None:
            entry.end = number
            yield entry
        depth = 2 * indentation(line)
        has_project = has_project or project is not None
        if task is not None and depth == 0 and has_project:  # many write tasks in the column of their project
            depth = 1
        entry = Entry(number, depth, "")
        _read(entry, task["text"] if task else project["text"] + project["tags"] if project else "")
    if entry is not None:
        entry.end = len(lines)
        yield entry


def _read(entry: Entry, text: str) -> None:
    markers: list[str] = []
    for match in _TAG.finditer(text):
        name, value = match["name"].lower(), match["value"]
        if name in ("done", "cancelled"):
            entry.checkbox = "x" if name == "done" else "-"
            entry.notes += [f"{match['name']}: {value}"] if value else []
        elif value is None:
            entry.tag([match["name"]])
        elif name in _MARKERS and value.strip():
            markers.append(f"{_MARKERS[name]}:{value.strip()}")
        elif name == "priority" and (priority := find_priority(f"p{value}") or find_priority(value)):
            entry.fields["priority"] = priority.value
        elif name in _OWNERS and 0 < len(value.strip()) <= 100:
            entry.fields["assignee"] = value.strip()
        else:
            entry.tag([match["name"]])
            entry.notes += [f"{match['name']}: {value}"]
    title = " ".join(_TAG.sub(" ", text).split(" ")).strip()
    entry.title = " ".join([re.sub(r" {2,}", " ", title) or text.strip(), *markers])
