"""MCP over streamable HTTP: beside REST in one process, and alone; both eras, each caller with its own rights."""

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ResourceUpdated
from mcp.types import ElicitResult, ResourceUpdatedNotification

from core.context import Scope
from core.services import access, projects
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.projects import ProjectCreate, ProjectUpdate
from tests.mcp_server.clients import COMMAND, ERAS, INITIALIZE, Tools, database_url, http_server, modern
from tests.support.servers import gateway_environment, gateway_process

pytestmark = pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")  # the handshake era's requests

SECRET = "s" * 32
PATIENCE = 20
WATCHED = "orchestrator://projects/WEB"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("http")


@pytest.fixture(scope="module")
def owner(folder: Path) -> Iterator[Orchestrator]:
    """Another process on the same database."""
    orchestrator = Orchestrator(Settings(_env_file=None, database_url=database_url(folder)))
    orchestrator.start(create=True)
    projects.create_project(orchestrator.context(), ProjectCreate(name="Website", key="WEB"))
    yield orchestrator
    orchestrator.close()


@pytest.fixture(scope="module")
def keys(owner: Orchestrator) -> dict[str, str]:
    """API keys, by what they may do."""
    read, propose, apply = Scope.PROJECTS_READ, Scope.PATCHES_PROPOSE, Scope.PATCHES_APPLY
    wanted = {"reader": [read], "proposer": [read, propose], "owner": list(Scope), "leaver": [read, apply]}
    return {name: access.create_api_key(owner.context(), name, scopes).key for name, scopes in wanted.items()}


@pytest.fixture(scope="module")
def gateway(folder: Path, owner: Orchestrator) -> Iterator[str]:
    with gateway_process(database_url(folder), folder=folder, APPROVAL="elicit") as (url, _):
        yield url


@pytest.fixture(scope="module")
def guarded(folder: Path, keys: dict[str, str]) -> Iterator[str]:
    with http_server(folder, AUTH="api_key") as (url, _):
        yield url


@asynccontextmanager
async def http_tools(url: str, era: str, key: str | None = None, **options: Any) -> AsyncIterator[Tools]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=PATIENCE) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=era, **options) as client,
    ):
        yield Tools(client)


def rename(by: Orchestrator, name: str) -> None:
    projects.update_project(by.context(), "WEB", ProjectUpdate(name=name))


@pytest.mark.parametrize("era", ERAS)
async def test_mcp_and_rest_of_one_process_show_the_same_plan(gateway: str, era: str) -> None:
    async with http_tools(gateway, era) as tools:
        listed = await tools.client.list_tools()
        shown = await tools.ask("get_project", project="WEB")
    over_rest = httpx2.get(f"{gateway}/api/v1/projects/WEB").json()["data"]

    assert len(listed.tools) == 14
    assert f"revision {over_rest['revision']}" in shown


@pytest.mark.parametrize("era", ERAS)
async def test_the_user_is_asked_over_http(gateway: str, era: str) -> None:
    asked: list[str] = []

    async def agree(_: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"approve": True})

    patches = [{"op": "create_task", "project": "WEB", "fields": {"title": f"Asked in {era}"}}]
    async with http_tools(gateway, era, elicitation_callback=agree) as tools:
        applied = await tools.ask("apply_patch_set", patches=patches)

    assert len(asked) == 1
    assert "1 created" in asked[0]
    assert applied.startswith("Applied")


@pytest.mark.parametrize("era", ERAS)
async def test_changes_are_announced_over_http(gateway: str, owner: Orchestrator, era: str) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()

    async def hear(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            told.put_nowait(message.params.uri)

    async with http_tools(gateway, era, message_handler=hear) as tools:
        if era == "legacy":
            await tools.client.subscribe_resource(WATCHED)
            await asyncio.sleep(0.2)  # the stream that carries notifications is opened beside the calls
            await asyncio.to_thread(rename, owner, "Told to sessions")
            assert await asyncio.wait_for(told.get(), PATIENCE) == WATCHED
        else:
            async with tools.client.listen(resource_subscriptions=[WATCHED]) as stream:
                await asyncio.to_thread(rename, owner, "Told to streams")
                assert await asyncio.wait_for(anext(stream), PATIENCE) == ResourceUpdated(WATCHED)


def test_foreign_hosts_origins_and_paths_are_refused(gateway: str, guarded: str) -> None:
    for url in (gateway, guarded):
        answers = [
            httpx2.post(f"{url}/mcp", json={}, headers={"Host": "evil.example"}),
            httpx2.post(f"{url}/mcp", json={}, headers={"Origin": "https://evil.example"}),
            httpx2.get(f"{url}/nothing"),
        ]
        assert [answer.status_code for answer in answers] == [403, 403, 404]


@pytest.mark.parametrize("era", ERAS)
async def test_a_key_that_may_only_propose_cannot_apply(guarded: str, keys: dict[str, str], era: str) -> None:
    patches = [{"op": "create_task", "project": "WEB", "fields": {"title": "Wished"}}]

    async with http_tools(guarded, era, keys["proposer"]) as tools:
        proposed = await tools.facts("propose_patch_set", patches=patches)
        refused = await tools.refused("apply_patch_set", id=proposed["id"])
    async with http_tools(guarded, era, keys["owner"]) as tools:
        shown = await tools.facts("get_patch_set", id=proposed["id"])

    assert refused.code == "FORBIDDEN"
    assert "this needs the scope patches:apply; propose it, and somebody who holds that scope can apply it" in refused.text
    assert shown["author"] == "proposer"


def test_without_a_valid_key_nothing_is_said(guarded: str) -> None:
    without = httpx2.post(f"{guarded}/mcp", json={})
    wrong = httpx2.post(f"{guarded}/mcp", json={}, headers={"Authorization": "Bearer orc_wrong"})

    assert (without.status_code, without.headers["www-authenticate"]) == (401, "Bearer")
    assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert wrong.json()["error"]["message"].startswith("UNAUTHORIZED: ")


def post(url: str, key: str | None, body: dict[str, Any], **headers: str) -> httpx2.Response:
    accept = {"Accept": "application/json, text/event-stream"} | ({"Authorization": f"Bearer {key}"} if key else {})
    return httpx2.post(f"{url}/mcp", json={"jsonrpc": "2.0", **body}, headers=accept | headers, timeout=PATIENCE)


def test_a_session_belongs_to_its_caller(guarded: str, keys: dict[str, str]) -> None:
    opened = post(guarded, keys["owner"], {"id": 1, "method": "initialize", "params": INITIALIZE})
    session = {"Mcp-Session-Id": opened.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25"}
    listing = {"id": 2, "method": "tools/list"}

    assert post(guarded, keys["owner"], listing, **session).status_code == 200
    assert post(guarded, keys["reader"], listing, **session).status_code == 404


def test_with_a_shared_secret_any_process_answers_any_request(folder: Path, owner: Orchestrator) -> None:
    """Two processes take turns within one apply: the question is answered to the one that has not asked it."""
    settings = {"MCP_SHARED_SECRET": SECRET, "APPROVAL": "elicit"}
    patches = [{"op": "create_task", "project": "WEB", "fields": {"title": "Shared"}}]
    params = modern({"name": "apply_patch_set", "arguments": {"patches": patches}})
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = {"elicitation": {"form": {}}}
    about = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "apply_patch_set"}

    with http_server(folder, **settings) as (first, _), http_server(folder, **settings) as (second, _):
        opened = post(first, None, {"id": 1, "method": "initialize", "params": INITIALIZE})
        listed = post(second, None, {"id": 2, "method": "tools/list"}, **{"MCP-Protocol-Version": "2025-11-25"})
        asked = body_of(post(first, None, {"id": 3, "method": "tools/call", "params": params}, **about))
        [question] = asked["inputRequests"]
        params["inputResponses"] = {question: {"action": "accept", "content": {"approve": True}}}
        params["requestState"] = asked["requestState"]
        applied = body_of(post(second, None, {"id": 4, "method": "tools/call", "params": params}, **about))

    assert "mcp-session-id" not in opened.headers
    assert listed.status_code == 200
    assert asked["resultType"] == "input_required"
    assert applied["content"][0]["text"].startswith("Applied")


def test_a_message_larger_than_a_body_may_be_is_refused(gateway: str, guarded: str, keys: dict[str, str]) -> None:
    comment = {"name": "add_comment", "arguments": {"task": "WEB-1", "body": "x" * (4 * 1024 * 1024)}}
    call = {"id": 1, "method": "tools/call", "params": modern(comment)}
    about = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "add_comment"}

    for answer in (post(gateway, None, call, **about), post(guarded, keys["owner"], call, **about)):
        assert (answer.status_code, answer.json()["id"]) == (413, None)
        assert answer.json()["error"]["message"].startswith("BODY_TOO_LARGE: ")


def test_a_compressed_message_is_refused_as_one(gateway: str, guarded: str, keys: dict[str, str]) -> None:
    about = {"Content-Encoding": "gzip", "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}
    call = {"id": 1, "method": "tools/list", "params": modern({})}

    for answer in (post(gateway, None, call, **about), post(guarded, keys["owner"], call, **about)):
        assert (answer.status_code, answer.json()["error"]["message"]) == (
            415,
            "UNSUPPORTED_MEDIA_TYPE: The body must be sent as it is, without Content-Encoding.",
        )


def test_a_client_that_listens_only_after_sending_hears_that_its_message_is_too_large(gateway: str) -> None:
    """Hung up on with bytes unread, it would see a reset connection instead of the answer."""
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json", "Connection": "close"}

    with closing(HTTPConnection(gateway.removeprefix("http://"), timeout=PATIENCE)) as connection:
        connection.request("POST", "/mcp", b" " * (16 * 1024 * 1024), headers)
        answer = connection.getresponse()
        error = json.load(answer)["error"]

    assert (answer.status, error["code"]) == (413, -32600)
    assert error["message"].startswith("BODY_TOO_LARGE: ")


def test_a_client_that_leaves_in_the_middle_of_its_message_harms_nobody(gateway: str) -> None:
    with closing(HTTPConnection(gateway.removeprefix("http://"), timeout=PATIENCE)) as connection:
        connection.putrequest("POST", "/mcp")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b'{"jsonrpc": "2.0"')

    call = {"id": 1, "method": "tools/call", "params": modern({"name": "list_projects"})}
    about = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "list_projects"}
    assert post(gateway, None, call, **about).status_code == 200


def test_blanks_around_the_value_of_a_header_are_no_part_of_it(gateway: str) -> None:
    headers = {
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": " list_projects \t",  # httpx would not send it
    }
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": modern({"name": "list_projects"})}

    with closing(HTTPConnection(gateway.removeprefix("http://"), timeout=PATIENCE)) as connection:
        connection.request("POST", "/mcp", json.dumps(call), headers)
        answer = connection.getresponse()
        text = answer.read().decode()

    assert answer.status == 200
    assert '"isError":false' in text


def body_of(answer: httpx2.Response) -> dict[str, Any]:
    line = next(line for line in answer.text.splitlines() if '"result"' in line)
    result: dict[str, Any] = json.loads(line.removeprefix("data: "))["result"]
    return result


async def test_a_stop_ends_streams_and_the_process(folder: Path, owner: Orchestrator) -> None:
    with http_server(folder) as (url, process):
        async with http_tools(url, "2026-07-28") as tools, tools.client.listen(resource_subscriptions=[WATCHED]) as stream:
            process.send_signal(signal.SIGTERM)
            rest = [event async for event in stream]
            began = time.monotonic()
            await asyncio.to_thread(process.wait, 10)

    assert rest == []
    assert process.returncode in (0, -signal.SIGTERM)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("address", "why"),
    [("8001", "must be HOST:PORT"), ("0.0.0.0:0", "AUTH=none lets everybody in"), ("127.0.0.1:x", "HOST:PORT")],
)
def test_an_address_that_cannot_be_served_is_one_clear_line(tmp_path: Path, address: str, why: str) -> None:
    environment = gateway_environment(database_url(tmp_path))
    done = subprocess.run(
        [*COMMAND, "--http", address], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1
