"""The order in which ready tasks are given away."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from core.patches.ranking import LightProject, Standing, connected, rank
from core.patches.schedule import slack_of
from schemas.primitives import Priority, TaskStatus

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def standing(number: int, **fields: object) -> Standing:
    empty = Standing(
        id=f"id-{number}",
        key=f"WEB-{number}",
        parent_id=None,
        position=number,
        status=TaskStatus.TODO,
        priority=Priority.MEDIUM,
        due_date=None,
        estimated_minutes=None,
        claimed_by=None,
        claim_expires_at=None,
    )
    return replace(empty, **fields)  # type: ignore[arg-type]


def ranked(*standings: Standing) -> list[str]:
    return [item.key for item in rank(standings)]


def test_priority_comes_before_the_critical_path_before_the_due_date_before_the_order() -> None:
    assert ranked(
        standing(1),
        standing(2),
        standing(3, due_date=date(2026, 5, 1)),
        standing(4, due_date=date(2026, 4, 1)),
        standing(5, estimated_minutes=60),
        standing(6, estimated_minutes=600),
        standing(7, priority=Priority.CRITICAL, estimated_minutes=5),
        standing(8, priority=Priority.LOW, due_date=date(2026, 3, 1)),
    ) == ["WEB-7", "WEB-6", "WEB-4", "WEB-3", "WEB-1", "WEB-2", "WEB-5", "WEB-8"]


def test_the_critical_path_begins_with_the_longest_chain_and_not_with_the_longest_task() -> None:
    tasks = [
        standing(1, estimated_minutes=100),
        standing(2, estimated_minutes=60),
        standing(3, estimated_minutes=60, depends_on=["WEB-2"]),
    ]

    assert [(item.key, item.slack) for item in rank(tasks)] == [("WEB-2", 0), ("WEB-1", 20)]


def test_equal_tasks_come_in_the_order_of_the_outline() -> None:
    tasks = [standing(1, position=2), standing(2, parent_id="id-1", position=2), standing(3, parent_id="id-1", position=1)]
    tasks += [standing(4, position=1), standing(5, parent_id="id-4", position=9)]

    assert ranked(*reversed(tasks)) == ["WEB-5", "WEB-3", "WEB-2"]


def test_what_waits_itself_or_above_has_no_rank() -> None:
    assert ranked(
        standing(1, depends_on=["WEB-4"]),
        standing(2, parent_id="id-1"),
        standing(3, depends_on=["WEB-5", "WEB-6"]),
        standing(4),
        standing(5, status=TaskStatus.COMPLETED),
        standing(6, status=TaskStatus.CANCELLED),
    ) == ["WEB-3", "WEB-4"]


def test_a_claimed_task_keeps_its_rank_and_is_free_when_the_lease_ends() -> None:
    held = standing(1, status=TaskStatus.IN_PROGRESS, claimed_by="ann", claim_expires_at=NOON)

    assert ranked(held, standing(2), standing(3, status=TaskStatus.IN_PROGRESS)) == ["WEB-1", "WEB-2"]
    assert not held.is_free(NOON - timedelta(seconds=1))
    assert held.is_free(NOON)


def all_linked(tasks: list[Standing]) -> list[Standing]:
    """The same tasks, all behind a first one that takes no time: none is left out of the network."""
    return [standing(0), *(replace(task, depends_on=[*task.depends_on, "WEB-0"]) for task in tasks)]


@st.composite
def plans(draw: st.DrawFn) -> list[Standing]:
    """Plans in outline order, two levels deep, whose dependencies point backwards."""
    tasks: list[Standing] = []
    parent: str | None = None
    for number in range(1, draw(st.integers(1, 12)) + 1):
        if draw(st.booleans()):
            parent = None
        task = standing(
            number,
            parent_id=parent,
            status=draw(st.sampled_from([TaskStatus.TODO, TaskStatus.IN_PROGRESS, TaskStatus.COMPLETED])),
            estimated_minutes=draw(st.sampled_from([None, 0, 30, 60, 100])),
        )
        before = [item.key for item in tasks if item.id != parent]
        task.depends_on = draw(st.lists(st.sampled_from(before), max_size=2, unique=True)) if before else []
        tasks.append(task)
        if parent is None:
            parent = task.id
    return tasks


@settings(deadline=None)
@given(plans())
def test_leaving_out_what_no_dependency_reaches_does_not_change_the_slack(tasks: list[Standing]) -> None:
    whole = slack_of(all_linked(tasks))
    whole.pop("WEB-0", None)

    assert slack_of(tasks) == whole


def test_edges_between_live_tasks_are_listed_by_number_and_those_of_deleted_ones_are_inert() -> None:
    steps = [standing(number) for number in (2, 3, 10)]
    edges = [("id-3", "id-10"), ("id-3", "id-2"), ("id-2", "id-10"), ("id-2", "id-99"), ("id-99", "id-2")]

    found = connected(LightProject(steps, edges))

    assert {step.key: step.depends_on for step in found} == {"WEB-2": ["WEB-10"], "WEB-3": ["WEB-2", "WEB-10"], "WEB-10": []}
