"""A tree without circles: parents, depth and the cycle rule of dependencies, on the final state."""

import pytest

from schemas.errors import ErrorCode
from tests.core.patches.builders import create, only_issue
from tests.core.patches.world import World


def test_a_cycle_of_three_is_named(world: World) -> None:
    result = world.plan(
        {"op": "add_dependency", "task": "WEB-2", "depends_on": "WEB-5"},
        {"op": "add_dependency", "task": "WEB-4", "depends_on": "WEB-2"},
    )

    assert {issue.code for issue in result.issues} == {ErrorCode.DEPENDENCY_CYCLE}
    assert [issue.patch_index for issue in result.issues] == [0, 1]
    assert "WEB-2 > WEB-4 > WEB-5 > WEB-2" in result.issues[0].message


@pytest.mark.parametrize(("task", "target"), [("WEB-1", "WEB-2"), ("WEB-2", "WEB-1"), ("WEB-2", "WEB-2")])
def test_waiting_for_oneself_or_an_own_ancestor_or_descendant_is_a_cycle(world: World, task: str, target: str) -> None:
    result = world.plan({"op": "add_dependency", "task": task, "depends_on": target})

    assert only_issue(result.issues).code == ErrorCode.DEPENDENCY_CYCLE


def test_moving_under_a_task_that_waits_for_it_is_a_cycle(world: World) -> None:
    issue = only_issue(world.plan({"op": "move_task", "task": "WEB-4", "parent": "WEB-5"}).issues)

    assert (issue.code, issue.path) == (ErrorCode.DEPENDENCY_CYCLE, "/patches/0")
    assert "WEB-4 > WEB-5 > WEB-4" in issue.message


def test_a_task_cannot_be_moved_below_itself(world: World) -> None:
    issue = only_issue(world.plan({"op": "move_task", "task": "WEB-1", "parent": "WEB-3"}).issues)

    assert issue.code == ErrorCode.INVALID_HIERARCHY
    assert "WEB-1 > WEB-3 > WEB-1" in issue.message


def test_a_circle_is_reported_by_its_members_and_not_by_what_hangs_below_it(world: World) -> None:
    result = world.plan(
        {"op": "move_task", "task": "WEB-1", "parent": "WEB-4"},
        {"op": "move_task", "task": "WEB-4", "parent": "WEB-1"},
        {"op": "move_task", "task": "WEB-5", "parent": "WEB-4"},
    )

    assert [(issue.patch_index, issue.code) for issue in result.issues] == [
        (0, ErrorCode.INVALID_HIERARCHY),
        (1, ErrorCode.INVALID_HIERARCHY),
    ]


def test_a_cycle_through_a_parent_that_the_same_set_deletes_is_refused(world: World) -> None:
    world.apply({"op": "add_dependency", "task": "WEB-1", "depends_on": "WEB-5"})

    issue = only_issue(
        world.plan(
            {"op": "add_dependency", "task": "WEB-4", "depends_on": "WEB-2"}, {"op": "delete_task", "task": "WEB-1"}
        ).issues
    )

    assert (issue.code, issue.path) == (ErrorCode.DEPENDENCY_CYCLE, "/patches/0/depends_on")


def test_a_circle_that_is_deleted_by_the_same_set_is_refused(world: World) -> None:
    result = world.plan(
        {"op": "move_task", "task": "WEB-1", "parent": "WEB-4"},
        {"op": "move_task", "task": "WEB-4", "parent": "WEB-1"},
        {"op": "delete_task", "task": "WEB-4"},
        {"op": "delete_task", "task": "WEB-1"},
    )

    assert ErrorCode.INVALID_HIERARCHY in {issue.code for issue in result.issues}


def test_a_set_may_pass_through_a_forbidden_middle(world: World) -> None:
    world.apply(
        {"op": "add_dependency", "task": "WEB-4", "depends_on": "WEB-5"},
        {"op": "remove_dependency", "task": "WEB-5", "depends_on": "WEB-4"},
    )

    assert world.waits_for("WEB-4") == ["WEB-5"]


def test_depth_is_limited_on_the_final_tree() -> None:
    world = World(max_depth=1)
    world.apply({"op": "create_project", "key": "WEB", "fields": {"name": "W"}}, create("a"), create("b"), create("c"))
    world.apply({"op": "move_task", "task": "WEB-2", "parent": "WEB-1"})

    issue = only_issue(world.plan({"op": "move_task", "task": "WEB-3", "parent": "WEB-2"}).issues)

    assert issue.code == ErrorCode.INVALID_HIERARCHY
    assert "level 2" in issue.message


def test_a_new_task_too_deep_is_refused() -> None:
    world = World(max_depth=1)
    world.apply({"op": "create_project", "key": "WEB", "fields": {"name": "W"}}, create("a", ref="$a"), create("b", parent="$a"))

    issue = only_issue(world.plan(create("c", parent="WEB-2")).issues)

    assert issue.code == ErrorCode.INVALID_HIERARCHY
    assert "level 2" in issue.message


def test_moving_takes_the_subtree_along(world: World) -> None:
    world.apply({"op": "move_task", "task": "WEB-1", "parent": "WEB-4"})

    assert [world.task(key).depth for key in ("WEB-1", "WEB-2", "WEB-3")] == [1, 2, 2]
    assert world.task("WEB-4").leaf_count == 2
    assert world.task("WEB-2").revision == 2, "its own fields have not changed"


def test_restoring_checks_cycles_again(world: World) -> None:
    world.apply({"op": "delete_task", "task": "WEB-4"})  # WEB-5 waits for it
    world.apply(create("New", ref="$n", depends_on=["WEB-5"]))
    world.apply({"op": "restore_task", "task": "WEB-4"})
    world.apply({"op": "delete_task", "task": "WEB-5"})
    world.apply({"op": "add_dependency", "task": "WEB-4", "depends_on": "WEB-6"})

    issue = only_issue(world.plan({"op": "restore_task", "task": "WEB-5"}).issues)

    assert issue.code == ErrorCode.DEPENDENCY_CYCLE


def test_restoring_checks_the_cycles_of_everything_that_comes_back(world: World) -> None:
    world.apply(
        {"op": "add_dependency", "task": "WEB-2", "depends_on": "WEB-4"},
        {"op": "add_dependency", "task": "WEB-5", "depends_on": "WEB-2"},
        {"op": "remove_dependency", "task": "WEB-5", "depends_on": "WEB-4"},
    )
    world.apply({"op": "delete_task", "task": "WEB-1"})  # and WEB-2, through which WEB-5 waits for WEB-4
    world.apply({"op": "add_dependency", "task": "WEB-4", "depends_on": "WEB-5"})

    issue = only_issue(world.plan({"op": "restore_task", "task": "WEB-1"}).issues)

    assert (issue.code, issue.path) == (ErrorCode.DEPENDENCY_CYCLE, "/patches/0")
    assert "WEB-2 > WEB-5 > WEB-4 > WEB-2" in issue.message


def test_a_dependency_outside_the_cycle_is_not_blamed_for_it(world: World) -> None:
    issue = only_issue(
        world.plan(
            {"op": "add_dependency", "task": "WEB-3", "depends_on": "WEB-2"},
            {"op": "add_dependency", "task": "WEB-4", "depends_on": "WEB-5"},
        ).issues
    )

    assert (issue.patch_index, issue.code) == (1, ErrorCode.DEPENDENCY_CYCLE)


def test_a_dependency_that_its_set_takes_back_is_not_blamed_for_a_cycle(world: World) -> None:
    result = world.plan(
        {"op": "add_dependency", "task": "WEB-2", "depends_on": "WEB-5"},
        {"op": "remove_dependency", "task": "WEB-2", "depends_on": "WEB-5"},
        {"op": "add_dependency", "task": "WEB-3", "depends_on": "WEB-5"},
        {"op": "add_dependency", "task": "WEB-3", "depends_on": "WEB-2"},
        {"op": "add_dependency", "task": "WEB-2", "depends_on": "WEB-4"},
        {"op": "add_dependency", "task": "WEB-4", "depends_on": "WEB-3"},
    )

    assert [issue.patch_index for issue in result.issues] == [2, 3, 4, 5]


def test_a_cycle_that_is_stored_already_is_not_blamed_on_a_set_that_reaches_it(world: World) -> None:
    world.edges.append((world.task("WEB-4").id, world.task("WEB-5").id))  # no set could have stored this

    world.apply({"op": "add_dependency", "task": "WEB-4", "depends_on": "WEB-2"})

    assert world.waits_for("WEB-4") == ["WEB-2", "WEB-5"]


def test_at_most_twenty_cycles_are_named(world: World) -> None:
    result = world.plan(*(create("x", ref=f"$t{number}", depends_on=[f"$t{number}"]) for number in range(25)))

    assert [issue.patch_index for issue in result.issues] == list(range(20))


def test_a_move_that_closes_a_cycle_through_what_is_below_it_is_refused(world: World) -> None:
    world.apply({"op": "add_dependency", "task": "WEB-2", "depends_on": "WEB-5"})

    issue = only_issue(
        world.plan(
            {"op": "move_task", "task": "WEB-3", "parent": None}, {"op": "move_task", "task": "WEB-1", "parent": "WEB-4"}
        ).issues
    )

    assert (issue.code, issue.path) == (ErrorCode.DEPENDENCY_CYCLE, "/patches/1")
    assert "WEB-1 > WEB-4 > WEB-5 > WEB-2 > WEB-1" in issue.message


def test_a_child_that_moves_away_or_is_deleted_is_no_part_of_a_cycle(world: World) -> None:
    world.apply(
        {"op": "move_task", "task": "WEB-2", "parent": None}, {"op": "add_dependency", "task": "WEB-1", "depends_on": "WEB-2"}
    )
    world.apply({"op": "add_dependency", "task": "WEB-4", "depends_on": "WEB-3"})
    world.apply({"op": "delete_task", "task": "WEB-3"})

    world.apply({"op": "add_dependency", "task": "WEB-1", "depends_on": "WEB-4"})

    assert world.waits_for("WEB-1") == ["WEB-2", "WEB-4"]


def test_the_shortest_cycle_is_the_one_named(world: World) -> None:
    world.apply(
        {"op": "add_dependency", "task": "WEB-1", "depends_on": "WEB-4"},
        {"op": "add_dependency", "task": "WEB-2", "depends_on": "WEB-4"},
    )

    issue = only_issue(world.plan({"op": "add_dependency", "task": "WEB-4", "depends_on": "WEB-2"}).issues)

    assert issue.message == "this would make a cycle: WEB-4 > WEB-2 > WEB-4"


def test_a_move_is_not_blamed_for_a_cycle_that_a_new_dependency_of_the_set_closes(world: World) -> None:
    issue = only_issue(
        world.plan(
            {"op": "move_task", "task": "WEB-4", "parent": "WEB-1"},
            {"op": "add_dependency", "task": "WEB-4", "depends_on": "WEB-5"},
        ).issues
    )

    assert issue.path == "/patches/1/depends_on"


def test_a_task_that_moves_and_is_deleted_by_one_set_comes_back_where_it_was_moved_to(world: World) -> None:
    world.apply({"op": "move_task", "task": "WEB-5", "parent": "WEB-2"}, {"op": "delete_task", "task": "WEB-5"})
    assert world.task("WEB-5").depth == 2

    world.apply({"op": "restore_task", "task": "WEB-5"})

    assert (world.children("WEB-2"), world.task("WEB-5").depth) == (["WEB-5"], 2)
