"""What others have changed since the author's base."""

from schemas.errors import ErrorCode, Severity
from tests.core.patches.builders import conflicts_of, create, only_issue, update
from tests.core.patches.world import World


def test_a_change_elsewhere_is_no_conflict(world: World) -> None:
    world.apply(update("WEB-2", title="Login"))

    world.apply(update("WEB-2", status="done"), update("WEB-3", title="Paths"), base={"WEB": 2})

    assert world.task("WEB-2").title == "Login"


def test_a_field_changed_since_the_base_is_a_conflict(world: World) -> None:
    world.apply(update("WEB-2", title="Login"))

    conflict = world.plan(update("WEB-2", title="Sign-in"), base={"WEB": 2}).conflicts[0]

    assert (conflict.key, conflict.field) == ("WEB-2", "title")
    assert (conflict.base, conflict.current, conflict.proposed) == ("Auth", "Login", "Sign-in")


def test_both_making_the_same_change_is_no_conflict(world: World) -> None:
    world.apply(update("WEB-2", title="Login"))

    assert not world.plan(update("WEB-2", title="Login"), base={"WEB": 2}).conflicts


def test_tags_of_both_sides_are_kept(world: World) -> None:
    world.apply(update("WEB-2", tags=["a", "b"]))
    world.apply(update("WEB-2", tags=["a", "c"]))

    world.apply(update("WEB-2", tags=["b", "d"]), base={"WEB": 3})

    assert world.task("WEB-2").tags == ["c", "d"]


def test_a_target_deleted_since_the_base_is_a_conflict_and_not_an_issue(world: World) -> None:
    world.apply({"op": "delete_task", "task": "WEB-2"})

    result = world.plan(update("WEB-2", title="x"), base={"WEB": 2})

    assert not result.issues
    assert [conflict.field for conflict in result.conflicts] == ["deleted"]


def test_deleting_what_the_author_never_saw_is_a_conflict(world: World) -> None:
    world.apply(create("New", parent="WEB-1"))

    assert [c.key for c in world.plan({"op": "delete_task", "task": "WEB-1"}, base={"WEB": 2}).conflicts] == ["WEB-6"]


def test_different_dependencies_of_one_task_do_not_conflict(world: World) -> None:
    world.apply({"op": "add_dependency", "task": "WEB-5", "depends_on": "WEB-1"})

    world.apply({"op": "add_dependency", "task": "WEB-5", "depends_on": "WEB-2"}, base={"WEB": 2})

    assert world.waits_for("WEB-5") == ["WEB-1", "WEB-2", "WEB-4"]


def test_moving_a_task_that_was_moved_is_a_conflict(world: World) -> None:
    world.apply({"op": "move_task", "task": "WEB-4", "parent": "WEB-1"})

    fields = [c.field for c in world.plan({"op": "move_task", "task": "WEB-4", "parent": "WEB-2"}, base={"WEB": 2}).conflicts]

    assert fields == ["parent", "position"]


def test_a_task_that_others_have_moved_there_already_still_goes_where_the_last_patch_says(world: World) -> None:
    world.apply({"op": "move_task", "task": "WEB-4", "after": "WEB-5"})
    mine = [{"op": "move_task", "task": "WEB-4", "before": "WEB-1"}, {"op": "move_task", "task": "WEB-4"}]

    world.apply(mine[1], base={"WEB": 2})
    assert world.task("WEB-4").revision == 3, "it stands there"
    result = world.plan(*mine, base={"WEB": 2})

    assert result.changes[0].fields.keys() == {"position"}


def test_the_same_number_under_another_parent_is_another_place(world: World) -> None:
    number = world.task("WEB-2").position
    world.apply({"op": "move_task", "task": "WEB-2", "parent": "WEB-4"})
    assert world.task("WEB-2").position == number
    world.apply(create("Beside", parent="WEB-4"))

    result = world.plan({"op": "move_task", "task": "WEB-2", "parent": "WEB-4", "after": "WEB-6"}, base={"WEB": 2})

    assert [conflict.field for conflict in result.conflicts] == ["position"]


def test_conflicts_are_told_beside_other_issues(world: World) -> None:
    world.apply(update("WEB-2", title="Login"))

    result = world.plan(update("WEB-2", title="Sign-in"), update("WEB-99", title="x"), base={"WEB": 2})

    assert [issue.path for issue in result.issues] == ["/patches/1/task"]
    assert [(conflict.patch_index, conflict.field) for conflict in result.conflicts] == [(0, "title")]


def test_an_anchor_that_others_have_moved_away_is_a_conflict_and_no_issue(world: World) -> None:
    world.apply({"op": "move_task", "task": "WEB-4", "parent": "WEB-1"})

    result = world.plan({"op": "move_task", "task": "WEB-5", "parent": None, "before": "WEB-4"}, base={"WEB": 2})

    assert not result.issues
    assert conflicts_of(result) == [("WEB-4", "parent", None, "WEB-1")]


def test_a_warning_about_what_others_have_done_points_to_the_name(world: World) -> None:
    world.apply({"op": "delete_task", "task": "WEB-4"})
    world.apply({"op": "delete_project", "project": "WEB"})

    issues = world.plan(
        {"op": "delete_task", "task": "WEB-4"}, {"op": "delete_project", "project": "WEB"}, base={"WEB": 2}
    ).issues

    assert [(issue.path, issue.severity) for issue in issues] == [
        ("/patches/0/task", Severity.WARNING),
        ("/patches/1/project", Severity.WARNING),
    ]


def test_an_anchor_that_went_and_came_back_is_where_its_author_saw_it(world: World) -> None:
    world.apply({"op": "move_task", "task": "WEB-3", "parent": "WEB-4"})
    world.apply({"op": "move_task", "task": "WEB-3", "parent": "WEB-1"})

    issue = only_issue(world.plan(create("x", parent="WEB-5", after="WEB-3"), base={"WEB": 2}).issues)

    assert (issue.path, issue.code) == ("/patches/0/after", ErrorCode.INVALID_HIERARCHY)


def test_tags_that_were_changed_and_changed_back_are_replaced_in_the_order_given(world: World) -> None:
    for tags in (["a", "b"], ["c"], ["a", "b"]):
        world.apply(update("WEB-2", tags=tags))

    world.apply(update("WEB-2", tags=["b", "a"]), base={"WEB": 3})

    assert world.task("WEB-2").tags == ["b", "a"]


def test_a_task_that_was_moved_and_moved_back_can_be_moved_again(world: World) -> None:
    moved = world.apply({"op": "move_task", "task": "WEB-3", "parent": "WEB-4"})
    world.revert(moved)

    result = world.plan({"op": "move_task", "task": "WEB-3", "parent": "WEB-5"}, base={"WEB": 2})

    assert not result.conflicts
