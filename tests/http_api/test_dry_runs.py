"""`dry_run` on the writes that make or close proposals, and on claims: the answer of the write, and nothing stored."""

from typing import Any

import httpx2
import pytest

from tests.support.http import data, refused

DRY = {"dry_run": "true"}


def rename(task: dict[str, Any]) -> dict[str, Any]:
    return {"patches": [{"op": "update_task", "task": task["key"], "fields": {"title": "Other"}}]}


def proposals(api: httpx2.Client, task: dict[str, Any]) -> list[tuple[str, str]]:
    found = data(api.get("/patch-sets", params={"project_id": task["project_id"], "state": "proposed,rejected,superseded"}))
    return [(item["id"], item["state"]) for item in found["patch_sets"]]


def test_proposing_is_previewed_without_being_stored(api: httpx2.Client, task: dict[str, Any]) -> None:
    answer = api.post("/patch-sets", json=rename(task), params=DRY)

    assert answer.status_code == 200
    assert answer.json()["metadata"]["dry_run"] is True
    assert data(answer)["preview"]["valid"] is True
    assert proposals(api, task) == []


def test_previews_of_sets_and_of_single_changes_show_the_critical_path_before_and_after(
    api: httpx2.Client, task: dict[str, Any]
) -> None:
    slower = {"patches": [{"op": "update_task", "task": task["key"], "fields": {"estimated_minutes": 90}}]}

    answers = [
        api.post("/agent/validate", json=slower),
        api.post("/planner/apply", json=slower, params=DRY),
        api.patch(f"/tasks/{task['id']}", json={"estimated_minutes": 90}, params=DRY),
    ]

    nothing, path = (
        {"minutes": minutes, "tasks": keys, "tasks_total": len(keys)} for minutes, keys in ((0, []), (90, [task["key"]]))
    )
    moved = {task["key"].partition("-")[0]: {"before": nothing, "after": path}}
    assert [data(answer)["critical_paths"] for answer in answers] == [moved] * 3


def test_importing_is_previewed_without_being_stored(api: httpx2.Client, task: dict[str, Any]) -> None:
    answer = api.post("/planner/import", json={"content": "- [ ] Paint", "project": task["project_id"]}, params=DRY)

    assert data(answer)["validation"]["totals"]["created"] == 1
    assert proposals(api, task) == []


def test_rebasing_and_rejecting_are_previewed_and_leave_the_proposal_open(api: httpx2.Client, task: dict[str, Any]) -> None:
    proposal = data(api.post("/patch-sets", json=rename(task)))["id"]

    assert data(api.post(f"/patch-sets/{proposal}/rebase", params=DRY))["proposal"]["supersedes"] == proposal
    assert data(api.post(f"/patch-sets/{proposal}/reject", json={"reason": "no"}, params=DRY))["proposal"]["state"] == "rejected"
    assert proposals(api, task) == [(proposal, "proposed")]
    data(api.post(f"/patch-sets/{proposal}/reject", json={"reason": "no"}))
    refused(api.post(f"/patch-sets/{proposal}/rebase", params=DRY), 409, "PATCH_SET_CLOSED")


def test_claiming_is_previewed_and_the_task_stays_free(api: httpx2.Client, task: dict[str, Any]) -> None:
    effect = data(api.post(f"/tasks/{task['key']}/claim", json={"agent": "ada"}, params=DRY))

    assert effect["patch_set_id"] is None
    assert effect["changes"][0]["fields"]["assignee"] == {"before": None, "after": "ada"}
    assert data(api.get(f"/tasks/{task['key']}"))["claimed_by"] is None


@pytest.mark.parametrize(("revision", "code"), [(0, "VALIDATION_ERROR"), (99, "VALIDATION_ERROR")])
def test_a_base_nobody_can_have_seen_is_refused(api: httpx2.Client, task: dict[str, Any], revision: int, code: str) -> None:
    key = task["key"].partition("-")[0]

    refused(api.post("/planner/apply", json={**rename(task), "base_revisions": {key: revision}}), 422, code)


def test_one_project_has_one_base(api: httpx2.Client, task: dict[str, Any]) -> None:
    key = task["key"].partition("-")[0]

    error = refused(
        api.post("/planner/apply", json={**rename(task), "base_revisions": {key: 2, task["project_id"]: 1}}),
        422,
        "VALIDATION_ERROR",
    )

    assert error["details"][0]["message"] == f"{key} and {task['project_id']} are one project"


def test_what_stands_in_the_way_of_taking_back_is_named_with_the_ways_out(api: httpx2.Client, task: dict[str, Any]) -> None:
    first = api.patch(f"/tasks/{task['key']}", json={"title": "Design"}).json()["metadata"]["patch_set_id"]
    later = api.patch(f"/tasks/{task['key']}", json={"title": "Build"}).json()["metadata"]["patch_set_id"]

    error = refused(api.post(f"/patch-sets/{first}/revert"), 409, "CONCURRENT_UPDATE")

    assert error["message"].startswith(f"{first} cannot be taken back by itself")
    assert f"revert {later} (" in error["details"][0]["hint"]
    assert "back to revision 2" in error["details"][0]["hint"]


def test_a_proposal_whose_target_is_gone_is_shown_as_stale_with_the_reason(api: httpx2.Client, task: dict[str, Any]) -> None:
    proposal = data(api.post("/patch-sets", json=rename(task)))["id"]
    data(api.delete(f"/tasks/{task['key']}"))

    shown = data(api.get(f"/patch-sets/{proposal}"))

    assert shown["proposal"]["stale"] is True
    assert shown["preview"]["issues"] or shown["preview"]["conflicts"]
