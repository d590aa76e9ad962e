"""Open streams end when the key they were opened with is revoked; those of other keys go on."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import SubscriptionLost

from core.context import Scope
from core.services import access, projects
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.access import NewApiKey
from schemas.projects import ProjectCreate, ProjectUpdate
from tests.mcp_server.clients import INITIALIZE, database_url
from tests.support.servers import running_server

PATIENCE = 30
WATCHED = "orchestrator://projects/WEB"
ACCEPT = {"Accept": "application/json, text/event-stream"}


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Orchestrator]:
    orchestrator = Orchestrator(Settings(_env_file=None, database_url=database_url(tmp_path)))
    orchestrator.start(create=True)
    projects.create_project(orchestrator.context(), ProjectCreate(name="Website", key="WEB"))
    yield orchestrator
    orchestrator.close()


@pytest.fixture
def gateway(tmp_path: Path, owner: Orchestrator) -> Iterator[str]:
    with running_server(database_url(tmp_path), folder=tmp_path, AUTH="api_key") as url:
        yield url


def new_key(owner: Orchestrator, name: str) -> NewApiKey:
    return access.create_api_key(owner.context(), name, [Scope.PROJECTS_READ])


@asynccontextmanager
async def caller(url: str, key: NewApiKey) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {key.key}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE) as http:
        yield http


@asynccontextmanager
async def events(http: httpx2.AsyncClient) -> AsyncIterator[AsyncIterator[str]]:
    """Give the lines of the event stream, which has been opened."""
    async with http.stream("GET", "/api/v1/events") as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == "event: stream_opened"
        yield lines


@asynccontextmanager
async def session(http: httpx2.AsyncClient) -> AsyncIterator[AsyncIterator[str]]:
    """Give the lines that an MCP session of the handshake era is sent, which watches a project."""
    headers: dict[str, str] = {}

    async def post(**message: Any) -> httpx2.Response:
        answer = await http.post("/mcp", json={"jsonrpc": "2.0", **message}, headers=ACCEPT | headers)
        assert answer.status_code < 300, answer.text
        return answer

    opened = await post(id=1, method="initialize", params=INITIALIZE)
    headers |= {"Mcp-Session-Id": opened.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25"}
    await post(method="notifications/initialized")
    await post(id=2, method="resources/subscribe", params={"uri": WATCHED})
    async with http.stream("GET", "/mcp", headers=ACCEPT | headers) as answer:
        assert answer.status_code == 200
        yield answer.aiter_lines()


async def listened(gateway: str, http: httpx2.AsyncClient, began: asyncio.Event) -> str:
    """Watch a project as clients of 2026-07-28 do, and return why that ended."""
    async with (
        Client(streamable_http_client(f"{gateway}/mcp", http_client=http), mode="2026-07-28") as client,
        client.listen(resource_subscriptions=[WATCHED]) as stream,
    ):
        began.set()
        try:
            async for _ in stream:
                pass
        except SubscriptionLost as lost:
            return str(lost.__cause__)
    return "without a word"


async def test_a_revoked_key_ends_every_open_stream_and_no_other(gateway: str, owner: Orchestrator) -> None:
    leaving, staying = new_key(owner, "leaving"), new_key(owner, "staying")
    listening = asyncio.Event()

    async with caller(gateway, leaving) as leaver, caller(gateway, staying) as stayer, events(stayer) as kept:
        async with events(leaver) as over_rest, session(leaver) as over_mcp, asyncio.timeout(PATIENCE):
            over_listen = asyncio.create_task(listened(gateway, leaver, listening))
            await listening.wait()
            access.revoke_api_key(owner.context(), leaving.api_key.id)
            told = [line async for line in over_rest]
            sent = [line async for line in over_mcp]
            ended = await over_listen
        projects.update_project(owner.context(), "WEB", ProjectUpdate(name="Still told"))
        while "patch_set_applied" not in await anext(kept):
            pass

    assert 'data: {"reason":"access_ended","seq":1}' in told
    assert not [line for line in sent if "resources/updated" in line]
    assert "UNAUTHORIZED" in ended
