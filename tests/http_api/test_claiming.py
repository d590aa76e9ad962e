"""Who may work on what: what is offered, and what a refused claim says."""

from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

from tests.support.http import data, refused


def test_a_task_that_waits_says_for_what(api: httpx2.Client, task: dict[str, Any]) -> None:
    parent = data(api.post("/tasks", json={"project_id": task["project_id"], "title": "Build", "depends_on": [task["key"]]}))
    child = data(api.post("/tasks", json={"project_id": task["project_id"], "title": "Code", "parent_id": parent["key"]}))

    error = refused(api.post(f"/tasks/{child['key']}/claim", json={}), 409, "CONCURRENT_UPDATE")

    assert f"{child['key']} is not ready: it waits for {task['key']};" in error["message"]


def test_a_task_that_is_taken_says_by_whom_and_until_when(api: httpx2.Client, task: dict[str, Any]) -> None:
    held = data(api.post(f"/tasks/{task['key']}/claim", json={"agent": "ada"}))

    error = refused(api.post(f"/tasks/{task['key']}/claim", json={"agent": "ben"}), 409, "CONCURRENT_UPDATE")

    until = held["claim_expires_at"][:16].replace("T", " ")
    assert f"is claimed by ada until {until} UTC" in error["message"]


def test_a_lease_that_is_null_or_left_out_lasts_an_hour(api: httpx2.Client, task: dict[str, Any]) -> None:
    absent = data(api.post(f"/tasks/{task['key']}/claim", json={}))
    null = data(api.post(f"/tasks/{task['key']}/claim", json={"lease_minutes": None, "agent": None}))

    for claimed in (absent, null):
        lease = datetime.fromisoformat(claimed["claim_expires_at"]) - datetime.fromisoformat(claimed["updated_at"])
        assert timedelta(minutes=59) < lease < timedelta(minutes=61)
    error = refused(api.post(f"/tasks/{task['key']}/claim", json={"lease_minutes": 0}), 422, "VALIDATION_ERROR")
    assert error["details"][0]["path"] == "/lease_minutes"


@pytest.mark.parametrize("status", ["on_hold", "completed", "archived"])
def test_what_is_on_hold_or_over_gives_nobody_work(api: httpx2.Client, task: dict[str, Any], status: str) -> None:
    project = task["project_id"]
    assert [found["key"] for found in data(api.get("/tasks/next", params={"project_id": project}))["tasks"]] == [task["key"]]

    data(api.patch(f"/projects/{project}", json={"status": status}))

    assert data(api.get("/tasks/next", params={"project_id": project}))["tasks"] == []
    everywhere = data(api.get("/tasks/next", params={"limit": 50}))["tasks"]
    assert task["key"] not in [found["key"] for found in everywhere]
    assert api.post(f"/tasks/{task['key']}/claim", json={}).status_code == 200
