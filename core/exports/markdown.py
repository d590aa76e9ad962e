"""A project as a Markdown plan for people, which the importer reads back without loss.

Titles, markers, labelled lines and prose say what they can. The rest is stated exactly in code blocks below the item,
`text description`, `text comment` and `json fields`. Whether the importer would read a line as it is meant is asked of the
importer's own readers; a description is plain text only where it looks like nothing but prose.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from typing import Any

from core.rules.dates import Calendar
from core.rules.estimates import WorkingTime
from core.rules.labels import Label, find_labels
from core.rules.markers import MarkerReader
from core.rules.stated import read_tags
from schemas.export import ExportDocument
from schemas.primitives import Priority, TaskStatus
from schemas.projects import Project
from schemas.tasks import Task

MAX_NAMES_IN_LINE = 200  # characters; the importer reads at most 300 in parentheses

_WORD = re.compile(r"[^\W\d_](?:[\w-]*\w)?")
# A line of prose begins with a word, and nothing in it could be structure, a link's name or a stated dependency.
_PROSE = re.compile(r"(?![a-z][.)])(?:[^\W\d_]|[0-9]+(?![\w.)]))[^|\r]*(?<![\s:\\])")
_DEPENDS = re.compile(r"depends\s+on|blocked\s+by", re.IGNORECASE)
_BOXES = {TaskStatus.TODO: "[ ]", TaskStatus.COMPLETED: "[x]", TaskStatus.CANCELLED: "[-]", TaskStatus.IN_PROGRESS: "[/]"}
_PROJECT_JSON = ("status", "links", "task_schema")
_PROJECT_DEFAULTS = {"status": "planning", "links": {}}
_TASK_JSON = ("actual_minutes", "links", "custom")
_TASK_DEFAULTS = {"priority": "medium", "links": {}, "custom": {}}
_INLINE = ("estimated_minutes", "assignee", "start_date", "due_date", "tags", "priority")


def render_markdown(document: ExportDocument) -> str:
    """Return the document as Markdown."""
    comments: dict[str, list[str]] = defaultdict(list)
    for comment in document.comments:
        comments[comment.task_id].append(comment.body)
    lines = list(_project(document.project, is_empty=not document.tasks))
    for task in document.tasks:
        lines += _task(task, comments[task.id])
    return "\n".join(lines).rstrip("\n") + "\n"


def _project(project: Project, *, is_empty: bool) -> Iterator[str]:
    exact = _given(project, _PROJECT_JSON, _PROJECT_DEFAULTS)
    if is_empty:  # says that this is a project without tasks, and no text to make a task of
        exact["status"] = str(project.status)
    name = project.name
    if not re.fullmatch(r"\S(?:[^\n\r]*[^\s#])?", name) or name == "#":
        exact["name"] = name
        name = _line(name).rstrip("# ") or project.key
    facts, unsaid = _project_facts(project)
    yield f"# {name}"
    yield from _block(facts)
    yield from _details(project.description, [], [], exact | unsaid, "")
    yield ""


def _project_facts(project: Project) -> tuple[list[str], dict[str, Any]]:
    facts = {"Start": project.start_date, "Due": project.due_date}
    lines = [f"**{label}**: {value}" for label, value in facts.items() if value]
    if project.priority is not Priority.MEDIUM:
        lines.append(f"**Priority**: {project.priority}")
    tags = _tags(project.tags)
    return [*lines, *tags], {} if tags or not project.tags else {"tags": project.tags}


def _task(task: Task, comments: list[str]) -> Iterator[str]:
    margin = "  " * task.depth
    exact = _given(task, _TASK_JSON, _TASK_DEFAULTS)
    labels: list[str] = []
    names = ", ".join(f"^{key}" for key in task.depends_on)
    line = " ".join([task.title, *_markers(task, names), f"^{task.key}"])
    if _reads_as(line, task, waits=0 < len(names) <= MAX_NAMES_IN_LINE):
        labels, unsaid = _labels(task)
        exact |= unsaid
    else:  # what is exact includes all fields of the line, which is then not read
        line = _label_of(task)
        exact |= {"title": task.title} | _given(task, _INLINE, _TASK_DEFAULTS)
    if task.status not in _BOXES:
        labels.append(f"**Status**: {task.status}")
    if names and (len(names) > MAX_NAMES_IN_LINE or "title" in exact):
        labels.append(f"**Depends on**: {names}")
    yield f"{margin}- {_BOXES.get(task.status, '[ ]')} {line}"
    inner = margin + "  "
    details = [*_block([inner + label for label in labels])]
    details += _details(task.description, task.acceptance_criteria, comments, exact, inner)
    yield from details
    if details:
        yield ""


def _given(item: Project | Task, names: Sequence[str], defaults: dict[str, Any]) -> dict[str, Any]:
    """Return the named fields that are set to something, as JSON."""
    fields = item.model_dump(mode="json", include=set(names))
    return {name: fields[name] for name in names if fields[name] not in ([], None, defaults.get(name))}


def _markers(task: Task, names: str) -> Iterator[str]:
    if task.estimated_minutes is not None:
        yield f"({task.estimated_minutes} min)"
    if task.assignee is not None and _WORD.fullmatch(task.assignee):
        yield f"@{task.assignee}"
    if task.start_date is not None:
        yield f"start:{task.start_date}"
    if task.due_date is not None:
        yield f"due:{task.due_date}"
    if _are_words(task.tags):
        yield from (f"#{tag}" for tag in task.tags)
    if task.priority is not Priority.MEDIUM:
        yield f"!{task.priority}"
    if 0 < len(names) <= MAX_NAMES_IN_LINE:
        yield f"(after {names})"
    # `^KEY` follows, last in the line: there a name for other lines to refer to is looked for


def _reads_as(line: str, task: Task, *, waits: bool) -> bool:
    """Tell whether the importer takes title and markers from the line as they are meant."""
    inline = _reader().read(line)
    expected = _given(task, _INLINE, _TASK_DEFAULTS)
    if task.assignee is not None and not _WORD.fullmatch(task.assignee):
        expected.pop("assignee")
    if not _are_words(task.tags):
        expected.pop("tags", None)
    return (
        not re.search(r"[\n\r]", line)
        and inline.title_without_targets() == task.title
        and inline.fields.values == expected
        and inline.block_id == task.key
        and len(inline.targets) == waits
        and not inline.problems
    )


@cache
def _reader() -> MarkerReader:
    return MarkerReader(Calendar(date(2000, 1, 1), 5), WorkingTime(8, 5), frozenset())  # days are ISO, estimates minutes


def _label_of(task: Task) -> str:
    """Return a line that shows the title and is not read, except for the key at its end."""
    line = f"{_line(task.title)} ^{task.key}"
    if _reader().read(line).block_id != task.key:  # "after ^WEB-2" would be a dependency
        line = f"{_line(task.title)}. ^{task.key}"
    return line if _reader().read(line).block_id == task.key else f"{task.key} ^{task.key}"


def _labels(task: Task) -> tuple[list[str], dict[str, Any]]:
    """Return lines for what cannot be said by a marker in the line of the task, and what no line can say."""
    labels: list[str] = []
    unsaid: dict[str, Any] = {}
    if task.assignee is not None and not _WORD.fullmatch(task.assignee):
        label = f"**Owner**: {task.assignee}"
        if _is_line(label) and find_labels(label) == [(Label.ASSIGNEE, task.assignee)] and task.assignee[0] != "@":
            labels.append(label)
        else:
            unsaid["assignee"] = task.assignee
    if not _are_words(task.tags):
        tags = _tags(task.tags)
        labels += tags
        unsaid |= {} if tags else {"tags": task.tags}
    return labels, unsaid


def _tags(tags: Sequence[str]) -> list[str]:
    """Return the line that states the tags; none if there are none, or if none can."""
    text = ", ".join(tags)
    label = f"**Tags**: {text}"
    says = _is_line(label) and find_labels(label) == [(Label.TAGS, text)] and read_tags(text) == list(tags)
    return [label] if tags and says else []


def _details(text: str, criteria: list[str], comments: list[str], exact: dict[str, Any], margin: str) -> Iterator[str]:
    """Yield description, criteria, comments and exact fields, each after a blank line."""
    if "\r" in text:  # line ends are not told apart in text
        exact = exact | {"description": text}
    elif _is_prose(text):
        yield from _block([f"{margin}{line}" if line else "" for line in text.split("\n")] if text else [])
    else:
        yield from _code("text description", text, margin)
    if all(_is_prose(criterion) and "\n" not in criterion for criterion in criteria):
        yield from _block([f"{margin}**Acceptance criteria**:"] if criteria else [])
        yield from _block([f"{margin}* {criterion}" for criterion in criteria])  # not `-`, which subtasks use
    else:
        exact = exact | {"acceptance_criteria": criteria}
    if any("\r" in comment for comment in comments):
        exact = exact | {"comments": comments}
    else:
        for comment in comments:
            yield from _code("text comment", comment, margin)
    if exact:
        fields = (f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in exact.items())
        yield from _code("json fields", "{\n" + ",\n".join(fields) + "\n}", margin)


def _block(lines: list[str]) -> list[str]:
    return ["", *lines] if lines else []


def _code(info: str, text: str, margin: str) -> list[str]:
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return ["", f"{margin}{fence}{info}", *(f"{margin}{line}" for line in text.split("\n")), f"{margin}{fence}"]


def _is_prose(text: str) -> bool:
    """Tell whether text would be read as it is: paragraphs, each line of which begins with a word."""
    lines = text.split("\n")
    return bool(lines[0] and lines[-1]) and all(not line or _is_prose_line(line) for line in lines) if text else True


def _is_prose_line(line: str) -> bool:
    return bool(_PROSE.fullmatch(line)) and not find_labels(line) and not _DEPENDS.search(line)


def _is_line(text: str) -> bool:
    return not re.search(r"[\n\r]", text) and text == text.strip()


def _are_words(tags: Sequence[str]) -> bool:
    return all(_WORD.fullmatch(tag) for tag in tags)


def _line(text: str) -> str:
    return " ".join(text.split())
