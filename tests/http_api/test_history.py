"""Looking back and going back over HTTP."""

from typing import Any

import httpx2
import pytest

from tests.support.http import data, refused


@pytest.fixture
def path(api: httpx2.Client, task: dict[str, Any]) -> str:
    """A project at revision 4: created, a task, its title changed, deleted."""
    data(api.patch(f"/tasks/{task['key']}", json={"title": "Write the API", "estimated_minutes": 60}))
    data(api.delete(f"/tasks/{task['key']}"))
    return f"/projects/{task['project_id']}"


def titles(answer: httpx2.Response) -> list[str]:
    return [task["title"] for task in data(answer)["tasks"]]


def test_a_project_is_shown_as_it_was_by_every_read(api: httpx2.Client, path: str) -> None:
    assert titles(api.get(f"{path}?revision=2")) == ["Draft the API"]
    assert titles(api.get(f"{path}/hierarchy?revision=3")) == ["Write the API"]
    assert data(api.get(f"{path}/schedule?revision=3"))["total_minutes"] == 60
    assert titles(api.get(f"{path}/export?revision=2")) == ["Draft the API"]
    assert "Write the API" in api.get(f"{path}/export?format=md&revision=3").text
    assert titles(api.get(path)) == []


def test_the_past_has_a_validator_of_its_own(api: httpx2.Client, path: str) -> None:
    then = api.get(f"{path}?revision=2")

    assert data(then)["revision"] == 2
    assert api.get(f"{path}?revision=2", headers={"If-None-Match": then.headers["etag"]}).status_code == 304
    assert api.get(path, headers={"If-None-Match": then.headers["etag"]}).status_code == 200


@pytest.mark.parametrize("read", ["", "/hierarchy", "/schedule", "/export"])
@pytest.mark.parametrize("revision", ["0", "5", "-1", "99999999999999999999"])
def test_a_revision_the_project_never_had_is_refused(api: httpx2.Client, path: str, read: str, revision: str) -> None:
    error = refused(api.get(f"{path}{read}?revision={revision}"), 422, "VALIDATION_ERROR")

    assert error["details"][0]["path"] == "/revision"
    assert error["details"][0]["hint"].endswith("is at revision 4; give 1 to 4")


def test_the_history_says_who_what_when_why_and_how_much(api: httpx2.Client, path: str) -> None:
    page = data(api.get(f"{path}/history?per_page=1"))

    [entry] = page["patch_sets"]
    assert (entry["author"], entry["closed_by"], entry["engine"], entry["rationale"]) == ("local", "local", "caller", "")
    assert (entry["revision_before"], entry["revision"], entry["totals"]["deleted"]) == (3, 4, 1)
    following = data(api.get(f"{path}/history", params={"per_page": 1, "cursor": page["next_cursor"]}))
    assert [entry["revision"] for entry in following["patch_sets"]] == [3]
    assert data(api.get(f"{path}/history?author=nobody"))["total"] == 0


def test_the_history_is_that_of_a_task_of_the_project_and_no_other(api: httpx2.Client, path: str) -> None:
    elsewhere = data(api.post("/projects", json={"name": "Elsewhere"}))["key"]
    other = data(api.post("/tasks", json={"project_id": elsewhere, "title": "Other"}))["key"]
    key = data(api.get(path))["key"]

    assert data(api.get(f"{path}/history?task_id={key}-1"))["total"] == 3
    error = refused(api.get(f"{path}/history?task_id={other}"), 404, "NOT_FOUND")
    assert error["message"] == f"{other} is no task of {key}"
    assert error["details"][0]["hint"] == f"it is a task of {elsewhere}"
    refused(api.get(f"{path}/history?task_id={key}-9"), 404, "NOT_FOUND")


def test_two_revisions_are_compared(api: httpx2.Client, path: str) -> None:
    diff = data(api.get(f"{path}/diff?from=2&to=3"))

    assert (diff["from_revision"], diff["to_revision"], diff["changes_total"]) == (2, 3, 1)
    assert diff["changes"][0]["fields"]["title"] == {"before": "Draft the API", "after": "Write the API"}
    assert "Write the API" in diff["diff"]
    assert data(api.get(f"{path}/diff?from=1"))["changes"] == [], "made and deleted in between"


@pytest.mark.parametrize(
    ("query", "pointer"), [("", "/from"), ("?from=9", "/from"), ("?from=3&to=2", "/from"), ("?from=1&to=9", "/to")]
)
def test_a_diff_of_revisions_that_do_not_exist_is_refused(api: httpx2.Client, path: str, query: str, pointer: str) -> None:
    error = refused(api.get(f"{path}/diff{query}"), 422, "VALIDATION_ERROR")

    assert error["details"][0]["path"] == pointer


def test_a_project_goes_back_to_a_revision_and_the_way_back_is_undone_like_any_set(api: httpx2.Client, path: str) -> None:
    preview = data(api.post(f"{path}/revert?dry_run=true", json={"to_revision": 2}))
    assert titles(api.get(path)) == []

    answer = api.post(f"{path}/revert", json={"to_revision": 2})

    assert data(answer) == preview | {"patch_set_id": data(answer)["patch_set_id"], "critical_paths": {}}
    assert titles(api.get(path)) == ["Draft the API"]
    data(api.post(f"/patch-sets/{answer.json()['metadata']['patch_set_id']}/revert"))
    assert titles(api.get(path)) == []
    assert data(api.get(path))["revision"] == 6


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"to_revision": 4}, "/to_revision"),
        ({"to_revision": 0}, "/to_revision"),
        ({}, "/to_revision"),
        ({"to_revision": "2"}, "/to_revision"),
    ],
)
def test_only_an_earlier_revision_can_be_gone_back_to(api: httpx2.Client, path: str, body: dict[str, Any], pointer: str) -> None:
    error = refused(api.post(f"{path}/revert", json=body), 422, "VALIDATION_ERROR")

    assert error["details"][0]["path"] == pointer
    assert data(api.get(path))["revision"] == 4


def test_a_repeated_way_back_has_one_effect(api: httpx2.Client, path: str) -> None:
    key = {"Idempotency-Key": f"back-{path}"}

    first = api.post(f"{path}/revert", json={"to_revision": 2}, headers=key)
    again = api.post(f"{path}/revert", json={"to_revision": 2}, headers=key)

    assert data(again) == data(first) | {"replayed": True}
    assert data(api.get(path))["revision"] == 5
