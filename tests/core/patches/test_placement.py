"""Where a task goes: its project, its parent and its place among the siblings."""

import itertools
from typing import Any

import pytest

from schemas.errors import ErrorCode
from tests.core.patches.builders import create, only_issue, update
from tests.core.patches.world import World


@pytest.mark.parametrize(
    ("place", "order"),
    [
        ({"before": "WEB-1"}, ["WEB-5", "WEB-1", "WEB-4"]),
        ({"after": "WEB-1"}, ["WEB-1", "WEB-5", "WEB-4"]),
        ({}, ["WEB-1", "WEB-4", "WEB-5"]),
    ],
)
def test_a_task_moves_beside_an_anchor_or_to_the_end(world: World, place: dict[str, str], order: list[str]) -> None:
    world.apply({"op": "move_task", "task": "WEB-5", **place})

    assert world.children(None) == order


def test_a_run_of_creations_beside_one_anchor_keeps_its_order(world: World) -> None:
    world.apply(*(create(str(number), before="WEB-4") for number in range(3)))

    assert world.children(None) == ["WEB-1", "WEB-6", "WEB-7", "WEB-8", "WEB-4", "WEB-5"]


def test_an_exhausted_gap_renumbers_the_siblings_without_a_change(world: World) -> None:
    for _ in range(40):
        world.apply(create("x", after="WEB-1"))

    assert world.children(None)[:2] == ["WEB-1", "WEB-45"]
    assert world.children(None)[-3:] == ["WEB-6", "WEB-4", "WEB-5"]
    assert world.task("WEB-4").revision == 2


def test_an_anchor_under_another_parent_is_refused(world: World) -> None:
    issue = only_issue(world.plan({"op": "move_task", "task": "WEB-5", "parent": None, "before": "WEB-2"}).issues)

    assert (issue.code, issue.path) == (ErrorCode.INVALID_HIERARCHY, "/patches/0/before")


@pytest.fixture
def two(world: World) -> World:
    """The website, and OPS with one task."""
    world.apply({"op": "create_project", "key": "OPS", "fields": {"name": "Operations"}}, create("Backup", project="OPS"))
    return world


@pytest.mark.parametrize(
    ("patch", "path"),
    [
        ({"op": "move_task", "task": "WEB-4", "parent": "OPS-1"}, "/parent"),
        ({"op": "move_task", "task": "WEB-4", "before": "OPS-1"}, "/before"),
        ({"op": "move_task", "task": "WEB-4", "after": "OPS-1"}, "/after"),
        (create("x", project="WEB", parent="OPS-1"), "/parent"),
        (create("x", project="WEB", parent=None, after="OPS-1"), "/after"),
    ],
)
def test_a_task_stays_in_its_project(two: World, patch: dict[str, Any], path: str) -> None:
    issue = only_issue(two.plan(patch).issues)

    assert (issue.code, issue.path) == (ErrorCode.INVALID_HIERARCHY, f"/patches/0{path}")


@pytest.mark.parametrize(
    ("place", "parent"), [({"parent": "WEB-1"}, "WEB-1"), ({"before": "WEB-3"}, "WEB-1"), ({"after": "WEB-4"}, None)]
)
def test_a_new_task_may_leave_out_what_its_place_tells(world: World, place: dict[str, str], parent: str | None) -> None:
    world.apply({"op": "create_task", "fields": {"title": "New"}, **place})

    assert "WEB-6" in world.children(parent)


def test_a_new_task_needs_a_project_or_a_place(world: World) -> None:
    issue = only_issue(world.plan({"op": "create_task", "fields": {"title": "New"}}).issues)

    assert (issue.code, issue.path) == (ErrorCode.VALIDATION_ERROR, "/patches/0/project")


def test_before_and_after_exclude_each_other(world: World) -> None:
    places = {"before": "WEB-4", "after": "WEB-1"}

    issues = world.plan(create("x", **places), {"op": "move_task", "task": "WEB-5", **places}).issues

    assert [(issue.code, issue.path) for issue in issues] == [
        (ErrorCode.VALIDATION_ERROR, "/patches/0/after"),
        (ErrorCode.VALIDATION_ERROR, "/patches/1/after"),
    ]


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ({"project": "NONE"}, "/project"),
        ({"parent": "WEB-99"}, "/parent"),
        ({"before": "WEB-99"}, "/before"),
        ({"after": "WEB-99"}, "/after"),
    ],
)
def test_a_place_that_does_not_exist_is_named(world: World, place: dict[str, str], path: str) -> None:
    issue = only_issue(world.plan({"op": "create_task", "fields": {"title": "New"}, **place}).issues)

    assert (issue.code, issue.path) == (ErrorCode.NOT_FOUND, f"/patches/0{path}")


def test_a_new_task_under_another_parent_than_its_anchors_is_refused(world: World) -> None:
    issue = only_issue(world.plan(create("x", parent="WEB-4", before="WEB-2")).issues)

    assert (issue.code, issue.path) == (ErrorCode.INVALID_HIERARCHY, "/patches/0/before")


def test_a_task_is_not_placed_beside_itself(world: World) -> None:
    issue = only_issue(world.plan({"op": "move_task", "task": "WEB-4", "after": "WEB-4"}).issues)

    assert (issue.code, issue.path) == (ErrorCode.INVALID_HIERARCHY, "/patches/0/after")


def test_a_task_that_moves_twice_ends_where_the_last_patch_says(world: World) -> None:
    world.apply(
        {"op": "move_task", "task": "WEB-5", "before": "WEB-1"},
        {"op": "move_task", "task": "WEB-5", "parent": "WEB-1"},
        {"op": "move_task", "task": "WEB-5", "before": "WEB-3"},
    )

    assert world.children("WEB-1") == ["WEB-2", "WEB-5", "WEB-3"]
    assert world.children(None) == ["WEB-1", "WEB-4"]


def test_a_new_task_can_be_moved_by_its_set(world: World) -> None:
    world.apply(create("New", ref="$n"), {"op": "move_task", "task": "$n", "parent": "WEB-4"}, create("Beside", before="$n"))

    assert world.children("WEB-4") == ["WEB-6"]
    assert world.children(None)[-1] == "WEB-7", "creations come first, so its anchor was still at the top level"
    assert world.task("WEB-6").depth == 1


def test_a_sibling_that_changes_while_its_place_is_renumbered_has_not_moved(world: World) -> None:
    numbered = itertools.count()
    result = world.apply(update("WEB-4", title="Docs"))
    while not result.effects.renumberings:
        result = world.apply(create("x", after="WEB-1"), update("WEB-4", title=f"Docs {next(numbered)}"))

    assert next(change for change in result.changes if change.key == "WEB-4").fields.keys() == {"title"}
    assert {patch["op"] for patch in result.inverse} == {"update_task", "delete_task"}


def test_every_unknown_name_of_a_place_is_reported(world: World) -> None:
    result = world.plan({"op": "move_task", "task": "WEB-5", "parent": "WEB-97", "before": "WEB-98", "after": "WEB-99"})

    assert [(issue.path, issue.code) for issue in result.issues] == [
        ("/patches/0/parent", ErrorCode.NOT_FOUND),
        ("/patches/0/before", ErrorCode.NOT_FOUND),
        ("/patches/0/after", ErrorCode.NOT_FOUND),
        ("/patches/0/after", ErrorCode.VALIDATION_ERROR),
    ]
