"""Lists: filters, sorts with ties, pages and cursors."""

import json
from base64 import urlsafe_b64encode
from datetime import date, timedelta
from typing import Any

import pytest

from core.errors import InvalidCursor, NotFound
from core.storage.sql.paging import parse_cursor
from schemas.primitives import Priority, ProjectStatus, TaskStatus
from schemas.projects import ProjectQuery, ProjectSort
from schemas.tasks import TaskListResponse, TaskQuery, TaskSort
from tests.storage.builders import NOW, STEP, TODAY, Database, project, task

DAYS = [None, date(2026, 3, 1), None, date(2026, 2, 1), date(2026, 3, 1)]


def listed(database: Database, **query: Any) -> TaskListResponse:
    return database.read(lambda tx: tx.list_tasks(TaskQuery(**query), today=TODAY))


def keys(database: Database, **query: Any) -> list[str]:
    return [item.key for item in listed(database, **query).tasks]


def fill_with_ties(database: Database) -> None:
    web = project()
    tasks = [
        task(
            web,
            position=(number % 3) * STEP,
            created_at=NOW + timedelta(seconds=number % 4),
            updated_at=NOW + timedelta(seconds=number % 2),
            priority=list(Priority)[number % 5],
            due_date=DAYS[number % 5],
        )
        for number in range(23)
    ]
    database.create([web], tasks)


@pytest.mark.parametrize("sort", [None, *TaskSort])
def test_pages_and_cursors_walk_the_same_order_once(database: Database, sort: TaskSort | None) -> None:
    fill_with_ties(database)
    whole = keys(database, sort=sort, per_page=100)

    by_page = [key for page in range(1, 6) for key in keys(database, sort=sort, per_page=5, page=page)]
    by_cursor, cursor, steps = [], None, 0
    while steps == 0 or cursor:
        answer = listed(database, sort=sort, per_page=5, cursor=cursor)
        by_cursor += [item.key for item in answer.tasks]
        cursor, steps = answer.next_cursor, steps + 1

    assert len(set(whole)) == 23
    assert by_page == by_cursor == whole
    assert steps == 5


@pytest.mark.parametrize("sort", list(ProjectSort))
def test_projects_are_paged_alike(database: Database, sort: ProjectSort) -> None:
    database.create(
        [
            project(f"P{number:02}", name=f"Name {number % 3}", priority=list(Priority)[number % 5], due_date=DAYS[number % 5])
            for number in range(12)
        ]
    )

    def page(**query: Any) -> Any:
        return database.read(lambda tx: tx.list_projects(ProjectQuery(sort=sort, **query)))

    whole = [item.key for item in page(per_page=100).projects]
    first = page(per_page=7)
    rest = page(per_page=7, cursor=first.next_cursor)

    assert [item.key for item in [*first.projects, *rest.projects]] == whole
    assert len(set(whole)) == 12
    assert (first.total, first.page, first.has_next, first.has_prev) == (12, 1, True, False)
    assert (rest.total, rest.page, rest.has_next, rest.has_prev, rest.next_cursor) == (12, None, False, True, None)


def test_priority_sorts_by_meaning_and_missing_due_dates_last(database: Database) -> None:
    fill_with_ties(database)

    by_priority = [item.priority for item in listed(database, sort="priority", per_page=100).tasks]
    by_due_date = [item.due_date for item in listed(database, sort="due_date", per_page=100).tasks]

    assert by_priority == sorted(by_priority, key=list(Priority).index)
    assert by_due_date == sorted(by_due_date, key=lambda day: day or date.max)


def test_newest_come_first_unless_a_place_is_named(database: Database) -> None:
    web = project()
    parent = task(web)
    children = [task(web, parent, position=-number, created_at=NOW + timedelta(hours=number)) for number in range(3)]
    database.create([web], [parent, *children])

    assert keys(database) == ["WEB-4", "WEB-3", "WEB-2", "WEB-1"]
    assert keys(database, parent="web-1") == ["WEB-4", "WEB-3", "WEB-2"]
    assert keys(database, parent="web-1", sort="created_at") == ["WEB-2", "WEB-3", "WEB-4"]
    assert keys(database, root=True, project="web") == ["WEB-1"]


def test_a_cursor_survives_inserts_before_it(database: Database) -> None:
    fill_with_ties(database)
    first = listed(database, sort="-created_at", per_page=5)
    second = keys(database, sort="-created_at", per_page=5, cursor=first.next_cursor)
    api = project("API")

    database.create([api], [task(api, created_at=NOW + timedelta(days=1))])

    assert keys(database, sort="-created_at", per_page=5, cursor=first.next_cursor) == second


def test_a_cursor_belongs_to_its_filter_and_sort(database: Database) -> None:
    fill_with_ties(database)
    cursor = listed(database, per_page=5, project="WEB").next_cursor
    assert cursor is not None

    for query in ({"project": "WEB", "sort": "priority"}, {"status": ["todo"], "project": "WEB"}, {}):
        with pytest.raises(InvalidCursor):
            listed(database, cursor=cursor, **query)
    assert len(listed(database, project="WEB", per_page=7, cursor=cursor).tasks) == 7, "the page size may change"


@pytest.mark.parametrize("cursor", ["", "?", "e30", "WyJ4Il0", "WzFd", "bnVsbA", "é"])
def test_what_is_no_cursor_is_refused(database: Database, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        listed(database, cursor=cursor)


@pytest.mark.parametrize("sort", [TaskSort.PRIORITY, TaskSort.POSITION, TaskSort.DUE_DATE, TaskSort.NEWEST])
@pytest.mark.parametrize("value", [10**30, 1.5, "\0", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", None, []])
def test_a_cursor_with_an_altered_value_is_refused(database: Database, sort: TaskSort, value: object) -> None:
    fill_with_ties(database)
    digest, _, *rest = parse_cursor(listed(database, sort=sort, per_page=5).next_cursor or "")
    altered = urlsafe_b64encode(json.dumps([digest, value, *rest]).encode()).decode().rstrip("=")

    with pytest.raises(InvalidCursor):
        listed(database, sort=sort, per_page=5, cursor=altered)


def test_a_page_and_a_cursor_together_are_refused(database: Database) -> None:
    fill_with_ties(database)
    cursor = listed(database, per_page=5).next_cursor

    with pytest.raises(InvalidCursor):
        listed(database, per_page=5, cursor=cursor, page=2)


def test_a_page_beyond_the_end_is_empty(database: Database) -> None:
    fill_with_ties(database)

    answer = listed(database, page=1_000_000)

    assert (answer.tasks, answer.total, answer.has_next, answer.has_prev) == ([], 23, False, True)


def test_filters_all_hold_together(database: Database) -> None:
    web, api = project("WEB"), project("API")
    tasks = [
        task(web, status=TaskStatus.COMPLETED, priority=Priority.HIGH, assignee="ada", tags=["ui", "x"]),
        task(web, status=TaskStatus.BLOCKED, priority=Priority.LOW, assignee="Ada", tags=["u"], due_date=TODAY),
        task(web, due_date=TODAY - timedelta(days=1), updated_at=NOW + timedelta(hours=1)),
        task(web, due_date=TODAY - timedelta(days=1), status=TaskStatus.CANCELLED),
        task(web, deleted_at=NOW, deletion_id="d", tags=["ui"]),
        task(api, due_date=TODAY + timedelta(days=1)),
    ]
    database.create([web, api], tasks)

    def numbers(**query: Any) -> list[int]:
        return sorted(tasks.index(next(item for item in tasks if item.key == key)) for key in keys(database, **query))

    assert numbers(project="web") == [0, 1, 2, 3]
    assert numbers(status=["completed", "blocked"]) == [0, 1]
    assert numbers(priority=["high", "low"], project="WEB") == [0, 1]
    assert numbers(assignee="ada") == [0]
    assert numbers(tag="ui") == [0]
    assert numbers(tag="u") == [1]
    assert numbers(due_before=TODAY) == [2, 3]
    assert numbers(due_after=TODAY) == [5]
    assert numbers(updated_since=NOW + timedelta(minutes=1)) == [2]
    assert numbers(overdue=True) == [2]
    assert numbers(overdue=False, project="WEB") == [0, 1, 3]
    assert numbers(deleted=True) == [4]
    assert numbers(status=["todo"], project="API", due_after=TODAY) == [5]
    assert numbers(status=["todo"], assignee="ada") == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("100%", [1]),
        ("a_b", [2]),
        ("ÜBER", [3]),
        ("über", [3]),
        ("web-1", [1]),
        ("\\", [4]),
        ("/", [4]),
        ("' OR 1=1", []),
        ("text", [1]),
    ],
)
def test_the_query_is_literal_and_case_blind(database: Database, query: str, found: list[int]) -> None:
    web = project()
    titles = ["Reach 100%", "a_b", "Alles ÜBER Bord", "back\\slash / here", "axb 100 percent"]
    tasks = [task(web, title=title, description="Some TEXT" if number == 0 else "") for number, title in enumerate(titles)]
    database.create([web], tasks)

    assert sorted(keys(database, query=query)) == [f"WEB-{number}" for number in found]


def test_projects_are_filtered(database: Database) -> None:
    database.create(
        [
            project("A1", name="Über alles", status=ProjectStatus.ACTIVE, tags=["x"]),
            project("A2", priority=Priority.HIGH, description="50%_done"),
            project("A3", deleted_at=NOW, deletion_id="d", tags=["x"]),
        ]
    )

    def found(**query: Any) -> list[str]:
        return [item.key for item in database.read(lambda tx: tx.list_projects(ProjectQuery(sort="name", **query))).projects]

    assert found(status=["active"]) == ["A1"]
    assert found(priority=["high"]) == ["A2"]
    assert found(tag="x") == ["A1"]
    assert found(query="über") == ["A1"]
    assert found(query="%_d") == ["A2"]
    assert found(deleted=True) == ["A3"]


@pytest.mark.parametrize("query", [{"project": "WEBB"}, {"parent": "WEB-9"}])
def test_an_unknown_project_or_parent_is_not_found(database: Database, query: dict[str, str]) -> None:
    web = project()
    database.create([web], [task(web)])

    with pytest.raises(NotFound) as refusal:
        listed(database, **query)

    assert "WEB" in (refusal.value.details[0].hint or "")
