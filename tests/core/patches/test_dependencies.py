"""Adding and removing what a task waits for."""

from schemas.errors import ErrorCode, Severity
from tests.core.patches.builders import create, only_issue, update
from tests.core.patches.world import World


def test_a_dependency_that_is_there_already_stays_as_it_is(world: World) -> None:
    plan = world.apply({"op": "add_dependency", "task": "WEB-5", "depends_on": "WEB-4"})

    assert not plan.changes
    assert world.waits_for("WEB-5") == ["WEB-4"]


def test_removing_a_dependency_that_is_not_there_is_a_warning(world: World) -> None:
    plan = world.apply({"op": "remove_dependency", "task": "WEB-4", "depends_on": "WEB-1"})

    issue = only_issue(plan.issues)
    assert (issue.code, issue.severity, issue.path) == (ErrorCode.INVALID_PATCH, Severity.WARNING, "/patches/0/depends_on")
    assert not plan.changes


def test_adding_and_removing_in_one_set_is_no_change(world: World) -> None:
    added, removed = ({"op": op, "task": "WEB-5", "depends_on": "WEB-1"} for op in ("add_dependency", "remove_dependency"))
    stored, back = ({"op": op, "task": "WEB-5", "depends_on": "WEB-4"} for op in ("remove_dependency", "add_dependency"))

    plan = world.apply(added, removed, stored, back)

    assert not plan.changes
    assert (plan.effects.new_edges, plan.effects.removed_edges) == ([], [])
    assert world.waits_for("WEB-5") == ["WEB-4"]


def test_a_dependency_joins_tasks_of_one_project(world: World) -> None:
    world.apply({"op": "create_project", "key": "OPS", "fields": {"name": "Operations"}}, create("Backup", project="OPS"))

    issues = world.plan(
        {"op": "add_dependency", "task": "WEB-1", "depends_on": "OPS-1"}, create("x", depends_on=["WEB-1", "OPS-1"])
    ).issues

    assert [(issue.code, issue.path) for issue in issues] == [
        (ErrorCode.INVALID_HIERARCHY, "/patches/0/depends_on"),
        (ErrorCode.INVALID_HIERARCHY, "/patches/1/depends_on/1"),
    ]


def test_what_a_refused_creation_waits_for_is_looked_up_all_the_same(world: World) -> None:
    issues = world.plan(create("x", parent="WEB-98", depends_on=["WEB-4", "WEB-99"])).issues

    assert [(issue.code, issue.path) for issue in issues] == [
        (ErrorCode.NOT_FOUND, "/patches/0/parent"),
        (ErrorCode.NOT_FOUND, "/patches/0/depends_on/1"),
    ]


def test_dependencies_are_counted_and_shown_whole(world: World) -> None:
    plan = world.plan(
        {"op": "add_dependency", "task": "WEB-5", "depends_on": "WEB-1"},
        {"op": "remove_dependency", "task": "WEB-5", "depends_on": "WEB-4"},
        update("WEB-5", title="Ship"),
    )

    assert plan.changes[0].fields["depends_on"] == {"before": ["WEB-4"], "after": ["WEB-1"]}
    assert (plan.totals.dependencies_added, plan.totals.dependencies_removed, plan.totals.updated) == (1, 1, 1)
