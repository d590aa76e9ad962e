"""A project that is only sent is made JSON without models: it is, byte for byte, what the models give."""

import random
from datetime import date, timedelta
from typing import Any

import orjson
import pytest

from core.context import Context
from core.patches.snapshot import ProjectRecord, TaskRecord
from core.services import projects
from core.services.projects import TASKS_IN_DETAIL
from schemas.primitives import Priority, TaskStatus
from schemas.projects import ProjectUpdate
from tests.storage.builders import NOW, STEP, TODAY, Database, project, task

TEXTS = (
    "",
    "Plan",
    'Say "so" \\ / <b>&amp;</b>',
    "Tab\tline\nend\r\x01\x1f\x7f",
    "Größe \u2028 表 \U0001f600 e\u0301",
    "}\x1e{",
    '{"parent":null},\x1d[]',
)
VALUES: tuple[Any, ...] = (None, True, 0, -1, 2**53 - 1, 0.1, -1.5e-9, 1e300, 123456789.125, *TEXTS, [], {}, [1, {"a": [None]}])
INSTANTS = (NOW, NOW.replace(microsecond=0), NOW.replace(microsecond=500_000), NOW.replace(year=1990, microsecond=1))


def random_fields(dice: random.Random) -> dict[str, Any]:
    def sometimes(value: Any) -> Any:
        return value if dice.random() < 0.5 else None

    return {
        "title": dice.choice(TEXTS),
        "description": dice.choice(TEXTS),
        "acceptance_criteria": dice.sample(TEXTS, k=dice.randrange(3)),
        "status": dice.choice(list(TaskStatus)),
        "priority": dice.choice(list(Priority)),
        "tags": dice.sample(TEXTS, k=dice.randrange(3)),
        "assignee": sometimes(dice.choice(TEXTS)),
        "start_date": sometimes(date(2026, 1, 31)),
        "due_date": sometimes(TODAY + timedelta(days=dice.randrange(-2, 3))),
        "estimated_minutes": sometimes(90),
        "actual_minutes": sometimes(0),
        "links": {dice.choice(TEXTS): dice.choice(TEXTS)} if dice.random() < 0.3 else {},
        "custom": {f"f{number}": dice.choice(VALUES) for number in range(dice.randrange(4))},
        "claimed_by": sometimes("ada"),
        "claim_expires_at": sometimes(dice.choice(INSTANTS)),
        "completed_at": sometimes(dice.choice(INSTANTS)),
        "created_at": dice.choice(INSTANTS),
        "updated_at": dice.choice(INSTANTS),
        "leaf_count": dice.randrange(1, 4),
        "leaf_completed": dice.randrange(2),
    }


def store_random_project(database: Database, seed: int, size: int) -> None:
    dice = random.Random(seed)  # noqa: S311  # a fixed sequence
    web = project(
        name=dice.choice(TEXTS),
        description=dice.choice(TEXTS),
        tags=dice.sample(TEXTS, k=2),
        due_date=dice.choice([None, TODAY]),
        links={"jira": "WEB"},
        task_schema=dice.choice([None, {"type": "object", "maximum": 1.5}]),
        created_at=dice.choice(INSTANTS),
    )
    tasks: list[TaskRecord] = []
    for _ in range(size):
        parent = dice.choice([None, *(item for item in tasks if item.depth < 4)]) if dice.random() < 0.7 else None
        gone = {"deleted_at": NOW, "deletion_id": "d"} if parent is None and dice.random() < 0.1 else {}
        tasks.append(task(web, parent, position=dice.randrange(-9, 9) * STEP, **random_fields(dice) | gone))
    pairs = {tuple(sorted(dice.sample(range(size), 2), reverse=True)) for _ in range(size)}
    database.create([web], tasks, new_edges=[(tasks[later].id, tasks[earlier].id) for later, earlier in pairs])


def store_plan(database: Database) -> tuple[ProjectRecord, list[TaskRecord]]:
    """Store tasks four levels deep that wait for all that there is to wait for, or have no optional field empty."""
    web, other = project(), project("OPS")
    top, wide, late, last = (task(web, due_date=due) for due in (TODAY - timedelta(days=1), None, TODAY, None))
    closed = [task(web, top, status=status) for status in (TaskStatus.COMPLETED, TaskStatus.CANCELLED)]
    gone = task(web, deleted_at=NOW, deletion_id="d")
    branch = task(web, wide, leaf_count=3, leaf_completed=2)
    twig = task(web, branch)
    leaves = [task(web, twig) for _ in range(7)]
    full = task(
        web,
        late,
        description="all of it",
        acceptance_criteria=list(TEXTS),
        status=TaskStatus.IN_PROGRESS,
        priority=Priority.CRITICAL,
        tags=["a", "b"],
        assignee=TEXTS[2],
        start_date=TODAY,
        due_date=TODAY - timedelta(days=400),
        estimated_minutes=1,
        actual_minutes=2,
        links={"jira": "WEB-1"},
        custom={"values": list(VALUES)},
        claimed_by=TEXTS[3],
        claim_expires_at=NOW,
        completed_at=NOW.replace(microsecond=0),
    )
    overdue = [task(web, late, due_date=TODAY - timedelta(days=1), status=status) for status in TaskStatus]
    elsewhere = task(other)
    waits_for = [
        (closed[0], leaves[0]),
        (closed[1], gone),
        (leaves[1], closed[0]),
        (leaves[2], gone),
        (leaves[3], full),
        (leaves[3], closed[1]),
        (leaves[4], elsewhere),
        (elsewhere, leaves[5]),
        (overdue[0], leaves[6]),
        (last, late),
        (late, wide),
    ]
    tasks = [top, wide, late, last, gone, *closed, branch, twig, *leaves, full, *overdue]
    database.create([web, other], [*tasks, elsewhere], new_edges=[(task.id, awaited.id) for task, awaited in waits_for])
    return web, tasks


def model_json(ctx: Context, cursor: str | None = None) -> str:
    return projects.get_project(ctx, "WEB", include_tasks=True, tasks_cursor=cursor).model_dump_json()


@pytest.mark.parametrize("seed", range(6))
def test_the_json_of_a_project_is_that_of_its_model(database: Database, ctx: Context, seed: int) -> None:
    store_random_project(database, seed, size=60)

    assert projects.get_project_json(ctx, "web").body.decode() == model_json(ctx)


def test_a_project_without_tasks_is_json_too(database: Database, ctx: Context) -> None:
    database.create([project()])

    assert projects.get_project_json(ctx, "WEB").body.decode() == model_json(ctx)


def test_a_large_project_continues_where_its_models_do(database: Database, ctx: Context) -> None:
    web = project()
    database.create([web], [task(web) for _ in range(TASKS_IN_DETAIL + 3)])
    cursor = projects.get_project(ctx, "WEB", include_tasks=True).tasks_next_cursor

    assert projects.get_project_json(ctx, "WEB").body.decode() == model_json(ctx)
    assert projects.get_project_json(ctx, "WEB", tasks_cursor=cursor).body.decode() == model_json(ctx, cursor)


def test_the_json_has_what_follows_from_neighbours_ancestors_and_the_day(database: Database, ctx: Context) -> None:
    store_plan(database)
    shown = {task.key: task for task in projects.get_project(ctx, "WEB", include_tasks=True).tasks or ()}

    assert projects.get_project_json(ctx, "WEB").body.decode() == model_json(ctx)
    assert {task.depth for task in shown.values()} == {0, 1, 2, 3}
    assert {task.is_overdue for task in shown.values()} == {task.is_ready for task in shown.values()} == {True, False}
    assert all(value not in (None, [], {}) for name, value in shown["WEB-17"] if name not in ("depends_on", "deleted_at"))


@pytest.mark.parametrize("waits", [True, False])
def test_in_a_long_list_the_one_edge_that_leaves_it_is_shown(database: Database, ctx: Context, waits: bool) -> None:
    web, other = project(), project("OPS")
    tasks, elsewhere = [task(web) for _ in range(30)], task(other)
    ends = tasks[20].id, elsewhere.id
    database.create([web, other], [*tasks, elsewhere], new_edges=[ends if waits else ends[::-1]])

    shown = projects.get_project(ctx, "WEB", include_tasks=True).tasks or []

    assert [(item.depends_on, item.blocks) for item in shown if item.key != tasks[20].key] == [([], [])] * 29
    assert (shown[20].depends_on, shown[20].blocks) == ((["OPS-1"], []) if waits else ([], ["OPS-1"]))
    assert [item.key for item in shown if not item.is_ready] == ([tasks[20].key] if waits else [])
    assert projects.get_project_json(ctx, "WEB").body.decode() == model_json(ctx)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 8, 13, 100])
def test_pages_of_json_are_those_of_models(database: Database, limit: int) -> None:
    web, tasks = store_plan(database)
    keys: list[str] = []
    cursor: str | None = None
    while not keys or cursor:
        place: dict[str, Any] = {"today": TODAY, "limit": limit, "cursor": cursor}
        shown, following = database.read(lambda tx: tx.outline(web.id, **place))  # noqa: B023  # runs at once
        at = cursor
        ((as_json, cursor),) = database.read(lambda tx: tx.outlines_json([(web.id, at)], today=TODAY, limit=limit))  # noqa: B023  # at once
        assert cursor == following
        assert orjson.loads(orjson.dumps(as_json, option=orjson.OPT_UTC_Z)) == [task.model_dump(mode="json") for task in shown]
        keys += [task.key for task in shown]

    assert sorted(keys) == sorted(task.key for task in tasks if task.deleted_at is None)


def test_a_project_that_changes_or_goes_after_its_look_up_is_what_it_is_when_read(database: Database, ctx: Context) -> None:
    database.create([project()])

    def changed(*_: object) -> None:
        projects.update_project(ctx, "WEB", ProjectUpdate(name="Renamed"))

    def gone(*_: object) -> None:
        projects.delete_project(ctx, "WEB")

    shown = projects.get_projects_json(ctx, ["WEB"], held=changed)["WEB"]

    assert shown == projects.get_project_json(ctx, "WEB")
    assert orjson.loads(shown.body)["name"] == "Renamed"
    assert projects.get_projects_json(ctx, ["WEB"], held=gone) == {}


def test_projects_read_together_are_what_each_is_alone(database: Database, ctx: Context) -> None:
    web, _ = store_plan(database)
    alone = {name: projects.get_project_json(ctx, name) for name in ("web", "OPS")}

    together = projects.get_projects_json(ctx, ["web", "OPS", "NONE", web.id], held=lambda *_: None)

    assert together == {**alone, web.id: alone["web"]}
    assert projects.get_projects_json(ctx, ["OPS"], held=lambda *_: b"held")["OPS"].body == b"held"
