"""DecomposerAgent on a scripted model: it only creates, only below the task, two to twenty parts whose estimates add up."""

import asyncio
from collections.abc import Callable

import pytest

from core.errors import AiGenerationFailed, InvalidPatch
from core.services import asking
from core.services.planning import Refined
from schemas.errors import ErrorCode
from schemas.planning import DecomposeRequest
from tests.core.agents.conftest import JsonObject, Scripted, answer, op

Make = Callable[..., Scripted]


def part(number: int, minutes: str = "", **members: str) -> JsonObject:
    fields = {"estimated_minutes": minutes} if minutes else {}
    return op("create_task", ref=f"t{number}", title=f"Part {number}", **{"parent": "K2", **members}, set=fields)


def decompose(world: Scripted, task: str = "WEB-1") -> Refined:
    return asyncio.run(asking.decompose_task(world.ctx, task, DecomposeRequest(instructions="by layer")))


def refused(world: Scripted) -> str:
    with pytest.raises(AiGenerationFailed) as refusal:
        decompose(world)
    return "\n".join(issue.message for issue in refusal.value.details)


def test_a_task_is_split_below_itself(scripted: Make) -> None:
    world = scripted(
        answer(part(1, "200"), part(2, "40"), part(3, parent="t1"), op("add_dependency", target="t2", depends_on="t1"))
    )

    proposal = decompose(world).proposal

    assert [patch.get("parent") for patch in proposal.patches] == ["WEB-1", "WEB-1", "$t1", None]
    assert '"instructions": "by layer"' in world.asked[0]
    assert '"split": "K2"' in world.asked[0]


@pytest.mark.parametrize(
    "elsewhere",
    [
        part(3, parent=""),
        part(3, parent="K5"),
        part(3, parent="K3"),
        op("add_dependency", target="K6", depends_on="t1"),
        op("add_dependency", target="t1", depends_on="K6"),
        op("add_dependency", target="t1", depends_on="K2"),
    ],
    ids=["top level", "other task", "old subtask", "other waits", "waits for other", "waits for parent"],
)
def test_anything_elsewhere_is_refused(scripted: Make, elsewhere: JsonObject) -> None:
    split = answer(part(1, "200"), part(2, "40"), elsewhere)

    assert "only the task that is split" in refused(scripted(split, split))


@pytest.mark.parametrize("count", [1, 21])
def test_too_few_and_too_many_parts_are_refused(scripted: Make, count: int) -> None:
    split = answer(*(part(number) for number in range(count)))

    assert f"2 to 20 direct subtasks, and not {count}" in refused(scripted(split, split))


def test_estimates_that_do_not_add_up_want_a_reason(scripted: Make) -> None:
    silent = answer(part(1, "300"), part(2, "40"))
    reasoned = answer(part(1, "300", reason="the first estimate left out the tests"), part(2, "40"))

    world = scripted(silent, reasoned)
    proposal = decompose(world).proposal

    assert "are 340 together, of the whole 240" in world.asked[1]
    assert "Part 1: the first estimate left out the tests" in proposal.rationale


def test_no_operation_but_creating_and_linking_exists_for_it(scripted: Make) -> None:
    grab = answer(part(1, "200"), part(2, "40"), op("delete_task", target="K6"))

    assert "'delete_task' is not one of" in refused(scripted(grab, grab))


def test_a_task_on_the_deepest_level_is_refused_before_any_model_is_asked(scripted: Make) -> None:
    world = scripted(max_task_depth=1)

    with pytest.raises(InvalidPatch) as refusal:
        decompose(world, "WEB-2")

    assert refusal.value.code is ErrorCode.INVALID_HIERARCHY
    assert world.asked == []
