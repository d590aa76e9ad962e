"""A plan as a whole: order, refs, keys, issues, changes and counters."""

import gc

import pytest

from core.collector import collector_paused
from core.patches.changes import TASK_FIELDS
from schemas.changes import Action
from schemas.errors import ErrorCode
from tests.core.patches.builders import create, only_issue, update
from tests.core.patches.world import World


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


def test_a_plan_leaves_nothing_for_the_collector(world: World) -> None:
    patches = [create("New"), create("Beside", after="WEB-1"), {"op": "move_task", "task": "WEB-5", "before": "WEB-4"}]
    world.plan(*patches)  # whatever is made once is made now
    gc.collect()

    with collector_paused():
        world.plan(*patches)
        found = gc.collect()

    assert found == 0


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


def test_what_a_malformed_patch_names_is_looked_up_at_its_turn(world: World) -> None:
    world.apply({"op": "delete_task", "task": "WEB-5"})

    result = world.plan(
        update("WEB-4", colour="red"),
        {"op": "delete_task", "task": "WEB-4"},
        update("WEB-4", colour="red"),
        {"op": "restore_task", "task": "WEB-5", "colour": "red"},
    )

    assert [(issue.patch_index, issue.code) for issue in result.issues] == [
        (0, ErrorCode.VALIDATION_ERROR),
        (2, ErrorCode.VALIDATION_ERROR),
        (2, ErrorCode.DELETED_RESOURCE),
        (3, ErrorCode.VALIDATION_ERROR),
    ]


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


def test_a_new_item_beside_itself_is_refused_whatever_else_it_names(world: World) -> None:
    issue = only_issue(world.plan(create("a", ref="$a"), create("b", ref="$b", parent="$a", before="$b")).issues)

    assert (issue.patch_index, issue.code) == (1, ErrorCode.INVALID_HIERARCHY)


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


def test_a_creation_lists_all_that_was_set(world: World) -> None:
    fields = {
        "title": "x",
        "description": "All of it",
        "acceptance_criteria": ["works"],
        "status": "done",
        "priority": "high",
        "tags": ["a"],
        "assignee": "ann",
        "start_date": "2026-05-01",
        "due_date": "2026-05-02",
        "estimated_minutes": 30,
        "actual_minutes": 0,
        "links": {"jira": "X-1"},
        "custom": {"team": "red"},
    }
    changes = world.plan(create("x", parent="WEB-1", depends_on=["WEB-4"], fields=fields)).changes

    listed = {name: sides["after"] for name, sides in changes[0].fields.items()}
    made = {"status": "completed", "completed_at": "2026-03-01T09:02:00Z", "parent": "WEB-1", "depends_on": ["WEB-4"]}
    assert listed == fields | made | {"position": listed["position"]}
    never_new = {"claimed_by", "claim_expires_at"}
    assert list(listed) == [*(name for name in TASK_FIELDS if name not in never_new), "parent", "position", "depends_on"]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Website relaunch 2026", "WR"),
        ("The next big thing of ours", "TNBT"),
        ("Über Straße", "US"),
        ("Événement spécial", "ES"),
        ("Übung", "UBUN"),
        ("3D printer", "DP"),
        ("計画", "PRJ"),
        ("x", "PRJ"),
    ],
)
def test_a_key_is_derived_from_the_initials_of_a_name_or_its_first_letters(world: World, name: str, key: str) -> None:
    world.apply({"op": "create_project", "fields": {"name": name}})

    assert [project.key for project in world.projects.values()] == ["WEB", key]


def test_the_smallest_free_number_makes_a_derived_key_unique(world: World) -> None:
    world.apply(*({"op": "create_project", "fields": {"name": "Web"}} for _ in range(3)))

    assert [project.key for project in world.projects.values()] == ["WEB", "WEB2", "WEB3", "WEB4"]


def test_a_ref_must_name_the_kind_of_item_that_is_needed(world: World) -> None:
    issue = only_issue(world.plan(create("New", ref="$new"), create("Other", project="$new")).errors())

    assert (issue.code, issue.path) == (ErrorCode.INVALID_PATCH, "/patches/1/project")


def test_warnings_are_told_apart_from_errors(world: World) -> None:
    plan = world.plan({"op": "remove_dependency", "task": "WEB-4", "depends_on": "WEB-1"}, update("WEB-99", title="x"))

    assert [issue.patch_index for issue in plan.warnings()] == [0]
    assert [issue.patch_index for issue in plan.errors()] == [1]


def test_a_new_item_below_itself_is_refused(world: World) -> None:
    issue = only_issue(world.plan(create("a", ref="$a", parent="$a"), create("b")).issues)

    assert (issue.code, issue.path) == (ErrorCode.INVALID_HIERARCHY, "/patches/0/parent")


def test_whoever_names_a_malformed_creation_is_not_blamed_for_it(world: World) -> None:
    result = world.plan(create("x" * 300, ref="$a"), create("b", parent="$a"), update("$a", title="c"))

    assert only_issue(result.issues).path == "/patches/0/fields/title"


def test_a_parent_that_loses_one_child_and_gets_another_counts_the_same(world: World) -> None:
    result = world.apply(
        {"op": "move_task", "task": "WEB-2", "parent": None}, {"op": "move_task", "task": "WEB-4", "parent": "WEB-1"}
    )

    assert world.children("WEB-1") == ["WEB-3", "WEB-4"]
    assert (world.task("WEB-1").subtask_count, world.task("WEB-1").leaf_count) == (2, 2)
    assert not result.effects.recounted_tasks


def test_a_change_names_every_patch_that_made_it(world: World) -> None:
    rename, describe = ({"op": "update_project", "project": "WEB", "fields": {name: "x"}} for name in ("name", "description"))

    result = world.plan(update("WEB-2", title="a"), rename, update("WEB-3", title="b"), update("WEB-2", title="c"), describe)

    assert {change.key: change.patch_indexes for change in result.changes} == {"WEB": [1, 4], "WEB-2": [0, 3], "WEB-3": [2]}


def test_a_task_that_its_set_leaves_as_it_was_is_no_change_of_that_task(world: World) -> None:
    result = world.apply(update("WEB-2", title="Auth"), update("WEB-3", title="Paths"))

    assert [change.key for change in result.changes] == ["WEB-3"]
    assert [world.task(key).revision for key in ("WEB-2", "WEB-3")] == [2, 3]


def test_a_project_that_its_set_leaves_as_it_was_is_no_change_of_that_project(world: World) -> None:
    same = {"op": "update_project", "project": "WEB", "fields": {"name": world.project("WEB").name}}

    result = world.apply(same, update("WEB-3", title="Paths"))

    assert [change.key for change in result.changes] == ["WEB-3"]
    assert result.inverse == [update("WEB-3", title="Routes")]


def test_changes_are_shown_as_json_shows_them(world: World) -> None:
    task = world.plan(update("WEB-2", status="done", due_date="2026-05-01")).changes[0]
    comment = world.plan({"op": "add_comment", "task": "WEB-2", "body": "Nice"}, preview=True).changes[0]

    assert task.fields == {
        "status": {"before": "todo", "after": "completed"},
        "due_date": {"before": None, "after": "2026-05-01"},
        "completed_at": {"before": None, "after": "2026-03-01T09:02:00Z"},
    }
    assert (comment.kind, comment.key, comment.title, comment.action) == ("comment", "WEB-2", "Auth", "created")
    assert (comment.cascaded, comment.provisional) == (False, False)
    assert {name: sides["after"] for name, sides in comment.fields.items()} == {"body": "Nice", "author": "ann"}


def test_only_keys_of_new_items_are_provisional_and_only_in_a_preview(world: World) -> None:
    patches = (
        {"op": "create_project", "key": "OPS", "fields": {"name": "Ops"}},
        {"op": "update_project", "project": "WEB", "fields": {"name": "Site"}},
        create("New"),
        update("WEB-2", title="Login"),
    )

    shown, applied = world.plan(*patches, preview=True), world.plan(*patches)

    assert {change.key for change in shown.changes if change.provisional} == {"OPS", "WEB-6"}
    assert {change.key for change in shown.changes} == {"OPS", "WEB", "WEB-6", "WEB-2"}
    assert not any(change.provisional for change in applied.changes)


def test_a_selection_reports_only_what_is_wrong_in_itself(world: World) -> None:
    patches = (
        create("x" * 300),
        update("WEB-98", title="y" * 300),
        update("WEB-99", title="z" * 300),
        update("WEB-2", title="a"),
    )

    assert world.plan(create("New"), *patches, only=[0]).issues == []
    result = world.plan(*patches, only=[1, 3, 7])

    assert [(issue.patch_index, issue.path) for issue in result.issues] == [
        (None, "/only"),
        (1, "/patches/1/fields/title"),
        (1, "/patches/1/task"),
    ]
    assert (result.issues[0].message, result.issues[0].hint) == ("there is no patch 7", "patches are numbered 0 to 3")


def test_a_key_given_to_a_new_project_names_it_in_the_whole_set() -> None:
    world = World()

    world.apply(create("Backup", project="ops"), {"op": "create_project", "key": "OPS", "fields": {"name": "Operations"}})

    assert world.task("OPS-1").title == "Backup"


def test_a_parent_that_a_patch_names_without_effect_counts_its_children_all_the_same(world: World) -> None:
    world.apply(update("WEB-1", title="API"), create("New", parent="WEB-1"))

    assert (world.task("WEB-1").subtask_count, world.task("WEB-1").leaf_count) == (3, 3)
    assert world.task("WEB-1").revision == 2


def test_a_ref_created_twice_hides_nothing_else_that_is_wrong_with_its_patch(world: World) -> None:
    first, nowhere = create("one", ref="$a"), create("two", ref="$a", parent="$missing")
    malformed = create("x" * 300, ref="$a", parent="$missing")

    issues = world.plan(first, nowhere, malformed).issues

    assert sorted((issue.patch_index, issue.path) for issue in issues) == [
        (1, "/patches/1/parent"),
        (1, "/patches/1/ref"),
        (2, "/patches/2/fields/title"),
        (2, "/patches/2/parent"),
        (2, "/patches/2/ref"),
    ]
