"""Looking back and going back over MCP."""

from pathlib import Path

import pytest

from tests.mcp_server.clients import memory_tools
from tests.mcp_server.test_approval import User

RENAME = [{"op": "update_task", "task": "WEB-1", "fields": {"title": "Release"}}]


async def prepare(folder: Path) -> None:
    """WEB at revision 3: made with a task Ship, renamed, deleted."""
    async with memory_tools(folder) as tools:
        await tools.make_project("Ship")
        await tools.ask("apply_patch_set", patches=RENAME, summary="Other word")
        await tools.ask("apply_patch_set", patches=[{"op": "delete_task", "task": "WEB-1"}])


async def test_history_says_who_what_and_how_much(tmp_path: Path) -> None:
    await prepare(tmp_path)

    async with memory_tools(tmp_path) as tools:
        text = await tools.ask("list_history", project="WEB", limit=2)
        facts = await tools.facts("list_history", project="WEB", limit=2)
        nobody = await tools.facts("list_history", project="WEB", author="nobody")

    newest, renamed = text.splitlines()[:2]
    assert "[applied] r2->r3 1 deleted by local via mcp_host: " in newest
    assert renamed.endswith("[applied] r1->r2 1 updated by local via mcp_host: Other word")
    assert [(entry["revision_before"], entry["revision"]) for entry in facts["patch_sets"]] == [(2, 3), (1, 2)]
    assert facts["patch_sets"][1]["totals"] == {"updated": 1}
    assert nobody == {"patch_sets": [], "total": 0}


async def test_without_a_project_all_are_listed_also_proposals_of_projects_that_do_not_exist_yet(tmp_path: Path) -> None:
    await prepare(tmp_path)

    async with memory_tools(tmp_path) as tools:
        waiting = await tools.facts("import_outline", content="# Shop\n- [ ] Stock")
        open_ones = await tools.facts("list_history", state="proposed")
        applied = await tools.ask("list_history", limit=1)

    assert [entry["id"] for entry in open_ones["patch_sets"]] == [waiting["id"]]
    assert "[applied] WEB r3 1 deleted by local via mcp_host: " in applied


async def test_a_project_is_read_as_it_was(tmp_path: Path) -> None:
    await prepare(tmp_path)

    async with memory_tools(tmp_path) as tools:
        first = await tools.ask("get_project", project="WEB", revision=1)
        second = await tools.ask("get_project", project="WEB", revision=2)
        refused = await tools.refused("get_project", project="WEB", revision=4)

    assert "WEB-1 [todo] Ship" in first
    assert "WEB-1 [todo] Release" in second
    assert refused.code == "VALIDATION_ERROR"
    assert "WEB is at revision 3; give 1 to 3" in refused.text


async def test_a_project_goes_back_to_a_revision(tmp_path: Path) -> None:
    await prepare(tmp_path)

    async with memory_tools(tmp_path) as tools:
        text = await tools.ask("revert_patch_set", project="WEB", to_revision=1)
        task = await tools.ask("get_task", task="WEB-1")

    assert text.startswith("Brought WEB back to revision 1 by ps_")
    assert "Ship" in task


@pytest.mark.parametrize(
    "arguments",
    [{}, {"project": "WEB"}, {"to_revision": 1}, {"id": "ps_0123456789abcdef", "project": "WEB", "to_revision": 1}],
)
async def test_a_revert_names_one_set_or_one_revision(tmp_path: Path, arguments: dict[str, object]) -> None:
    await prepare(tmp_path)

    async with memory_tools(tmp_path) as tools:
        refused = await tools.refused("revert_patch_set", **arguments)

    assert refused.code == "VALIDATION_ERROR"
    assert "/id" in refused.text


async def test_going_back_asks_the_user_where_that_is_wanted(tmp_path: Path) -> None:
    await prepare(tmp_path)
    user = User("accept")

    async with memory_tools(tmp_path, approval="elicit", user=user) as tools:
        await tools.ask("revert_patch_set", project="WEB", to_revision=1)

    assert [question.splitlines()[0] for question in user.questions] == [
        "Bring WEB back to revision 1? 1 updated, 1 restored",
    ]
