"""What a second try at undoing answers, and what a diff shows of what is gone."""

from typing import Any

import httpx2

from tests.support.http import refused


def patch_set_of(answer: httpx2.Response) -> str:
    name: str = answer.json()["metadata"]["patch_set_id"]
    return name


def test_a_set_is_taken_back_once(api: httpx2.Client, task: dict[str, Any]) -> None:
    renamed = patch_set_of(api.patch(f"/tasks/{task['key']}", json={"title": "Design the API"}))
    first = api.post(f"/patch-sets/{renamed}/revert")
    revision = api.get(f"/projects/{task['project_id']}").json()["data"]["revision"]

    error = refused(api.post(f"/patch-sets/{renamed}/revert"), 422, "INVALID_PATCH")

    assert f"{renamed} is taken back already" in error["details"][0]["message"]
    assert api.get(f"/projects/{task['project_id']}").json()["data"]["revision"] == revision
    redone = api.post(f"/patch-sets/{first.json()['data']['patch_set_id']}/revert")
    assert redone.status_code == 200
    assert api.get(f"/tasks/{task['key']}").json()["data"]["title"] == "Design the API"


def test_going_back_to_where_the_project_is_changes_nothing(api: httpx2.Client, project: dict[str, Any]) -> None:
    api.post("/tasks", json={"project_id": project["key"], "title": "Draft"})
    assert api.post(f"/projects/{project['key']}/revert", json={"to_revision": 1}).status_code == 200

    error = refused(api.post(f"/projects/{project['key']}/revert", json={"to_revision": 1}), 422, "INVALID_PATCH")

    assert f"{project['key']} is as it was at revision 1 already" in error["details"][0]["message"]
    assert api.get(f"/projects/{project['key']}").json()["data"]["revision"] == 3


def test_a_closed_proposal_is_not_rebased(api: httpx2.Client, task: dict[str, Any]) -> None:
    patches = [{"op": "update_task", "task": task["key"], "fields": {"title": "Other"}}]
    older = api.post("/patch-sets", json={"patches": patches}).json()["data"]["id"]
    newer = api.post(f"/patch-sets/{older}/rebase").json()["data"]["id"]

    superseded = refused(api.post(f"/patch-sets/{older}/rebase"), 409, "PATCH_SET_CLOSED")
    assert newer in superseded["message"]
    api.post(f"/patch-sets/{newer}/reject", json={"reason": "not now"})
    refused(api.post(f"/patch-sets/{newer}/rebase"), 409, "PATCH_SET_CLOSED")


def test_a_second_reason_is_not_lost_silently(api: httpx2.Client, task: dict[str, Any]) -> None:
    patches = [{"op": "update_task", "task": task["key"], "fields": {"title": "Other"}}]
    proposal = api.post("/patch-sets", json={"patches": patches}).json()["data"]["id"]
    assert api.post(f"/patch-sets/{proposal}/reject", json={"reason": "not now"}).status_code == 200

    assert api.post(f"/patch-sets/{proposal}/reject", json={"reason": "not now"}).status_code == 200
    error = refused(api.post(f"/patch-sets/{proposal}/reject", json={"reason": "too dear"}), 409, "PATCH_SET_CLOSED")
    assert "not now" in error["message"]


def test_an_open_proposal_says_what_to_do_instead_of_reverting(api: httpx2.Client, task: dict[str, Any]) -> None:
    patches = [{"op": "update_task", "task": task["key"], "fields": {"title": "Other"}}]
    proposal = api.post("/patch-sets", json={"patches": patches}).json()["data"]["id"]

    error = refused(api.post(f"/patch-sets/{proposal}/revert"), 409, "PATCH_SET_CLOSED")

    assert error["details"][0]["hint"] == "apply or reject it"


def test_a_diff_shows_no_dependency_on_a_task_that_is_gone(api: httpx2.Client, task: dict[str, Any]) -> None:
    name = task["project_id"]
    other = api.post("/tasks", json={"project_id": name, "title": "Short-lived"}).json()["data"]
    api.patch(f"/tasks/{task['key']}", json={"depends_on": [other["key"]]})
    api.delete(f"/tasks/{other['key']}")

    diff = api.get(f"/projects/{name}/diff", params={"from": 2}).json()["data"]

    assert diff["changes"] == []
    assert not any(diff["totals"].values())
