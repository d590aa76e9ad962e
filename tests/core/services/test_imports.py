"""Imports through the service: the format that a request names decides, whatever its text looks like."""

import pytest

from core.context import Context
from core.errors import ValidationFailed
from core.exports.rendering import render_export
from core.services import planning, projects
from schemas.changes import ApplyResponse
from schemas.export import ExportFormat
from schemas.planning import ImportRequest, OutlineFormat
from schemas.projects import ProjectCreate


def titles(ctx: Context, content: str, format: OutlineFormat) -> list[str]:
    request = ImportRequest(content=content, format=format)
    return [task.title for task in planning.import_outline(ctx, request, dry_run=True).tasks]


def test_the_format_of_the_request_decides(ctx: Context) -> None:
    text = "title,owner\nOne,Ann\n"

    assert titles(ctx, text, OutlineFormat.AUTO) == ["One"]
    assert titles(ctx, text, OutlineFormat.OUTLINE) == ["title,owner", "One,Ann"]
    assert titles(ctx, text, OutlineFormat.TODO_TXT) == ["title,owner", "One,Ann"]


@pytest.mark.parametrize("format", [OutlineFormat.OPML, OutlineFormat.JSON])
def test_a_text_that_is_not_what_the_request_says_is_refused(ctx: Context, format: OutlineFormat) -> None:
    with pytest.raises(ValidationFailed, match="The text is no"):
        titles(ctx, "- [ ] One\n", format)


@pytest.mark.parametrize("format", ExportFormat)
def test_an_export_can_be_added_to_a_project_which_keeps_its_own_fields(
    ctx: Context, web: ApplyResponse, format: ExportFormat
) -> None:
    exported = projects.export_project(ctx, "WEB")

    answer = planning.import_outline(ctx, ImportRequest(content=render_export(exported, format), project="WEB"), dry_run=True)

    assert [patch["op"] for patch in answer.patch_set.patches] == ["create_task"] * 4
    assert any("project" in text for text in [*answer.questions, *(line.reason for line in answer.unparsed)])


@pytest.mark.parametrize("format", ExportFormat)
def test_an_export_without_tasks_has_nothing_to_add_to_a_project(ctx: Context, web: ApplyResponse, format: ExportFormat) -> None:
    projects.create_project(ctx, ProjectCreate(name="Other", key="OTH", description="Mine"))
    exported = render_export(projects.export_project(ctx, "OTH"), format)

    with pytest.raises(ValidationFailed, match="no tasks to add"):
        planning.import_outline(ctx, ImportRequest(content=exported, project="WEB"))
