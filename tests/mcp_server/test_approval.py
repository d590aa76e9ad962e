"""APPROVAL decides who confirms an apply or a revert; a decision not to is a refusal that changes nothing."""

from pathlib import Path
from typing import Any, Literal

import pytest
from mcp.types import ElicitRequestParams, ElicitResult

from tests.mcp_server.clients import ERAS, memory_tools, stdio_tools

RENAME = [{"op": "update_task", "task": "WEB-1", "fields": {"title": "Release"}}]


class User:
    """Answers questions as told, and remembers them."""

    def __init__(self, action: Literal["accept", "decline", "cancel"], approve: bool = True) -> None:
        self.questions: list[str] = []
        self._answer = ElicitResult(action=action, content={"approve": approve} if action == "accept" else None)

    async def __call__(self, context: Any, params: ElicitRequestParams) -> ElicitResult:
        assert context is not None
        self.questions.append(params.message)
        return self._answer


async def prepare(folder: Path) -> None:
    async with memory_tools(folder) as tools:
        await tools.make_project("Ship")


@pytest.mark.parametrize("era", ERAS)
async def test_elicit_asks_with_totals_and_diff_and_applies_what_was_approved(tmp_path: Path, era: str) -> None:
    await prepare(tmp_path)
    user = User("accept")

    async with stdio_tools(tmp_path, era=era, APPROVAL="elicit", user=user) as tools:
        id = (await tools.facts("propose_patch_set", patches=RENAME))["id"]
        await tools.ask("apply_patch_set", id=id)
        await tools.ask("apply_patch_set", patches=[{"op": "create_task", "project": "WEB", "fields": {"title": "More"}}])
        await tools.ask("revert_patch_set", id=id)
        task = await tools.ask("get_task", task="WEB-1")

    assert [question.splitlines()[0] for question in user.questions] == [
        f"Apply patch set {id}? 1 updated",
        "Apply this patch set? 1 created",
        f"Revert patch set {id}? 1 updated",
    ]
    assert 'title: "Ship" -> "Release"' in user.questions[0]
    assert "Ship" in task


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("user", [User("decline"), User("cancel"), User("accept", approve=False)])
async def test_what_the_user_does_not_approve_does_not_happen(tmp_path: Path, era: str, user: User) -> None:
    await prepare(tmp_path)

    async with memory_tools(tmp_path, era=era, approval="elicit", user=user) as tools:
        refused = await tools.refused("apply_patch_set", patches=RENAME)
        task = await tools.ask("get_task", task="WEB-1")

    assert refused.code == "FORBIDDEN"
    assert "did not approve" in refused.text
    assert "Ship" in task


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_cannot_ask_is_refused_and_told_where_to_go(tmp_path: Path, era: str) -> None:
    await prepare(tmp_path)

    async with memory_tools(tmp_path, era=era, approval="elicit") as tools:
        refused = await tools.refused("apply_patch_set", patches=RENAME)

    assert refused.code == "FORBIDDEN"
    assert "REST" in refused.text
    assert "orchestrator apply" in refused.text


async def test_nobody_is_asked_about_a_set_that_cannot_be_applied(tmp_path: Path) -> None:
    await prepare(tmp_path)
    user = User("accept")

    async with memory_tools(tmp_path, approval="elicit", user=user) as tools:
        refused = await tools.refused("apply_patch_set", patches=[{"op": "delete_task", "task": "WEB-77"}])

    assert refused.code == "NOT_FOUND"
    assert user.questions == []


async def test_external_approval_refuses_apply_and_revert_but_not_proposals_claims_and_comments(tmp_path: Path) -> None:
    await prepare(tmp_path)

    async with memory_tools(tmp_path, approval="external", user=User("accept")) as tools:
        id = (await tools.facts("propose_patch_set", patches=RENAME))["id"]
        [applied] = (await tools.facts("list_history", project="WEB"))["patch_sets"]
        refused = [
            await tools.refused("apply_patch_set", id=id),
            await tools.refused("apply_patch_set", patches=RENAME),
            await tools.refused("revert_patch_set", id=applied["id"]),
        ]
        await tools.ask("claim_task", task="WEB-1")
        await tools.ask("add_comment", task="WEB-1", body="on it")

    assert [error.code for error in refused] == ["FORBIDDEN"] * 3
    assert "REST" in refused[0].text
