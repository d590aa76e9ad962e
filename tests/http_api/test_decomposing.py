"""A task's own list as its subtasks, and what the agents say about themselves."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.http import data, refused

SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "mcp_tools.json"
LIST = "The API of the shop.\n\n- [ ] Sign in (2h) @ana\n- [x] Errors\n  - [ ] Codes\n- [ ] Docs, after Sign in\n\nSee the wiki."


def describe(api: httpx2.Client, task: dict[str, Any], description: str) -> None:
    data(api.patch(f"/tasks/{task['key']}", json={"description": description}))


def split(api: httpx2.Client, task: dict[str, Any], **body: str) -> httpx2.Response:
    return api.post(f"/tasks/{task['key']}/decompose", json=body)


def test_the_list_in_the_description_becomes_a_proposal_of_subtasks(api: httpx2.Client, task: dict[str, Any]) -> None:
    describe(api, task, LIST)

    answer = split(api, task)

    proposal = data(answer)
    assert (answer.status_code, answer.headers["location"]) == (201, f"/api/v1/patch-sets/{proposal['id']}")
    assert (proposal["proposal"]["engine"], proposal["proposal"]["state"]) == ("rules", "proposed")
    assert {patch["op"] for patch in proposal["patches"]} == {"create_task"}
    assert data(api.get(f"/tasks/{task['key']}"))["subtask_count"] == 0
    data(api.post(f"/patch-sets/{proposal['id']}/apply", json={}))
    whole = data(api.get(f"/tasks/{task['key']}"))
    first, second, third = whole["subtasks"]
    assert (whole["description"], whole["subtask_count"]) == (LIST, 3)
    assert (first["title"], first["estimated_minutes"], first["assignee"]) == ("Sign in", 120, "ana")
    assert (second["title"], second["status"], second["subtask_count"]) == ("Errors", "completed", 1)
    assert (third["title"], third["depends_on"]) == ("Docs", [first["key"]])


def test_a_plain_list_will_do_and_headings_and_prose_will_not(api: httpx2.Client, task: dict[str, Any]) -> None:
    describe(api, task, "1. First part\n2. Second part")
    assert [patch["fields"]["title"] for patch in data(split(api, task))["patches"]] == ["First part", "Second part"]

    for text in ("", "Make it work.", "# Goal\n\nMore.\n\n# Scope\n\nLess."):
        describe(api, task, text)
        error = refused(split(api, task), 503, "AI_NOT_CONFIGURED")
        assert "AI_PROVIDER" in error["details"][0]["hint"]


def test_code_blocks_in_the_list_state_fields_and_comments_of_the_subtasks(api: httpx2.Client, task: dict[str, Any]) -> None:
    describe(
        api, task, '- [ ] One\n\n  ```json fields\n  {"actual_minutes": 5, "comments": ["Well."]}\n  ```\n\n- [ ] Two @done\n'
    )

    proposal = data(split(api, task))
    data(api.post(f"/patch-sets/{proposal['id']}/apply", json={}))

    first, _ = data(api.get(f"/tasks/{task['key']}"))["subtasks"]
    assert first["actual_minutes"] == 5
    assert [comment["body"] for comment in data(api.get(f"/tasks/{first['key']}"))["comments"]] == ["Well."]


@pytest.mark.parametrize("count", [1, 21])
def test_a_list_of_fewer_than_2_or_more_than_20_items_is_refused(api: httpx2.Client, task: dict[str, Any], count: int) -> None:
    describe(api, task, "\n".join(f"- [ ] Part {number}" for number in range(count)))

    error = refused(split(api, task), 422, "INVALID_AI_REQUEST")

    assert f"has {count} items; a task is split into 2 to 20" in error["message"]


def test_a_task_is_not_split_by_its_list_twice(api: httpx2.Client, task: dict[str, Any]) -> None:
    describe(api, task, LIST)
    proposal = data(split(api, task))
    data(api.post(f"/patch-sets/{proposal['id']}/apply", json={}))

    assert "'Sign in' is a subtask of it" in refused(split(api, task), 422, "INVALID_AI_REQUEST")["message"]


def test_nothing_goes_below_the_deepest_level(api: httpx2.Client, task: dict[str, Any]) -> None:
    deepest = task
    for level in range(1, 6):
        body = {"project_id": task["project_id"], "parent_id": deepest["key"], "title": f"Level {level}", "description": LIST}
        deepest = data(api.post("/tasks", json=body))

    error = refused(split(api, deepest), 422, "INVALID_HIERARCHY")

    assert "level 5" in error["message"]
    assert "MAX_TASK_DEPTH" in error["details"][0]["hint"]


def test_what_only_a_model_could_use_is_a_warning(api: httpx2.Client, task: dict[str, Any]) -> None:
    describe(api, task, LIST)

    [warning] = split(api, task, instructions="one part for each page").json()["metadata"]["warnings"]

    assert (warning["path"], warning["severity"]) == ("/instructions", "warning")


def test_a_dry_run_of_a_split_stores_no_proposal(api: httpx2.Client, task: dict[str, Any]) -> None:
    describe(api, task, LIST)

    answer = api.post(f"/tasks/{task['key']}/decompose", json={}, params={"dry_run": "true"})

    assert (answer.status_code, data(answer)["preview"]["valid"]) == (200, True)
    assert data(api.get("/patch-sets", params={"project_id": task["project_id"], "state": "proposed"}))["patch_sets"] == []


def test_the_agents_say_what_they_can_do_and_list_the_tools_of_mcp(api: httpx2.Client) -> None:
    known = data(api.get("/agent/capabilities"))

    assert {agent["name"]: (agent["engine"], agent["operation"]) for agent in known["agents"]} == {
        "planner": ("rules", "generate_plan"),
        "decomposer": ("rules", "decompose_task"),
        "editor": ("rules", "refine_plan"),
        "orchestrator": ("rules", "chat"),
    }
    assert all(set(agent["actions"]) <= set(known["actions"]) for agent in known["agents"])
    assert len(known["actions"]) == 12
    assert known["models"] == []
    limits = known["limits"]
    assert (limits["max_subtasks"], limits["max_agent_patches"], limits["max_patches"]) == (20, 500, 10_000)
    assert known["tools"] == json.loads(SNAPSHOT.read_text("utf-8"))
