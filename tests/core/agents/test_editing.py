"""EditorAgent on a scripted model: feedback becomes the fewest patches, and nothing outside of its focus is ever proposed."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from core.errors import AiGenerationFailed, ConcurrentUpdate, InvalidAiRequest
from core.llm.port import Message
from core.services import asking, patch_sets, tasks
from core.services.planning import Refined
from schemas.patches import PatchSet, PatchSetQuery
from schemas.planning import RefineRequest
from tests.core.agents.conftest import JsonObject, Scripted, answer, op

Make = Callable[..., Scripted]


def refine(world: Scripted, feedback: str, task: str | None = None) -> Refined:
    return asyncio.run(asking.refine_plan(world.ctx, RefineRequest(project_id="WEB", feedback=feedback, task_id=task)))


def proposals(world: Scripted) -> int:
    return patch_sets.list_patch_sets(world.ctx, PatchSetQuery(state=["proposed"])).total


def test_an_assignment_is_one_patch_with_what_the_model_saw(scripted: Make) -> None:
    world = scripted(answer(op("update_task", target="K6", set={"assignee": "@docs-team"})))

    proposal = refine(world, "assign the docs to @docs-team").proposal

    assert proposal.patches == [
        {"op": "update_task", "task": "WEB-5", "fields": {"assignee": "docs-team"}, "expect": {"assignee": None}}
    ]
    assert proposal.base_revisions == {"WEB": 1}
    assert (proposal.proposal.engine, proposal.proposal.model) == ("model", "scripted/model")
    assert tasks.get_task(world.ctx, "WEB-5").assignee is None, "a proposal changes nothing"


def test_two_tasks_are_combined_and_the_deletion_is_pointed_out(scripted: Make) -> None:
    world = scripted(
        answer(
            op("update_task", target="K3", title="Auth and routes", set={"estimated_minutes": "150"}),
            op("delete_task", target="K4", reason="its work is in Auth now"),
        )
    )

    refined = refine(world, "combine the first two tasks of the API")

    assert [patch["op"] for patch in refined.proposal.patches] == ["update_task", "delete_task"]
    assert refined.proposal.patches[0]["expect"] == {"title": "Auth", "estimated_minutes": 90}
    assert "deletes WEB-3" in refined.warnings[0].message
    assert "WEB-3: its work is in Auth now" in refined.proposal.rationale


def test_everything_after_the_beta_moves_by_a_week(scripted: Make) -> None:
    world = scripted(answer(op("update_task", target="K6", set={"due_date": "2026-03-19"})))

    [patch] = refine(world, "push everything after the beta by a week").proposal.patches

    assert (patch["task"], patch["fields"], patch["expect"]) == ("WEB-5", {"due_date": "2026-03-19"}, {"due_date": "2026-03-12"})
    assert '"today": "2026-03-02"' in world.asked[0]
    assert '"due_date": "2026-03-10"' in world.asked[0]


def test_what_is_so_already_is_no_patch(scripted: Make) -> None:
    world = scripted(
        answer(
            op("update_task", target="K3", title="Auth", set={"tags": "api"}),
            op("update_task", target="K4", set={"status": "done"}),
        )
    )

    [patch] = refine(world, "routes are done").proposal.patches

    assert patch["task"] == "WEB-3"


def test_a_change_that_comes_in_between_is_a_conflict_of_the_proposal_and_not_lost(scripted: Make) -> None:
    world = scripted()

    def meanwhile(_: Sequence[Message]) -> JsonObject:
        rename = {"op": "update_task", "task": "WEB-5", "fields": {"assignee": "ann"}}
        patch_sets.apply_patch_set(world.ctx, PatchSet(patches=[rename]))
        return answer(op("update_task", target="K6", set={"assignee": "bob"}))

    world.model.add(meanwhile)

    with pytest.raises(ConcurrentUpdate):
        refine(world, "give the docs to bob")


def test_a_question_is_asked_and_nothing_is_made_up(scripted: Make) -> None:
    world = scripted(answer(questions=["Which of the two betas?"]))

    with pytest.raises(InvalidAiRequest) as refusal:
        refine(world, "move the beta")

    assert [(issue.path, issue.message) for issue in refusal.value.details] == [("/feedback", "Which of the two betas?")]
    assert proposals(world) == 0


OUTSIDE = {
    "another task": op("update_task", target="K6", set={"status": "done"}),
    "the project": op("update_project", target="K1", set={"status": "archived"}),
    "a deletion": op("delete_task", target="K5"),
    "a new task elsewhere": op("create_task", ref="t1", title="Elsewhere"),
    "a new task below another": op("create_task", ref="t1", title="Elsewhere", parent="K5"),
    "moving out": op("move_task", target="K3", parent="K5"),
    "moving to the top": op("move_task", target="K3", parent=""),
    "moving in": op("move_task", target="K6", parent="K2"),
    "making another wait": op("add_dependency", target="K6", depends_on="K3"),
}


@pytest.mark.parametrize("outside", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_an_edit_outside_of_the_focus_is_refused_however_it_is_argued(scripted: Make, outside: JsonObject) -> None:
    inside = op("update_task", target="K3", set={"status": "done"})
    argued = answer(inside, {**outside, "reason": "the owner has allowed it, really"})
    world = scripted(argued, argued)

    with pytest.raises(AiGenerationFailed) as refusal:
        refine(world, "finish auth", task="WEB-1")

    assert any("outside of what may be changed" in issue.message for issue in refusal.value.details)
    assert proposals(world) == 0


def test_inside_of_the_focus_everything_is_possible(scripted: Make) -> None:
    world = scripted(
        answer(
            op("update_task", target="K2", set={"description": "All of it"}),
            op("create_task", ref="t1", title="Rate limits", parent="K2", depends_on="K3"),
            op("create_task", ref="t2", title="Headers", parent="t1"),
            op("move_task", target="K4", parent="t1"),
            op("add_dependency", target="K4", depends_on="t2"),
        )
    )

    proposal = refine(world, "add rate limits", task="WEB-1").proposal

    assert proposal.preview is not None
    assert (proposal.preview.totals.created, proposal.preview.totals.moved) == (2, 1)
    assert '"only_change": "K2"' in world.asked[0]
