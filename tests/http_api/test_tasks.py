"""Tasks over HTTP."""

from typing import Any

import httpx2
import pytest

from tests.support.http import data, refused


def test_a_created_task_has_a_location_and_a_validator(api: httpx2.Client, project: dict[str, Any]) -> None:
    answer = api.post("/tasks", json={"project_id": project["id"], "title": "Draft", "priority": "High", "status": "done"})

    task = data(answer)
    assert answer.status_code == 201
    assert (task["key"], task["priority"], task["status"]) == (f"{project['key']}-1", "high", "completed")
    assert answer.headers["location"] == f"/api/v1/tasks/{task['id']}"
    assert answer.headers["etag"].startswith(f'"{task["revision"]}.')


def test_a_task_in_an_unknown_project_is_not_found(api: httpx2.Client) -> None:
    refused(api.post("/tasks", json={"project_id": "NOPE", "title": "a"}), 404, "NOT_FOUND")


def test_a_task_shows_its_subtasks_and_comments_when_asked(api: httpx2.Client, task: dict[str, Any]) -> None:
    api.post("/tasks", json={"parent_id": task["key"], "title": "Below"})
    api.post(f"/tasks/{task['key']}/comments", json={"body": "Nearly there"})

    shown = data(api.get(f"/tasks/{task['key']}"))

    assert [subtask["title"] for subtask in shown["subtasks"]] == ["Below"]
    assert [comment["body"] for comment in shown["comments"]] == ["Nearly there"]
    assert data(api.get(f"/tasks/{task['key']}?include_subtasks=false"))["subtasks"] is None


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_update_keeps_what_it_does_not_name(api: httpx2.Client, task: dict[str, Any], method: str) -> None:
    api.patch(f"/tasks/{task['key']}", json={"assignee": "ada", "estimated_minutes": 60})

    updated = data(api.request(method, f"/tasks/{task['key']}", json={"status": "In-Progress", "assignee": None}))

    assert (updated["status"], updated["assignee"], updated["estimated_minutes"]) == ("in_progress", None, 60)


def test_if_match_compares_the_task_and_not_its_neighbours(api: httpx2.Client, task: dict[str, Any]) -> None:
    path = f"/tasks/{task['key']}"
    tag = api.get(path).headers["etag"]
    api.post("/tasks", json={"project_id": task["project_id"], "title": "A neighbour"})

    data(api.patch(path, json={"title": "First"}, headers={"If-Match": tag}))
    refused(api.patch(path, json={"title": "Second"}, headers={"If-Match": tag}), 412, "PRECONDITION_FAILED")


def test_a_304_never_hides_what_a_neighbour_changed(api: httpx2.Client, task: dict[str, Any]) -> None:
    first = data(api.post("/tasks", json={"project_id": task["project_id"], "title": "First"}))
    path = f"/tasks/{task['key']}"
    api.patch(path, json={"depends_on": [first["key"]]})
    waiting = api.get(path)
    assert data(waiting)["is_ready"] is False
    assert api.get(path, headers={"If-None-Match": waiting.headers["etag"]}).status_code == 304

    api.patch(f"/tasks/{first['key']}", json={"status": "done"})

    ready = api.get(path, headers={"If-None-Match": waiting.headers["etag"]})
    assert ready.status_code == 200
    assert data(ready)["is_ready"] is True


def test_a_task_moves_below_another_and_before_a_sibling(api: httpx2.Client, project: dict[str, Any]) -> None:
    keys = [data(api.post("/tasks", json={"project_id": project["key"], "title": title}))["key"] for title in "abc"]

    data(api.patch(f"/tasks/{keys[2]}", json={"before": keys[0]}))
    data(api.patch(f"/tasks/{keys[1]}", json={"parent_id": keys[0]}))

    listed = data(api.get("/tasks", params={"project_id": project["key"], "root": True}))
    assert [task["title"] for task in listed["tasks"]] == ["c", "a"]
    below = data(api.get("/tasks", params={"parent_id": keys[0]}))
    assert [task["title"] for task in below["tasks"]] == ["b"]


def test_a_dependency_cycle_is_refused_with_its_chain(api: httpx2.Client, project: dict[str, Any]) -> None:
    keys = [data(api.post("/tasks", json={"project_id": project["key"], "title": title}))["key"] for title in "abc"]
    api.patch(f"/tasks/{keys[1]}", json={"depends_on": [keys[0]]})
    api.patch(f"/tasks/{keys[2]}", json={"depends_on": [keys[1]]})

    error = refused(api.patch(f"/tasks/{keys[0]}", json={"depends_on": [keys[2]]}), 422, "DEPENDENCY_CYCLE")

    assert all(key in error["details"][0]["message"] for key in keys)


def test_a_dry_run_stores_nothing(api: httpx2.Client, task: dict[str, Any]) -> None:
    answer = api.patch(f"/tasks/{task['key']}?dry_run=true", json={"title": "Other"})

    assert answer.json()["metadata"]["dry_run"] is True
    assert data(answer)["changes"][0]["fields"]["title"] == {"before": "Draft the API", "after": "Other"}
    assert data(api.get(f"/tasks/{task['key']}"))["title"] == "Draft the API"


def test_a_deleted_task_is_gone_until_it_is_restored(api: httpx2.Client, task: dict[str, Any]) -> None:
    path = f"/tasks/{task['key']}"
    api.post("/tasks", json={"parent_id": task["key"], "title": "Below"})

    refused(api.delete(f"{path}?cascade=false"), 409, "HAS_CHILDREN")
    assert data(api.delete(path))["totals"]["deleted"] == 2
    refused(api.get(path), 404, "DELETED_RESOURCE")
    trash = data(api.get("/tasks", params={"project_id": task["project_id"], "deleted": True}))
    assert trash["total"] == 2
    data(api.post(f"{path}/restore"))
    assert data(api.get(path))["subtask_count"] == 1


def test_a_claimed_task_is_in_progress_and_held(api: httpx2.Client, task: dict[str, Any]) -> None:
    claimed = data(api.post(f"/tasks/{task['key']}/claim", json={"agent": "builder-1", "lease_minutes": 5}))

    assert (claimed["status"], claimed["claimed_by"]) == ("in_progress", "builder-1")
    refused(api.post(f"/tasks/{task['key']}/claim", json={"agent": "builder-2"}), 409, "CONCURRENT_UPDATE")


def test_a_claim_needs_no_body(api: httpx2.Client, task: dict[str, Any]) -> None:
    assert data(api.post(f"/tasks/{task['key']}/claim"))["claimed_by"] == "local"


def test_comments_are_listed_newest_page_first(api: httpx2.Client, task: dict[str, Any]) -> None:
    path = f"/tasks/{task['key']}/comments"
    for number in range(3):
        assert api.post(path, json={"body": f"Comment {number}"}).status_code == 201

    page = data(api.get(f"{path}?per_page=2"))

    assert [comment["body"] for comment in page["comments"]] == ["Comment 1", "Comment 2"]
    assert (page["total"], page["has_next"]) == (3, True)


def test_filters_hold_together(api: httpx2.Client, project: dict[str, Any]) -> None:
    for title, assignee, priority in (("a", "ada", "high"), ("b", "ada", "low"), ("c", "bob", "high")):
        api.post("/tasks", json={"project_id": project["key"], "title": title, "assignee": assignee, "priority": priority})

    found = data(api.get("/tasks", params={"project_id": project["key"], "assignee": "ada", "priority": "high,critical"}))

    assert [task["title"] for task in found["tasks"]] == ["a"]


def test_issues_of_a_task_name_fields_of_the_body_and_not_of_a_patch(api: httpx2.Client, task: dict[str, Any]) -> None:
    body = {"project_id": task["project_id"], "title": "a", "start_date": "2026-02-02", "due_date": "2026-02-01"}

    error = refused(api.post("/tasks", json=body), 422, "VALIDATION_ERROR")

    assert not error["details"][0]["path"].startswith("/patches")


def test_sending_back_the_place_that_was_read_keeps_the_order(api: httpx2.Client, task: dict[str, Any]) -> None:
    first, second = (data(api.post("/tasks", json={"parent_id": task["key"], "title": title})) for title in ("First", "Second"))

    for place in ({"parent_id": task["id"]}, {"parent_id": task["key"].lower(), "before": None}, {"before": None, "after": None}):
        kept = data(api.put(f"/tasks/{first['key']}", json={"title": "First", **place}))
        assert (kept["position"], kept["revision"]) == (first["position"], first["revision"])

    data(api.put(f"/tasks/{first['key']}", json={"after": second["key"]}))
    assert [shown["key"] for shown in data(api.get(f"/tasks/{task['key']}"))["subtasks"]] == [second["key"], first["key"]]


def test_a_refused_claim_says_why(api: httpx2.Client, task: dict[str, Any]) -> None:
    api.patch(f"/tasks/{task['key']}", json={"status": "done"})

    error = refused(api.post(f"/tasks/{task['key']}/claim"), 409, "CONCURRENT_UPDATE")

    assert error["message"].startswith(f"{task['key']} is not ready: its status is completed;")


def test_what_is_next_is_shown_with_its_rank_and_why_and_can_be_claimed(api: httpx2.Client, project: dict[str, Any]) -> None:
    for title, minutes in (("Short", 30), ("Long", 300)):
        api.post("/tasks", json={"project_id": project["key"], "title": title, "estimated_minutes": minutes})

    found = data(api.get("/tasks/next", params={"project_id": project["key"]}))["tasks"]
    claimed = data(api.post(f"/tasks/{found[0]['key']}/claim"))
    left = data(api.get("/tasks/next", params={"project_id": project["id"], "limit": 1}))["tasks"]

    assert [(task["rank"], task["title"]) for task in found] == [(1, "Long"), (2, "Short")]
    why = {"priority": "medium", "on_critical_path": False, "slack": 270, "due_date": None, "ended_lease": None}
    assert found[1]["why"] == why
    assert claimed["title"] == "Long"
    assert [task["title"] for task in left] == ["Short"]
    assert [task["rank"] for task in data(api.get("/tasks/next", params={"limit": 2}))["tasks"]] == [1, 2]


def test_what_is_next_refuses_unknown_projects_and_lengths(api: httpx2.Client) -> None:
    refused(api.get("/tasks/next", params={"project_id": "NOPE"}), 404, "NOT_FOUND")
    refused(api.get("/tasks/next", params={"limit": 51}), 422, "VALIDATION_ERROR")
