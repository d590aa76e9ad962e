"""Bodies and queries that are not what they should be."""

import contextlib
import http.client
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from core.errors import DomainError
from http_api.bodies import MAX_BODY_BYTES, MAX_LARGE_BODY_BYTES, parse_json
from schemas.errors import ErrorCode
from tests.support.http import data, refused

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b'{"name": "a"',
        b"name=a",
        b'{"name": "a"} x',
        b"\xff\xfe{}",
        b'\xef\xbb\xbf{"name": "a"}',
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b'{"name": -Infinity}',
        b'{"name": 1e999}',
        b'{"name": ' + b"9" * 5_000 + b"}",
        b'{"name": "a", "name": "b"}',
        b'{"name": "a", "links": {"x": "1", "x": "2"}}',
        b"[" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"",
        b"   ",
    ],
    ids=lambda content: repr(content[:24]),
)
def test_what_is_not_json_is_a_malformed_body(api: httpx2.Client, content: bytes) -> None:
    answer = api.post("/projects", content=content, headers=JSON)

    refused(answer, 400, "MALFORMED_BODY")


def test_json_keeps_its_values() -> None:
    value = {"text": "ä \U0001f600", "numbers": [0, -1, 1.5, 2**53], "nothing": None, "deep": [[[{"a": True}]]]}

    assert parse_json(json.dumps(value).encode()) == value


def test_a_parse_error_names_its_place_and_repeats_nothing() -> None:
    with pytest.raises(DomainError) as refusal:
        parse_json(b'{"a": 1,\n "secret" "x"}')

    assert refusal.value.code is ErrorCode.MALFORMED_BODY
    assert "line 2, column 11" in refusal.value.message
    assert "secret" not in refusal.value.message


def test_a_byte_order_mark_is_named(api: httpx2.Client) -> None:
    answer = api.post("/projects", content=b'\xef\xbb\xbf{"name": "a"}', headers=JSON)

    assert "Unexpected UTF-8 BOM" in refused(answer, 400, "MALFORMED_BODY")["message"]


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json", "multipart/form-data"]
)
def test_a_body_that_is_not_declared_as_json_is_refused(api: httpx2.Client, media_type: str) -> None:
    answer = api.post("/projects", content=b'{"name": "a"}', headers={"Content-Type": media_type})

    refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_body_without_media_type_is_refused(api: httpx2.Client) -> None:
    refused(api.post("/projects", content=b'{"name": "a"}'), 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"])
def test_json_has_several_media_types(api: httpx2.Client, media_type: str) -> None:
    answer = api.post("/projects?dry_run=true", content=b'{"name": "a"}', headers={"Content-Type": media_type})

    data(answer)


def test_a_body_over_4_mib_is_refused(api: httpx2.Client) -> None:
    answer = api.post("/projects", content=b" " * (MAX_BODY_BYTES + 1), headers=JSON)

    refused(answer, 413, "BODY_TOO_LARGE")


def test_a_body_without_announced_length_is_counted(api: httpx2.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65_536 + 1):
            yield b" " * 65_536

    refused(api.post("/projects", content=chunks(), headers=JSON), 413, "BODY_TOO_LARGE")


def test_patch_sets_may_be_larger(api: httpx2.Client) -> None:
    padded = b'{"patches": [{}], "summary": ""' + b" " * MAX_BODY_BYTES + b"}"

    assert data(api.post("/agent/validate", content=padded, headers=JSON))["valid"] is False
    refused(api.post("/agent/validate", content=b" " * (MAX_LARGE_BODY_BYTES + 1), headers=JSON), 413, "BODY_TOO_LARGE")


def test_a_client_that_listens_only_after_sending_hears_why_its_body_is_refused(api: httpx2.Client) -> None:
    connection = http.client.HTTPConnection(api.base_url.host, api.base_url.port, timeout=30)
    with contextlib.closing(connection):
        connection.request("POST", "/api/v1/projects", body=b" " * (4 * MAX_BODY_BYTES), headers={**JSON, "Connection": "close"})

        answer = connection.getresponse()

        assert (answer.status, json.load(answer)["error"]["code"]) == (413, "BODY_TOO_LARGE")


def test_a_client_that_asks_first_is_refused_before_it_sends(api: httpx2.Client) -> None:
    connection = http.client.HTTPConnection(api.base_url.host, api.base_url.port, timeout=10)
    with contextlib.closing(connection):
        connection.putrequest("POST", "/api/v1/projects")
        for name, value in {**JSON, "Content-Length": str(MAX_BODY_BYTES + 1), "Expect": "100-continue"}.items():
            connection.putheader(name, value)
        connection.endheaders()

        assert connection.getresponse().status == 413


@pytest.mark.parametrize(
    ("content", "size", "limit"),
    [("- [ ] task\n" * 500_000, "5,500,000", "1,000,000"), ("key,title\n1," + "a" * 15_999_998, "16,000,010", "16,000,000")],
    ids=["Markdown", "CSV"],
)
def test_a_plan_that_is_too_long_is_refused_with_the_way_out(api: httpx2.Client, content: str, size: str, limit: str) -> None:
    error = refused(api.post("/planner/import", json={"content": content}), 413, "BODY_TOO_LARGE")

    [issue] = error["details"]
    assert issue["message"] == f"The plan has {size} bytes; an import takes at most {limit} bytes of UTF-8."
    assert issue["hint"] == "split it into several files and import them into the same project"


def test_an_announced_size_beyond_reason_is_refused_before_it_is_read(api: httpx2.Client) -> None:
    connection = http.client.HTTPConnection(api.base_url.host, api.base_url.port, timeout=10)
    with contextlib.closing(connection):
        connection.putrequest("POST", "/api/v1/projects")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "99999999999")
        connection.endheaders()

        answer = connection.getresponse()

        assert (answer.status, json.load(answer)["error"]["code"]) == (413, "BODY_TOO_LARGE")


@pytest.mark.parametrize("value", ["5", "[]", '"text"', "null", "true"])
def test_a_body_that_is_no_object_is_a_validation_error(api: httpx2.Client, value: str) -> None:
    error = refused(api.post("/projects", content=value.encode(), headers=JSON), 422, "VALIDATION_ERROR")

    assert [issue["path"] for issue in error["details"]] == [""]


def test_every_wrong_field_is_named_at_once_by_its_json_pointer(api: httpx2.Client) -> None:
    body = {"name": "x" * 300, "due_date": "soon", "tags": ["a", 5], "colour": "red"}

    error = refused(api.post("/projects", json=body), 422, "VALIDATION_ERROR")

    assert {issue["path"]: issue["message"] for issue in error["details"]} == {
        "/name": "must be at most 255 characters",
        "/due_date": "must be a day written as YYYY-MM-DD",
        "/tags/1": "must be text",
        "/colour": "is not a known field",
    }


def test_of_very_many_wrong_fields_the_first_thousand_are_named(api: httpx2.Client) -> None:
    error = refused(api.post("/projects", json={f"field{number}": 0 for number in range(2_000)}), 422, "VALIDATION_ERROR")

    assert len(error["details"]) == 1_000
    assert "first 1000 of 2001" in error["message"]  # the name is missing, too


def test_an_unknown_query_parameter_is_refused_with_those_that_exist(api: httpx2.Client) -> None:
    error = refused(api.get("/projects?colour=red&pages=2"), 422, "VALIDATION_ERROR")

    assert [issue["path"] for issue in error["details"]] == ["/colour", "/pages"]
    assert "per_page" in error["details"][0]["hint"]


def test_a_repeated_query_parameter_is_refused_unless_it_is_a_list(api: httpx2.Client) -> None:
    error = refused(api.get("/tasks?priority=high&priority=low&assignee=ana&assignee=ben&page=1&page=2"), 422, "VALIDATION_ERROR")

    assert {issue["path"]: issue["message"] for issue in error["details"]} == {
        "/assignee": "is given more than once",
        "/page": "is given more than once",
    }


@pytest.mark.parametrize("action", ["rebase", "revert"])
def test_a_route_without_a_body_refuses_what_is_sent_to_it(api: httpx2.Client, task: dict[str, Any], action: str) -> None:
    rename = {"patches": [{"op": "update_task", "task": task["key"], "fields": {"title": "Other"}}]}
    proposal = data(api.post("/patch-sets", json=rename))["id"]
    path = f"/patch-sets/{proposal}/{action}"

    error = refused(api.post(path, json={"reason": "x", "only": [0]}), 422, "VALIDATION_ERROR")

    assert [issue["path"] for issue in error["details"]] == ["/reason", "/only"]
    refused(api.post(path, json=[0]), 422, "VALIDATION_ERROR")
    refused(api.post(path, content=b"{", headers={"Content-Type": "application/json"}), 400, "MALFORMED_BODY")
    refused(api.post(path, content=b"hello", headers={"Content-Type": "text/plain"}), 415, "UNSUPPORTED_MEDIA_TYPE")
    assert data(api.get(f"/patch-sets/{proposal}"))["proposal"]["state"] == "proposed"
    assert api.post(f"/patch-sets/{proposal}/rebase", json={}).status_code == 201


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/projects?page=0", "/page"),
        ("/projects?per_page=101", "/per_page"),
        ("/projects?per_page=many", "/per_page"),
        ("/projects?status=nope", "/status/0"),
        ("/tasks?status=todo,nope", "/status/1"),
        ("/tasks?updated_since=2026-01-01T00:00:00", "/updated_since"),
        ("/tasks?updated_since=1767225600", "/updated_since"),
        ("/tasks?updated_since=0001-01-01T00:00:00%2B14:00", "/updated_since"),
        ("/tasks?updated_since=9999-12-31T23:59:59-14:00", "/updated_since"),
        ("/tasks?query=%00", "/query"),
        ("/tasks?assignee=a%00", "/assignee"),
        ("/projects?tag=a%00", "/tag"),
        ("/patch-sets?author=a%00", "/author"),
        ("/projects/WEB/history?author=a%00", "/author"),
        ("/tasks?due_before=tomorrow", "/due_before"),
        ("/tasks?sort=size", "/sort"),
        ("/projects/WEB?include_tasks=perhaps", "/include_tasks"),
        ("/projects/%00", "/project_id"),
        (f"/tasks/{'x' * 81}", "/task_id"),
        ("/patch-sets/%00/changes", "/patch_set_id"),
    ],
)
def test_a_wrong_value_in_the_address_is_named(api: httpx2.Client, path: str, field: str) -> None:
    error = refused(api.get(path), 422, "VALIDATION_ERROR")

    assert [issue["path"] for issue in error["details"]] == [field]
