"""Descriptions and commands as proposals, without a model."""

from typing import Any

import httpx2

from tests.support.http import data, refused


def refine(api: httpx2.Client, task: dict[str, Any], feedback: str, **params: str) -> httpx2.Response:
    return api.post("/planner/refine", json={"project_id": task["project_id"], "feedback": feedback}, params=params)


def test_commands_become_a_proposal_that_can_be_applied(api: httpx2.Client, task: dict[str, Any]) -> None:
    answer = refine(api, task, f"start {task['key'].lower()} and assign {task['key']} to @ana\nadd Write the docs (2h)")

    proposal = data(answer)
    assert (answer.status_code, answer.headers["location"]) == (201, f"/api/v1/patch-sets/{proposal['id']}")
    assert proposal["proposal"]["engine"] == "rules"
    assert data(api.get(f"/tasks/{task['key']}"))["status"] == "todo"
    data(api.post(f"/patch-sets/{proposal['id']}/apply", json={}))
    changed = data(api.get(f"/tasks/{task['key']}"))
    assert (changed["status"], changed["assignee"]) == ("in_progress", "ana")


def test_what_is_not_understood_is_a_warning_beside_the_proposal(api: httpx2.Client, task: dict[str, Any]) -> None:
    answer = refine(api, task, f"done {task['key']}\nmake it nicer")

    [warning] = answer.json()["metadata"]["warnings"]
    assert warning["message"].startswith("line 2, 'make it nicer': ")
    assert warning["severity"] == "warning"
    assert len(data(answer)["patches"]) == 1


def test_nothing_understood_is_refused_with_the_commands(api: httpx2.Client, task: dict[str, Any]) -> None:
    for feedback in ("make it nicer", "help"):
        error = refused(refine(api, task, feedback), 422, "INVALID_AI_REQUEST")
        assert "done WEB-3" in error["details"][-1]["hint"]


def test_tasks_of_another_project_are_out_of_reach(api: httpx2.Client, task: dict[str, Any]) -> None:
    other = data(api.post("/projects", json={"name": "Other plan"}))
    foreign = data(api.post("/tasks", json={"project_id": other["key"], "title": "Foreign"}))

    error = refused(refine(api, task, f"delete {foreign['key']}"), 422, "INVALID_AI_REQUEST")

    assert foreign["key"] in error["details"][0]["message"]


def test_a_dry_run_stores_no_proposal(api: httpx2.Client, task: dict[str, Any]) -> None:
    answer = refine(api, task, f"done {task['key']}", dry_run="true")

    assert (answer.status_code, data(answer)["preview"]["valid"]) == (200, True)
    assert data(api.get("/patch-sets", params={"project_id": task["project_id"], "state": "proposed"}))["patch_sets"] == []


def test_a_description_becomes_a_proposal_of_what_it_says_and_no_more(api: httpx2.Client) -> None:
    idea = "A web shop for second-hand books.\n\n- Choose a payment provider (2h)\n- Draft the catalogue @ana\n"

    plan = data(api.post("/planner/generate", json={"description": idea, "name": "Book shop"}))

    assert (plan["engine"], plan["model"]) == ("rules", None)
    assert [task["title"] for task in plan["tasks"]] == ["Choose a payment provider", "Draft the catalogue"]
    assert data(api.get(f"/patch-sets/{plan['patch_set']['id']}"))["preview"]["valid"] is True


def test_a_description_of_few_words_is_refused(api: httpx2.Client) -> None:
    for description in ("shop", " " * 20):
        refused(api.post("/planner/generate", json={"description": description}), 422, "VALIDATION_ERROR")


def test_a_deletion_is_pointed_out(api: httpx2.Client, task: dict[str, Any]) -> None:
    data(api.post("/tasks", json={"parent_id": task["key"], "project_id": task["project_id"], "title": "Below"}))

    [warning] = refine(api, task, f"delete {task['key']}").json()["metadata"]["warnings"]
    said = data(api.post("/agent/chat", json={"message": f"delete {task['key']}"}))["message"]

    assert warning["message"] == f"it deletes {task['key']}: 2 tasks with what is below"
    assert f"Take care: {warning['message']}." in said
