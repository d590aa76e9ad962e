"""What each operation does, and when it is refused."""

from datetime import date
from typing import Any

import pytest

from schemas.changes import Action
from schemas.errors import ErrorCode, Issue
from schemas.primitives import TaskStatus
from tests.core.patches.world import World, live_state


def create(title: str, **members: Any) -> dict[str, Any]:
    fields = {"title": title, **members.pop("fields", {})}
    if "parent" not in members and "before" not in members and "after" not in members:
        members.setdefault("project", "WEB")
    return {"op": "create_task", "fields": fields, **members}


def update(task: str, **fields: Any) -> dict[str, Any]:
    return {"op": "update_task", "task": task, "fields": fields}


def only_issue(issues: list[Issue]) -> Issue:
    assert len(issues) == 1, issues
    return issues[0]


@pytest.fixture
def world() -> World:
    """WEB: 1 API (2 Auth, 3 Routes), 4 Docs, 5 Release; 5 waits for 4."""
    world = World()
    world.apply({"op": "create_project", "key": "WEB", "fields": {"name": "Website"}})
    world.apply(
        create("API", ref="$api"),
        create("Auth", parent="$api", fields={"estimated_minutes": 60}),
        create("Routes", parent="$api", fields={"estimated_minutes": 120}),
        create("Docs", ref="$docs"),
        create("Release", ref="$release", depends_on=["$docs"]),
    )
    return world


def test_tasks_are_created_in_patch_order_with_their_keys(world: World) -> None:
    assert world.children(None) == ["WEB-1", "WEB-4", "WEB-5"]
    assert world.children("WEB-1") == ["WEB-2", "WEB-3"]
    assert world.waits_for("WEB-5") == ["WEB-4"]
    assert world.project("WEB").revision == 2


def test_counters_follow_the_leaves(world: World) -> None:
    world.apply(update("WEB-2", status="done"))

    project, api = world.project("WEB"), world.task("WEB-1")
    assert (project.task_count, project.completed_task_count, project.leaf_count, project.leaf_completed) == (5, 1, 4, 1)
    assert (api.subtask_count, api.leaf_count, api.leaf_completed) == (2, 2, 1)
    assert project.estimated_minutes == 180
    assert api.revision == 2, "a derived number moves no revision"


def test_refs_may_be_used_before_they_are_created() -> None:
    world = World()

    result = world.apply(
        create("Child", project="$p", parent="$top", ref="$child"),
        create("Top", project="$p", ref="$top"),
        {"op": "add_dependency", "task": "$late", "depends_on": "$child"},
        {"op": "create_project", "ref": "$p", "fields": {"name": "Neo Export and Sync"}},
        create("Late", project="$p", ref="$late"),
    )

    assert {name: target.key for name, target in result.refs.items()} == {
        "$p": "NEAS",
        "$top": "NEAS-1",
        "$child": "NEAS-2",
        "$late": "NEAS-3",
    }
    assert world.waits_for("NEAS-3") == ["NEAS-2"]


def test_every_issue_is_reported_at_once_with_its_place(world: World) -> None:
    result = world.plan(
        {"op": "make_coffee"},
        create("x" * 300),
        update("WEB-99", title="x"),
        update("WEB-1", status="finished", due_date="soon"),
        {"op": "add_dependency", "task": "WEB-4", "depends_on": "WEB-5"},
        create("Lost", parent="$nobody"),
        "no object",
    )

    assert [(issue.patch_index, issue.path, issue.code) for issue in result.issues] == [
        (0, "/patches/0/op", ErrorCode.VALIDATION_ERROR),
        (1, "/patches/1/fields/title", ErrorCode.VALIDATION_ERROR),
        (2, "/patches/2/task", ErrorCode.NOT_FOUND),
        (3, "/patches/3/fields/status", ErrorCode.VALIDATION_ERROR),
        (3, "/patches/3/fields/due_date", ErrorCode.VALIDATION_ERROR),
        (4, "/patches/4/depends_on", ErrorCode.DEPENDENCY_CYCLE),
        (5, "/patches/5/parent", ErrorCode.INVALID_PATCH),
        (6, "/patches/6", ErrorCode.VALIDATION_ERROR),
    ]
    assert not result.changes


def test_a_malformed_patch_does_not_hide_that_its_target_is_unknown(world: World) -> None:
    result = world.plan(update("WEB-99", title="x" * 300), create("x", parent="WEB-98", fields={"status": "odd"}))

    assert [(issue.path, issue.code) for issue in result.issues] == [
        ("/patches/0/fields/title", ErrorCode.VALIDATION_ERROR),
        ("/patches/0/task", ErrorCode.NOT_FOUND),
        ("/patches/1/fields/status", ErrorCode.VALIDATION_ERROR),
        ("/patches/1/parent", ErrorCode.NOT_FOUND),
    ]


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
    result = world.plan({"op": "move_task", "task": "WEB-4", "parent": "WEB-5"})

    assert only_issue(result.issues).code == ErrorCode.DEPENDENCY_CYCLE


def test_a_task_cannot_be_moved_below_itself(world: World) -> None:
    issue = only_issue(world.plan({"op": "move_task", "task": "WEB-1", "parent": "WEB-3"}).issues)

    assert issue.code == ErrorCode.INVALID_HIERARCHY
    assert "WEB-1 > WEB-3 > WEB-1" in issue.message


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


def test_moving_takes_the_subtree_along(world: World) -> None:
    world.apply({"op": "move_task", "task": "WEB-1", "parent": "WEB-4"})

    assert [world.task(key).depth for key in ("WEB-1", "WEB-2", "WEB-3")] == [1, 2, 2]
    assert world.task("WEB-4").leaf_count == 2
    assert world.task("WEB-2").revision == 2, "its own fields have not changed"


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


def test_absent_keeps_and_null_clears(world: World) -> None:
    world.apply(update("WEB-2", due_date="2026-05-01", description="text", links={"gh": "1", "jira": "2"}))
    world.apply(update("WEB-2", due_date=None, description=None, links={"gh": None}))

    task = world.task("WEB-2")
    assert (task.due_date, task.description, task.links, task.estimated_minutes) == (None, "", {"jira": "2"}, 60)


@pytest.mark.parametrize("field", ["title", "status", "priority"])
def test_a_field_that_cannot_be_empty_cannot_be_cleared(world: World, field: str) -> None:
    assert only_issue(world.plan(update("WEB-2", **{field: None})).issues).code == ErrorCode.VALIDATION_ERROR


def test_completing_sets_the_instant_once_and_reopening_clears_it(world: World) -> None:
    world.apply(update("WEB-2", status="completed"))
    completed_at = world.task("WEB-2").completed_at
    world.apply(update("WEB-2", status="completed", title="Auth!"))
    assert world.task("WEB-2").completed_at == completed_at is not None

    world.apply(update("WEB-2", status="todo"))
    assert world.task("WEB-2").completed_at is None


def test_a_start_after_the_due_date_is_refused_on_the_final_state(world: World) -> None:
    world.apply(update("WEB-2", due_date="2026-05-01"))

    issue = only_issue(world.plan(update("WEB-2", start_date="2026-06-01")).issues)
    world.apply(update("WEB-2", start_date="2026-06-01"), update("WEB-2", due_date="2026-07-01"))

    assert issue.code == ErrorCode.VALIDATION_ERROR
    assert issue.path == "/patches/0/fields/start_date"
    assert world.task("WEB-2").start_date == date(2026, 6, 1)


def test_custom_must_satisfy_the_projects_schema(world: World) -> None:
    schema = {"type": "object", "properties": {"points": {"type": "integer"}}, "additionalProperties": False}
    world.apply({"op": "update_project", "project": "WEB", "fields": {"task_schema": schema}})

    issue = only_issue(world.plan(update("WEB-2", custom={"points": "many"})).issues)
    world.apply(update("WEB-2", custom={"points": 3}))
    later = world.plan({"op": "update_project", "project": "WEB", "fields": {"task_schema": {"required": ["size"]}}})

    assert issue.path == "/patches/0/fields/custom/points"
    assert len(later.issues) == 5, "every task is checked against a new schema"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"$ref": "http://example.com/schema.json"},
        {"$ref": "#/nope"},
        {"$ref": "#/%"},
        {"properties": {"a": {"$ref": "#name", "$anchor": "name"}}},
        {"unevaluatedProperties": {"$ref": "#/$defs/absent"}},
        {"properties": {"a": {"$dynamicRef": "#q"}}},
        {"properties": {"a": {"pattern": "("}}},
        {"properties": {"a": {"pattern": "(?=look)"}}},
        {"patternProperties": {"^x": True}},
    ],
)
def test_a_task_schema_must_be_a_schema_that_can_be_evaluated_by_itself(world: World, schema: dict[str, Any]) -> None:
    issue = only_issue(world.plan({"op": "update_project", "project": "WEB", "fields": {"task_schema": schema}}).issues)

    assert issue.path.startswith("/patches/0/fields/task_schema/")


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {
            "$defs": {str(n): {"anyOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(30)} | {"30": False},
            "$ref": "#/$defs/0",
        },
    ],
)
def test_a_schema_without_end_is_an_issue_and_no_hang(world: World, schema: dict[str, Any]) -> None:
    world.apply(*({"op": "delete_task", "task": key} for key in ("WEB-1", "WEB-4", "WEB-5")))
    world.apply({"op": "update_project", "project": "WEB", "fields": {"task_schema": schema}})

    issue = only_issue(world.plan(create("x", fields={"custom": {"a": "b"}})).issues)

    assert "without end" in issue.message


def test_a_pattern_cannot_hold_a_write(world: World) -> None:
    schema = {"properties": {"a": {"pattern": "^(a+)+$"}}}
    world.apply({"op": "update_project", "project": "WEB", "fields": {"task_schema": schema}})

    world.apply(update("WEB-2", custom={"a": "aaa"}))
    issue = only_issue(world.plan(update("WEB-2", custom={"a": "a" * 5_000 + "!"})).issues)

    assert issue.path == "/patches/0/fields/custom/a"


def test_properties_may_be_named_like_keywords(world: World) -> None:
    schema = {"properties": {"$ref": {"type": "string"}, "pattern": {"enum": ["("]}}, "default": {"$ref": "nowhere"}}

    world.apply({"op": "update_project", "project": "WEB", "fields": {"task_schema": schema}})


def test_deleting_takes_the_subtree_and_restoring_revives_exactly_that(world: World) -> None:
    world.apply({"op": "delete_task", "task": "WEB-3"})
    world.apply({"op": "delete_task", "task": "WEB-1"})
    assert world.project("WEB").task_count == 2

    world.apply({"op": "restore_task", "task": "WEB-1"})

    assert world.children("WEB-1") == ["WEB-2"]
    assert (world.project("WEB").task_count, world.task("WEB-1").leaf_count) == (4, 1)


def test_without_cascade_live_children_block_a_deletion(world: World) -> None:
    issue = only_issue(world.plan({"op": "delete_task", "task": "WEB-1", "cascade": False}).issues)

    assert issue.code == ErrorCode.HAS_CHILDREN


def test_a_cascaded_child_is_restored_through_its_root(world: World) -> None:
    world.apply({"op": "delete_task", "task": "WEB-1"})

    issue = only_issue(world.plan({"op": "restore_task", "task": "WEB-2"}).issues)

    assert issue.code == ErrorCode.DELETED_RESOURCE
    assert issue.hint == "use restore_task WEB-1 first"


def test_an_operation_on_a_deleted_task_is_refused_with_the_way_back(world: World) -> None:
    world.apply({"op": "delete_task", "task": "WEB-4"})

    issue = only_issue(world.plan(update("WEB-4", title="x")).issues)

    assert (issue.code, issue.hint) == (ErrorCode.DELETED_RESOURCE, "use restore_task WEB-4 first")


def test_restoring_checks_cycles_again(world: World) -> None:
    world.apply({"op": "delete_task", "task": "WEB-4"})  # WEB-5 waits for it
    world.apply(create("New", ref="$n", depends_on=["WEB-5"]))
    world.apply({"op": "restore_task", "task": "WEB-4"})
    world.apply({"op": "delete_task", "task": "WEB-5"})
    world.apply({"op": "add_dependency", "task": "WEB-4", "depends_on": "WEB-6"})

    issue = only_issue(world.plan({"op": "restore_task", "task": "WEB-5"}).issues)

    assert issue.code == ErrorCode.DEPENDENCY_CYCLE


def test_a_deleted_project_comes_back_whole(world: World) -> None:
    before = live_state(world)
    world.apply({"op": "delete_project", "project": "WEB"})
    assert only_issue(world.plan(create("x")).issues).code == ErrorCode.DELETED_RESOURCE

    world.apply({"op": "restore_project", "project": "WEB"})

    assert live_state(world) == before


def test_a_given_key_that_exists_is_refused_and_a_derived_one_is_numbered(world: World) -> None:
    taken = world.plan({"op": "create_project", "key": "web", "fields": {"name": "x"}})
    world.apply({"op": "create_project", "fields": {"name": "Web"}}, {"op": "create_project", "fields": {"name": "Weba"}})

    assert only_issue(taken.issues).code == ErrorCode.DUPLICATE_RESOURCE
    assert [project.key for project in world.projects.values()] == ["WEB", "WEB2", "WEBA"]


def test_a_ref_created_twice_is_refused(world: World) -> None:
    issue = only_issue(world.plan(create("a", ref="$a"), create("b", ref="$a")).issues)

    assert (issue.path, issue.code) == ("/patches/1/ref", ErrorCode.INVALID_PATCH)


def test_new_items_below_each_other_in_a_circle_are_refused(world: World) -> None:
    result = world.plan(create("a", ref="$a", parent="$b"), create("b", ref="$b", parent="$a"))

    assert [issue.code for issue in result.issues] == [ErrorCode.INVALID_HIERARCHY] * 2


def test_a_selection_reports_refs_it_leaves_out(world: World) -> None:
    result = world.plan(create("a", ref="$a"), create("b", parent="$a"), only=[1])

    issue = only_issue(result.issues)
    assert (issue.patch_index, issue.path) == (1, "/patches/1/parent")
    assert "patch 0" in issue.message


def test_an_effectless_set_moves_no_revision(world: World) -> None:
    result = world.plan(update("WEB-2", title="Auth"))

    assert not result.changes
    assert not result.effects.revisions


def test_a_creation_lists_only_what_was_set(world: World) -> None:
    change = world.plan(create("x", parent="WEB-1", fields={"tags": ["a", "a"], "assignee": None}), preview=True).changes[0]

    assert change.action is Action.CREATED
    assert change.provisional
    assert set(change.fields) == {"title", "tags", "parent", "position"}
    assert change.fields["tags"]["after"] == ["a"]


def test_statuses_are_read_with_their_aliases(world: World) -> None:
    world.apply(update("WEB-2", status="In-Progress"), update("WEB-3", status="DONE"), update("WEB-4", status="review"))

    statuses = [world.task(key).status for key in ("WEB-2", "WEB-3", "WEB-4")]
    assert statuses == [TaskStatus.IN_PROGRESS, TaskStatus.COMPLETED, TaskStatus.IN_REVIEW]


def test_expectations_are_checked_against_the_stored_state(world: World) -> None:
    stale = {"op": "update_task", "task": "WEB-2", "fields": {"title": "x"}, "expect": {"status": "done", "parent": "WEB-1"}}

    result = world.plan(stale)

    conflict = result.conflicts[0]
    assert len(result.conflicts) == 1
    assert (conflict.field, conflict.base, conflict.current) == ("status", "completed", "todo")


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


def test_reverting_a_creation_is_refused_once_others_built_on_it(world: World) -> None:
    applied = world.apply(create("Base", ref="$b"))
    world.apply(create("On top", parent="WEB-6"))

    system = {int(index): fields for index, fields in applied.restore.items()}
    result = world.plan(*applied.inverse, base={"WEB": 3}, system=system)

    assert only_issue(result.errors()).code == ErrorCode.HAS_CHILDREN


def test_a_revert_of_a_revert_is_a_redo(world: World) -> None:
    applied = world.apply({"op": "delete_task", "task": "WEB-1"}, update("WEB-5", status="done"))
    after = live_state(world)
    undone = world.revert(applied)
    assert world.children("WEB-1") == ["WEB-2", "WEB-3"]

    world.revert(undone)

    assert live_state(world) == after
