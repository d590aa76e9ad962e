"""The trash over HTTP."""

from typing import Any

import httpx2

from tests.support.http import data, refused


def test_what_was_deleted_is_listed_and_comes_back_by_its_patch(api: httpx2.Client, task: dict[str, Any]) -> None:
    query = {"project_id": task["key"].partition("-")[0]}
    api.post("/tasks", json={"parent_id": task["key"], "title": "Below"})
    deleted = api.delete(f"/tasks/{task['key']}").json()["metadata"]["patch_set_id"]

    answer = api.get("/trash", params=query)

    (entry,) = data(answer)["trash"]
    assert (entry["key"], entry["tasks"], entry["patch_set_id"], entry["waits_for"]) == (task["key"], 1, deleted, None)
    assert answer.json()["metadata"]["pagination"]["total"] == 1
    assert 'rel="first"' in answer.headers["link"]
    data(api.post("/planner/apply", json={"patches": [entry["restore"]]}))
    assert data(api.get("/trash/", params=query))["trash"] == []
    assert data(api.get(f"/tasks/{task['key']}"))["subtask_count"] == 1


def test_the_trash_refuses_what_it_does_not_know(api: httpx2.Client) -> None:
    refused(api.get("/trash", params={"project_id": "NOPE"}), 404, "NOT_FOUND")
    refused(api.get("/trash", params={"page": 1, "cursor": "x"}), 422, "INVALID_CURSOR")
    refused(api.get("/trash", params={"kind": "task"}), 422, "VALIDATION_ERROR")
    assert api.head("/trash").status_code == 200
