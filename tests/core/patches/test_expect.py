"""`expect` is compared with the stored state before the set; what differs is a conflict."""

from typing import Any

import pytest

from schemas.errors import ErrorCode
from tests.core.patches.builders import conflicts_of, create, only_issue, update
from tests.core.patches.world import World


def test_expectations_are_checked_against_the_stored_state(world: World) -> None:
    stale = {"op": "update_task", "task": "WEB-2", "fields": {"title": "x"}, "expect": {"status": "done", "parent": "WEB-1"}}

    result = world.plan(stale)

    conflict = result.conflicts[0]
    assert len(result.conflicts) == 1
    assert (conflict.field, conflict.base, conflict.current) == ("status", "completed", "todo")


def expecting(task: str, **expect: Any) -> dict[str, Any]:
    return {"op": "update_task", "task": task, "fields": {"title": "x"}, "expect": expect}


@pytest.mark.parametrize(
    ("task", "expect"),
    [
        ("WEB-2", {"title": "Auth", "estimated_minutes": 60, "parent": "web-1", "deleted": False}),
        ("WEB-1", {"parent": None, "depends_on": None, "assignee": None, "description": None, "tags": []}),
        ("WEB-5", {"depends_on": ["web-4"]}),
    ],
)
def test_what_is_as_expected_is_no_conflict(world: World, task: str, expect: dict[str, Any]) -> None:
    plan = world.plan(expecting(task, **expect))

    assert not plan.conflicts
    assert not plan.issues


@pytest.mark.parametrize(
    ("task", "field", "expected", "base", "current"),
    [
        ("WEB-2", "parent", None, None, "WEB-1"),
        ("WEB-1", "parent", "WEB-4", "WEB-4", None),
        ("WEB-2", "parent", "WEB-99", "WEB-99", "WEB-1"),
        ("WEB-5", "depends_on", [], [], ["WEB-4"]),
        ("WEB-5", "depends_on", ["WEB-4", "WEB-1"], ["WEB-1", "WEB-4"], ["WEB-4"]),
        ("WEB-5", "deleted", True, True, False),
        ("WEB-2", "estimated_minutes", None, None, 60),
    ],
)
def test_each_value_that_is_another_is_a_conflict(
    world: World, task: str, field: str, expected: Any, base: Any, current: Any
) -> None:
    conflict = world.plan(update("WEB-4", title="y"), expecting(task, **{field: expected})).conflicts[0]

    assert (conflict.patch_index, conflict.path) == (1, f"/patches/1/expect/{field}")
    assert (conflict.key, conflict.field, conflict.base, conflict.current) == (task, field, base, current)


def test_a_dependency_on_a_deleted_task_is_none_to_expect(world: World) -> None:
    world.apply({"op": "delete_task", "task": "WEB-4"})

    assert not world.plan(expecting("WEB-5", depends_on=[])).conflicts


@pytest.mark.parametrize(
    ("patch", "field", "proposed"),
    [
        (update("WEB-2", title="x"), "title", "x"),
        ({"op": "delete_task", "task": "WEB-2"}, "deleted", True),
        ({"op": "restore_task", "task": "WEB-2"}, "deleted", False),
        ({"op": "move_task", "task": "WEB-2", "parent": "WEB-4"}, "parent", "WEB-4"),
        ({"op": "move_task", "task": "WEB-2", "after": "WEB-3"}, "parent", "WEB-1"),
    ],
)
def test_a_conflict_says_what_the_patch_proposes_or_else_what_stays(
    world: World, patch: dict[str, Any], field: str, proposed: Any
) -> None:
    other = {"title": "Other", "deleted": True, "parent": "WEB-5"}[field]

    conflict = world.plan(patch | {"expect": {field: other}}).conflicts[0]

    assert conflict.proposed == proposed


@pytest.mark.parametrize(
    ("patch", "proposed"),
    [
        ({"op": "update_project", "fields": {"name": "New"}}, "New"),
        ({"op": "delete_project"}, "Website"),
        ({"op": "restore_project"}, "Website"),
    ],
)
def test_projects_are_expected_in_the_same_way(world: World, patch: dict[str, Any], proposed: str) -> None:
    expect = {"name": "Web", "deleted": False, "description": None}

    conflict = world.plan(patch | {"project": "WEB", "expect": expect}).conflicts[0]

    assert (conflict.key, conflict.field, conflict.base, conflict.current) == ("WEB", "name", "Web", "Website")
    assert (conflict.path, conflict.proposed) == ("/patches/0/expect/name", proposed)


def test_a_project_can_be_expected_to_be_deleted(world: World) -> None:
    patch = {"op": "update_project", "project": "WEB", "fields": {"name": "New"}, "expect": {"deleted": True}}

    assert conflicts_of(world.plan(patch)) == [("WEB", "deleted", True, False)]


@pytest.mark.parametrize(
    "patch",
    [
        {"op": "update_task", "task": "$new", "fields": {"title": "x"}},
        {"op": "update_project", "project": "$new", "fields": {"name": "x"}},
    ],
)
def test_nothing_can_be_expected_of_a_new_item(world: World, patch: dict[str, Any]) -> None:
    new = create("New", ref="$new") if "task" in patch else {"op": "create_project", "ref": "$new", "fields": {"name": "New"}}

    issue = only_issue(world.plan(new, patch | {"expect": {"deleted": False}}).issues)

    assert (issue.code, issue.path) == (ErrorCode.VALIDATION_ERROR, "/patches/1/expect")


@pytest.mark.parametrize(
    "patch",
    [
        {"op": "update_task", "task": "WEB-99", "fields": {"title": "x"}},
        {"op": "delete_project", "project": "NONE"},
    ],
)
def test_what_does_not_exist_is_an_issue_and_no_conflict(world: World, patch: dict[str, Any]) -> None:
    plan = world.plan(patch | {"expect": {"deleted": True}})

    assert only_issue(plan.issues).code == ErrorCode.NOT_FOUND
    assert not plan.conflicts


def test_what_is_expected_of_existence_is_a_truth_value(world: World) -> None:
    issue = only_issue(world.plan(update("WEB-2", title="Auth!") | {"expect": {"deleted": "no"}}).issues)

    assert (issue.path, issue.message) == ("/patches/0/expect/deleted", "must be true or false")
