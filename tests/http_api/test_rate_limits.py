"""How often a caller may call, and what it is told; the numbers of the gateway; a deprecated path."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from core.context import Scope
from core.services import access
from core.settings import Settings
from core.wiring import Orchestrator
from http_api.rate_limits import RateLimits, address_of
from tests.http_api.conftest import REDIS
from tests.support.http import data, refused
from tests.support.servers import running_server


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("limited")
    settings = {"RATE_LIMIT_DEFAULT": "5/hour", "RATE_LIMIT_MODEL": "2/hour", "API_SUNSET": "2027-06-30"}
    with running_server(f"sqlite:///{folder}/plan.db", folder=folder, **settings) as url:
        yield url


def test_a_caller_is_told_its_quota_and_refused_beyond_it(limited: str) -> None:
    answers = [httpx2.get(f"{limited}/api/projects") for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert [answer.headers["ratelimit"].partition(";t=")[0] for answer in answers] == [
        f'"default";r={left}' for left in (4, 3, 2, 1, 0, 0)
    ]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"default";q=5;w=3600'}
    error = refused(answers[5], 429, "RATE_LIMIT_EXCEEDED")
    assert error["retryable"] is True
    assert 1 <= int(answers[5].headers["retry-after"]) <= 3600
    problem = httpx2.get(f"{limited}/api/v1/projects", headers={"Accept": "application/problem+json"}).json()
    assert problem["code"] == "RATE_LIMIT_EXCEEDED"
    # Machines that watch are not counted, and the quota of model routes is one of its own.
    for path in ("/health", "/health/ready", "/metrics"):
        assert httpx2.get(limited + path).status_code == 200
    model = httpx2.post(f"{limited}/api/v1/agent/chat")
    assert model.headers["ratelimit-policy"] == '"model";q=2;w=3600'
    # The short path names its successor, refused or not.
    assert answers[0].headers["sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"
    assert answers[0].headers["deprecation"] == "@1795392000"
    assert '</api/v1/projects>; rel="successor-version"' in answers[0].headers.get_list("link")
    assert "sunset" not in model.headers


def test_the_numbers_name_routes_and_not_paths(api: httpx2.Client, base_url: str) -> None:
    api.get("/projects/NOPE")
    api.get("/made/up/path")

    text = httpx2.get(f"{base_url}/metrics").text

    assert 'orchestrator_http_requests_total{method="GET",route="/api/v1/projects/{project_id}",status="404"}' in text
    assert 'route="none",status="404"' in text
    assert "made/up" not in text
    for name in ("http_request_duration_seconds_bucket", "http_requests_in_flight", "store_calls_waiting", "event_streams"):
        assert f"orchestrator_{name}" in text
    assert 'orchestrator_store_transactions_total{kind="read",outcome="done"}' in text


def test_a_claim_that_comes_too_late_is_counted_as_refused_and_no_failure(
    api: httpx2.Client, base_url: str, task: dict[str, Any]
) -> None:
    def writes() -> dict[str, float]:
        found = re.findall(
            r'transactions_total{kind="write",outcome="(refused|failed)"} (\S+)', httpx2.get(f"{base_url}/metrics").text
        )
        return {outcome: float(number) for outcome, number in found}

    data(api.post(f"/tasks/{task['key']}/claim", json={"agent": "ada"}))
    before = writes()

    refused(api.post(f"/tasks/{task['key']}/claim", json={"agent": "ben"}), 409, "CONCURRENT_UPDATE")

    assert writes() == {"refused": before["refused"] + 1, "failed": before["failed"]}


@pytest.mark.usefixtures("redis_server")
async def test_processes_with_one_redis_count_together() -> None:
    settings = Settings(_env_file=None, rate_limit_default="3/hour", redis_url=REDIS)
    caller = str(uuid4())
    processes = [RateLimits(settings), RateLimits(settings)]
    policy = processes[0].policy("GET", "/api/v1/projects")
    assert policy is not None

    taken = [(await processes[turn % 2].take(policy, caller)).allowed for turn in range(5)]
    for process in processes:
        await process.close()

    assert taken == [True, True, True, False, False]


async def test_without_its_redis_a_process_counts_by_itself_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    limits = RateLimits(Settings(_env_file=None, rate_limit_default="2/hour", redis_url="redis://127.0.0.1:1/0"))
    policy = limits.policy("GET", "/api/v1/projects")
    assert policy is not None

    with caplog.at_level(logging.WARNING):
        taken = [(await limits.take(policy, "ann")).allowed for _ in range(3)]
    await limits.close()

    assert taken == [True, True, False]
    assert len(caplog.records) == 1


def test_addresses_of_one_ipv6_network_are_one_caller() -> None:
    assert address_of(("2001:db8::1", 1)) == address_of(("2001:db8::ffff", 2))
    assert address_of(("192.0.2.1", 1)) != address_of(("192.0.2.2", 1))


@pytest.mark.usefixtures("redis_server")
def test_two_workers_answer_as_one_server(empty_postgres: str, tmp_path: Path) -> None:
    settings = {"WORKERS": "2", "AUTO_MIGRATE": "1", "REDIS_URL": REDIS, "RATE_LIMIT_DEFAULT": "100000/minute"}
    with running_server(empty_postgres, folder=tmp_path, **settings) as url:
        httpx2.post(f"{url}/api/v1/projects", json={"name": "Web", "key": "WEB"}, timeout=30).raise_for_status()
        for turn in range(40):  # a new connection each: any of the two may answer
            name, key = f"Web {turn}", {"Idempotency-Key": f"k{turn}"}
            first = httpx2.patch(f"{url}/api/v1/projects/WEB", json={"name": name}, headers=key)
            again = httpx2.patch(f"{url}/api/v1/projects/WEB", json={"name": name}, headers=key)
            assert data(httpx2.get(f"{url}/api/v1/projects/WEB"))["name"] == name
            assert data(first) == data(again)
            assert again.json()["metadata"]["replayed"] is True
        text = httpx2.get(f"{url}/metrics").text
    (count,) = [
        line
        for line in text.splitlines()
        if 'route="/api/v1/projects/{project_id}",status="200"' in line and "PATCH" in line and "requests_total" in line
    ]
    assert float(count.split()[-1]) == 80


@pytest.mark.usefixtures("redis_server")
def test_workers_share_the_quota_of_a_caller(empty_postgres: str, tmp_path: Path) -> None:
    settings = {"WORKERS": "2", "AUTO_MIGRATE": "1", "AUTH": "api_key", "REDIS_URL": REDIS, "RATE_LIMIT_DEFAULT": "20/hour"}
    with running_server(empty_postgres, folder=tmp_path, **settings) as url:
        orchestrator = Orchestrator(Settings(_env_file=None, database_url=empty_postgres))
        caller = {"Authorization": f"Bearer {access.create_api_key(orchestrator.context(), str(uuid4()), list(Scope)).key}"}
        orchestrator.close()
        # A new connection each: any of the two may answer.
        answers = [httpx2.get(f"{url}/api/v1/projects", headers=caller, timeout=30).status_code for _ in range(30)]

    assert answers == [200] * 20 + [429] * 10
