"""Laws that hold for every patch set: revert restores, previews equal applies, the order of refs does not matter."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.patches.plan import Plan
from schemas.primitives import Priority, TaskStatus
from tests.core.patches.world import World, live_state

TASKS = [f"WEB-{number}" for number in range(1, 9)]
REFS = ["$a", "$b", "$c"]
tasks = st.sampled_from(TASKS)
names = st.sampled_from(TASKS + REFS)

fields = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["One", "Two", "Three"]),
        "description": st.sampled_from(["", "text", None]),
        "status": st.sampled_from(list(TaskStatus)),
        "priority": st.sampled_from(list(Priority)),
        "tags": st.lists(st.sampled_from("abc"), max_size=3),
        "assignee": st.sampled_from(["ann", None]),
        "due_date": st.sampled_from(["2026-05-01", None]),
        "estimated_minutes": st.sampled_from([30, 60, None]),
        "links": st.dictionaries(st.sampled_from("xy"), st.sampled_from(["1", None]), max_size=2),
        "custom": st.dictionaries(st.sampled_from("pq"), st.sampled_from([1, None, {"r": 1}, {"s": 2}]), max_size=2),
    },
)
place = st.one_of(
    st.just({}),
    st.builds(lambda name: {"parent": name}, names),
    st.builds(lambda side, name: {side: name}, st.sampled_from(["before", "after"]), names),
)
operations = st.one_of(
    st.builds(lambda task, f: {"op": "update_task", "task": task, "fields": f}, tasks, fields),
    st.builds(lambda f, p: {"op": "create_task", "project": "WEB", "fields": {"title": "New"} | f, **p}, fields, place),
    st.builds(lambda task, p: {"op": "move_task", "task": task, **p}, tasks, place),
    st.builds(lambda task: {"op": "move_task", "task": task, "parent": None}, tasks),
    st.builds(lambda task: {"op": "delete_task", "task": task}, tasks),
    st.builds(lambda task: {"op": "restore_task", "task": task}, tasks),
    st.builds(lambda a, b: {"op": "add_dependency", "task": a, "depends_on": b}, names, names),
    st.builds(lambda a, b: {"op": "remove_dependency", "task": a, "depends_on": b}, tasks, tasks),
    st.builds(lambda task: {"op": "add_comment", "task": task, "body": "hm"}, tasks),
    st.just({"op": "update_project", "project": "WEB", "fields": {"name": "Renamed", "tags": ["t"]}}),
    st.just({"op": "delete_project", "project": "WEB"}),
    st.just({"op": "restore_project", "project": "WEB"}),
)
creation_refs = st.lists(st.sampled_from(REFS), unique=True, max_size=3)


@st.composite
def patch_sets(draw: st.DrawFn) -> list[dict[str, Any]]:
    patches = draw(st.lists(operations, min_size=1, max_size=6))
    for ref in draw(creation_refs):
        patch = {"op": "create_task", "ref": ref, "project": "WEB", "fields": {"title": ref}, **draw(place)}
        patches.insert(draw(st.integers(0, len(patches))), patch)
    return patches


def started() -> World:
    """A tree of eight tasks with a dependency and a completed one."""
    world = World(max_depth=3)
    world.apply(
        {"op": "create_project", "key": "WEB", "fields": {"name": "Web"}},
        *(
            {"op": "create_task", "project": "WEB", "ref": f"$t{number}", "fields": {"title": f"T{number}"}}
            | ({"parent": f"$t{number // 2}"} if number > 2 else {})
            for number in range(1, 9)
        ),
        {"op": "add_dependency", "task": "$t5", "depends_on": "$t3"},
        {"op": "update_task", "task": "$t4", "fields": {"status": "completed", "links": {"x": "9"}, "custom": {"p": {"s": 1}}}},
    )
    return world


def applied(world: World, patches: list[dict[str, Any]]) -> Plan | None:
    """Apply a random set if it is sound."""
    result = world.plan(*patches)
    if result.errors() or result.conflicts:
        return None
    world.store(result)
    return result


def check_counters(world: World) -> None:
    """Every stored counter equals what a full count gives."""
    live = [task for task in world.tasks.values() if task.deleted_at is None]
    children: dict[str | None, list[str]] = {}
    for task in live:
        children.setdefault(task.parent_id, []).append(task.id)
    leaves = {task.id for task in live if task.id not in children}

    def below(task_id: str) -> set[str]:
        found = set()
        for child in children.get(task_id, ()):
            found |= {child} | below(child)
        return found

    for task in live:
        counted = [world.tasks[item] for item in below(task.id) & leaves]
        counted = [item for item in counted if item.status is not TaskStatus.CANCELLED]
        done = sum(item.status is TaskStatus.COMPLETED for item in counted)
        assert (task.subtask_count, task.leaf_count, task.leaf_completed) == (len(children.get(task.id, ())), len(counted), done)
        parent = world.tasks[task.parent_id] if task.parent_id else None
        assert task.depth == (parent.depth + 1 if parent else 0)
        assert parent is None or parent.deleted_at is None
    project = world.project("WEB")
    assert project.task_count == len(live)
    assert project.completed_task_count == sum(task.status is TaskStatus.COMPLETED for task in live)
    assert project.estimated_minutes == sum(world.tasks[item].estimated_minutes or 0 for item in leaves)


@settings(deadline=None)
@given(st.lists(patch_sets(), min_size=1, max_size=4))
def test_reverting_newest_first_gives_back_every_earlier_state(sets: list[list[dict[str, Any]]]) -> None:
    world = started()
    states, plans = [live_state(world)], []
    for patches in sets:
        result = applied(world, patches)
        if result is not None:
            check_counters(world)
            plans.append(result)
            states.append(live_state(world))

    while plans:
        states.pop()
        result = plans.pop()
        if result.inverse:
            world.revert(result)
        check_counters(world)
        assert live_state(world) == states[-1]


@settings(deadline=None)
@given(patch_sets(), patch_sets())
def test_a_revert_can_itself_be_reverted(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    world = started()
    applied(world, first)
    result = applied(world, second)
    if result is None or not result.inverse:
        return
    after = live_state(world)

    undone = world.revert(result)
    if undone.inverse:
        world.revert(undone)

    assert live_state(world) == after


@settings(deadline=None)
@given(patch_sets(), st.randoms(use_true_random=False))
def test_where_refs_are_created_in_the_set_does_not_matter(patches: list[dict[str, Any]], random: Any) -> None:
    creations = [patch for patch in patches if patch["op"] == "create_task"]
    others = [patch for patch in patches if patch["op"] != "create_task"]
    mixed = list(others)
    spots = sorted(random.randint(0, len(others)) for _ in creations)
    for offset, (spot, patch) in enumerate(zip(spots, creations, strict=True)):
        mixed.insert(spot + offset, patch)

    front, spread = started().plan(*creations, *others), started().plan(*mixed)

    assert bool(front.errors()) == bool(spread.errors())
    assert sorted(issue.code for issue in front.errors()) == sorted(issue.code for issue in spread.errors())
    assert front.totals == spread.totals
    assert front.refs == spread.refs


@settings(deadline=None)
@given(patch_sets())
def test_planning_never_changes_the_snapshot(patches: list[dict[str, Any]]) -> None:
    world = started()
    before = live_state(world)

    world.plan(*patches)

    assert live_state(world) == before


@settings(deadline=None)
@given(
    st.lists(
        st.dictionaries(st.text(max_size=5), st.none() | st.text() | st.integers() | st.lists(st.text()), max_size=4), min_size=1
    )
)
def test_any_input_is_answered_with_issues(patches: list[dict[str, Any]]) -> None:
    assert started().plan(*patches).errors()
