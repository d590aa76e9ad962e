"""What an answer states is true and bounded in both of its halves: numbers, names, and what was left out."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mcp_server.rendering import MAX_STRUCTURE
from tests.mcp_server.clients import memory_tools, text_of
from tests.mcp_server.representative_answers import SNAPSHOT, answers


async def test_ten_representative_answers_are_those_committed(tmp_path: Path) -> None:
    told = await answers(tmp_path)

    assert len(told) == 10
    assert told == json.loads(SNAPSHOT.read_text("utf-8")), "if meant: python -m tests.mcp_server.representative_answers"


def test_the_ten_answers_cost_at_most_3_600_bytes_as_text_and_8_500_as_structure() -> None:
    told = json.loads(SNAPSHOT.read_text("utf-8")).values()

    assert sum(len("\n".join(answer["text"]).encode()) for answer in told) <= 3_600
    assert sum(len(json.dumps(answer["structure"], separators=(",", ":")).encode()) for answer in told) <= 8_500


async def test_a_closed_proposal_shows_its_patches_which_may_be_wanted_again(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship")
        id = (await tools.facts("propose_patch_set", patches=[_rename("Launch")]))["id"]
        await tools.ask("reject_patch_set", id=id)
        text = await tools.ask("get_patch_set", id=id)
        facts = await tools.facts("get_patch_set", id=id)

    assert 'patch 0: {"op":"update_task","task":"WEB-1","fields":{"title":"Launch"}}' in text
    assert facts["patches"] == [_rename("Launch")]


async def test_an_open_proposal_is_listed_with_its_patches_not_with_changes_it_has_not_made(tmp_path: Path) -> None:
    patches = [{"op": "update_task", "task": "WEB-1", "fields": {"title": "Launch"}}, {"op": "delete_task", "task": "WEB-2"}]

    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship", "Sell")
        await tools.ask("propose_patch_set", patches=patches)
        text = await tools.ask("list_history", project="WEB", state="proposed")
        [listed] = (await tools.facts("list_history", project="WEB", state="proposed"))["patch_sets"]
        [applied] = (await tools.facts("list_history", project="WEB"))["patch_sets"]

    assert "[proposed] 2 patches by local" in text
    assert listed["patch_count"] == 2
    assert "changes_total" not in listed
    assert applied["changes_total"] == 3


async def test_a_repeated_apply_does_not_call_an_old_revision_the_present_one(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship")
        id = (await tools.facts("propose_patch_set", patches=[_rename("Launch")]))["id"]
        first = await tools.ask("apply_patch_set", id=id)
        await tools.ask("apply_patch_set", patches=[_rename("Release")])
        again = await tools.ask("apply_patch_set", id=id)

    assert "WEB is now at revision 2" in first
    assert "WEB became revision 2" in again


async def test_a_rebased_proposal_says_which_one_it_takes_the_place_of(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship")
        id = (await tools.facts("propose_patch_set", patches=[_rename("Launch")]))["id"]
        renewed = await tools.call("propose_patch_set", rebase=id)

    assert f"instead of {id}" in text_of(renewed)
    assert (renewed.structured_content or {})["supersedes"] == id


async def test_every_change_of_a_long_preview_has_its_page(tmp_path: Path) -> None:
    patches = [{"op": "create_task", "project": "WEB", "fields": {"title": f"Task {number} of many"}} for number in range(300)]

    async with memory_tools(tmp_path) as tools:
        await tools.make_project()
        proposal = await tools.call("propose_patch_set", patches=patches)
        id = (proposal.structured_content or {})["id"]
        page: dict[str, Any] = {"next_cursor": ""}
        seen: list[str] = []
        while "next_cursor" in page:
            page = await tools.facts("get_patch_set", id=id, limit=100, cursor=page["next_cursor"])
            seen += [change["key"] for change in page["changes"]]

    assert "300 created" in text_of(proposal)
    assert "pages through all changes" in text_of(proposal)
    assert seen == [f"WEB-{number}" for number in range(1, 301)]


async def test_a_preview_says_in_one_line_how_it_moves_the_critical_path_and_an_applied_set_does_not(tmp_path: Path) -> None:
    slower = {"op": "update_task", "task": "WEB-1", "fields": {"estimated_minutes": 900}}
    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship")
        proposal = await tools.call("propose_patch_set", patches=[slower])
        facts = proposal.structured_content or {}
        unmoved = await tools.ask("propose_patch_set", patches=[_rename("Launch")], dry_run=True)
        applied = await tools.ask("apply_patch_set", id=facts["id"])

    assert "\ncritical path of WEB: 0m -> 15h (WEB-1)\n" in text_of(proposal)
    assert facts["critical_paths"]["WEB"]["after"] == {"minutes": 900, "tasks": ["WEB-1"], "tasks_total": 1}
    assert "critical path" not in unmoved
    assert "critical path" not in applied


async def test_a_found_task_says_under_which_task_it_is_and_when_it_starts(tmp_path: Path) -> None:
    patches = [{"op": "create_task", "parent": "WEB-1", "fields": {"title": "Pack", "start_date": "2026-12-01"}}]

    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship")
        await tools.ask("apply_patch_set", patches=patches)
        found = await tools.ask("list_tasks", query="pack")
        outline = await tools.ask("get_project", project="WEB")

    assert found == "WEB-2 [todo] start 2026-12-01 Pack (under WEB-1, ready)"
    assert "under" not in outline


async def test_custom_values_are_shown_as_json(tmp_path: Path) -> None:
    custom = {"risk": {"high": True, "levels": [1, 2]}, "team": "core"}

    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship")
        await tools.ask("apply_patch_set", patches=[{"op": "update_task", "task": "WEB-1", "fields": {"custom": custom}}])
        text = await tools.ask("get_task", task="WEB-1")

    assert '  | risk: {"high":true,"levels":[1,2]}\n  | team: core' in text


async def test_the_structured_half_is_bounded_too_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    comments = [{"op": "add_comment", "task": "WEB-1", "body": f"{number} " + "talk " * 1_900} for number in range(60)]
    wrong = [{"op": "delete_task", "task": f"NO-{number}"} for number in range(300)]

    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship")
        await tools.ask("apply_patch_set", patches=comments)
        task = await tools.facts("get_task", task="WEB-1")
        refused = await tools.refused("propose_patch_set", patches=wrong)

    assert len(json.dumps(task)) < MAX_STRUCTURE * 1.1
    assert "25 of 50 comments left out" in task["cut"]
    assert task["comments"][-1]["body"].startswith("59 ")
    assert (len(refused.error["details"]), refused.error["details_total"]) == (100, 300)


@pytest.mark.parametrize("state", ["proposed", "applied"])
async def test_a_page_of_large_changes_gets_shorter_instead_of_losing_some(tmp_path: Path, state: str) -> None:
    fields = {"title": "Task", "description": "word " * 2_000, "acceptance_criteria": ["done " * 80] * 3}
    patches = [{"op": "create_task", "project": "WEB", "fields": fields} for _ in range(100)]
    seen: list[str] = []

    async with memory_tools(tmp_path) as tools:
        await tools.make_project()
        id = (await tools.facts("propose_patch_set", patches=patches))["id"]
        if state == "applied":
            await tools.ask("apply_patch_set", id=id)
        page: dict[str, Any] = {"next_cursor": ""}
        while "next_cursor" in page:
            page = await tools.facts("get_patch_set", id=id, limit=100, cursor=page["next_cursor"])
            assert len(json.dumps(page)) <= MAX_STRUCTURE * 1.1
            seen += [change["key"] for change in page["changes"]]

    assert seen == [f"WEB-{number}" for number in range(1, 101)]


def _rename(title: str) -> dict[str, Any]:
    return {"op": "update_task", "task": "WEB-1", "fields": {"title": title}}


async def test_who_follows_what_a_cut_page_says_misses_no_item(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        await tools.make_project(*(f"Task {number} {'of many ' * 15}" for number in range(120)))
        page = await tools.ask("list_tasks", project="WEB", limit=100)
        [limit] = map(int, re.findall(r"lines of 100 cut .* repeat with limit=(\d+),", page))
        again = await tools.ask("list_tasks", project="WEB", limit=limit)

    assert page.count("\nWEB-") + 1 == again.count("\nWEB-") + 1 == limit
    assert " cut to stay below " not in again
    assert f"{limit} of 120 tasks; continue with cursor=" in again
