"""`Idempotency-Key`: a write delivered twice, or fifty times, has one effect and one answer."""

import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.http import data, refused
from tests.support.servers import gateway_process

DELIVERIES = 50
_numbers = count(1)


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


@pytest.fixture
def key() -> dict[str, str]:
    """The header with a key nobody has used."""
    return keyed(f"test-{next(_numbers)}")


def told(answer: httpx2.Response) -> dict[str, Any]:
    """Return what an answer says, without what belongs to one delivery."""
    body = answer.json()
    for place in (body["metadata"], body["data"]):
        if isinstance(place, dict):
            place.pop("request_id", None)
            place.pop("replayed", None)
    kept = ("etag", "location", "cache-control", "content-type")
    return {"status": answer.status_code, "headers": {name: answer.headers.get(name) for name in kept}, "body": body}


def replayed(answer: httpx2.Response) -> bool:
    found: bool = answer.json()["metadata"].get("replayed", False)
    return found


def projects(api: httpx2.Client) -> int:
    total: int = data(api.get("/projects"))["total"]
    return total


def writes(project: dict[str, Any], task: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield one write of every kind."""
    of_task, subtask = f"/tasks/{task['key']}", f"/tasks/{project['key']}-2"
    rename = {"op": "update_task", "task": task["key"], "fields": {"title": "By patch"}}
    yield "POST", "/projects", {"name": "Shop", "due_date": "2026-05-01", "links": {"jira": "S"}}
    yield "PUT", f"/projects/{project['key']}", {"tags": ["a", "b"], "task_schema": {"type": "object"}}
    yield "POST", "/tasks", {"parent_id": task["key"], "title": "Routes", "custom": {"size": 1.5}, "estimated_minutes": 30}
    yield "PATCH", of_task, {"title": "Renamed", "due_date": "2026-03-31"}
    yield "POST", f"{of_task}/comments", {"body": "Well done\n"}
    yield "POST", f"{subtask}/claim", {"agent": "ann"}
    yield "DELETE", of_task, None
    yield "POST", f"{of_task}/restore", None
    yield "POST", "/planner/apply", {"patches": [rename]}
    yield "POST", "/planner/import", {"content": "# Launch\n- [x] One (2h)\n- [ ] Two @ada\n> Why\n"}
    yield "POST", "/planner/generate", {"description": "Launch of the shop\n\n- One (2h)\n- Two @ada\n"}
    yield "POST", "/planner/refine", {"project_id": project["key"], "feedback": f"start {task['key']}\nmake it nicer"}
    yield "POST", "/patch-sets", {"id": "ps_0123456789abcdef", "patches": [{**rename, "fields": {"title": "Proposed"}}]}
    yield "POST", "/patch-sets/ps_0123456789abcdef/apply", {}
    yield "POST", "/patch-sets/ps_0123456789abcdef/revert", None
    yield "POST", "/patch-sets", {"id": "ps_0123456789abcdeg", "patches": [{"op": "delete_task", "task": task["key"]}]}
    yield "POST", "/patch-sets/ps_0123456789abcdeg/rebase", None
    yield "POST", "/patch-sets/ps_0123456789abcdeg/reject", {"reason": "already superseded, so refused"}
    yield "DELETE", f"/projects/{project['key']}", None


def test_every_write_is_answered_as_the_first_time_whatever_has_happened_since(
    api: httpx2.Client, project: dict[str, Any], task: dict[str, Any]
) -> None:
    def deliver_all() -> list[httpx2.Response]:
        return [
            api.request(method, path, json=body, headers=keyed(f"every-write-{number}"))
            for number, (method, path, body) in enumerate(writes(project, task))
        ]

    first = deliver_all()
    history = data(api.get("/patch-sets"))["total"]
    again = deliver_all()

    assert [told(answer) for answer in again] == [told(answer) for answer in first]
    assert {replayed(answer) for answer in first} == {False}
    assert {replayed(answer) for answer in again} == {True}
    assert data(api.get("/patch-sets"))["total"] == history
    assert Counter(answer.status_code for answer in first) == {200: 11, 201: 7, 409: 1}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/projects", {"name": "Another"}),
        ("POST", "/projects", {"name": "Website relaunch", "description": ""}),
        ("POST", "/tasks", {"project_id": "NONE", "title": "Website relaunch"}),
        ("POST", "/planner/import", {"content": "- [ ] One"}),
    ],
)
def test_another_request_with_the_key_is_refused(
    api: httpx2.Client, key: dict[str, str], method: str, path: str, body: dict[str, Any]
) -> None:
    data(api.post("/projects", json={"name": "Website relaunch"}, headers=key))
    before = projects(api)

    error = refused(api.request(method, path, json=body, headers=key), 422, "IDEMPOTENCY_KEY_REUSED")

    assert "new key" in error["details"][0]["hint"]
    assert projects(api) == before


def test_query_and_precondition_belong_to_the_request(api: httpx2.Client, task: dict[str, Any], key: dict[str, str]) -> None:
    path, current = f"/tasks/{task['key']}", api.get(f"/tasks/{task['key']}").headers["etag"]
    refused(api.delete(path, headers=key | {"If-Match": '"999"'}), 412, "PRECONDITION_FAILED")

    refused(api.delete(path, headers=key | {"If-Match": current}), 422, "IDEMPOTENCY_KEY_REUSED")
    refused(api.delete(f"{path}?cascade=false", headers=key | {"If-Match": '"999"'}), 422, "IDEMPOTENCY_KEY_REUSED")


def test_both_prefixes_are_the_same_request(base_url: str, key: dict[str, str]) -> None:
    first = httpx2.post(f"{base_url}/api/v1/projects", json={"name": "Website"}, headers=key)
    again = httpx2.post(f"{base_url}/api/projects/", json={"name": "Website"}, headers=key)

    assert told(again) == told(first)
    assert replayed(again)


def test_a_refusal_is_repeated_even_when_it_would_not_be_refused_any_more(api: httpx2.Client, key: dict[str, str]) -> None:
    draft = {"project_id": "LATER", "title": "Docs"}
    first = api.post("/tasks", json=draft, headers=key)
    refused(first, 404, "NOT_FOUND")
    data(api.post("/projects", json={"name": "Later", "key": "LATER"}))

    again = api.post("/tasks", json=draft, headers=key)

    assert told(again) == told(first)
    assert replayed(again)
    data(api.post("/tasks", json=draft, headers=keyed("another")))


def test_a_body_that_is_not_even_read_leaves_the_key_free(api: httpx2.Client, key: dict[str, str]) -> None:
    refused(api.post("/projects", content=b"{", headers=key | {"Content-Type": "application/json"}), 400, "MALFORMED_BODY")
    refused(api.post("/projects", json={"name": ""}, headers=key), 422, "VALIDATION_ERROR")

    assert not replayed(api.post("/projects", json={"name": "Website"}, headers=key))


def test_a_dry_run_leaves_the_key_free(api: httpx2.Client, key: dict[str, str]) -> None:
    data(api.post("/projects?dry_run=true", json={"name": "Website"}, headers=key))

    written = api.post("/projects", json={"name": "Website"}, headers=key)

    assert (written.status_code, replayed(written)) == (201, False)


@pytest.mark.parametrize("value", [b"", b"a b", b"x" * 256, b"a\tb", b"\xe9"])
def test_a_key_that_is_none_is_refused_by_name(api: httpx2.Client, value: bytes) -> None:
    answer = api.post("/projects", json={"name": "Website"}, headers=[(b"Idempotency-Key", value)])

    error = refused(answer, 422, "VALIDATION_ERROR")
    assert [(issue["path"], issue["message"]) for issue in error["details"]] == [
        ("/Idempotency-Key", "must be 1 to 255 visible ASCII characters, without blanks")
    ]


@pytest.mark.parametrize("value", ['"8e03978e-40d5-43dd-bc93-6894a57f9324"', "!", "~" * 255])
def test_any_visible_characters_make_a_key(api: httpx2.Client, value: str) -> None:
    first, again = (api.post("/projects", json={"name": "Website"}, headers=keyed(value)) for _ in range(2))

    assert told(again) == told(first)
    assert (replayed(first), replayed(again)) == (False, True)


def test_a_page_may_send_a_key(api: httpx2.Client) -> None:
    asked = {
        "Origin": "http://localhost:3000",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, idempotency-key",
    }

    assert api.request("OPTIONS", "/projects", headers=asked).status_code == 204


def test_every_write_tells_the_patch_set_that_reverts_it(api: httpx2.Client, task: dict[str, Any]) -> None:
    renamed = api.patch(f"/tasks/{task['key']}", json={"title": "Renamed"})

    data(api.post(f"/patch-sets/{renamed.json()['metadata']['patch_set_id']}/revert"))

    assert data(api.get(f"/tasks/{task['key']}"))["title"] == task["title"]
    for answer in (
        api.post(f"/tasks/{task['key']}/comments", json={"body": "Hi"}),
        api.post(f"/tasks/{task['key']}/claim"),
        api.delete(f"/tasks/{task['key']}"),
        api.post(f"/tasks/{task['key']}/restore"),
        api.delete(f"/projects/{task['project_id']}"),
        api.post(f"/projects/{task['project_id']}/restore"),
    ):
        data(answer)
        data(api.get(f"/patch-sets/{answer.json()['metadata']['patch_set_id']}"))
    assert "patch_set_id" not in api.delete(f"/tasks/{task['key']}?dry_run=true").json()["metadata"]


# -- fifty at once, restarts and kills, on servers of their own


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'plan.db'}"
    url: str = request.getfixturevalue("empty_postgres")
    return url


@contextmanager
def server(database_url: str, folder: Path) -> Iterator[tuple[httpx2.Client, subprocess.Popen[bytes]]]:
    with (
        gateway_process(database_url, folder=folder, AUTO_MIGRATE="1") as (url, process),
        httpx2.Client(base_url=f"{url}/api/v1", timeout=60) as api,
    ):
        yield api, process


def create(api: httpx2.Client, name: str = "Website", *, key: str = "create") -> httpx2.Response:
    return api.post("/projects", json={"name": name}, headers=keyed(key))


def create_nowhere(api: httpx2.Client) -> httpx2.Response:
    return api.post("/tasks", json={"project_id": "NONE", "title": "Docs"}, headers=keyed("refused"))


def at_once(*deliveries: Callable[[], httpx2.Response]) -> list[httpx2.Response]:
    with ThreadPoolExecutor(len(deliveries)) as callers:
        return [sent.result() for sent in [callers.submit(deliver) for deliver in deliveries]]


def test_fifty_deliveries_at_once_have_one_effect_and_one_answer(database_url: str, tmp_path: Path) -> None:
    with server(database_url, tmp_path) as (api, _):
        answers = at_once(*[lambda: create(api)] * DELIVERIES)

        assert all(told(answer) == told(answers[0]) for answer in answers)
        assert Counter(map(replayed, answers)) == {False: 1, True: DELIVERIES - 1}
        assert answers[0].status_code == 201
        assert projects(api) == data(api.get("/patch-sets"))["total"] == 1


def test_deliveries_to_two_servers_at_once_have_one_effect_and_one_answer(database_url: str, tmp_path: Path) -> None:
    with server(database_url, tmp_path) as (one, _), server(database_url, tmp_path) as (two, _):
        answers = at_once(*[lambda: create(one), lambda: create(two)] * (DELIVERIES // 2))

        assert all(told(answer) == told(answers[0]) for answer in answers)
        assert Counter(map(replayed, answers)) == {False: 1, True: DELIVERIES - 1}
        assert projects(one) == data(two.get("/patch-sets"))["total"] == 1


def test_fifty_deliveries_at_once_are_refused_alike(database_url: str, tmp_path: Path) -> None:
    with server(database_url, tmp_path) as (api, _):
        answers = at_once(*[lambda: create_nowhere(api)] * DELIVERIES)

        assert all(told(answer) == told(answers[0]) for answer in answers)
        assert Counter(map(replayed, answers)) == {False: 1, True: DELIVERIES - 1}
        refused(answers[0], 404, "NOT_FOUND")


@pytest.mark.parametrize("end", [subprocess.Popen.terminate, subprocess.Popen.kill], ids=["stopped", "killed"])
def test_the_next_server_knows_what_was_answered(database_url: str, tmp_path: Path, end: Any) -> None:
    with server(database_url, tmp_path) as (api, process):
        first = [create(api), create_nowhere(api)]
        end(process)

    with server(database_url, tmp_path) as (api, _):
        again = [create(api), create_nowhere(api)]

        assert [told(answer) for answer in again] == [told(answer) for answer in first]
        assert [replayed(answer) for answer in again] == [True, True]
        assert projects(api) == 1


def test_repetitions_after_a_kill_do_what_was_cut_off_and_nothing_twice(database_url: str, tmp_path: Path) -> None:
    with server(database_url, tmp_path) as (api, process), ThreadPoolExecutor(DELIVERIES) as callers:
        sent = [callers.submit(create, api, f"P{number}", key=f"k{number}") for number in range(DELIVERIES)]
        sent[0].result()
        process.kill()
        acknowledged = {data(one.result())["id"] for one in sent if one.exception() is None}

    with server(database_url, tmp_path) as (api, _):
        again = {data(create(api, f"P{number}", key=f"k{number}"))["id"] for number in range(DELIVERIES)}

        assert acknowledged <= again
        assert len(again) == projects(api) == DELIVERIES
