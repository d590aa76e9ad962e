"""Setting and clearing fields, and what follows from them."""

from datetime import UTC, date, datetime

import pytest

from schemas.errors import ErrorCode
from schemas.primitives import TaskStatus
from tests.core.patches.builders import create, only_issue, update
from tests.core.patches.world import World


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


def test_statuses_are_read_with_their_aliases(world: World) -> None:
    world.apply(update("WEB-2", status="In-Progress"), update("WEB-3", status="DONE"), update("WEB-4", status="review"))

    statuses = [world.task(key).status for key in ("WEB-2", "WEB-3", "WEB-4")]
    assert statuses == [TaskStatus.IN_PROGRESS, TaskStatus.COMPLETED, TaskStatus.IN_REVIEW]


def test_links_and_tags_are_limited_on_the_final_state(world: World) -> None:
    world.apply(update("WEB-2", links={f"l{number}": "1" for number in range(19)}), update("WEB-2", links={"more": "1"}))

    over = only_issue(world.plan(update("WEB-2", links={"over": "1"})).issues)
    swapped = world.plan(update("WEB-2", links={"over": "1", "more": None}))

    assert (over.code, over.path) == (ErrorCode.VALIDATION_ERROR, "/patches/0/fields/links")
    assert not swapped.issues


def test_tags_of_both_sides_are_limited_together(world: World) -> None:
    base = world.project("WEB").revision
    world.apply(update("WEB-2", tags=[f"theirs{number}" for number in range(30)]))

    fits = world.plan(update("WEB-2", tags=[f"mine{number}" for number in range(20)]), base={"WEB": base})
    over = world.plan(update("WEB-2", tags=[f"mine{number}" for number in range(21)]), base={"WEB": base})

    assert not fits.issues
    assert only_issue(over.issues).path == "/patches/0/fields/tags"


def test_a_project_that_would_end_before_it_starts_is_refused(world: World) -> None:
    dates = {"start_date": "2026-06-02", "due_date": "2026-06-01"}

    issue = only_issue(world.plan({"op": "update_project", "project": "WEB", "fields": dates}).issues)

    assert (issue.code, issue.path) == (ErrorCode.VALIDATION_ERROR, "/patches/0/fields/due_date")


def test_a_task_may_start_on_the_day_it_is_due(world: World) -> None:
    world.apply(update("WEB-2", start_date="2026-06-01", due_date="2026-06-01"))

    assert world.task("WEB-2").start_date == world.task("WEB-2").due_date == date(2026, 6, 1)


def test_cleared_objects_and_lists_are_empty(world: World) -> None:
    world.apply(update("WEB-2", links={"gh": "1"}, custom={"a": 1}, tags=["t"], acceptance_criteria=["c"], assignee="ann"))
    world.apply(update("WEB-2", links=None, custom=None, tags=None, acceptance_criteria=None, assignee=None))

    task = world.task("WEB-2")
    assert (task.links, task.custom, task.tags, task.acceptance_criteria, task.assignee) == ({}, {}, [], [], None)


def test_objects_merge_deeply(world: World) -> None:
    world.apply(update("WEB-2", custom={"a": {"b": 1, "c": 2}, "d": 3}))
    world.apply(update("WEB-2", custom={"a": {"b": None, "e": 4}, "d": {"f": None}}))

    assert world.task("WEB-2").custom == {"a": {"c": 2, "e": 4}, "d": {}}


def test_leaving_in_progress_ends_a_claim_and_other_changes_keep_it(world: World) -> None:
    claim = {"claimed_by": "bot", "claim_expires_at": datetime(2026, 3, 2, tzinfo=UTC)}
    world.apply(update("WEB-2", status="in_progress"), system={0: claim})

    world.apply(update("WEB-2", title="Login"))
    assert (world.task("WEB-2").claimed_by, world.task("WEB-2").claim_expires_at) == tuple(claim.values())

    world.apply(update("WEB-2", status="in_review"))
    assert (world.task("WEB-2").claimed_by, world.task("WEB-2").claim_expires_at) == (None, None)


@pytest.mark.parametrize(("old", "new"), [(True, 1), (0, False), ([1], [True]), ({"deep": [True]}, {"deep": [1]})])
def test_numbers_and_truth_values_are_not_the_same(world: World, old: object, new: object) -> None:
    world.apply(update("WEB-2", custom={"value": old}))

    applied = world.apply(update("WEB-2", custom={"value": new}))

    assert repr(world.task("WEB-2").custom["value"]) == repr(new)
    assert world.plan(update("WEB-2", title="Auth!") | {"expect": {"custom": {"value": old}}}).conflicts
    world.revert(applied)
    assert repr(world.task("WEB-2").custom["value"]) == repr(old)


def test_a_task_that_was_stored_against_the_rules_is_refused_when_it_comes_back(world: World) -> None:
    world.apply(
        create("Gone", ref="$g", fields={"start_date": "2026-05-02", "due_date": "2026-05-01"}),
        {"op": "delete_task", "task": "$g"},
    )

    issue = only_issue(world.plan(update("WEB-2", title="Login"), {"op": "restore_task", "task": "WEB-6"}).issues)

    assert (issue.code, issue.path) == (ErrorCode.VALIDATION_ERROR, "/patches/1")


def test_projects_have_as_many_links_and_tags_as_tasks(world: World) -> None:
    fields = {"links": {f"system{number}": "1" for number in range(20)}, "tags": [f"t{number}" for number in range(50)]}
    world.apply({"op": "update_project", "project": "WEB", "fields": fields})

    issue = only_issue(world.plan({"op": "update_project", "project": "WEB", "fields": {"links": {"more": "1"}}}).issues)

    assert (issue.code, issue.path) == (ErrorCode.VALIDATION_ERROR, "/patches/0/fields/links")
    assert issue.message == "WEB would have 21 links"
