"""What every answer carries, whatever the route: ids, headers, guards, log lines."""

import json
from pathlib import Path

import httpx2
import pytest

from tests.support.http import data, refused


def test_a_safe_request_id_is_kept_in_header_metadata_and_log(api: httpx2.Client, gateway_folder: Path) -> None:
    answer = api.get("/projects?query=secret", headers={"X-Request-ID": "trace-1.a_B"})

    data(answer)
    assert answer.headers["x-request-id"] == "trace-1.a_B"
    api.get("/projects")  # a line is written just after its answer, and before the next one
    lines = [json.loads(line) for line in (gateway_folder / "gateway.log").read_text("utf-8").splitlines()]
    (line,) = [line for line in lines if line.get("request_id") == "trace-1.a_B"]
    assert (line["method"], line["path"], line["status"], line["logger"]) == ("GET", "/api/v1/projects", 200, "http_api.access")
    assert "secret" not in json.dumps(line)


@pytest.mark.parametrize("unsafe", [b"", b"a b", b"x" * 65, b'a"b', b"a\tb", b"\xe9"])
def test_an_unsafe_request_id_is_replaced(api: httpx2.Client, unsafe: bytes) -> None:
    answer = api.get("/projects", headers=[(b"X-Request-ID", unsafe)])

    assert answer.headers["x-request-id"].encode() != unsafe
    assert len(answer.headers["x-request-id"]) == 16


def test_a_header_in_several_lines_is_one_list(api: httpx2.Client) -> None:
    """RFC 9110, 5.3; where no list is allowed, what stands there twice is refused and neither is chosen."""
    project = api.post("/projects", json={"name": "Lines"})
    address, tag = project.headers["location"].removeprefix("/api/v1"), project.headers["etag"]

    known = api.get(f"{address}?include_tasks=false", headers=[("If-None-Match", tag), ("If-None-Match", '"other"')])
    problem = api.get("/projects/NOPE", headers=[("Accept", "application/json"), ("Accept", "application/problem+json")])
    minimal = api.patch(address, json={"description": "x"}, headers=[("Prefer", "handling=strict"), ("Prefer", "return=minimal")])
    two_keys = api.post("/projects", json={"name": "Keys"}, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")])
    two_tags = api.patch(address, json={"name": "Tags"}, headers=[("If-Match", tag), ("If-Match", '"9"')])

    assert (known.status_code, minimal.status_code) == (304, 204)
    assert problem.headers["content-type"] == "application/problem+json"
    refused(two_keys, 422, "VALIDATION_ERROR")
    refused(two_tags, 422, "VALIDATION_ERROR")
    assert data(api.get(address))["name"] == "Lines"


def test_answers_carry_security_headers(api: httpx2.Client) -> None:
    for answer in (
        api.get("/projects"),
        api.get("/nothing"),
        api.post("/projects", content=b"{", headers={"Content-Type": "application/json"}),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers


def test_cookies_are_neither_set_nor_taken_for_credentials(api: httpx2.Client) -> None:
    """A page can make browsers send cookies along; nothing here would look at one. See also `test_only_a_bearer_key_is_a_key`."""
    page = {"Origin": "http://localhost:3000", "Cookie": "session=1"}
    preflight = page | {"Access-Control-Request-Method": "POST"}

    answers = [
        api.get("/projects", headers=page),
        api.post("/projects", json={"name": "Cookies"}, headers=page),
        api.get("/nothing", headers=page),
        api.options("/projects", headers=preflight),
    ]

    assert [answer.status_code for answer in answers] == [200, 201, 404, 204]
    for answer in answers:
        assert not {"set-cookie", "access-control-allow-credentials"} & set(answer.headers)


@pytest.mark.parametrize(
    "host", ["evil.example", "testserver", "127.0.0.1.evil.example", "localhost.evil.example:8000", "192.168.0.7", ""]
)
def test_a_foreign_host_is_refused_so_that_names_cannot_be_rebound(api: httpx2.Client, host: str) -> None:
    refused(api.get("/projects", headers={"Host": host}), 403, "FORBIDDEN")


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9", "127.0.0.1", "127.0.0.2:8000", "[::1]", "[::1]:8000", "LOCALHOST:8000"]
)
def test_loopback_hosts_are_answered_on_any_port(api: httpx2.Client, host: str) -> None:
    data(api.get("/projects", headers={"Host": host}))


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:3001", "http://localhost:3000.evil.example"]
)
def test_a_page_from_elsewhere_can_neither_read_nor_write(api: httpx2.Client, origin: str) -> None:
    refused(api.get("/projects", headers={"Origin": origin}), 403, "FORBIDDEN")
    refused(api.post("/projects", json={"name": "a"}, headers={"Origin": origin}), 403, "FORBIDDEN")


def test_the_frontend_may_call_and_read_the_headers_it_needs(api: httpx2.Client) -> None:
    origin = "http://localhost:3000"

    answer = api.get("/projects", headers={"Origin": origin})

    data(answer)
    assert answer.headers["access-control-allow-origin"] == origin
    exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed >= {"ETag", "Link", "Location", "Retry-After", "X-Request-ID", "RateLimit", "RateLimit-Policy"}
    assert "access-control-allow-credentials" not in answer.headers


def test_the_frontend_can_read_refusals_too(api: httpx2.Client) -> None:
    answer = api.get("/projects/NOPE", headers={"Origin": "http://localhost:3000"})

    refused(answer, 404, "NOT_FOUND")
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"


def test_a_preflight_for_a_conditional_write_is_granted(api: httpx2.Client) -> None:
    asked = {
        "Origin": "http://localhost:3000",
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "content-type, if-match",
    }

    answer = api.request("OPTIONS", "/projects/WEB", headers=asked)

    assert (answer.status_code, answer.content) == (204, b"")
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert "If-Match" in answer.headers["access-control-allow-headers"]
    assert answer.headers.get_list("access-control-allow-origin") == ["http://localhost:3000"]


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [
        ("https://evil.example", "GET", "content-type"),
        ("http://localhost:3000", "TRACE", "content-type"),
        ("http://localhost:3000", "GET", "x-secret"),
    ],
)
def test_a_preflight_for_anything_else_is_refused_in_our_envelope(
    api: httpx2.Client, origin: str, method: str, headers: str
) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}

    refused(api.request("OPTIONS", "/projects", headers=asked), 403, "FORBIDDEN")


def test_options_names_every_method_of_a_path(api: httpx2.Client) -> None:
    answer = api.request("OPTIONS", "/projects/WEB")

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    refused(api.request("OPTIONS", "/nothing"), 404, "NOT_FOUND")


def test_a_write_may_be_answered_without_a_body(api: httpx2.Client) -> None:
    minimal = {"Prefer": "respond-async, return=minimal"}

    made = api.post("/projects", json={"name": "Quiet"}, headers=minimal)
    changed = api.patch(made.headers["location"].removeprefix("/api/v1"), json={"name": "Quieter"}, headers=minimal)
    dry = api.post("/projects?dry_run=true", json={"name": "Quiet"}, headers=minimal)

    assert (made.status_code, made.content, made.headers["preference-applied"]) == (201, b"", "return=minimal")
    assert (changed.status_code, changed.content, changed.headers["etag"]) == (204, b"", '"2"')
    assert "preference-applied" not in dry.headers
    data(dry)
    refused(api.post("/projects", json={"name": ""}, headers=minimal), 422, "VALIDATION_ERROR")


def test_the_pages_of_the_gateway_may_call_it(api: httpx2.Client, base_url: str) -> None:
    data(api.get("/projects", headers={"Origin": base_url}))


@pytest.mark.parametrize("path", ["/api/v1/projects", "/api/v1/projects/", "/api/projects", "/api/projects/"])
def test_both_prefixes_answer_with_and_without_trailing_slash(base_url: str, path: str) -> None:
    answer = httpx2.get(base_url + path)

    assert (answer.status_code, answer.history) == (200, [])
    data(answer)


def test_head_answers_like_get_without_a_body(api: httpx2.Client) -> None:
    head, get = api.head("/projects?per_page=1"), api.get("/projects?per_page=1")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == get.headers["etag"]
    assert head.headers["content-type"] == get.headers["content-type"]
    assert api.head("/projects/NOPE").status_code == 404


def test_health_is_plain(base_url: str) -> None:
    for path in ("/health", "/health/", "/health/live", "/health/ready"):
        answer = httpx2.get(base_url + path)
        assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})
