"""PlannerAgent on a scripted model: one project with its tasks, within the caller's constraints; long documents by section."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.agents.sections import split_sections
from core.errors import AiGenerationFailed, AiProviderError
from core.llm.failures import PromptTooLong
from core.llm.port import Message, Reply
from core.services import asking
from schemas.planning import PlanConstraints, PlannerRequest, PlannerResponse
from tests.core.agents.conftest import JsonObject, Scripted, answer, op

Make = Callable[..., Scripted]
SHOP = [
    op("create_project", ref="shop", title="Book shop", set={"description": "Second-hand books"}),
    op("create_task", ref="m1", title="Sell the first book"),
    op("create_task", ref="t1", title="Choose a payment provider", parent="m1", set={"estimated_minutes": "120"}),
    op("create_task", ref="t2", title="Draft the catalogue", parent="m1", depends_on="t1", set={"assignee": "ann"}),
]
TEAM = PlanConstraints(team=["ann"])


def generate(world: Scripted, description: str = "A web shop for used books", **values: object) -> PlannerResponse:
    request = PlannerRequest.model_validate({"description": description, "constraints": TEAM, **values})
    return asyncio.run(asking.generate_plan(world.ctx, request))


def test_an_idea_becomes_one_project_with_milestones_tasks_and_dependencies(scripted: Make) -> None:
    plan = generate(scripted(answer(*SHOP, questions=["Which countries?"])))

    assert (plan.engine, plan.model, plan.questions) == ("model", "scripted/model", ["Which countries?"])
    assert [(task.title, task.parent) for task in plan.tasks] == [
        ("Sell the first book", None),
        ("Choose a payment provider", "$m1"),
        ("Draft the catalogue", "$m1"),
    ]
    assert plan.validation.valid
    assert plan.validation.totals.created == 4
    assert plan.validation.totals.dependencies_added == 1
    assert plan.usage.attempts == 1
    assert plan.usage.total_tokens == plan.usage.input_tokens + plan.usage.output_tokens


def test_name_and_deadline_are_the_callers(scripted: Make) -> None:
    plan = generate(scripted(answer(*SHOP)), name="Pages", constraints={"team": ["ann"], "deadline": "2026-06-30"})

    project = plan.patch_set.patches[0]["fields"]
    assert (project["name"], project["due_date"]) == ("Pages", "2026-06-30")


LATE = op("create_task", ref="t9", title="Late", set={"due_date": "2026-07-01"})


@pytest.mark.parametrize(
    ("constraints", "ops", "said"),
    [
        (TEAM, [*SHOP, op("create_task", ref="t9", title="X", set={"assignee": "eve"})], "'eve' is not of the team: ann"),
        (PlanConstraints(), SHOP, "'ann' is not of the team: nobody"),
        (PlanConstraints(team=["ann"], max_milestones=1), [*SHOP, LATE], "at most 1 tasks at the top level, and not 2"),
        (PlanConstraints(team=["ann"], max_depth=0), SHOP, "level 0 is the deepest"),
        (PlanConstraints(team=["ann"], deadline=date(2026, 6, 30)), [*SHOP, LATE], "the deadline is 2026-06-30"),
        (TEAM, SHOP[:1], "at least one create_task"),
        (TEAM, [*SHOP, op("create_project", ref="p2", title="Another")], "exactly one create_project, and not 2"),
    ],
)
def test_constraints_are_checked_and_not_only_told(
    scripted: Make, constraints: PlanConstraints, ops: list[JsonObject], said: str
) -> None:
    world = scripted(answer(*ops), answer(*ops))

    with pytest.raises(AiGenerationFailed) as refusal:
        generate(world, constraints=constraints)

    assert any(said in issue.message for issue in refusal.value.details), refusal.value.details


def test_existing_tasks_cannot_even_be_named(scripted: Make) -> None:
    grab = answer(*SHOP, op("add_dependency", target="t1", depends_on="WEB-1"))

    with pytest.raises(AiGenerationFailed) as refusal:
        generate(scripted(grab, grab))

    assert "'WEB-1' unknown; known: none" in refusal.value.details[0].message


# -- long documents


def section(number: int) -> str:
    return f"# Part {number}\n\n" + f"Requirement of part {number}. " * 700 + "\n\n"


LONG = "".join(section(number) for number in range(1, 4))


def sections_and_merge(merge: JsonObject) -> Callable[[Sequence[Message]], JsonObject]:
    """Answer each section with a milestone and a task of its name, and the merge with `merge`."""

    def write(messages: Sequence[Message]) -> JsonObject:
        shown = json.loads(messages[1].text.split("\n")[1])
        if "section" not in shown:
            assert [task["ref"] for task in shown["tasks"]] == ["s1-1", "s1-2", "s2-1", "s2-2", "s3-1", "s3-2"]
            return merge
        part = shown["section"].partition("\n")[0].removeprefix("# ")
        return answer(
            op("create_task", ref="m", title=part),
            op("create_task", ref="t", title=f"Build {part}", parent="m"),
            questions=[f"What of {part}?"],
        )

    return write


def test_a_long_document_is_planned_by_section_and_merged_once(scripted: Make) -> None:
    merge = answer(
        op("create_project", ref="shop", title="Book shop"),
        op("add_dependency", target="s2-2", depends_on="s1-2"),
        op("delete_task", target="s3-1"),
        op("move_task", target="s2-1", parent="s1-1"),
    )
    world = scripted(*[sections_and_merge(merge)] * 4)

    plan = generate(world, LONG)

    assert [(task.ref, task.parent) for task in plan.tasks] == [
        ("$s1-1", None),
        ("$s1-2", "$s1-1"),
        ("$s2-1", "$s1-1"),
        ("$s2-2", "$s2-1"),
    ]
    assert plan.validation.totals.dependencies_added == 1
    assert plan.questions == [f"What of Part {number}?" for number in (1, 2, 3)]
    assert plan.usage.attempts == 4
    assert all(len(shown) < 30_000 for shown in world.asked)


def test_the_sections_of_a_long_document_are_planned_at_once(scripted: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = scripted(*[sections_and_merge(answer(op("create_project", ref="shop", title="Book shop")))] * 4)
    complete, running, most = world.model.complete, 0, 0

    async def counted(*args: Any, **kwargs: Any) -> Reply:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)  # a model takes its time: whoever else may ask asks now
        running -= 1
        return await complete(*args, **kwargs)

    monkeypatch.setattr(world.model, "complete", counted)
    generate(world, LONG)

    assert most == 3


def test_what_is_too_long_for_a_model_is_planned_in_shorter_sections(scripted: Make) -> None:
    merge = answer(op("create_project", ref="shop", title="Book shop"))
    short = "".join(section(number)[:3_000] + "\n\n" for number in range(1, 4))
    world = scripted(PromptTooLong(), *[sections_and_merge(merge)] * 4)

    plan = generate(world, short)

    assert [task.title for task in plan.tasks if task.parent is None] == ["Part 1", "Part 2", "Part 3"]
    with pytest.raises(PromptTooLong):
        generate(scripted(PromptTooLong()))


def test_a_section_that_cannot_be_planned_refuses_the_whole(scripted: Make) -> None:
    write = sections_and_merge(answer())

    with pytest.raises(AiProviderError):
        generate(scripted(write, AiProviderError(), write), LONG)


@given(st.lists(st.sampled_from(["# H\n", "words ", "\n\n", "x" * 30]), max_size=40))
def test_sections_are_short_and_nothing_is_lost(pieces: list[str]) -> None:
    text = "".join(pieces)

    parts = split_sections(text, limit=50)

    assert "".join(part.text for part in parts) == text
    assert all(len(part.text) <= 50 for part in parts)
