"""What several processes have seen alike, only one of them may change: the others are told."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

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
    patch_set: Callable[[Task, int], PatchSet]  # what it applies, from the task it has seen and its number


def another_title(seen: Task, number: int) -> PatchSet:
    return _update(seen, base={"WEB": seen.revision}, title=f"{number} after {seen.title}"[:100])


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


def contend(contest: Contest, meet: Meet) -> list[str]:
    """In each round see WEB-1 as all others do, then apply a set at the same moment; return the outcomes."""
    orchestrator = opened(contest.url)
    outcomes = []
    for _ in range(ROUNDS):
        meet()
        seen = tasks.get_task(orchestrator.context(), "WEB-1")
        meet()  # all have read, nobody has written yet
        outcomes.append(asyncio.run(_outcome(orchestrator, contest.patch_set(seen, contest.number))))
    orchestrator.close()
    return outcomes


async def _outcome(orchestrator: Orchestrator, patch_set: PatchSet) -> str:
    try:
        await Caller(orchestrator).call(patch_sets.apply_patch_set, patch_set)
    except DomainError as refusal:
        return refusal.code
    return DONE


@pytest.mark.parametrize("patch_set", [another_title, one_more])
def test_of_those_who_saw_the_same_value_one_changes_it(url: str, patch_set: Callable[[Task, int], PatchSet]) -> None:
    set_up(url)

    rounds = _rounds(url, patch_set)

    assert rounds == [Counter({DONE: 1, ErrorCode.CONCURRENT_UPDATE: PROCESSES - 1})] * ROUNDS
    audit(url)


@pytest.mark.parametrize("patch_set", [a_tag_of_its_own, a_member_of_its_own])
def test_parts_of_one_field_are_changed_by_all_who_saw_it(url: str, patch_set: Callable[[Task, int], PatchSet]) -> None:
    set_up(url)

    rounds = _rounds(url, patch_set)

    assert rounds == [Counter({DONE: PROCESSES})] * ROUNDS
    orchestrator = opened(url)
    task = tasks.get_task(orchestrator.context(), "WEB-1")
    orchestrator.close()
    names = {f"p{number}" for number in range(PROCESSES)}
    assert (
        set(task.tags) | task.custom.keys() == names
    )  # every tag was put there and removed in turn, and is there after an odd number
    audit(url)


def _rounds(url: str, patch_set: Callable[[Task, int], PatchSet]) -> list[Counter[str]]:
    contests = [Contest(url, number, patch_set) for number in range(PROCESSES)]
    return [Counter(outcomes) for outcomes in zip(*together(contend, contests, within_seconds=90), strict=True)]
