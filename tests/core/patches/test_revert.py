"""The inverse of a plan: what it does, and when it is refused."""

from schemas.errors import ErrorCode
from tests.core.patches.builders import create, only_issue, update
from tests.core.patches.world import World, live_state


def test_reverting_a_creation_is_refused_once_others_built_on_it(world: World) -> None:
    applied = world.apply(create("Base", ref="$b"))
    world.apply(create("On top", parent="WEB-6"))

    system = {int(index): fields for index, fields in applied.restore.items()}
    result = world.plan(*applied.inverse, base={"WEB": 3}, system=system)

    assert only_issue(result.errors()).code == ErrorCode.HAS_CHILDREN


def test_the_dependency_of_a_new_task_goes_with_it(world: World) -> None:
    before = live_state(world)
    applied = world.apply(create("New", depends_on=["WEB-4"]), update("WEB-5", title="Other"))

    assert [patch["op"] for patch in applied.inverse] == ["update_task", "delete_task"]
    world.revert(applied)
    assert live_state(world) == before


def test_a_revert_of_a_revert_is_a_redo(world: World) -> None:
    applied = world.apply({"op": "delete_task", "task": "WEB-1"}, update("WEB-5", status="done"))
    after = live_state(world)
    undone = world.revert(applied)
    assert world.children("WEB-1") == ["WEB-2", "WEB-3"]

    world.revert(undone)

    assert live_state(world) == after


def test_a_project_stays_once_others_have_put_tasks_in_it(world: World) -> None:
    applied = world.apply(
        {"op": "create_project", "key": "OPS", "ref": "$p", "fields": {"name": "Ops"}}, create("a", project="$p")
    )
    world.apply(create("b", project="OPS"))

    system = {int(index): fields for index, fields in applied.restore.items()}
    issue = only_issue(world.plan(*applied.inverse, base={"OPS": 1}, system=system).errors())

    assert (issue.code, issue.message) == (ErrorCode.HAS_CHILDREN, "OPS-2 was put under OPS later")


def test_a_project_that_its_set_deletes_again_leaves_nothing_to_take_back(world: World) -> None:
    creation = {"op": "create_project", "key": "OPS", "ref": "$p", "fields": {"name": "Ops"}}

    result = world.apply(creation, {"op": "delete_project", "project": "$p"})

    assert result.inverse == []


def test_a_restoration_is_taken_back_by_deleting_what_was_named(world: World) -> None:
    world.apply({"op": "delete_task", "task": "WEB-1"})
    task = world.apply({"op": "restore_task", "task": "WEB-1"})
    world.apply({"op": "delete_project", "project": "WEB"})
    deleted = live_state(world)
    project = world.apply({"op": "restore_project", "project": "WEB"})

    assert task.inverse == [{"op": "delete_task", "task": "WEB-1"}]
    assert project.inverse == [{"op": "delete_project", "project": "WEB"}]
    undone = world.revert(project)
    assert live_state(world) == deleted
    world.revert(undone)
    assert world.children("WEB-1") == ["WEB-2", "WEB-3"]
