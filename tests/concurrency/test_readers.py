"""While eight processes write, readers see sets whole or not at all, and never go back in time."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from core.errors import ConcurrentUpdate
from core.services import patch_sets, projects, tasks
from schemas.patches import PatchSet
from schemas.tasks import Task, TaskQuery
from tests.concurrency.calls import Caller
from tests.concurrency.processes import Meet, together
from tests.crash.workload import opened
from tests.support.audit import audit

WRITERS, READERS = 8, 2
SETS = 25  # by each writer
MINUTES = 10_000  # that go round between three tasks; a set that was seen half would show more, or less
FIRST = PatchSet(
    patches=[
        *({"op": "create_project", "ref": f"${key}", "key": key, "fields": {"name": key}} for key in ("WEB", "APP")),
        *({"op": "create_task", "project": "$WEB", "fields": {"title": "Purse", "estimated_minutes": MINUTES}} for _ in range(2)),
        *({"op": "create_task", "project": "$WEB", "fields": {"title": "Twin"}} for _ in range(2)),
        {"op": "create_task", "project": "$APP", "fields": {"title": "Purse", "estimated_minutes": MINUTES}},
    ]
)
PURSES, TWINS = ("WEB-1", "WEB-2", "APP-1"), ("WEB-3", "WEB-4")


Call = Callable[..., Awaitable[Any]]


@dataclass
class Order:
    url: str
    number: int  # the first ones write, the others read


def write_or_read(order: Order, meet: Meet) -> int:
    """Write all sets of one writer, or read until all have been written; return how many there were."""
    orchestrator = opened(order.url)
    meet()
    done = asyncio.run((_write if order.number < WRITERS else _read)(Caller(orchestrator).call, order.number))
    orchestrator.close()
    return done


async def _write(call: Call, number: int) -> int:
    """Move minutes from one task to another, perhaps of another project, and rename two tasks alike, in one set."""
    choices = random.Random(number)  # noqa: S311
    for written in range(SETS):
        while True:
            giving, taking = choices.sample(PURSES, 2)
            patches = [
                await _changed(call, giving, -written),
                *({"op": "update_task", "task": twin, "fields": {"title": f"{number} {written}"}} for twin in TWINS),
                await _changed(call, taking, written),
            ]
            try:
                await call(patch_sets.apply_patch_set, PatchSet(patches=patches))
                break
            except ConcurrentUpdate:  # somebody has been at one of these tasks since they were read
                continue
    return SETS


async def _changed(call: Call, key: str, minutes: int) -> dict[str, object]:
    seen = (await call(tasks.get_task, key)).estimated_minutes
    assert seen is not None
    return {
        "op": "update_task",
        "task": key,
        "fields": {"estimated_minutes": seen + minutes},
        "expect": {"estimated_minutes": seen},
    }


async def _read(call: Call, _number: int) -> int:
    reads, seen, last = 0, 0, 1 + WRITERS * SETS
    while seen < last:
        before, reads = seen, reads + 1
        everywhere = (await call(tasks.list_tasks, TaskQuery())).tasks
        assert sum(task.estimated_minutes or 0 for task in everywhere) == MINUTES * len(PURSES)
        seen = _revision_of_twins(everywhere)
        project = await call(projects.get_project, "WEB", include_tasks=True)
        assert project.tasks is not None
        assert project.revision == _revision_of_twins(project.tasks)
        assert project.estimated_minutes == sum(task.estimated_minutes or 0 for task in project.tasks)
        assert before <= seen <= project.revision
        tree = await call(projects.get_hierarchy, "WEB")
        assert {node.title for node in tree.tasks if node.key in TWINS} == {tree.tasks[2].title}
        assert project.revision <= tree.project.revision
    return reads


def _revision_of_twins(tasks: list[Task]) -> int:
    """Return the revision of the two tasks that every set renames."""
    (said,) = {(task.title, task.revision) for task in tasks if task.key in TWINS}
    return said[1]


def test_readers_see_every_set_whole(url: str) -> None:
    orchestrator = opened(url)
    patch_sets.apply_patch_set(orchestrator.context(), FIRST)
    orchestrator.close()

    done = together(write_or_read, [Order(url, number) for number in range(WRITERS + READERS)], within_seconds=90)

    assert done[:WRITERS] == [SETS] * WRITERS
    assert all(reads > 0 for reads in done[WRITERS:])
    audit(url)
