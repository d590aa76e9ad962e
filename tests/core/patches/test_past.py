"""Looking back: the state at every revision, exactly; and what differs between two revisions."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.patches import places
from core.patches.changes import PROJECT_FIELDS, TASK_FIELDS, project_value, task_value
from core.patches.net import count_totals, net_changes
from core.patches.past import carried_over
from core.patches.snapshot import ProjectRecord, TaskRecord
from schemas.changes import Action, Change, EntityKind
from tests.core.patches.test_laws import applied, patch_sets, started
from tests.core.patches.world import World

Sets = list[list[dict[str, Any]]]
NOT_SHOWN = {"next_number", "deletion_id"}  # neither is part of what anybody sees of a live item


@contextmanager
def narrow_gaps() -> Iterator[None]:
    """Leave so little room between siblings that most placements renumber them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "STEP", 4)
        yield


def state_of(project: ProjectRecord, tasks: Mapping[str, TaskRecord], edges: list[tuple[str, str]]) -> dict[str, Any]:
    """Return everything about a project and its live tasks: fields, order, revisions, instants, counters."""
    live = {task.id: task for task in tasks.values() if task.deleted_at is None and task.project_id == project.id}

    def fields(record: ProjectRecord | TaskRecord) -> dict[str, Any]:
        return {name: getattr(record, name) for name in record.__slots__ if name not in NOT_SHOWN}

    return {
        "project": fields(project),
        "tasks": {task.key: fields(task) for task in live.values()},
        "edges": sorted(edge for edge in edges if edge[0] in live and edge[1] in live),
    }


def present(world: World) -> dict[str, Any]:
    return state_of(world.project("WEB"), world.tasks, world.edges)


def past(world: World, revision: int) -> dict[str, Any]:
    found = world.past("WEB", revision)
    return state_of(found.project, found.tasks, [(task, target) for task, targets in found.edges.items() for target in targets])


def remembered(world: World, sets: Sets) -> dict[int, dict[str, Any]]:
    """Apply the sound ones of `sets`; return the state as it was at each revision."""
    states = {world.project("WEB").revision: present(world)}
    for patches in sets:
        applied(world, patches)
        states[world.project("WEB").revision] = present(world)
    return states


@settings(deadline=None)
@given(st.lists(patch_sets(), min_size=1, max_size=6), st.booleans())
def test_the_state_at_every_revision_is_the_state_as_it_was(sets: Sets, narrow: bool) -> None:
    with narrow_gaps() if narrow else nullcontext():
        world = started()
        states = remembered(world, sets)

        for revision, state in states.items():
            assert past(world, revision) == state


def visible(world: World, revision: int) -> dict[tuple[EntityKind, str], dict[str, Any]]:
    """Return what a diff compares, of every live item at a revision; position numbers left out, as they are no content."""
    found = world.past("WEB", revision)
    shown: dict[tuple[EntityKind, str], dict[str, Any]] = {}
    project = found.project
    if project.deleted_at is None:
        shown[EntityKind.PROJECT, project.id] = {name: project_value(project, name) for name in PROJECT_FIELDS}
    for task in found.tasks.values():
        if task.deleted_at is None:
            parent = found.tasks[task.parent_id].key if task.parent_id else None
            waits_for = sorted(found.tasks[target].key for target in found.edges.get(task.id, ()))
            gone = {other.key for other in found.tasks.values() if other.deleted_at is not None}
            values = {name: task_value(task, name) for name in TASK_FIELDS} | {"parent": parent, "depends_on": waits_for}
            values["shown_depends_on"] = [key for key in waits_for if key not in gone]
            shown[EntityKind.TASK, task.id] = values
    return shown


EDGES = {"depends_on", "shown_depends_on"}


def seen_to_differ(before: dict[str, Any] | None, after: dict[str, Any] | None) -> bool:
    """Whether two states of an item differ in what people see: not in an edge to what is deleted, nor by that deletion."""
    if before is None or after is None:
        return before is not after
    unlike = {name for name in before if before[name] != after[name]}
    return bool(unlike - EDGES) or unlike >= EDGES


def between(world: World, after: int, to: int) -> list[Change]:
    return net_changes(change for _, revision, change in world.changes if after < revision <= to)


@settings(deadline=None)
@given(st.lists(patch_sets(), min_size=1, max_size=6), st.data())
def test_a_diff_is_exactly_what_differs_between_the_two_states(sets: Sets, data: st.DataObject) -> None:
    world = started()
    revisions = sorted(remembered(world, sets))
    first = data.draw(st.sampled_from(revisions))
    last = data.draw(st.sampled_from([revision for revision in revisions if revision >= first]))
    before, after = visible(world, first), visible(world, last)

    nets = [change for change in between(world, first, last) if change.kind is not EntityKind.COMMENT]

    differing = {item for item in before.keys() | after.keys() if seen_to_differ(before.get(item), after.get(item))}
    only_order = [change for change in nets if change.action is Action.MOVED and change.fields.keys() == {"position"}]
    assert {(change.kind, change.id) for change in nets if change not in only_order} == differing
    for change in nets:
        item = (change.kind, change.id)
        assert (item in before, item in after) == {
            Action.CREATED: (False, True),
            Action.RESTORED: (False, True),
            Action.DELETED: (True, False),
        }.get(change.action, (True, True))
        for name, value in after.get(item, {}).items():
            if name == "shown_depends_on" and "depends_on" in change.fields:
                assert sorted(change.fields["depends_on"]["after"] or ()) == value  # type: ignore[type-var, arg-type]  # JSON: a list of keys
            elif name in change.fields and name != "depends_on":
                assert change.fields[name]["after"] == value
            elif item in before and name not in EDGES:
                assert before[item][name] == value


@settings(deadline=None)
@given(patch_sets())
def test_the_diff_of_one_set_counts_what_its_plan_counted(patches: list[dict[str, Any]]) -> None:
    world = started()
    result = applied(world, patches)
    if result is None or any("deleted_at" in change.fields for change in result.changes):
        return
    revision = world.project("WEB").revision
    unseen = {"dependencies_added", "dependencies_removed"} if result.totals.deleted else set()  # those of what is gone

    found = count_totals(between(world, 1, revision))

    assert found.model_dump(exclude=unseen) == result.totals.model_dump(exclude=unseen)


def test_what_went_to_and_fro_is_no_difference() -> None:
    world = started()
    world.apply({"op": "update_task", "task": "WEB-2", "fields": {"title": "Other", "tags": ["x"]}})
    world.apply({"op": "create_task", "project": "WEB", "fields": {"title": "Soon gone"}})
    world.apply(
        {"op": "update_task", "task": "WEB-2", "fields": {"title": "T2", "tags": []}},
        {"op": "delete_task", "task": "WEB-9"},
    )

    assert between(world, 1, 4) == []


def test_an_item_that_one_set_makes_and_deletes_is_told_apart_from_one_that_stays() -> None:
    world = started()
    result = world.apply(
        {"op": "create_task", "project": "WEB", "ref": "$gone", "fields": {"title": "Gone"}},
        {"op": "create_task", "project": "WEB", "fields": {"title": "Stays"}},
        {"op": "delete_task", "task": "$gone"},
    )

    gone, stays = result.changes
    assert (gone.action, stays.action) == (Action.CREATED, Action.CREATED)
    assert gone.fields["deleted_at"]["after"] is not None
    assert "deleted_at" not in stays.fields
    assert "WEB-9" not in past(world, 2)["tasks"]
    assert [change.key for change in between(world, 1, 2)] == ["WEB-10"]


def test_an_item_restored_and_deleted_by_one_set_was_never_back() -> None:
    world = started()
    world.apply({"op": "delete_task", "task": "WEB-2"})
    before = present(world)
    result = world.apply({"op": "restore_task", "task": "WEB-2"}, {"op": "delete_task", "task": "WEB-2"})

    assert {change.action for change in result.changes} == {Action.UPDATED}
    assert past(world, 2) == before
    assert between(world, 2, 3) == []


def test_a_renumbered_place_is_put_back_in_its_old_order() -> None:
    world = started()
    for _ in range(3):
        world.apply({"op": "create_task", "project": "WEB", "fields": {"title": "last"}})
    world.apply({"op": "move_task", "task": "WEB-10", "before": "WEB-2"})
    order = world.children(None)
    for _ in range(40):  # halves one gap until it is exhausted
        world.apply({"op": "create_task", "fields": {"title": "x"}, "after": "WEB-1"})
    assert len(world.renumberings) == 1

    then = world.past("WEB", 5)
    siblings = sorted((task.position, task.key) for task in then.tasks.values() if task.parent_id is None)
    assert [key for _, key in siblings] == order == ["WEB-1", "WEB-10", "WEB-2", "WEB-9", "WEB-11"]


@pytest.mark.parametrize(
    ("position", "stands"),
    [(5, 105), (10, 110), (15, 115), (19, 119), (20, 120), (25, 220), (30, 320), (31, 321)],
)
def test_an_old_position_is_carried_over_to_the_same_place_in_the_order(position: int, stands: int) -> None:
    renumbering = {"a": (10, 110), "b": (20, 120), "c": (30, 320)}

    assert carried_over(position, [renumbering]) == stands


@settings(deadline=None)
@given(st.lists(patch_sets(), min_size=1, max_size=4))
def test_no_task_that_only_got_another_number_counts_as_moved(sets: Sets) -> None:
    with narrow_gaps():
        world = started()
        for patches in sets:
            result = applied(world, patches)
            for change in result.changes if result else []:
                numbers = [renumbering.positions for renumbering in result.effects.renumberings] if result else []
                assert not ("position" in change.fields and any(change.id in known for known in numbers))


def test_each_revision_of_an_eventful_life_is_the_state_as_it_was() -> None:
    link = {"task": "WEB-8", "depends_on": "WEB-3"}
    sets: Sets = [
        [{"op": "update_task", "task": "WEB-8", "fields": {"status": "cancelled", "estimated_minutes": 30}}],
        [{"op": "add_dependency", **link}, {"op": "move_task", "task": "WEB-6", "parent": None}],
        [{"op": "remove_dependency", **link}, {"op": "update_project", "project": "WEB", "fields": {"due_date": "2026-05-01"}}],
        [{"op": "delete_task", "task": "WEB-2"}],
        [{"op": "restore_task", "task": "WEB-2"}, {"op": "add_comment", "task": "WEB-2", "body": "back"}],
        [{"op": "delete_project", "project": "WEB"}],
        [{"op": "restore_project", "project": "WEB"}, {"op": "update_project", "project": "WEB", "fields": {"priority": "high"}}],
    ]
    world = started()

    states = remembered(world, sets)

    assert list(states) == list(range(1, 9))
    for revision, state in states.items():
        assert past(world, revision) == state


def test_a_diff_counts_comments_and_dependencies() -> None:
    world = started()
    world.apply(
        {"op": "add_dependency", "task": "WEB-8", "depends_on": "WEB-3"}, {"op": "add_comment", "task": "WEB-8", "body": "x"}
    )
    world.apply({"op": "remove_dependency", "task": "WEB-5", "depends_on": "WEB-3"})

    totals = count_totals(between(world, 1, 3)).model_dump(exclude_defaults=True)

    assert totals == {"comments_added": 1, "dependencies_added": 1, "dependencies_removed": 1}
    world.apply({"op": "add_dependency", "task": "WEB-5", "depends_on": "WEB-3"})
    assert [change.key for change in between(world, 2, 4)] == [], "what went and came back is no difference"


def test_a_comment_on_a_task_does_not_hide_the_dependencies_on_it() -> None:
    world = started()
    world.apply(
        {"op": "remove_dependency", "task": "WEB-5", "depends_on": "WEB-3"}, {"op": "add_comment", "task": "WEB-3", "body": "x"}
    )

    edges = [change.fields["depends_on"] for change in between(world, 1, 2) if change.kind is EntityKind.TASK]

    assert edges == [{"before": ["WEB-3"], "after": []}]
