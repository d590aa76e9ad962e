"""The product's loop over HTTP: import or propose, review, apply, revert."""

from typing import Any

import httpx2
import pytest

from tests.support.http import data, refused

PLAN = """# Launch

## Phase 1
- [x] Choose a framework (90 min)
- [ ] Draft the routes (2h) @ada
"""


def rename(task: dict[str, Any], title: str, **more: Any) -> dict[str, Any]:
    return {"patches": [{"op": "update_task", "task": task["key"], "fields": {"title": title}}], **more}


def title_of(api: httpx2.Client, task: dict[str, Any]) -> str:
    title: str = data(api.get(f"/tasks/{task['key']}"))["title"]
    return title


def test_a_written_plan_becomes_a_proposal_an_applied_plan_and_nothing_again(api: httpx2.Client) -> None:
    planned = data(api.post("/planner/import", json={"content": PLAN}))
    proposal = planned["patch_set"]
    assert (planned["engine"], planned["validation"]["valid"], proposal["proposal"]["state"]) == ("rules", True, "proposed")

    applied = data(api.post("/planner/apply", json=proposal))
    assert applied["patch_set_id"] == proposal["id"]
    (key,) = applied["revisions"]
    assert {"Choose a framework", "Draft the routes"} <= {task["title"] for task in data(api.get(f"/projects/{key}"))["tasks"]}

    reverted = data(api.post(f"/patch-sets/{proposal['id']}/revert"))
    assert reverted["totals"]["deleted"] == applied["totals"]["created"]
    refused(api.get(f"/projects/{key}"), 404, "DELETED_RESOURCE")


def test_validation_answers_200_with_every_issue_and_apply_the_4xx(api: httpx2.Client, task: dict[str, Any]) -> None:
    broken = {
        "patches": [
            {"op": "update_task", "task": task["key"], "fields": {"title": "x" * 300}},
            {"op": "drop_table"},
            {"op": "delete_task", "task": "NOPE-1"},
        ]
    }

    verdict = data(api.post("/agent/validate", json=broken))
    error = refused(api.post("/planner/apply", json=broken), 422, "INVALID_PATCH")

    assert verdict["valid"] is False
    assert [issue["path"] for issue in verdict["issues"]] == ["/patches/0/fields/title", "/patches/1/op", "/patches/2/task"]
    assert error["details"] == verdict["issues"]
    assert title_of(api, task) == "Draft the API"


def test_a_proposal_is_stored_and_applied_once(api: httpx2.Client, task: dict[str, Any]) -> None:
    answer = api.post("/patch-sets", json=rename(task, "Renamed"))
    proposal = data(answer)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/patch-sets/{proposal['id']}"
    assert title_of(api, task) == "Draft the API"

    first = api.post(f"/patch-sets/{proposal['id']}/apply")
    again = api.post(f"/patch-sets/{proposal['id']}/apply")

    assert title_of(api, task) == "Renamed"
    assert (first.json()["metadata"]["replayed"], again.json()["metadata"]["replayed"]) == (False, True)
    assert data(api.get(f"/patch-sets/{proposal['id']}"))["applied"]["totals"]["updated"] == 1


def test_only_some_patches_may_be_applied(api: httpx2.Client, task: dict[str, Any]) -> None:
    patches = [{"op": "update_task", "task": task["key"], "fields": {field: "Chosen"}} for field in ("title", "description")]
    proposal = data(api.post("/patch-sets", json={"patches": patches}))

    data(api.post(f"/patch-sets/{proposal['id']}/apply", json={"only": [1]}))

    shown = data(api.get(f"/tasks/{task['key']}"))
    assert (shown["title"], shown["description"]) == ("Draft the API", "Chosen")


def test_a_rejected_proposal_cannot_be_applied(api: httpx2.Client, task: dict[str, Any]) -> None:
    proposal = data(api.post("/patch-sets", json=rename(task, "Renamed")))

    rejected = data(api.post(f"/patch-sets/{proposal['id']}/reject", json={"reason": "Not now"}))

    assert (rejected["proposal"]["state"], rejected["proposal"]["reason"]) == ("rejected", "Not now")
    refused(api.post(f"/patch-sets/{proposal['id']}/apply"), 409, "PATCH_SET_CLOSED")


def test_a_stale_proposal_conflicts_and_can_be_rebased(api: httpx2.Client, task: dict[str, Any]) -> None:
    proposal = data(api.post("/patch-sets", json=rename(task, "Proposed")))
    api.patch(f"/tasks/{task['key']}", json={"title": "Meanwhile"})

    shown = data(api.get(f"/patch-sets/{proposal['id']}"))
    error = refused(api.post(f"/patch-sets/{proposal['id']}/apply"), 409, "CONCURRENT_UPDATE")
    rebased = api.post(f"/patch-sets/{proposal['id']}/rebase")

    conflict = error["details"][0]["conflict"]
    assert (conflict["base"], conflict["current"], conflict["proposed"]) == ("Draft the API", "Meanwhile", "Proposed")
    assert error["retryable"] is True
    assert error["details"][0]["hint"].startswith(f"rebase {proposal['id']}")
    assert [item["proposal"]["stale"] for item in (proposal, shown, data(rebased))] == [False, True, False]
    assert shown["preview"]["conflicts"] == [conflict]
    assert rebased.status_code == 201
    data(api.post(f"/patch-sets/{data(rebased)['id']}/apply"))
    assert title_of(api, task) == "Proposed"


def test_a_dry_run_of_apply_and_revert_stores_nothing(api: httpx2.Client, task: dict[str, Any]) -> None:
    preview = data(api.post("/planner/apply?dry_run=true", json=rename(task, "Renamed")))
    assert preview["patch_set_id"] is None
    assert title_of(api, task) == "Draft the API"

    applied = data(api.post("/planner/apply", json=rename(task, "Renamed")))
    data(api.post(f"/patch-sets/{applied['patch_set_id']}/revert?dry_run=true"))
    assert title_of(api, task) == "Renamed"


def test_the_same_id_with_other_patches_is_refused(api: httpx2.Client, task: dict[str, Any]) -> None:
    applied = data(api.post("/planner/apply", json=rename(task, "First")))

    refused(api.post("/planner/apply", json=rename(task, "Second", id=applied["patch_set_id"])), 422, "IDEMPOTENCY_KEY_REUSED")


def test_proposals_are_listed_by_state(api: httpx2.Client, task: dict[str, Any]) -> None:
    proposal = data(api.post("/patch-sets", json=rename(task, "Listed")))

    waiting = data(api.get("/patch-sets", params={"project_id": task["project_id"], "state": "proposed"}))
    closed = data(api.get("/patch-sets", params={"project_id": task["project_id"], "state": "rejected,superseded"}))

    assert [entry["id"] for entry in waiting["patch_sets"]] == [proposal["id"]]
    assert closed["patch_sets"] == []


def test_the_changes_of_a_large_set_are_paged(api: httpx2.Client, project: dict[str, Any]) -> None:
    patches = [{"op": "create_task", "project": project["key"], "fields": {"title": f"Task {number}"}} for number in range(150)]
    applied = data(api.post("/planner/apply", json={"patches": patches}))

    first = data(api.get(f"/patch-sets/{applied['patch_set_id']}/changes"))
    rest = data(api.get(f"/patch-sets/{applied['patch_set_id']}/changes", params={"cursor": first["next_cursor"]}))

    titles = [change["title"] for change in first["changes"] + rest["changes"]]
    assert titles == [f"Task {number}" for number in range(150)]


@pytest.mark.parametrize("patch_set_id", ["ps_0000000000000000", "nonsense", "ps_%2e%2e"])
def test_an_unknown_patch_set_is_not_found(api: httpx2.Client, patch_set_id: str) -> None:
    refused(api.get(f"/patch-sets/{patch_set_id}"), 404, "NOT_FOUND")
    refused(api.post(f"/patch-sets/{patch_set_id}/apply"), 404, "NOT_FOUND")
