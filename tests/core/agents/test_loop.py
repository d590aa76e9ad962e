"""From an answer to a proposal: everything wrong goes back at once, at most twice, and never a part of a draft is kept."""

import asyncio
from collections.abc import Callable

import pytest

from core.clock import FixedClock
from core.errors import AiGenerationFailed, AiQuotaExceeded, AiTimeout
from core.llm.failures import PromptTooLong
from core.llm.port import Reply
from core.services import asking, patch_sets
from core.services.planning import Refined
from core.wiring import Orchestrator
from schemas.patches import PatchSetQuery
from schemas.planning import RefineRequest
from tests.core.agents.conftest import NOON, JsonObject, Scripted, answer, op

Make = Callable[..., Scripted]
GOOD = answer(op("update_task", target="K6", set={"assignee": "ann"}))


REQUEST = RefineRequest(project_id="WEB", feedback="give the docs to ann")


def refine(world: Scripted, *, dry_run: bool = False) -> Refined:
    return asyncio.run(asking.refine_plan(world.ctx, REQUEST, dry_run=dry_run))


def wrong(*fields: str) -> JsonObject:
    """Return an answer with one thing wrong for each field."""
    return answer(*(op("update_task", target="K6", set={name: "nonsense"}) for name in fields))


def test_what_the_validator_refuses_goes_back_in_terms_of_the_answer(scripted: Make) -> None:
    world = scripted(
        answer(op("move_task", target="K2", parent="K3"), op("update_task", target="K6", set={"due_date": "soon"})), GOOD
    )

    refined = refine(world)

    first, second = world.asked
    assert "This was not accepted" not in first
    assert "ops[0]" in second
    assert "ops[1]" in second
    assert "K2" in second.rpartition("This was not accepted")[2]
    assert "WEB-1" not in second.rpartition("This was not accepted")[2], "the model knows aliases"
    usage = refined.proposal.proposal.usage
    assert usage is not None
    assert (usage.attempts, usage.calls) == (2, 2)


def test_after_two_repairs_the_draft_is_refused_with_all_that_is_wrong_and_nothing_is_stored(scripted: Make) -> None:
    world = scripted(wrong("status", "due_date", "priority"), wrong("status", "due_date"), wrong("status"), GOOD)

    with pytest.raises(AiGenerationFailed) as refusal:
        refine(world)

    assert len(world.asked) == 3
    *problems, draft = refusal.value.details
    assert [problem.path for problem in problems] == ["/ops/0/status"]
    assert draft.path == "/draft"
    assert '"nonsense"' in str(draft.hint)
    assert patch_sets.list_patch_sets(world.ctx, PatchSetQuery(state=["proposed"])).total == 0


def test_repairs_end_as_soon_as_they_mend_nothing(scripted: Make) -> None:
    world = scripted(wrong("status"), wrong("priority"), GOOD)

    with pytest.raises(AiGenerationFailed):
        refine(world)

    assert len(world.asked) == 2


@pytest.mark.parametrize("text", ["I will do that!", "", '{"summary": "cut', '```json\n{"summary": "x"}\n```'])
def test_text_that_is_no_answer_is_repaired(scripted: Make, text: str) -> None:
    assert len(refine(scripted(text, GOOD)).proposal.patches) == 1


def test_twenty_problems_go_back_and_the_number_of_the_others(scripted: Make) -> None:
    world = scripted(answer(*[op("delete_task", target=f"K{number}") for number in range(50, 80)]), GOOD)

    refine(world)

    assert world.asked[1].count("unknown; known") == 20
    assert "- and 10 more" in world.asked[1]


def test_no_operation_and_no_question_is_no_answer(scripted: Make) -> None:
    world = scripted(answer(), GOOD)

    refine(world)

    assert "give at least one op" in world.asked[1]


def test_a_prompt_that_is_too_long_is_asked_once_more_with_less(scripted: Make) -> None:
    world = scripted(PromptTooLong(), GOOD)

    refine(world)

    assert len(world.asked) == 2


def test_a_call_that_fails_stores_nothing(scripted: Make) -> None:
    world = scripted(AiTimeout())

    with pytest.raises(AiTimeout):
        refine(world)

    assert patch_sets.list_patch_sets(world.ctx, PatchSetQuery(state=["proposed"])).total == 0


def test_a_dry_run_asks_and_stores_no_proposal(scripted: Make) -> None:
    world = scripted(GOOD)

    refined = refine(world, dry_run=True)

    assert refined.proposal.preview is not None
    assert patch_sets.list_patch_sets(world.ctx, PatchSetQuery(state=["proposed"])).total == 0


async def test_of_requests_at_once_only_those_within_the_tokens_of_the_day_are_asked(scripted: Make) -> None:
    """Two processes on one database, four requests each, and one token left: each sees it before any has been used."""
    world = scripted(*[GOOD] * 8, ai_daily_tokens=1)
    second = Orchestrator(world.ctx.settings, clock=FixedClock(NOON), models=world.model)
    contexts = [world.ctx, second.context()] * 4

    ended = await asyncio.gather(*(asking.refine_plan(ctx, REQUEST) for ctx in contexts), return_exceptions=True)
    second.close()

    assert [type(end) for end in ended if isinstance(end, Exception)] == [AiQuotaExceeded] * 7
    [heard] = world.model.heard
    used = world.ctx.read(lambda tx: tx.used_tokens("local", world.ctx.today))
    assert 0 < used < sum(len(message.text) for message in heard.messages), "what was used, and not what was reserved"


async def test_a_caller_who_leaves_gives_back_what_was_reserved(scripted: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = scripted(ai_daily_tokens=10)
    asked = asyncio.Event()

    async def hang(*_: object, **__: object) -> Reply:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(world.model, "complete", hang)
    request = asyncio.create_task(asking.refine_plan(world.ctx, REQUEST))
    await asked.wait()
    reserved = world.ctx.read(lambda tx: tx.used_tokens("local", world.ctx.today))
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request

    assert reserved > 10
    assert world.ctx.read(lambda tx: tx.used_tokens("local", world.ctx.today)) == 0


def test_what_was_spent_on_failures_counts_against_the_day(scripted: Make) -> None:
    world = scripted(wrong("status"), wrong("status"), GOOD, ai_daily_tokens=100)
    with pytest.raises(AiGenerationFailed):
        refine(world)

    with pytest.raises(AiQuotaExceeded) as refusal:
        refine(world)

    assert "of 100" in refusal.value.message
    assert len(world.asked) == 2
