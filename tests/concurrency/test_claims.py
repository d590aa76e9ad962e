"""Several processes claim from one plan at once: every task goes to exactly one of them.

Size: CONCURRENCY_CLAIMS tasks (60).
"""

import asyncio
import os
from dataclasses import dataclass

from core.services import claiming, tasks
from core.services.patch_sets import apply_patch_set
from core.services.projects import create_project
from schemas.patches import PatchSet
from schemas.primitives import TaskStatus
from schemas.projects import ProjectCreate
from schemas.tasks import TaskQuery
from tests.concurrency.processes import Meet, together
from tests.crash.workload import opened

CLAIMERS = 6
TASKS = int(os.environ.get("CONCURRENCY_CLAIMS", "60"))


@dataclass(frozen=True)
class Order:
    url: str
    claimer: str
    everywhere: bool  # claim without naming the project


def claim_all(order: Order, meet: Meet) -> list[str]:
    """Claim until nothing is ready; return the keys, in the order they were given."""
    orchestrator = opened(order.url)
    project = None if order.everywhere else "WEB"

    async def work() -> list[str]:
        keys = []
        while claimed := await orchestrator.context().run(claiming.claim_task, project=project, agent=order.claimer):
            assert claimed.item is not None
            keys.append(claimed.item.key)
        return keys

    meet()
    try:
        return asyncio.run(work())
    finally:
        orchestrator.close()


def set_up(url: str) -> None:
    orchestrator = opened(url)
    ctx = orchestrator.context()
    create_project(ctx, ProjectCreate(name="Website", key="WEB"))
    plan = [{"op": "create_task", "project": "WEB", "fields": {"title": f"Task {number}"}} for number in range(TASKS)]
    apply_patch_set(ctx, PatchSet(summary="Plan", patches=plan))
    orchestrator.close()


def test_every_task_is_given_to_exactly_one_claimer(url: str) -> None:
    set_up(url)
    orders = [Order(url, f"claimer {number}", everywhere=number % 2 == 0) for number in range(CLAIMERS)]

    given = together(claim_all, orders, within_seconds=120)

    owners = {key: order.claimer for order, keys in zip(orders, given, strict=True) for key in keys}
    assert sum(map(len, given)) == len(owners) == TASKS, "nothing twice, and nothing left behind"
    orchestrator = opened(url)
    stored = []
    for page in range(1, TASKS // 100 + 2):
        stored += tasks.list_tasks(orchestrator.context(), TaskQuery(project="WEB", per_page=100, page=page)).tasks
    orchestrator.close()
    assert {task.key: task.claimed_by for task in stored} == owners
    assert {task.status for task in stored} == {TaskStatus.IN_PROGRESS}


def claim_one(order: Order, meet: Meet) -> str | None:
    orchestrator = opened(order.url)
    meet()
    try:
        claimed = asyncio.run(orchestrator.context().run(claiming.claim_task, project="WEB", agent=order.claimer))
        return claimed.item.key if claimed and claimed.item else None
    finally:
        orchestrator.close()


def test_claimers_who_lose_the_best_task_get_the_next_ones(url: str) -> None:
    set_up(url)

    given = together(
        claim_one, [Order(url, f"claimer {number}", everywhere=False) for number in range(CLAIMERS)], within_seconds=60
    )

    assert sorted(given, key=str) == [f"WEB-{number}" for number in range(1, CLAIMERS + 1)]
