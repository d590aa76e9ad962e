"""Schedules: precedence over the hierarchy, slack, the critical path, and working days."""

from datetime import UTC, date, datetime

import pytest

from core.patches.schedule import make_schedule
from schemas.primitives import Priority, ProjectStatus, TaskStatus
from schemas.projects import Project
from schemas.schedule import Schedule
from schemas.tasks import Task

NOW = datetime(2026, 8, 3, 9, tzinfo=UTC)
MONDAY = date(2026, 8, 3)
PROJECT = Project(
    id="p",
    key="WEB",
    name="Web",
    description="",
    status=ProjectStatus.ACTIVE,
    priority=Priority.MEDIUM,
    tags=[],
    start_date=None,
    due_date=None,
    links={},
    task_schema=None,
    revision=7,
    task_count=0,
    completed_task_count=0,
    progress=0,
    estimated_minutes=0,
    created_at=NOW,
    updated_at=NOW,
    created_by="ann",
    deleted_at=None,
)


def task(
    number: int,
    hours: float | None = None,
    *,
    parent: int | None = None,
    after: list[int] | None = None,
    status: TaskStatus = TaskStatus.TODO,
    assignee: str | None = None,
    title: str = "",
    deleted: bool = False,
) -> Task:
    return Task(
        id=f"id-{number}",
        key=f"WEB-{number}",
        project_id="p",
        parent_id=f"id-{parent}" if parent else None,
        parent=f"WEB-{parent}" if parent else None,
        position=number,
        depth=1 if parent else 0,
        title=title or f"Task {number}",
        description="",
        acceptance_criteria=[],
        status=status,
        priority=Priority.MEDIUM,
        tags=[],
        assignee=assignee,
        start_date=None,
        due_date=None,
        estimated_minutes=None if hours is None else int(hours * 60),
        actual_minutes=None,
        links={},
        custom={},
        depends_on=[f"WEB-{other}" for other in after or []],
        blocks=[],
        is_ready=False,
        is_overdue=False,
        progress=0,
        subtask_count=0,
        claimed_by=None,
        claim_expires_at=None,
        completed_at=None,
        revision=1,
        created_at=NOW,
        updated_at=NOW,
        created_by="ann",
        deleted_at=NOW if deleted else None,
    )


def schedule(*tasks: Task, start: date = MONDAY, hours_per_day: int = 8, days_per_week: int = 5) -> Schedule:
    return make_schedule(PROJECT, tasks, start_date=start, hours_per_day=hours_per_day, days_per_week=days_per_week)


def test_the_longest_chain_is_critical_and_the_rest_has_slack() -> None:
    result = schedule(task(1, 4), task(2, 8, after=[1]), task(3, 2, after=[1]), task(4, 1, after=[2, 3]))

    assert result.total_minutes == 13 * 60
    assert result.critical_path == ["WEB-1", "WEB-2", "WEB-4"]
    assert {item.key: item.slack for item in result.tasks} == {"WEB-1": 0, "WEB-2": 0, "WEB-3": 360, "WEB-4": 0}


def test_a_dependency_on_a_parent_waits_for_all_its_leaves() -> None:
    result = schedule(task(1), task(2, 3, parent=1), task(3, 5, parent=1), task(4, 1, after=[1]))

    assert {item.key: item.earliest_start for item in result.tasks} == {"WEB-2": 0, "WEB-3": 0, "WEB-4": 300}


def test_a_parent_that_waits_holds_back_everything_below_it() -> None:
    result = schedule(task(1, 2), task(2, after=[1]), task(3, parent=2), task(4, 1, parent=3))

    assert [item.key for item in result.tasks] == ["WEB-1", "WEB-4"]
    assert result.tasks[1].earliest_start == 120


def test_a_chain_through_a_parent_whose_leaves_are_all_done_still_holds() -> None:
    result = schedule(task(1, 2), task(2, after=[1]), task(3, 1, parent=2, status=TaskStatus.COMPLETED), task(4, 1, after=[2]))

    assert result.critical_path == ["WEB-1", "WEB-4"]


@pytest.mark.parametrize("status", [TaskStatus.COMPLETED, TaskStatus.CANCELLED])
def test_closed_tasks_take_no_time_and_hold_nothing_back(status: TaskStatus) -> None:
    result = schedule(task(1, 9), task(2, 8, status=status, after=[1]), task(3, 1, after=[2]))

    assert [item.key for item in result.tasks] == ["WEB-1", "WEB-3"]
    assert result.tasks[1].earliest_start == 0


def test_deleted_tasks_are_not_there() -> None:
    result = schedule(task(1, 8, deleted=True), task(2, 1, after=[1]), task(3, 1), task(4, 1, parent=3, deleted=True))

    assert [item.key for item in result.tasks] == ["WEB-2", "WEB-3"]


def test_tasks_keep_outline_order_unless_they_wait_for_a_later_one() -> None:
    result = schedule(task(1, 1), task(2, 1, after=[4]), task(3, 1), task(4, 1))

    assert [item.key for item in result.tasks] == ["WEB-1", "WEB-4", "WEB-2", "WEB-3"]


def test_a_task_that_waits_for_another_in_two_ways_comes_once_and_after_both() -> None:
    result = schedule(task(1, 1, after=[2, 3]), task(2, 1, after=[3]), task(3, 1))

    assert [item.key for item in result.tasks] == ["WEB-3", "WEB-2", "WEB-1"]


def test_tasks_without_an_estimate_are_named_and_count_nothing() -> None:
    result = schedule(task(1, 2), task(2, after=[1]))

    assert result.unestimated == ["WEB-2"]
    assert result.total_minutes == 120
    assert result.critical_path == ["WEB-1", "WEB-2"]


def test_a_project_without_estimates_has_no_critical_path() -> None:
    result = schedule(task(1), task(2, after=[1]))

    assert result.critical_path == []
    assert not any(item.is_critical for item in result.tasks)


def test_load_is_the_open_work_of_each_person() -> None:
    result = schedule(task(1, 2, assignee="ann"), task(2, 3, assignee="ann"), task(3, 1), task(4, assignee="bob"))

    assert result.load == {"ann": 300, "bob": 0}


def test_working_minutes_skip_the_days_off() -> None:
    friday = date(2026, 8, 7)

    result = schedule(task(1, 8), task(2, 10, after=[1]), task(3, after=[2]), start=friday)

    assert [(item.start_date, item.finish_date) for item in result.tasks] == [
        (friday, friday),
        (date(2026, 8, 10), date(2026, 8, 11)),
        (date(2026, 8, 11), date(2026, 8, 11)),
    ]
    assert result.finish_date == date(2026, 8, 11)


@pytest.mark.parametrize(("days_per_week", "first_day"), [(5, date(2026, 8, 10)), (6, date(2026, 8, 8)), (7, date(2026, 8, 8))])
def test_work_that_begins_on_a_saturday_begins_on_the_next_working_day(days_per_week: int, first_day: date) -> None:
    result = schedule(task(1, 1), start=date(2026, 8, 8), days_per_week=days_per_week)

    assert result.tasks[0].start_date == first_day


def test_an_empty_project_ends_where_it_begins() -> None:
    result = schedule()

    assert (result.total_minutes, result.finish_date, result.tasks, result.critical_path) == (0, MONDAY, [], [])


def test_a_chain_of_twenty_thousand_tasks_beyond_the_last_year_is_computed() -> None:
    tasks = [task(number, 8_000, after=[number + 1] if number < 20_000 else []) for number in range(1, 20_001)]

    result = schedule(*tasks)

    assert len(result.critical_path) == 20_000
    assert result.finish_date == date.max
