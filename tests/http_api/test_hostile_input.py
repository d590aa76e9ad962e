"""Hostile input at every route: a documented refusal in bounded time and memory, and a server that goes on.

The routes come from the served OpenAPI document, so a new one is attacked without being named here.
Callers who are slow are in `test_hostile_connections`.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from core.settings import Settings
from http_api.app import create_app
from tests.support.http import data, refused
from tests.support.servers import gateway_process

JSON = {"Content-Type": "application/json"}
PATIENCE_SECONDS = 60  # for one answer, on a machine that does much else; alone none takes two
GROWTH_MIB = 300  # the largest bodies are 16 MiB, and a million values of JSON are some 60 MiB while they are looked at
SQL = "'; DROP TABLE tasks; --"
HTML = "<script>alert(1)</script>"

# A body of its own for each route would be refused for other reasons; these are wrong whatever the route takes.
NOT_JSON = {
    "deep arrays": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "NaN": b'{"name": NaN}',
    "duplicate keys": b'{"name": "a", "name": "b"}',
    "5,000 digits": b'{"name": ' + b"9" * 5_000 + b"}",
    "not UTF-8": b'{"name": "\xff"}',
    "gzip, undeclared": gzip.compress(b"[" + b"0," * 10_000 + b"0]"),
}
NOT_VALID = {
    "a million items": b"[" + b"0," * 1_000_000 + b"0]",
    "a million items in a field": b'{"patches": [' + b"{}," * 1_000_000 + b'{}], "tags": ["a"]}',
    "a lone surrogate": b'{"\\ud800": "\\udfff"}',
    "NUL": b'{"name\\u0000": "a\\u0000b"}',
    "10 kB of name": b'{"' + b"x" * 10_000 + b'": 1}',
    "20,000 unknown fields": json.dumps({f"field{number}": number for number in range(20_000)}).encode(),
}


@dataclass(frozen=True)
class Route:
    name: str
    method: str
    path: str
    statuses: frozenset[int]
    has_body: bool

    def url(self, name: str = "WEB-1") -> str:
        return self.path.format(project_id=name, task_id=name, patch_set_id=name, conversation_id=name, job_id=name)


def routes() -> list[Route]:
    document = create_app(Settings(_env_file=None)).openapi()
    return [
        Route(
            operation["operationId"],
            method.upper(),
            path,
            frozenset(int(status) for status in operation["responses"]),
            "requestBody" in operation,
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/api/")
    ]


ROUTES = routes()
WITH_BODY = [route for route in ROUTES if route.has_body]
WITH_NAME = [route for route in ROUTES if "{" in route.path]


@dataclass(frozen=True)
class Gateway:
    client: httpx2.Client
    pid: int

    def mib(self) -> float:
        """Return the memory it holds; without /proc nothing is measured, and the test says so."""
        status = Path(f"/proc/{self.pid}/status")
        if not status.exists():
            pytest.skip("memory is measured by /proc, which this system has not")
        return int(status.read_text("utf-8").partition("VmRSS:")[2].split()[0]) / 1024


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("hostile")
    with (
        gateway_process(f"sqlite:///{folder}/plan.db", folder=folder, LOG_LEVEL="CRITICAL") as (url, process),
        httpx2.Client(base_url=url, timeout=PATIENCE_SECONDS) as client,
    ):
        data(client.post("/api/v1/projects", json={"name": "Website", "key": "WEB"}))
        data(client.post("/api/v1/tasks", json={"project_id": "WEB", "title": "Draft"}))
        yield Gateway(client, process.pid)
        log = (folder / "gateway.log").read_text("utf-8")
        assert "Traceback" not in log


def goes_on(gateway: Gateway) -> None:
    assert gateway.client.get("/health/ready").json() == {"status": "healthy"}
    assert [task["title"] for task in data(gateway.client.get("/api/v1/projects/WEB"))["tasks"]] == ["Draft"]


@pytest.mark.parametrize("content", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_not_json_is_malformed_at_every_route(gateway: Gateway, content: bytes) -> None:
    for route in WITH_BODY:
        refused(gateway.client.request(route.method, route.url(), content=content, headers=JSON), 400, "MALFORMED_BODY")

    goes_on(gateway)


@pytest.mark.parametrize("content", NOT_VALID.values(), ids=NOT_VALID.keys())
def test_json_that_means_nothing_is_refused_at_every_route(gateway: Gateway, content: bytes) -> None:
    for route in WITH_BODY if len(content) < 1_000_000 else WITH_BODY[::4]:  # the large ones take seconds to parse
        answer = gateway.client.request(route.method, route.url(), content=content, headers=JSON)

        assert answer.status_code in {413, 422} & route.statuses, f"{route.name}: {answer.text[:300]}"
        refused(answer, answer.status_code, "BODY_TOO_LARGE" if answer.status_code == 413 else "VALIDATION_ERROR")
        assert len(answer.content) < 1_000_000, route.name  # what is wrong is told, not repeated

    goes_on(gateway)


def test_a_gzip_bomb_is_refused_unread_at_every_route(gateway: Gateway) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)

    for route in WITH_BODY:
        answer = gateway.client.request(route.method, route.url(), content=bomb, headers=JSON | {"Content-Encoding": "gzip"})
        refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE")

    goes_on(gateway)


@pytest.mark.parametrize(
    "name",
    ["x" * 10_000, "%00", "%ED%A0%80", SQL, HTML, "..%2F..%2Fetc%2Fpasswd", "WEB-1%0d%0aX: y", "WEB-99999999999999999999", "%20"],
    ids=lambda name: name[:24],
)
def test_an_id_that_is_none_is_refused_at_every_route(gateway: Gateway, name: str) -> None:
    for route in WITH_NAME:
        body: dict[str, Any] = {"json": {}} if route.has_body else {}
        answer = gateway.client.request(route.method, route.url(name), **body)

        assert answer.status_code in {404, 422} | ({405} if "%2F" in name else set()), f"{route.name}: {answer.text[:300]}"
        assert answer.json()["success"] is False
        assert "script>" not in answer.text or answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"

    goes_on(gateway)


@pytest.mark.parametrize("value", ["x" * 10_000, "%00", "%ED%A0%80", SQL, HTML, "%", "_"], ids=lambda value: value[:24])
def test_every_query_parameter_takes_any_text_without_harm(gateway: Gateway, value: str) -> None:
    document = gateway.client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for parameter in methods.get("get", {}).get("parameters", []):
            if parameter["in"] != "query" or not path.startswith("/api/"):
                continue
            url = path.format(
                project_id="WEB", task_id="WEB-1", patch_set_id="ps_0000000000000000", conversation_id="c", job_id="j"
            )
            answer = gateway.client.head(f"{url}?{parameter['name']}={value}")  # streams have no end

            assert answer.status_code in (200, 404, 422), f"{path} {parameter['name']}: {answer.status_code}"

    goes_on(gateway)


@pytest.mark.parametrize(
    "text", [SQL, HTML, "%", "_", "\\", '"', "\u202e\u0007\x1b[31m", "\U0001d56c \U0001f469\u200d\U0001f467"], ids=ascii
)
def test_text_is_data_kept_as_sent_and_found_literally(gateway: Gateway, text: str) -> None:
    key = f"T{uuid4().hex[:8].upper()}"
    api = gateway.client
    data(api.post("/api/v1/projects", json={"name": "Other", "key": key}))
    fields = {"title": text, "description": text, "tags": [text], "assignee": text, "acceptance_criteria": [text]}
    data(api.post("/api/v1/tasks", json={"project_id": key, "title": "Plain", "description": "nothing else"}))
    made = data(api.post("/api/v1/tasks", json={"project_id": key, **fields}))
    data(api.post(f"/api/v1/tasks/{made['id']}/comments", json={"body": text}))

    read = data(api.get(f"/api/v1/tasks/{made['id']}"))
    found = [
        data(api.get("/api/v1/tasks", params={"project_id": key, name: text}))["tasks"] for name in ("query", "assignee", "tag")
    ]

    assert {name: read[name] for name in fields} == fields
    assert [comment["body"] for comment in read["comments"]] == [text]
    assert [[task["key"] for task in tasks] for tasks in found] == [[made["key"]]] * 3


def test_memory_comes_back(gateway: Gateway) -> None:
    before = gateway.mib()

    for content in (*NOT_JSON.values(), *NOT_VALID.values(), b'"' + b"x" * (16 * 2**20 - 2) + b'"'):
        for path in ("/api/v1/agent/validate", "/api/v1/projects"):
            gateway.client.post(path, content=content, headers=JSON)

    assert gateway.mib() < before + GROWTH_MIB
    goes_on(gateway)
