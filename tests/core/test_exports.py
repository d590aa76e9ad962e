"""Exports: JSON is the document, CSV is safe to open in a spreadsheet, Markdown is a plan to read."""

import csv
import io
from datetime import UTC, date, datetime
from typing import Any

import pytest

from core.exports.rendering import render_export
from core.exports.table import COLUMNS
from schemas.export import ExportDocument, ExportFormat
from schemas.primitives import Priority, ProjectStatus, TaskStatus
from schemas.projects import Project
from schemas.tasks import Comment, Task, TaskFields

NOW = datetime(2026, 8, 3, 9, tzinfo=UTC)
PROJECT = Project(
    id="p",
    key="WEB",
    name="Launch plan",
    description="Ship it.\n\nSoon.",
    status=ProjectStatus.PLANNING,
    priority=Priority.MEDIUM,
    tags=["web"],
    start_date=None,
    due_date=date(2026, 12, 1),
    links={},
    task_schema=None,
    revision=7,
    task_count=2,
    completed_task_count=1,
    progress=50,
    estimated_minutes=90,
    created_at=NOW,
    updated_at=NOW,
    created_by="ann",
    deleted_at=None,
)


def task(number: int, title: str, **fields: Any) -> Task:
    plain: dict[str, Any] = {
        "id": f"id-{number}",
        "key": f"WEB-{number}",
        "project_id": "p",
        "parent_id": None,
        "parent": None,
        "position": number,
        "depth": 0,
        "title": title,
        "description": "",
        "acceptance_criteria": [],
        "status": TaskStatus.TODO,
        "priority": Priority.MEDIUM,
        "tags": [],
        "assignee": None,
        "start_date": None,
        "due_date": None,
        "estimated_minutes": None,
        "actual_minutes": None,
        "links": {},
        "custom": {},
        "depends_on": [],
        "blocks": [],
        "is_ready": False,
        "is_overdue": False,
        "progress": 0,
        "subtask_count": 0,
        "claimed_by": None,
        "claim_expires_at": None,
        "completed_at": None,
        "revision": 1,
        "created_at": NOW,
        "updated_at": NOW,
        "created_by": "ann",
        "deleted_at": None,
    }
    return Task.model_validate(plain | fields)


def document(*tasks: Task, comment: str = "") -> ExportDocument:
    comments = [Comment(id="c", task_id="id-1", author="ann", body=comment, created_at=NOW)] if comment else []
    return ExportDocument(exported_at=NOW, project=PROJECT, tasks=list(tasks), comments=comments)


def rows(text: str) -> list[dict[str, str]]:
    """Return the rows below that of the project."""
    return list(csv.DictReader(io.StringIO(text, newline="")))[1:]


def test_json_is_the_whole_document_and_reads_back_equal() -> None:
    exported = document(task(1, "Größe \u202e", custom={"size": [1, None]}), comment="Good")

    text = render_export(exported, ExportFormat.JSON)

    assert ExportDocument.model_validate_json(text) == exported
    assert text == render_export(exported, ExportFormat.JSON)


def test_csv_has_a_column_for_every_field_a_caller_can_set() -> None:
    assert set(TaskFields.model_fields) | {"type", "key", "parent", "depends_on", "task_schema"} == set(COLUMNS)


def test_csv_has_one_row_per_task_with_quoted_line_breaks_and_joined_dependencies() -> None:
    text = render_export(
        document(
            task(1, 'Say "hi", twice', description="one\ntwo", tags=["a;b", "c"]),
            task(2, "Next", depends_on=["WEB-1", "WEB-9"], estimated_minutes=90, due_date="2026-12-01"),
        ),
        ExportFormat.CSV,
    )

    first, second = rows(text)
    assert (first["title"], first["description"], first["tags"]) == ('Say "hi", twice', "one\ntwo", '["a;b", "c"]')
    assert (second["depends_on"], second["estimated_minutes"], second["due_date"]) == ("WEB-1;WEB-9", "90", "2026-12-01")
    assert text.count("\r\n") == 4


def test_csv_has_a_row_for_the_project_and_one_for_each_comment_below_its_task() -> None:
    text = render_export(document(task(1, "Build"), task(2, "Test"), comment="Good"), ExportFormat.CSV)

    found = [(row["type"], row["key"], row["parent"], row["title"] or row["description"]) for row in rows(text)]
    assert text.splitlines()[1].startswith("project,WEB,,Launch plan,planning,medium,,,2026-12-01,")
    assert found == [("task", "WEB-1", "", "Build"), ("comment", "", "WEB-1", "Good"), ("task", "WEB-2", "", "Test")]


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@cmd", "'=1", "''@x"])
def test_a_csv_cell_that_a_spreadsheet_would_run_gets_one_apostrophe(title: str) -> None:
    assert rows(render_export(document(task(1, title)), ExportFormat.CSV))[0]["title"] == "'" + title


@pytest.mark.parametrize("title", ["plain", "'quoted'", "a = b", "1-2"])
def test_other_csv_cells_are_as_stored(title: str) -> None:
    assert rows(render_export(document(task(1, title)), ExportFormat.CSV))[0]["title"] == title


def test_markdown_is_a_nested_checklist_with_markers() -> None:
    text = render_export(
        document(
            task(1, "Build", status=TaskStatus.COMPLETED, description="With care.", acceptance_criteria=["It runs"]),
            task(
                2,
                "Auth",
                depth=1,
                parent="WEB-1",
                status=TaskStatus.IN_PROGRESS,
                estimated_minutes=90,
                assignee="ann",
                due_date="2026-12-01",
                tags=["api"],
                priority=Priority.HIGH,
                depends_on=["WEB-3"],
            ),
        ),
        ExportFormat.MARKDOWN,
    )

    assert text.splitlines() == [
        "# Launch plan",
        "",
        "**Due**: 2026-12-01",
        "**Tags**: web",
        "",
        "Ship it.",
        "",
        "Soon.",
        "",
        "- [x] Build ^WEB-1",
        "",
        "  With care.",
        "",
        "  **Acceptance criteria**:",
        "",
        "  * It runs",
        "",
        "  - [/] Auth (90 min) @ann due:2026-12-01 #api !high (after ^WEB-3) ^WEB-2",
    ]


def test_text_that_could_be_read_as_more_than_text_stands_in_a_code_block() -> None:
    exported = document(task(1, "Build", description="Why.\n\n- [ ] ``` is a fence"), comment="One\ntwo")

    text = render_export(exported, ExportFormat.MARKDOWN)

    assert text.splitlines()[-12:] == [
        "- [ ] Build ^WEB-1",
        "",
        "  ````text description",
        "  Why.",
        "  ",
        "  - [ ] ``` is a fence",
        "  ````",
        "",
        "  ```text comment",
        "  One",
        "  two",
        "  ```",
    ]


def test_a_title_that_holds_markers_is_stated_exactly_with_all_fields_of_its_line() -> None:
    exported = document(
        task(1, "Ask @bob, after", assignee="ann", estimated_minutes=90, depends_on=["WEB-2"], custom={"size": [1]}),
        task(2, "Two"),
    )

    text = render_export(exported, ExportFormat.MARKDOWN)

    assert text.splitlines()[-14:] == [
        "- [ ] Ask @bob, after. ^WEB-1",
        "",
        "  **Depends on**: ^WEB-2",
        "",
        "  ```json fields",
        "  {",
        '    "custom": {"size": [1]},',
        '    "title": "Ask @bob, after",',
        '    "estimated_minutes": 90,',
        '    "assignee": "ann"',
        "  }",
        "  ```",
        "",
        "- [ ] Two ^WEB-2",
    ]


def test_fields_of_the_project_that_no_line_can_say_are_stated_exactly() -> None:
    project = PROJECT.model_copy(
        update={"name": "Plan #", "status": ProjectStatus.ACTIVE, "links": {"jira": "WEB"}, "tags": ["a,b"]}
    )

    text = render_export(document().model_copy(update={"project": project}), ExportFormat.MARKDOWN)

    assert text.splitlines() == [
        "# Plan",
        "",
        "**Due**: 2026-12-01",
        "",
        "Ship it.",
        "",
        "Soon.",
        "",
        "```json fields",
        "{",
        '  "status": "active",',
        '  "links": {"jira": "WEB"},',
        '  "name": "Plan #",',
        '  "tags": ["a,b"]',
        "}",
        "```",
    ]


def test_what_no_marker_can_say_is_a_labelled_line_below_the_task() -> None:
    exported = document(task(1, "Test", status=TaskStatus.BLOCKED, assignee="Ann Smith", tags=["front end", "ui"]))

    text = render_export(exported, ExportFormat.MARKDOWN)

    assert text.splitlines()[-5:] == [
        "- [ ] Test ^WEB-1",
        "",
        "  **Owner**: Ann Smith",
        "  **Tags**: front end, ui",
        "  **Status**: blocked",
    ]


def test_a_title_with_line_breaks_stays_one_item_of_the_markdown_list() -> None:
    text = render_export(document(task(1, "One\n- [x] Two")), ExportFormat.MARKDOWN)

    assert "- [ ] One - [x] Two ^WEB-1" in text.splitlines()
