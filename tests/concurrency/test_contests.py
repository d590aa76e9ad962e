"""What several processes have seen alike, only one of them may change: the others are told."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.errors import DomainError
from core.services import patch_sets, tasks
from core.wiring import Orchestrator
from schemas.errors import ErrorCode
from schemas.patches import PatchSet
from schemas.tasks import Task
from tests.concurrency.appliers import set_up
from tests.concurrency.calls import Caller
from tests.concurrency.processes import Meet, together
from tests.crash.workload import opened
from tests.support.audit import audit

PROCESSES = 8
ROUNDS = 15
DONE = "done"


@dataclass
class Contest:
    url: str
    number: int  # of the contestant


# From the task it has seen and its number, what a contestant applies.


def another_title(seen: Task, number: int) -> PatchSet:
    return _update(seen, base={"WEB": seen.revision}, title=f"{number} after {seen.revision}")


def one_more(seen: Task, _number: int) -> PatchSet:
    return _update(seen, expect={"actual_minutes": seen.actual_minutes}, actual_minutes=(seen.actual_minutes or 0) + 1)


def a_tag_of_its_own(seen: Task, number: int) -> PatchSet:
    mine = f"p{number}"
    tags = [tag for tag in seen.tags if tag != mine] if mine in seen.tags else [*seen.tags, mine]
    return _update(seen, base={"WEB": seen.revision}, tags=tags)


def a_member_of_its_own(seen: Task, number: int) -> PatchSet:
    return _update(seen, base={"WEB": seen.revision}, custom={f"p{number}": seen.revision})


def _update(seen: Task, *, base: dict[str, int] | None = None, expect: dict[str, Any] | None = None, **fields: Any) -> PatchSet:
    patch = {"op": "update_task", "task": seen.key, "fields": fields} | ({"expect": expect} if expect else {})
    return PatchSet(base_revisions=base or {}, patches=[patch])


ONE_WINS, ALL_WIN = (another_title, one_more), (a_tag_of_its_own, a_member_of_its_own)


def contend(contest: Contest, meet: Meet) -> dict[str, list[str]]:
    """In each round see WEB-1 as all others do, then apply a set at the same moment; return the outcomes by kind of set."""
    orchestrator = opened(contest.url)
    outcomes: dict[str, list[str]] = {}
    for make in ONE_WINS + ALL_WIN:
        for _ in range(ROUNDS):
            meet()
            seen = tasks.get_task(orchestrator.context(), "WEB-1")
            meet()  # all have read, nobody has written yet
            outcome = asyncio.run(_outcome(orchestrator, make(seen, contest.number)))
            outcomes.setdefault(make.__name__, []).append(outcome)
    orchestrator.close()
    return outcomes


async def _outcome(orchestrator: Orchestrator, patch_set: PatchSet) -> str:
    try:
        await Caller(orchestrator).call(patch_sets.apply_patch_set, patch_set)
    except DomainError as refusal:
        return refusal.code
    return DONE


def test_one_of_all_who_saw_a_value_changes_it_and_all_change_parts_of_their_own(url: str) -> None:
    set_up(url)

    told = together(contend, [Contest(url, number) for number in range(PROCESSES)], within_seconds=100)

    def rounds(make: Callable[[Task, int], PatchSet]) -> list[Counter[str]]:
        return [Counter(outcomes) for outcomes in zip(*(outcomes[make.__name__] for outcomes in told), strict=True)]

    for make in ONE_WINS:
        assert rounds(make) == [{DONE: 1, ErrorCode.CONCURRENT_UPDATE: PROCESSES - 1}] * ROUNDS
    for make in ALL_WIN:
        assert rounds(make) == [{DONE: PROCESSES}] * ROUNDS
    orchestrator = opened(url)
    task = tasks.get_task(orchestrator.context(), "WEB-1")
    orchestrator.close()
    names = {f"p{number}" for number in range(PROCESSES)}
    assert (task.actual_minutes, set(task.custom)) == (ROUNDS, names)
    assert set(task.tags) == names  # each was put there and removed in turn, and last it was put there
    audit(url)
