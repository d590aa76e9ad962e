"""A project that is only sent is made JSON without models: it is, byte for byte, what the models give."""

import random
from datetime import date, timedelta
from typing import Any

import pytest

from core.context import Context
from core.patches.snapshot import TaskRecord
from core.services import projects
from core.services.projects import TASKS_IN_DETAIL
from schemas.primitives import Priority, TaskStatus
from tests.storage.builders import NOW, STEP, TODAY, Database, project, task

TEXTS = ("", "Plan", 'Say "so" \\ / <b>&amp;</b>', "Tab\tline\nend\r\x01\x1f\x7f", "Größe \u2028 表 \U0001f600 e\u0301")
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
