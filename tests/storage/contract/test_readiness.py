"""What is ready, and the tree it stands in."""

import random
from datetime import timedelta
from typing import Any

import pytest

from core.errors import InvalidCursor
from core.patches.ranking import connected, rank
from core.patches.snapshot import TaskRecord
from schemas.primitives import CLOSED_STATUSES, Priority, TaskStatus
from schemas.tasks import TaskQuery
from tests.storage.builders import NOW, STEP, TODAY, Database, project, revision, task

GONE: dict[str, Any] = {"deleted_at": NOW, "deletion_id": "d"}


def ready(database: Database, key: str) -> bool:
    found = database.read(lambda tx: tx.find_task(key, today=TODAY))
    assert found is not None
    return found.is_ready


def test_a_task_is_ready_when_nothing_it_or_its_ancestors_wait_for_is_open(database: Database) -> None:
    web = project()
    opened, closed, cancelled = task(web), task(web, status=TaskStatus.COMPLETED), task(web, status=TaskStatus.CANCELLED)
    gone, held_phase, free_phase = task(web, **GONE), task(web), task(web)
    below_held, below_free = task(web, held_phase), task(web, free_phase)
    deep = task(web, below_held)
    waits, free = task(web), task(web)
    edges = [(held_phase.id, opened.id), (waits.id, opened.id), (waits.id, closed.id)]
    edges += [(free.id, closed.id), (free.id, cancelled.id), (free.id, gone.id), (free_phase.id, closed.id)]
    tasks = [opened, closed, cancelled, gone, held_phase, free_phase, below_held, below_free, deep, waits, free]
    database.create([web], tasks, new_edges=edges)

    listed = database.read(lambda tx: tx.list_tasks(TaskQuery(ready=True), today=TODAY))

    assert {item.key for item in tasks if ready(database, item.key)} == {opened.key, below_free.key, free.key}
    assert {item.key for item in listed.tasks} == {opened.key, below_free.key, free.key}


def test_edges_are_shown_as_keys_of_live_tasks(database: Database) -> None:
    web = project()
    first, gone, last = task(web), task(web, **GONE), task(web)
    database.create([web], [first, gone, last], new_edges=[(last.id, first.id), (last.id, gone.id), (gone.id, first.id)])

    shown = {item.key: item for item in database.read(lambda tx: tx.outline(web.id, today=TODAY))[0]}

    assert (shown[last.key].depends_on, shown[first.key].blocks) == ([first.key], [last.key])


def grow(database: Database, key: str, seed: int) -> list[TaskRecord]:
    """Store a random tree with random states and edges."""
    dice = random.Random(seed)  # noqa: S311  # a fixed sequence
    web = project(key)
    tasks: list[TaskRecord] = []
    for _ in range(80):
        parents = [item for item in tasks if item.depth < 4]
        parent = dice.choice(parents) if parents and dice.random() < 0.7 else None
        status = dice.choice([TaskStatus.TODO, TaskStatus.TODO, *TaskStatus])
        tasks.append(task(web, parent, status=status, position=dice.randrange(4) * STEP))
    pairs = {(dice.choice(tasks).id, dice.choice(tasks).id) for _ in range(25)}
    database.create([web], tasks, new_edges=sorted(pair for pair in pairs if pair[0] != pair[1]))
    return tasks


def test_lists_outline_and_single_tasks_agree_on_everything(database: Database) -> None:
    tasks = grow(database, "WEB", seed=3)
    grow(database, "NOISE", seed=4)
    project_id = tasks[0].project_id

    whole, _ = database.read(lambda tx: tx.outline(project_id, today=TODAY))
    single = [database.read(lambda tx, key=item.key: tx.find_task(key, today=TODAY)) for item in whole]  # type: ignore[misc]
    listed = database.read(lambda tx: tx.list_tasks(TaskQuery(project="WEB", ready=True, per_page=100), today=TODAY)).tasks
    unready = database.read(lambda tx: tx.list_tasks(TaskQuery(project="WEB", ready=False, per_page=100), today=TODAY)).tasks

    assert whole == single
    assert {item.key for item in listed} == {item.key for item in whole if item.is_ready}
    assert {item.key for item in unready} == {item.key for item in whole if not item.is_ready}
    assert 0 < len(listed) < len(whole)


def test_the_ranking_of_a_whole_project_agrees_with_the_database(database: Database) -> None:
    tasks = grow(database, "WEB", seed=7)

    listed = database.read(lambda tx: tx.claim_candidates(tasks[0].project_id, now=NOW, limit=100))
    ranked = rank(database.read(lambda tx: connected(tx.light_project(tasks[0].project_id))))

    assert {item.key for item in ranked if item.is_free(NOW)} == {item.key for item in listed}
    assert listed


def test_the_outline_is_depth_first_by_position_and_id(database: Database) -> None:
    tasks = grow(database, "WEB", seed=5)
    children: dict[str | None, list[TaskRecord]] = {}
    for item in sorted(tasks, key=lambda item: (item.position, item.id)):
        children.setdefault(item.parent_id, []).append(item)

    def walk(parent_id: str | None) -> list[str]:
        return [key for item in children.get(parent_id, []) for key in (item.key, *walk(item.id))]

    whole, cursor = database.read(lambda tx: tx.outline(tasks[0].project_id, today=TODAY))

    assert [item.key for item in whole] == walk(None)
    assert cursor is None


@pytest.mark.parametrize("limit", [1, 7, 79, 80, 1_000])
def test_the_outline_is_the_same_in_pages(database: Database, limit: int) -> None:
    tasks = grow(database, "WEB", seed=6)
    project_id = tasks[0].project_id
    whole, _ = database.read(lambda tx: tx.outline(project_id, today=TODAY))
    found: list[Any] = []
    cursor: str | None = None
    while not found or cursor:
        at = cursor
        page, cursor = database.read(lambda tx: tx.outline(project_id, today=TODAY, limit=limit, cursor=at))  # noqa: B023  # runs at once
        assert 0 < len(page) <= limit
        found += page

    assert found == whole


def test_an_outline_goes_on_after_a_task_that_has_since_been_deleted(database: Database) -> None:
    web = project()
    tasks = [task(web) for _ in range(4)]
    database.create([web], tasks)
    _, cursor = database.read(lambda tx: tx.outline(web.id, today=TODAY, limit=2))
    tasks[1].deleted_at, tasks[1].deletion_id = NOW, "d"
    database.save(revision(web, changed_tasks=[tasks[1]]))

    page, _ = database.read(lambda tx: tx.outline(web.id, today=TODAY, limit=2, cursor=cursor))

    assert [item.key for item in page] == ["WEB-3", "WEB-4"]


def test_an_outline_cursor_belongs_to_its_project(database: Database) -> None:
    web, api = project("WEB"), project("API")
    database.create([web, api], [task(web), task(web), task(api)])
    _, cursor = database.read(lambda tx: tx.outline(web.id, today=TODAY, limit=1))

    for project_id, given in ((api.id, cursor), (web.id, "nonsense")):
        with pytest.raises(InvalidCursor):
            database.read(lambda tx: tx.outline(project_id, today=TODAY, limit=1, cursor=given))  # noqa: B023  # runs at once


def test_subtasks_are_the_direct_live_children_in_order(database: Database) -> None:
    web = project()
    parent = task(web)
    second, first, gone = task(web, parent, position=2), task(web, parent, position=1), task(web, parent, position=0, **GONE)
    database.create([web], [parent, second, first, gone, task(web, first)])

    children = database.read(lambda tx: tx.list_subtasks(parent.id, today=TODAY))

    assert [item.key for item in children] == [first.key, second.key]


def test_what_may_be_claimed_is_ready_or_its_lease_has_ended(database: Database) -> None:
    web, api = project("WEB"), project("API")
    late: dict[str, Any] = {"claim_expires_at": NOW, "claimed_by": "x"}
    soon: dict[str, Any] = {"claim_expires_at": NOW + timedelta(minutes=1), "claimed_by": "x"}
    plain, urgent = task(web), task(web, priority=Priority.CRITICAL)
    due = task(web, due_date=TODAY)
    lapsed = task(web, status=TaskStatus.IN_PROGRESS, **late)
    held = task(web, status=TaskStatus.IN_PROGRESS, **soon)
    unleased, blocked = task(web, status=TaskStatus.IN_PROGRESS), task(web)
    parent = task(web)
    child, elsewhere = task(web, parent, priority=Priority.LOW), task(api)
    everything = [plain, urgent, due, lapsed, held, unleased, blocked, parent, child, elsewhere, task(web, **GONE)]
    database.create([web, api], everything, new_edges=[(blocked.id, plain.id)])

    here = database.read(lambda tx: tx.claim_candidates(web.id, now=NOW, limit=50))
    anywhere = database.read(lambda tx: tx.claim_candidates(None, now=NOW, limit=50))
    best = database.read(lambda tx: tx.claim_candidates(None, now=NOW, limit=1))
    ranked = rank(database.read(lambda tx: connected(tx.light_project(web.id))))

    assert [item.key for item in here] == [urgent.key, due.key, plain.key, lapsed.key, child.key]
    assert [item.key for item in ranked if item.is_free(NOW)] == [item.key for item in here]
    assert [item.key for item in ranked if not item.is_free(NOW)] == [held.key]
    assert {item.key for item in anywhere} == {item.key for item in here} | {elsewhere.key}
    assert [item.key for item in best] == [urgent.key]
    assert all(item.status not in CLOSED_STATUSES for item in here)
