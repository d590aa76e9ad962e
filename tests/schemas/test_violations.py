"""Pydantic's errors in our words: where, what, and what is allowed."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.errors import ErrorCode, Issue
from schemas.patches import OPS, Patch, PatchSet
from schemas.projects import ProjectCreate
from schemas.tasks import TaskCreate, TaskQuery
from schemas.violations import issues_of


def violations(kind: Any, value: Any, *, prefix: str = "") -> list[Issue]:
    with pytest.raises(ValidationError) as refusal:
        TypeAdapter(kind).validate_python(value)
    return issues_of(refusal.value.errors(include_url=False, include_input=False), prefix=prefix)


def only(kind: Any, value: Any) -> Issue:
    (issue,) = violations(kind, value)
    return issue


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"title": "x" * 256}, "/title", "must be at most 255 characters"),
        ({"title": ""}, "/title", "must not be empty"),
        ({"title": "  "}, "/title", "must not be blank"),
        ({"title": "a\0b"}, "/title", "must not contain the NUL character"),
        ({"title": "\ud800"}, "/title", "must be valid Unicode, without lone surrogates"),
        ({"title": None}, "/title", "must be text"),
        ({}, "/title", "is required"),
        ({"title": "a", "colour": "red"}, "/colour", "is not a known field"),
        ({"title": "a", "estimated_minutes": "5"}, "/estimated_minutes", "must be a whole number"),
        ({"title": "a", "estimated_minutes": 0}, "/estimated_minutes", "must be at least 1"),
        ({"title": "a", "estimated_minutes": 525_601}, "/estimated_minutes", "must be at most 525,600"),
        ({"title": "a", "due_date": "31.3.2026"}, "/due_date", "must be a day written as YYYY-MM-DD"),
        ({"title": "a", "due_date": "2026-13-01"}, "/due_date", "must be a day written as YYYY-MM-DD"),
        ({"title": "a", "priority": "urgent"}, "/priority", "must be one of: critical, high, medium, low, backlog"),
        ({"title": "a", "tags": "x"}, "/tags", "must be a list"),
        ({"title": "a", "tags": ["a", ""]}, "/tags/1", "must not be empty"),
        ({"title": "a", "acceptance_criteria": ["x"] * 51}, "/acceptance_criteria", "must have at most 50 items"),
        ({"title": "a", "custom": []}, "/custom", "must be an object"),
        ({"title": "a", "links": {"a/b~c": 5}}, "/links/a~1b~0c", "must be text"),
        ({"title": "a", "links": {"": "x"}}, "/links/", "must not be empty"),
    ],
)
def test_a_wrong_field_is_named_by_its_json_pointer(fields: dict[str, Any], path: str, message: str) -> None:
    issue = only(TaskCreate, fields)

    assert (issue.path, issue.message, issue.code) == (path, message, ErrorCode.VALIDATION_ERROR)


def test_every_mistake_is_reported_at_once() -> None:
    issues = violations(TaskCreate, {"title": "", "tags": 5, "colour": "red"})

    assert [issue.path for issue in issues] == ["/title", "/tags", "/colour"]


def test_the_op_that_pydantic_puts_into_a_path_is_not_shown() -> None:
    (issue,) = violations(list[Patch], [{"op": "create_task", "fields": {"title": "x" * 300}}], prefix="/patches")

    assert issue.path == "/patches/0/fields/title"


def test_a_single_patch_is_shown_below_its_prefix() -> None:
    (issue,) = violations(Patch, {"op": "create_task", "fields": {"title": 1}}, prefix="/patches/7")

    assert issue.path == "/patches/7/fields/title"


def test_an_unknown_field_named_like_an_op_keeps_its_path() -> None:
    (in_patch,) = violations(Patch, {"op": "delete_task", "task": "A-1", "create_task": 1}, prefix="/patches/0")

    assert in_patch.path == "/patches/0/create_task"
    assert only(TaskCreate, {"title": "a", "create_task": 1}).path == "/create_task"


def test_an_unknown_op_is_answered_with_all_ops() -> None:
    issue = only(Patch, {"op": "drop_table"})

    assert issue.path == "/op"
    assert all(op in issue.message for op in OPS)
    assert "drop_table" not in issue.message


def test_a_patch_without_op_is_told_which_ops_exist() -> None:
    issue = only(Patch, {"task": "WEB-1"})

    assert (issue.path, issue.message) == ("/op", "is required")
    assert "create_task" in (issue.hint or "")


@pytest.mark.parametrize("patch", [5, "create_task", None, [], {"op": 5}, {"op": None}, {"op": []}, {"op": {}}])
def test_anything_may_stand_where_a_patch_should(patch: Any) -> None:
    issue = only(Patch, patch)

    assert issue.path in ("", "/op")


def test_keys_and_ids_explain_their_form() -> None:
    assert only(ProjectCreate, {"name": "a", "key": "1"}).hint == "for example WEB"
    assert "16 of" in only(PatchSet, {"id": "ps_1", "patches": [{}]}).message


def test_query_values_are_explained_too() -> None:
    issues = violations(
        TaskQuery, {"page": "x", "per_page": 101, "ready": "maybe", "sort": "size", "updated_since": "2026-01-01T00:00:00"}
    )

    assert {issue.path: issue.message for issue in issues} == {
        "/page": "must be a whole number",
        "/per_page": "must be at most 100",
        "/ready": "must be true or false",
        "/sort": "must be one of: position, -created_at, created_at, priority, due_date, -updated_at",
        "/updated_since": "must be an instant with its time zone",
    }


def test_a_field_name_that_cannot_be_sent_back_is_made_harmless() -> None:
    issue = only(TaskCreate, {"title": "a", "\ud800" + "x" * 5_000: 1})

    assert len(issue.path.encode()) < 200


def test_nothing_the_caller_sent_is_repeated() -> None:
    issue = only(TaskCreate, {"title": "a", "status": "secret-token"})

    assert "secret-token" not in issue.model_dump_json()
