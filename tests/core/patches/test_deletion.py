"""What goes with a deleted item, what comes back with it, and what is refused."""

from typing import Any

import pytest

from schemas.errors import ErrorCode
from tests.core.patches.builders import create, only_issue, update
from tests.core.patches.world import World, live_state


def test_deleting_takes_the_subtree_and_restoring_revives_exactly_that(world: World) -> None:
    world.apply({"op": "delete_task", "task": "WEB-3"})
    world.apply({"op": "delete_task", "task": "WEB-1"})
    assert world.project("WEB").task_count == 2

    world.apply({"op": "restore_task", "task": "WEB-1"})

    assert world.children("WEB-1") == ["WEB-2"]
    assert (world.project("WEB").task_count, world.task("WEB-1").leaf_count) == (4, 1)


@pytest.mark.parametrize("target", [{"op": "delete_project", "project": "WEB"}, {"op": "delete_task", "task": "WEB-1"}])
def test_what_goes_and_comes_with_an_item_is_told_in_outline_order(world: World, target: dict[str, Any]) -> None:
    world.apply(create("first", before="WEB-2"), create("inner", parent="WEB-2"))
    order = ["WEB-1", "WEB-6", "WEB-2", "WEB-7", "WEB-3"]
    expected = ["WEB", *order, "WEB-4", "WEB-5"] if "project" in target else order

    gone = world.apply(target)
    back = world.apply({**target, "op": str(target["op"]).replace("delete", "restore")})

    assert [change.key for change in gone.changes] == expected
    assert [change.key for change in back.changes] == expected


def test_without_cascade_live_children_block_a_deletion(world: World) -> None:
    two = only_issue(world.plan({"op": "delete_task", "task": "WEB-1", "cascade": False}).issues)
    world.apply({"op": "delete_task", "task": "WEB-3"})
    one = only_issue(world.plan({"op": "delete_task", "task": "WEB-1", "cascade": False}).issues)

    assert two.code == one.code == ErrorCode.HAS_CHILDREN
    assert (two.message, one.message) == ("WEB-1 has 2 live subtasks", "WEB-1 has 1 live subtask")


def test_a_cascaded_child_is_restored_through_its_root(world: World) -> None:
    world.apply({"op": "delete_task", "task": "WEB-1"})

    issue = only_issue(world.plan({"op": "restore_task", "task": "WEB-2"}).issues)

    assert issue.code == ErrorCode.DELETED_RESOURCE
    assert issue.hint == "use restore_task WEB-1 first"


def test_an_operation_on_a_deleted_task_is_refused_with_the_way_back(world: World) -> None:
    world.apply({"op": "delete_task", "task": "WEB-4"})

    issue = only_issue(world.plan(update("WEB-4", title="x")).issues)

    assert (issue.code, issue.hint) == (ErrorCode.DELETED_RESOURCE, "use restore_task WEB-4 first")


def test_a_deleted_project_comes_back_whole(world: World) -> None:
    before = live_state(world)
    world.apply({"op": "delete_project", "project": "WEB"})
    assert only_issue(world.plan(create("x")).issues).code == ErrorCode.DELETED_RESOURCE

    world.apply({"op": "restore_project", "project": "WEB"})

    assert live_state(world) == before


@pytest.mark.parametrize(
    ("patch", "path"),
    [
        ({"op": "delete_task", "task": "WEB-99"}, "/task"),
        ({"op": "restore_task", "task": "WEB-99"}, "/task"),
        ({"op": "delete_project", "project": "NONE"}, "/project"),
        ({"op": "restore_project", "project": "NONE"}, "/project"),
        ({"op": "update_project", "project": "NONE", "fields": {"name": "x"}}, "/project"),
        ({"op": "add_comment", "task": "WEB-99", "body": "x"}, "/task"),
        ({"op": "move_task", "task": "WEB-99", "parent": "WEB-1"}, "/task"),
        ({"op": "remove_dependency", "task": "WEB-99", "depends_on": "WEB-1"}, "/task"),
        ({"op": "add_dependency", "task": "WEB-1", "depends_on": "WEB-99"}, "/depends_on"),
    ],
)
def test_an_unknown_target_is_named(world: World, patch: dict[str, Any], path: str) -> None:
    issue = only_issue(world.plan(patch).issues)

    assert (issue.code, issue.path) == (ErrorCode.NOT_FOUND, f"/patches/0{path}")
    assert issue.message in ("there is no task 'WEB-99'", "there is no project 'NONE'")


@pytest.mark.parametrize(
    ("patch", "path"),
    [({"op": "restore_task", "task": "WEB-1"}, "/task"), ({"op": "restore_project", "project": "WEB"}, "/project")],
)
def test_what_is_not_deleted_cannot_be_restored(world: World, patch: dict[str, str], path: str) -> None:
    issue = only_issue(world.plan(patch).issues)

    assert (issue.code, issue.path) == (ErrorCode.INVALID_PATCH, f"/patches/0{path}")


def test_without_cascade_tasks_block_the_deletion_of_their_project(world: World) -> None:
    issue = only_issue(world.plan({"op": "delete_project", "project": "WEB", "cascade": False}).issues)

    assert (issue.code, issue.path) == (ErrorCode.HAS_CHILDREN, "/patches/0/cascade")
    assert issue.message == "WEB has 5 live tasks"


def test_an_empty_project_is_deleted_without_cascade(world: World) -> None:
    world.apply(*({"op": "delete_task", "task": key} for key in ("WEB-1", "WEB-4", "WEB-5")))

    world.apply({"op": "delete_project", "project": "WEB", "cascade": False})

    assert world.project("WEB").deleted_at == world.project("WEB").updated_at


@pytest.mark.parametrize("op", ["delete_task", "add_comment", "move_task"])
def test_a_deleted_task_is_no_target(world: World, op: str) -> None:
    world.apply({"op": "delete_task", "task": "WEB-4"})
    more = {"delete_task": {}, "add_comment": {"body": "x"}, "move_task": {"parent": "WEB-1"}}[op]

    issue = only_issue(world.plan({"op": op, "task": "WEB-4", **more}).issues)

    assert (issue.code, issue.hint) == (ErrorCode.DELETED_RESOURCE, "use restore_task WEB-4 first")


def test_a_deleted_project_is_no_target(world: World) -> None:
    world.apply({"op": "delete_project", "project": "WEB"})

    renamed = only_issue(world.plan({"op": "update_project", "project": "WEB", "fields": {"name": "x"}}).issues)
    deleted = only_issue(world.plan({"op": "delete_project", "project": "WEB"}).issues)
    child = only_issue(world.plan(update("WEB-2", title="x")).issues)

    assert renamed.hint == deleted.hint == child.hint == "use restore_project WEB first"


def test_a_task_is_restored_after_its_parent_and_its_project(world: World) -> None:
    world.apply({"op": "delete_task", "task": "WEB-2"})
    world.apply({"op": "delete_task", "task": "WEB-1"})
    below_task = only_issue(world.plan({"op": "restore_task", "task": "WEB-2"}).issues)
    world.apply({"op": "delete_project", "project": "WEB"})
    in_project = only_issue(world.plan({"op": "restore_task", "task": "WEB-1"}).issues)

    assert (below_task.code, below_task.path, below_task.hint) == (
        ErrorCode.DELETED_RESOURCE,
        "/patches/0/task",
        "use restore_task WEB-1 first",
    )
    assert (in_project.code, in_project.hint) == (ErrorCode.DELETED_RESOURCE, "use restore_project WEB first")


def test_a_restored_project_leaves_deleted_what_was_deleted_before(world: World) -> None:
    world.apply({"op": "delete_task", "task": "WEB-4"})
    world.apply({"op": "delete_project", "project": "WEB"})

    world.apply({"op": "restore_project", "project": "WEB"})

    assert world.children(None) == ["WEB-1", "WEB-5"]


@pytest.mark.parametrize("op", ["delete_task", "restore_task"])
def test_what_goes_or_comes_along_is_told_apart_from_what_was_named(world: World, op: str) -> None:
    if op == "restore_task":
        world.apply({"op": "delete_task", "task": "WEB-1"})

    changes = world.plan({"op": op, "task": "WEB-1"}).changes

    assert {change.key: change.cascaded for change in changes} == {"WEB-1": False, "WEB-2": True, "WEB-3": True}


@pytest.mark.parametrize(
    "fields",
    [
        {"start_date": "2026-06-02", "due_date": "2026-06-01"},
        {"links": {f"l{number}": "x" for number in range(21)}},
        {"custom": {"text": "x" * 20_000}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_a_set_left_broken_and_deleted_is_not_restored(world: World, fields: dict[str, Any]) -> None:
    world.apply(update("WEB-2", **fields), {"op": "delete_task", "task": "WEB-2"})

    issue = only_issue(world.plan({"op": "restore_task", "task": "WEB-2"}).issues)

    assert (issue.code, issue.path) == (ErrorCode.VALIDATION_ERROR, "/patches/0")


def test_a_project_is_not_restored_with_a_schema_that_is_none(world: World) -> None:
    broken = {"op": "update_project", "project": "WEB", "fields": {"task_schema": {"type": "nothing"}}}
    world.apply(broken, {"op": "delete_project", "project": "WEB"})

    issue = only_issue(world.plan({"op": "restore_project", "project": "WEB"}).issues)

    assert (issue.code, issue.path) == (ErrorCode.VALIDATION_ERROR, "/patches/0")
