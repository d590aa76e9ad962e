"""Projects over HTTP."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.support.http import data, refused


def test_a_created_project_has_a_location_and_a_validator(api: httpx2.Client) -> None:
    answer = api.post("/projects", json={"name": "Website relaunch", "tags": ["a"], "due_date": "2026-12-18"})

    project = data(answer)
    assert answer.status_code == 201
    assert (project["name"], project["status"], project["priority"], project["due_date"]) == (
        "Website relaunch",
        "planning",
        "medium",
        "2026-12-18",
    )
    assert answer.headers["location"] == f"/api/v1/projects/{project['id']}"
    assert answer.headers["etag"] == f'"{project["revision"]}"'
    assert data(api.get(f"/projects/{project['key']}?include_tasks=false"))["id"] == project["id"]


def test_a_project_is_created_with_its_first_tasks(api: httpx2.Client) -> None:
    tasks: list[dict[str, Any]] = [
        {"title": "API", "tags": ["core"]},
        {"title": "Routes", "parent_id": "$t1", "estimated_minutes": 60},
        {"title": "Release", "depends_on": ["$t1"]},
        {"title": "Design", "before": "$t1"},
    ]

    answer = api.post("/projects", json={"name": "Whole", "tasks": tasks})

    created = data(answer)
    assert answer.status_code == 201
    assert [(task["title"], task["depth"]) for task in created["tasks"]] == [
        ("Design", 0),
        ("API", 0),
        ("Routes", 1),
        ("Release", 0),
    ]
    assert created["tasks"][3]["depends_on"] == [created["tasks"][1]["key"]]
    assert (created["task_count"], created["revision"]) == (4, 1)
    assert data(api.get(f"/projects/{created['key']}/history"))["total"] == 1
    assert data(api.post(f"/patch-sets/{answer.json()['metadata']['patch_set_id']}/revert"))["totals"]["deleted"] == 5


def test_of_a_project_whose_tasks_are_wrong_nothing_is_created(api: httpx2.Client) -> None:
    name = "Half a project"
    tasks = [{"title": "a", "start_date": "2026-02-02", "due_date": "2026-02-01"}, {"title": "b", "depends_on": ["$t3"]}]

    error = refused(api.post("/projects", json={"name": name, "tasks": tasks}), 422, "INVALID_PATCH")

    assert {detail["path"] for detail in error["details"]} == {"/tasks/0/due_date", "/tasks/1/depends_on/0"}
    assert name not in [project["name"] for project in data(api.get("/projects?per_page=100"))["projects"]]
    refused(api.post("/projects", json={"name": name, "tasks": [{"title": "a", "project_id": "WEB"}]}), 422, "VALIDATION_ERROR")


def test_creating_with_tasks_once_more_by_its_key_is_the_first_answer(api: httpx2.Client) -> None:
    body = {"name": "Once", "tasks": [{"title": "Only"}]}
    headers = {"Idempotency-Key": "create-with-tasks-once"}

    first, again = (api.post("/projects", json=body, headers=headers) for _ in range(2))

    assert data(again) == data(first)
    assert again.json()["metadata"]["replayed"] is True
    shown = api.post("/projects?dry_run=true", json=body)
    assert data(shown)["totals"]["created"] == 2


def test_a_dry_run_shows_the_change_and_stores_nothing(api: httpx2.Client) -> None:
    name = f"Dry {uuid4()}"

    answer = api.post("/projects?dry_run=true", json={"name": name})

    effect = data(answer)
    assert (answer.status_code, effect["patch_set_id"], effect["totals"]["created"]) == (200, None, 1)
    assert answer.json()["metadata"]["dry_run"] is True
    assert name in effect["diff"]
    assert data(api.get("/projects", params={"query": name}))["total"] == 0


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_update_keeps_what_it_does_not_name(api: httpx2.Client, project: dict[str, Any], method: str) -> None:
    api.patch(f"/projects/{project['key']}", json={"due_date": "2026-12-18", "tags": ["a"]})

    updated = data(api.request(method, f"/projects/{project['key']}", json={"name": "New name", "due_date": None}))

    assert (updated["name"], updated["due_date"], updated["tags"]) == ("New name", None, ["a"])
    assert updated["revision"] == project["revision"] + 2


def test_if_match_with_the_current_tag_writes_and_with_an_old_one_refuses(api: httpx2.Client, project: dict[str, Any]) -> None:
    path = f"/projects/{project['key']}"
    tag = api.get(path).headers["etag"]

    data(api.patch(path, json={"name": "First"}, headers={"If-Match": tag}))
    refused(api.patch(path, json={"name": "Second"}, headers={"If-Match": tag}), 412, "PRECONDITION_FAILED")
    refused(api.delete(path, headers={"If-Match": tag}), 412, "PRECONDITION_FAILED")

    assert data(api.get(path))["name"] == "First"


@pytest.mark.parametrize("tag", ['"nonsense"', "17", 'W/"1"', '""'])
def test_a_tag_the_server_never_sent_matches_nothing(api: httpx2.Client, project: dict[str, Any], tag: str) -> None:
    refused(api.patch(f"/projects/{project['key']}", json={"name": "a"}, headers={"If-Match": tag}), 412, "PRECONDITION_FAILED")
    refused(api.patch("/projects/NOPE", json={"name": "a"}, headers={"If-Match": tag}), 404, "NOT_FOUND")


def test_if_match_star_only_asks_that_the_project_exists(api: httpx2.Client, project: dict[str, Any]) -> None:
    data(api.patch(f"/projects/{project['key']}", json={"name": "a"}, headers={"If-Match": "*"}))


def test_a_known_representation_is_not_sent_again_until_it_changes(api: httpx2.Client, project: dict[str, Any]) -> None:
    path = f"/projects/{project['key']}"
    first = api.get(path)
    tag = first.headers["etag"]

    again = api.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert again.headers["cache-control"] == "private, no-cache"

    api.post("/tasks", json={"project_id": project["key"], "title": "New"})
    changed = api.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert [task["title"] for task in data(changed)["tasks"]] == ["New"]


def test_a_deleted_project_is_gone_until_it_is_restored(api: httpx2.Client, project: dict[str, Any]) -> None:
    path = f"/projects/{project['key']}"
    api.post("/tasks", json={"project_id": project["key"], "title": "Goes along"})

    effect = data(api.delete(path))
    assert effect["totals"]["deleted"] == 2
    refused(api.get(path), 404, "DELETED_RESOURCE")
    refused(api.delete(path), 404, "DELETED_RESOURCE")

    data(api.post(f"{path}/restore"))
    assert [task["title"] for task in data(api.get(path))["tasks"]] == ["Goes along"]


def test_deleting_without_cascade_is_refused_while_tasks_live(api: httpx2.Client, task: dict[str, Any]) -> None:
    refused(api.delete(f"/projects/{task['project_id']}?cascade=false"), 409, "HAS_CHILDREN")


def test_a_taken_key_is_a_duplicate(api: httpx2.Client, project: dict[str, Any]) -> None:
    refused(api.post("/projects", json={"name": "a", "key": project["key"]}), 409, "DUPLICATE_RESOURCE")


def test_a_list_says_where_it_stands_and_links_its_neighbours(api: httpx2.Client) -> None:
    mark = f"Page {uuid4()}"
    for number in range(5):
        api.post("/projects", json={"name": f"{mark} {number}"})

    answer = api.get("/projects", params={"query": mark, "per_page": 2, "page": 2})

    page = data(answer)
    assert [project["name"][-1] for project in page["projects"]] == ["2", "1"]
    place = {name: page[name] for name in ("total", "page", "per_page", "has_next", "has_prev")}
    assert place == {"total": 5, "page": 2, "per_page": 2, "has_next": True, "has_prev": True}
    assert answer.json()["metadata"]["pagination"] == {**place, "next_cursor": page["next_cursor"]}
    links = {link["rel"]: link["url"] for link in answer.links.values()}
    assert {rel: httpx2.URL(url).params["page"] for rel, url in links.items()} == {
        "first": "1",
        "prev": "1",
        "next": "3",
        "last": "3",
    }
    assert all(httpx2.URL(url).params["query"] == mark for url in links.values())
    following = api.get(httpx2.URL(links["next"]).raw_path.decode().removeprefix("/api/v1"))
    assert [project["name"][-1] for project in data(following)["projects"]] == ["0"]


def test_a_list_can_be_continued_by_cursor(api: httpx2.Client) -> None:
    mark = f"Cursor {uuid4()}"
    for number in range(3):
        api.post("/projects", json={"name": f"{mark} {number}"})
    first = data(api.get("/projects", params={"query": mark, "per_page": 2}))

    answer = api.get("/projects", params={"query": mark, "per_page": 2, "cursor": first["next_cursor"]})

    assert [project["name"][-1] for project in data(answer)["projects"]] == ["0"]
    refused(api.get("/projects", params={"query": "other", "cursor": first["next_cursor"]}), 422, "INVALID_CURSOR")
    refused(api.get("/projects?cursor=nonsense"), 422, "INVALID_CURSOR")


def test_status_filters_may_repeat_or_be_separated_by_commas(api: httpx2.Client) -> None:
    mark = f"Filter {uuid4()}"
    for status in ("planning", "active", "completed"):
        api.post("/projects", json={"name": mark, "status": status})

    commas = data(api.get("/projects", params={"query": mark, "status": "ACTIVE,planning"}))
    repeated = data(api.get("/projects", params={"query": mark, "status": ["active", "planning"]}))

    assert commas == repeated
    assert {project["status"] for project in commas["projects"]} == {"active", "planning"}


def test_the_hierarchy_is_the_tree_of_tasks(api: httpx2.Client, task: dict[str, Any]) -> None:
    api.post("/tasks", json={"parent_id": task["key"], "title": "Below"})

    tree = data(api.get(f"/projects/{task['project_id']}/hierarchy"))

    assert [(node["title"], [child["title"] for child in node["children"]]) for node in tree["tasks"]] == [
        ("Draft the API", ["Below"])
    ]


def test_the_schedule_starts_on_the_day_asked_for(api: httpx2.Client, task: dict[str, Any]) -> None:
    api.patch(f"/tasks/{task['key']}", json={"estimated_minutes": 960})

    schedule = data(api.get(f"/projects/{task['project_id']}/schedule?start_date=2026-03-02"))

    assert (schedule["start_date"], schedule["total_minutes"], schedule["critical_path"]) == ("2026-03-02", 960, [task["key"]])


def test_the_schedule_counts_in_days_of_the_hours_asked_for(api: httpx2.Client, task: dict[str, Any]) -> None:
    api.patch(f"/tasks/{task['key']}", json={"estimated_minutes": 960})
    query = {"start_date": "2026-03-02", "hours_per_day": "4"}

    schedule = data(api.get(f"/projects/{task['project_id']}/schedule", params=query))

    assert (schedule["hours_per_day"], schedule["finish_date"]) == (4, "2026-03-05")
    assert schedule["tasks"][0]["latest_finish_date"] == "2026-03-05"
    refused(api.get(f"/projects/{task['project_id']}/schedule", params={"hours_per_day": 25}), 422, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("format", "media_type", "begin"),
    [("ics", "text/calendar", "BEGIN:VCALENDAR\r\n"), ("mermaid", "text/vnd.mermaid", "gantt\n"), ("text", "text/plain", "")],
)
def test_the_schedule_is_a_file_as_well(
    api: httpx2.Client, task: dict[str, Any], format: str, media_type: str, begin: str
) -> None:
    path = f"/projects/{task['project_id']}/schedule?format={format}"

    answer = api.get(path)

    assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert answer.text.startswith(begin)
    assert task["key"] in answer.text
    assert (
        api.get(path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    )  # the same file while nothing changes
    refused(api.get(f"{path}x"), 422, "VALIDATION_ERROR")


def test_a_calendar_keeps_its_events_when_a_task_is_renamed(api: httpx2.Client, task: dict[str, Any]) -> None:
    path = f"/projects/{task['project_id']}/schedule?format=ics"
    before = api.get(path).text
    api.patch(f"/tasks/{task['key']}", json={"title": "Renamed"})
    after = api.get(path).text

    assert f"UID:{task['id']}\r\n" in before
    assert f"UID:{task['id']}\r\n" in after
    assert "Renamed" in after
    assert [line for line in before.splitlines() if "SEQUENCE" in line] != [
        line for line in after.splitlines() if "SEQUENCE" in line
    ]


def test_the_history_lists_applied_sets_newest_first(api: httpx2.Client, task: dict[str, Any]) -> None:
    history = data(api.get(f"/projects/{task['project_id']}/history"))

    assert [entry["revisions"][task["key"].split("-")[0]] for entry in history["patch_sets"]] == [2, 1]
    assert data(api.get(f"/projects/{task['project_id']}/history?task_id={task['key']}"))["total"] == 1


def test_an_export_is_json_in_the_envelope_or_a_file(api: httpx2.Client, task: dict[str, Any]) -> None:
    path = f"/projects/{task['project_id']}/export"

    document = data(api.get(path))
    assert (document["format"], [item["title"] for item in document["tasks"]]) == ("orchestrator/1", ["Draft the API"])

    tag = api.get(path).headers["etag"]
    assert api.get(path, headers={"If-None-Match": tag}).status_code == 304  # though each names the moment it was made
    data(api.post(f"/tasks/{task['key']}/comments", json={"body": "Soon"}))
    assert api.get(path, headers={"If-None-Match": tag}).status_code == 200

    markdown = api.get(f"{path}?format=md")
    assert markdown.headers["content-type"] == "text/markdown; charset=utf-8"
    assert markdown.headers["content-disposition"].startswith("attachment; filename=")
    assert "Draft the API" in markdown.text
    table = api.get(f"{path}?format=csv")
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert task["key"] in table.text
    refused(api.get(f"{path}?format=xls"), 422, "VALIDATION_ERROR")
