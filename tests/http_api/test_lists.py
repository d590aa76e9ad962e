"""Lists over HTTP: every filter and sort order, and what all lists share."""

from typing import Any

import httpx2
import pytest

from tests.support.http import data, refused


@pytest.fixture(scope="module")
def key(api: httpx2.Client) -> str:
    """A project. 1 API (2 Auth), 3 Docs and 4 Launch, which waits for 1; 5 is deleted."""
    patches: list[dict[str, Any]] = [
        {"op": "create_project", "ref": "$p", "fields": {"name": "Filtered", "tags": ["lists"]}},
        {"op": "create_task", "ref": "$api", "project": "$p", "fields": {"title": "API 50%_done", "due_date": "2020-01-01"}},
        {"op": "create_task", "parent": "$api", "fields": {"title": "Auth", "assignee": "ann lee", "tags": ["a", "b c"]}},
        {"op": "create_task", "project": "$p", "fields": {"title": "Docs", "status": "done", "priority": "low", "tags": ["a"]}},
        {
            "op": "create_task",
            "project": "$p",
            "fields": {"title": "Launch", "due_date": "2199-01-01", "priority": "critical"},
            "depends_on": ["$api"],
        },
        {"op": "create_task", "ref": "$gone", "project": "$p", "fields": {"title": "Gone", "tags": ["a"]}},
        {"op": "delete_task", "task": "$gone"},
    ]
    created: str = data(api.post("/planner/apply", json={"patches": patches}))["refs"]["$p"]["key"]
    return created


def numbers(api: httpx2.Client, key: str, query: str) -> list[int]:
    """Return the numbers of the tasks that a query finds in the project."""
    tasks = data(api.get(f"/tasks?project_id={key}&{query.replace('KEY', key)}"))["tasks"]
    return [int(task["key"].rpartition("-")[2]) for task in tasks]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [4, 3, 2, 1]),
        ("status=todo", [4, 2, 1]),
        ("status=TODO,Done&status=blocked", [4, 3, 2, 1]),
        ("priority=low,critical", [4, 3]),
        ("assignee=ann%20lee", [2]),
        ("assignee=ann", []),
        ("tag=a", [3, 2]),
        ("tag=b%20c", [2]),
        ("tag=b", []),
        ("parent_id=KEY-1", [2]),
        ("root=true", [1, 3, 4]),
        ("due_before=2020-01-02", [1]),
        ("due_before=2020-01-01", []),
        ("due_after=2020-01-01", [4]),
        ("updated_since=2020-01-01T00:00:00Z", [4, 3, 2, 1]),
        ("updated_since=2199-01-01T00:00:00%2B02:00", []),
        ("ready=true", [2]),
        ("ready=false", [4, 3, 1]),
        ("overdue=true", [1]),
        ("overdue=false", [4, 3, 2]),
        ("query=%25_d", [1]),
        ("query=aut", [2]),
        ("query=KEY-3", [3]),
        ("deleted=true", [5]),
        ("deleted=true&tag=a", [5]),
        ("status=todo&tag=a&ready=true&query=auth", [2]),
        ("sort=position", [1, 2, 3, 4]),
        ("sort=created_at", [1, 2, 3, 4]),
        ("sort=-created_at", [4, 3, 2, 1]),
        ("sort=-updated_at", [4, 3, 2, 1]),
        ("sort=priority", [4, 1, 2, 3]),
        ("sort=due_date", [1, 4, 2, 3]),
    ],
)
def test_tasks_are_filtered_and_sorted(api: httpx2.Client, key: str, query: str, expected: list[int]) -> None:
    assert numbers(api, key, query) == expected


def test_projects_are_filtered_by_their_tags(api: httpx2.Client, key: str) -> None:
    assert key in [project["key"] for project in data(api.get("/projects?tag=lists&status=planning"))["projects"]]
    assert key not in [project["key"] for project in data(api.get("/projects?tag=list"))["projects"]]


def test_a_changed_tag_is_found_by_its_new_name_only_until_it_is_reverted(api: httpx2.Client, task: dict[str, Any]) -> None:
    tag = f"tag {task['id']}"
    changed = api.patch(f"/tasks/{task['key']}", json={"tags": [tag]}).json()["metadata"]["patch_set_id"]
    assert data(api.get("/tasks", params={"tag": tag}))["total"] == 1

    api.post(f"/patch-sets/{changed}/revert")

    assert data(api.get("/tasks", params={"tag": tag}))["total"] == 0


def test_pages_link_their_neighbours_and_keep_the_filters(api: httpx2.Client, key: str) -> None:
    path = f"/tasks?project_id={key}&per_page=2"

    first, last = api.get(path), api.get(f"{path}&page=2")

    def links(answer: httpx2.Response) -> dict[str, str]:
        parts = [part.split("; rel=") for part in answer.headers["link"].split(", ")]
        return {rel.strip('"'): url.strip("<>") for url, rel in parts}

    base = f"/api/v1/tasks?project_id={key}&per_page=2"
    assert links(first) == {"first": f"{base}&page=1", "last": f"{base}&page=2", "next": f"{base}&page=2"}
    assert links(last) == {"first": f"{base}&page=1", "last": f"{base}&page=2", "prev": f"{base}&page=1"}
    assert last.json()["metadata"]["pagination"]["has_next"] is False
    continued = api.get(f"{path}&cursor={data(first)['next_cursor']}")
    assert data(continued)["tasks"] == data(last)["tasks"]
    assert links(continued) == {"first": f"{base}&page=1"}


LISTS = ["projects", "tasks", "patch-sets", "search?query=a", "trash", "projects/KEY/history", "tasks/KEY-1/comments"]


@pytest.mark.parametrize("path", LISTS)
def test_every_list_answers_at_each_of_its_addresses(api: httpx2.Client, base_url: str, key: str, path: str) -> None:
    room, _, query = path.replace("KEY", key).partition("?")
    answers = [api.get(f"{base_url}{prefix}/{room}{end}?{query}") for prefix in ("/api/v1", "/api") for end in ("", "/")]

    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.headers["etag"] for answer in answers}) == 1
    assert data(answers[0])["page"] == 1
    head = api.head(f"/{room}?{query}")
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", answers[0].headers["etag"])
    assert 'rel="first"' in head.headers["link"]


CONTRADICTIONS = [
    ("root=true&parent_id=KEY-1", ["/root", "/parent_id"]),
    ("due_after=2026-01-01&due_before=2026-01-01", ["/due_after", "/due_before"]),
    ("due_after=2026-01-01&due_before=2026-01-02", ["/due_after", "/due_before"]),
    ("ready=true&status=blocked,done", ["/ready", "/status"]),
    ("overdue=true&status=cancelled&status=completed", ["/overdue", "/status"]),
    (
        "root=true&parent_id=KEY-1&ready=true&overdue=true&status=completed",
        ["/root", "/parent_id", "/ready", "/status", "/overdue", "/status"],
    ),
]


@pytest.mark.parametrize(("query", "paths"), CONTRADICTIONS)
def test_filters_that_no_task_can_match_together_are_refused_by_their_names(
    api: httpx2.Client, key: str, query: str, paths: list[str]
) -> None:
    error = refused(api.get(f"/tasks?{query.replace('KEY', key)}"), 422, "VALIDATION_ERROR")

    assert [detail["path"] for detail in error["details"]] == paths
    assert all(detail["message"].startswith("contradicts ") for detail in error["details"])


@pytest.mark.parametrize(
    "query",
    [
        "root=false&parent_id=KEY-1",
        "due_after=2026-01-01&due_before=2026-01-03",
        "ready=true&status=blocked,todo",
        "ready=false&status=blocked",
        "overdue=true&status=completed,todo",
    ],
)
def test_filters_that_a_task_could_match_are_answered(api: httpx2.Client, key: str, query: str) -> None:
    data(api.get(f"/tasks?{query.replace('KEY', key)}"))


@pytest.mark.parametrize("path", ["/tasks?", "/patch-sets?", "/trash?", "/search?query=x&", "/tasks/next?", "/events?"])
def test_a_project_that_is_not_there_is_refused_alike_everywhere(api: httpx2.Client, path: str) -> None:
    error = refused(api.get(f"{path}project_id=00"), 404, "NOT_FOUND")

    assert error["message"] == "there is no project '00'"
    assert error["details"][0]["hint"] == "list the projects"


def test_the_subtasks_of_a_task_of_another_project_are_not_found(api: httpx2.Client, key: str, project: dict[str, Any]) -> None:
    query = {"project_id": project["key"], "parent_id": f"{key}-1"}

    error = refused(api.get("/tasks", params=query), 404, "NOT_FOUND")

    assert error["message"] == f"{key}-1 is no task of {project['key']}"
    assert numbers(api, key, "parent_id=KEY-1") == [2]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("status=nope", "/status/0"),
        ("priority=urgent", "/priority/0"),
        ("due_before=2026-1-2", "/due_before"),
        ("updated_since=2026-01-02", "/updated_since"),
        ("ready=maybe", "/ready"),
        ("sort=title", "/sort"),
        ("page=0", "/page"),
        ("per_page=101", "/per_page"),
        ("colour=red", "/colour"),
    ],
)
def test_what_no_list_knows_is_refused_by_name(api: httpx2.Client, query: str, path: str) -> None:
    error = refused(api.get(f"/tasks?{query}"), 422, "VALIDATION_ERROR")

    assert [detail["path"] for detail in error["details"]] == [path]
