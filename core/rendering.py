"""A whole project as a file: JSON and CSV for programs, Markdown for people.

JSON is the document itself and loses nothing. CSV has one row per task and every field a caller can set;
comments and the project's own fields are not in it. Markdown is a plan our importer reads back.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import assert_never

from schemas.export import ExportDocument, ExportFormat
from schemas.primitives import Priority, TaskStatus
from schemas.projects import Project
from schemas.tasks import Task

CSV_COLUMNS = (
    "key",
    "parent",
    "title",
    "status",
    "priority",
    "assignee",
    "start_date",
    "due_date",
    "estimated_minutes",
    "actual_minutes",
    "depends_on",
    "tags",
    "description",
    "acceptance_criteria",
    "links",
    "custom",
)
# Spreadsheets run a cell that begins like this as a formula. An apostrophe in front stops that; cells
# that begin with apostrophes and then one of these get one more, so that taking one off restores each.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def render_export(document: ExportDocument, format: ExportFormat) -> str:
    """Return the document as text of the given format, ending in a line break."""
    match format:
        case ExportFormat.JSON:
            return document.model_dump_json(indent=2) + "\n"
        case ExportFormat.CSV:
            return _csv(document)
        case ExportFormat.MARKDOWN:
            return "\n".join(_markdown(document)) + "\n"
        case _:
            assert_never(format)


# CSV (RFC 4180). `depends_on` is keys joined by semicolons; other lists and maps are JSON.


def _csv(document: ExportDocument) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for task in document.tasks:
        fields = task.model_dump(mode="json", include=set(CSV_COLUMNS))
        fields["depends_on"] = ";".join(task.depends_on)
        writer.writerow([_cell(fields[column]) for column in CSV_COLUMNS])
    return text.getvalue()


def _cell(value: object) -> str:
    if value in (None, [], {}):
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if _FORMULA.match(text) else text


# Markdown

_HEADING = re.compile(r"^ {0,3}(?:#|=+\s*$|-+\s*$)", re.MULTILINE)
_WORD = re.compile(r"[^\W\d_](?:[\w-]*\w)?")
_BOXES = {TaskStatus.TODO: "[ ]", TaskStatus.COMPLETED: "[x]", TaskStatus.CANCELLED: "[-]", TaskStatus.IN_PROGRESS: "[/]"}


def _markdown(document: ExportDocument) -> Iterator[str]:
    yield f"# {_line(document.project.name)}"
    if facts := _project_facts(document.project):
        yield ""
        yield from facts
    yield from _paragraphs(document.project.description, "")
    if document.tasks:
        if _HEADING.search(document.project.description):  # it would take the tasks for its own
            yield ""
            yield "## Tasks"
        yield ""
    for task in document.tasks:
        yield from _item(task)


def _project_facts(project: Project) -> list[str]:
    facts = {"Start": project.start_date, "Due": project.due_date, "Tags": ", ".join(map(_line, project.tags))}
    return [f"**{label}**: {value}" for label, value in facts.items() if value]


def _item(task: Task) -> Iterator[str]:
    margin = "  " * task.depth
    inner = margin + "  "
    box = _BOXES.get(task.status, "[ ]")
    yield " ".join([f"{margin}- {box} {_line(task.title)}", *_markers(task)])
    labels = [f"{inner}**{label}**: {value}" for label, value in _labels(task).items()]
    if labels:
        yield ""
        yield from labels
    yield from _paragraphs(task.description, inner)
    if task.acceptance_criteria:
        yield ""
        yield f"{inner}**Acceptance criteria**:"
        yield ""
        yield from (f"{inner}- {_line(criterion)}" for criterion in task.acceptance_criteria)
    if labels or task.description or task.acceptance_criteria:
        yield ""


def _markers(task: Task) -> Iterator[str]:
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
    if task.depends_on:
        yield f"(after {', '.join(f'^{key}' for key in task.depends_on)})"
    yield f"^{task.key}"  # last in the line: there a name for other lines to refer to is looked for


def _labels(task: Task) -> dict[str, str]:
    """Return what cannot be said by a marker in the line of the task."""
    labels = {}
    if task.status not in _BOXES:
        labels["Status"] = str(task.status)
    if task.assignee is not None and not _WORD.fullmatch(task.assignee):
        labels["Owner"] = _line(task.assignee)
    if not _are_words(task.tags):
        labels["Tags"] = ", ".join(map(_line, task.tags))
    return labels


def _are_words(tags: Sequence[str]) -> bool:
    return all(_WORD.fullmatch(tag) for tag in tags)


def _line(text: str) -> str:
    return " ".join(text.split())


def _paragraphs(text: str, margin: str) -> Iterator[str]:
    if text:
        yield ""
        yield from (f"{margin}{line}" if line.strip() else "" for line in text.splitlines())
