"""A server is killed while fifty deliveries of one set are under way: delivered again, it has been applied once."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from core.services import patch_sets
from schemas.patches import PatchSet
from tests.concurrency.doors import DONE, REPLAYED, Outcome, rest_door
from tests.crash.workload import opened
from tests.mcp_server.clients import Wire, wire
from tests.support.audit import audit, read_tables
from tests.support.servers import gateway_process, running_server

DELIVERIES = 50
CUT = "cut off"
SET: dict[str, Any] = {
    "id": "ps_0000000000000001",
    "patches": [{"op": "create_task", "project": "WEB", "fields": {"title": f"Task {number}"}} for number in range(20)],
}
# Once the killed server has answered, all that comes later is a replay; if it has not, nobody knows.
AFTER_KILL = {0: ({DONE: 1, REPLAYED: DELIVERIES - 1}, {REPLAYED: DELIVERIES}), 1: ({REPLAYED: DELIVERIES},)}


def how(outcome: Outcome | BaseException) -> str:
    if isinstance(outcome, httpx2.TransportError):
        return CUT
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome.said


@pytest.fixture
def web(url: str) -> Iterator[str]:
    """A database with a project, which must hold what SET does, once."""
    orchestrator = opened(url)
    create = {"op": "create_project", "key": "WEB", "fields": {"name": "Web"}}
    patch_sets.apply_patch_set(orchestrator.context(), PatchSet(patches=[create]))
    orchestrator.close()
    yield url
    tables, _ = read_tables(url)
    assert [row["id"] for row in tables["patch_sets"] if row["seq"] == 2] == [SET["id"]]
    assert (len(tables["patch_sets"]), len(tables["tasks"])) == (2, 20)
    audit(url)


@pytest.mark.parametrize("answers", AFTER_KILL, ids=["before any answer", "after the first answer"])
async def test_over_rest(web: str, tmp_path: Path, answers: int) -> None:
    with gateway_process(web, folder=tmp_path) as (base_url, process):
        async with rest_door(base_url) as rest:
            deliveries = [asyncio.create_task(rest.apply(SET)) for _ in range(DELIVERIES)]
            if answers:
                await asyncio.wait(deliveries, return_when=asyncio.FIRST_COMPLETED)
            process.kill()
            first = await asyncio.gather(*deliveries, return_exceptions=True)
    assert {how(outcome) for outcome in first} <= {DONE, REPLAYED, CUT}

    with running_server(web, folder=tmp_path) as base_url:
        async with rest_door(base_url) as rest:
            again = await asyncio.gather(*(rest.apply(SET) for _ in range(DELIVERIES)))

    assert Counter(outcome.said for outcome in again) in AFTER_KILL[answers]


@pytest.mark.parametrize("answers", AFTER_KILL, ids=["before any answer", "after the first answer"])
def test_over_mcp(web: str, tmp_path: Path, answers: int) -> None:
    with wire(tmp_path, DATABASE_URL=web) as server:
        _send(server)
        if answers:
            assert _said(server) in (DONE, REPLAYED)
        server.process.kill()

    with wire(tmp_path, DATABASE_URL=web) as server:
        _send(server)
        again = Counter(_said(server) for _ in range(DELIVERIES))

    assert again in AFTER_KILL[answers]


def _send(server: Wire) -> None:
    server.shake_hands()
    for number in range(DELIVERIES):
        call = {"name": "apply_patch_set", "arguments": SET}
        server.send({"jsonrpc": "2.0", "id": number + 2, "method": "tools/call", "params": call})


def _said(server: Wire) -> str:
    """Return the next answer, past notifications."""
    answer = server.receive()
    while "id" not in answer:
        answer = server.receive()
    return REPLAYED if answer["result"]["structuredContent"]["replayed"] else DONE
