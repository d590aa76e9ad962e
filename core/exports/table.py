"""A project as CSV (RFC 4180): a row for the project, one for each task, one for each comment below its task.

`depends_on` is keys joined by semicolons; other lists and maps are JSON.
"""

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from schemas.export import ExportDocument
from schemas.projects import Project, ProjectFields
from schemas.tasks import Comment, Task

COLUMNS = (
    "type",
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
    "task_schema",
)

# Spreadsheets run a cell that begins like this as a formula. An apostrophe in front stops that; cells
# that begin with apostrophes and then one of these get one more, so that taking one off restores each.
FORMULA = re.compile(r"'*[=+\-@\t\r]")


def render_table(document: ExportDocument) -> str:
    """Return the document as CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in _rows(document):
        writer.writerow([_cell(row.get(column)) for column in COLUMNS])
    return text.getvalue()


def _rows(document: ExportDocument) -> Iterator[Mapping[str, object]]:
    comments: dict[str, list[Comment]] = defaultdict(list)
    for comment in document.comments:
        comments[comment.task_id].append(comment)
    yield _project(document.project)
    for task in document.tasks:
        yield _task(task)
        yield from ({"type": "comment", "parent": task.key, "description": comment.body} for comment in comments[task.id])


def _project(project: Project) -> dict[str, object]:
    schema = None if project.task_schema is None else json.dumps(project.task_schema, ensure_ascii=False)  # {} is one
    fields = project.model_dump(mode="json", include={"key", *ProjectFields.model_fields})
    return {"type": "project", **fields, "title": project.name, "task_schema": schema}


def _task(task: Task) -> dict[str, object]:
    fields = task.model_dump(mode="json", include=set(COLUMNS))
    return {"type": "task", **fields, "depends_on": ";".join(task.depends_on)}


def _cell(value: object) -> str:
    if value in (None, [], {}):
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if FORMULA.match(text) else text
