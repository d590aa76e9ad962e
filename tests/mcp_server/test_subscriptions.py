"""Watched resources are announced when they change, in either era and whichever process changed them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.subscriptions import ResourceUpdated
from mcp.types import ResourceUpdatedNotification

from core.services import patch_sets, projects
from core.settings import Settings
from core.wiring import Orchestrator
from mcp_server.server import build_server
from mcp_server.subscriptions import concerns
from schemas.changes import Totals
from schemas.events import Event, EventProject
from schemas.patches import PatchSet
from schemas.projects import ProjectCreate, ProjectUpdate
from tests.mcp_server.clients import COMMAND, ERAS, database_url, modern, wire
from tests.support.servers import gateway_environment

pytestmark = pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")  # the handshake era's requests

PATIENCE = 20


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Orchestrator]:
    """Another process on the same database, where the projects WEB and API are."""
    orchestrator = Orchestrator(Settings(_env_file=None, database_url=database_url(tmp_path)))
    orchestrator.start(create=True)
    for key in ("WEB", "API"):
        projects.create_project(orchestrator.context(), ProjectCreate(name=key, key=key))
    apply(orchestrator, {"op": "create_task", "project": "WEB", "fields": {"title": "Ship"}})
    yield orchestrator
    orchestrator.close()


def apply(by: Orchestrator, *patches: dict[str, Any]) -> str:
    """Apply patches and return the id of their set."""
    return str(patch_sets.apply_patch_set(by.context(), PatchSet(patches=list(patches))).patch_set_id)


def rename(by: Orchestrator, key: str, name: str) -> None:
    projects.update_project(by.context(), key, ProjectUpdate(name=name))


@dataclass
class Watching:
    """A client that is told of changes."""

    client: Client
    era: str
    told: "asyncio.Queue[str]"

    @asynccontextmanager
    async def watch(self, *uris: str) -> AsyncIterator[Callable[[], Awaitable[str]]]:
        """Watch resources as clients of the era do; gives a function that waits for the next one announced."""
        if self.era == "legacy":
            for uri in uris:
                await self.client.subscribe_resource(uri)
            yield lambda: asyncio.wait_for(self.told.get(), PATIENCE)
            for uri in uris:
                await self.client.unsubscribe_resource(uri)
            return
        async with self.client.listen(resource_subscriptions=uris) as stream:

            async def announced() -> str:
                event = await asyncio.wait_for(anext(stream), PATIENCE)
                assert isinstance(event, ResourceUpdated)
                return event.uri

            yield announced


@asynccontextmanager
async def connected(target: Any, era: str) -> AsyncIterator[Watching]:
    told: asyncio.Queue[str] = asyncio.Queue()

    async def hear(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            told.put_nowait(message.params.uri)

    async with Client(target, mode=era, message_handler=hear) as client:
        yield Watching(client, era, told)


def process(folder: Path) -> StdioServerParameters:
    environment = gateway_environment(database_url(folder))
    return StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=environment, cwd=folder)


@pytest.mark.parametrize("era", ERAS)
async def test_what_another_process_changes_is_announced(tmp_path: Path, other: Orchestrator, era: str) -> None:
    update = {"op": "update_task", "task": "WEB-1", "fields": {"title": "Ship it"}}
    proposed = patch_sets.propose_patch_set(other.context(), PatchSet(patches=[update])).id
    uris = ["orchestrator://projects/WEB", "orchestrator://tasks/WEB-1", f"orchestrator://patch-sets/{proposed}"]

    async with connected(process(tmp_path), era) as watching, watching.watch(*uris) as announced:
        patch_sets.apply_proposal(other.context(), proposed)
        told = {await announced() for _ in uris}
        read = await watching.client.read_resource(uris[1])

    assert told == set(uris)
    assert "Ship it" in read.model_dump_json()


@pytest.mark.parametrize("era", ERAS)
async def test_what_the_server_itself_changes_is_announced(tmp_path: Path, other: Orchestrator, era: str) -> None:
    uri = "orchestrator://tasks/WEB-1"
    arguments = {"task": "WEB-1", "body": "Seen"}

    async with connected(process(tmp_path), era) as watching, watching.watch(uri) as announced:
        result = await watching.client.call_tool("add_comment", arguments)
        told = await announced()

    assert not result.is_error
    assert told == uri


NOTHING = [
    "orchestrator://projects/NONE",
    "orchestrator://projects/",
    "orchestrator://tasks/WEB-99",
    "orchestrator://patch-sets/ps_0000000000000000",
    "orchestrator://schemas/other",
    "orchestrator://elsewhere/WEB",
    "https://example.com/projects/WEB",
    "orchestrator://projects/" + "W" * 300,
]


@pytest.mark.parametrize("uri", NOTHING)
async def test_what_names_nothing_cannot_be_watched_by_clients_of_the_handshake_era(other: Orchestrator, uri: str) -> None:
    async with connected(build_server(other), "legacy") as watching:
        with pytest.raises(MCPError, match="There is no such resource") as refused:
            await watching.client.subscribe_resource(uri)

    assert refused.value.error.data == {"uri": uri}


async def test_a_stream_honours_only_what_names_something(other: Orchestrator) -> None:
    served = ["orchestrator://projects/web", "orchestrator://tasks/WEB-1", "orchestrator://schemas/patch-set"]

    async with (
        connected(build_server(other), "2026-07-28") as watching,
        watching.client.listen(resource_subscriptions=[*NOTHING, *served]) as stream,
    ):
        honoured = stream.honored.resource_subscriptions

    assert honoured == served


@pytest.mark.parametrize("era", ERAS)
async def test_what_has_been_deleted_can_be_watched_until_it_comes_back(other: Orchestrator, era: str) -> None:
    projects.delete_project(other.context(), "API")

    async with connected(build_server(other), era) as watching, watching.watch("orchestrator://projects/API") as announced:
        await asyncio.to_thread(projects.restore_project, other.context(), "API")
        told = await announced()

    assert told == "orchestrator://projects/API"


@pytest.mark.parametrize("era", ERAS)
async def test_only_what_is_watched_is_announced(tmp_path: Path, other: Orchestrator, era: str) -> None:
    uri = "orchestrator://projects/API"

    async with connected(process(tmp_path), era) as watching, watching.watch(uri) as announced:
        rename(other, "WEB", "Not watched")
        rename(other, "API", "Watched")
        told = [await announced()]
        rename(other, "API", "Watched still")
        told.append(await announced())

    assert told == [uri, uri]


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_the_capability_is_declared(tmp_path: Path, other: Orchestrator, era: str) -> None:
    async with connected(process(tmp_path), era) as watching:
        resources = watching.client.server_capabilities.resources

    assert resources is not None
    assert resources.subscribe is True


@pytest.mark.parametrize("era", ERAS)
async def test_each_client_is_told_of_its_own_and_the_database_is_watched_only_meanwhile(
    tmp_path: Path, other: Orchestrator, era: str
) -> None:
    server = build_server(other)

    async with connected(server, era) as first, connected(server, era) as second:
        idle = watches()
        async with AsyncExitStack() as subscribed:
            web = await subscribed.enter_async_context(first.watch("orchestrator://projects/WEB"))
            both = await subscribed.enter_async_context(
                second.watch("orchestrator://projects/WEB", "orchestrator://projects/API")
            )
            busy = watches()
            rename(other, "API", "One")
            told = [await both()]
            rename(other, "WEB", "Two")
            told += [await both(), await web()]
        await ended(busy)
        rename(other, "WEB", "Nobody is told")
        async with first.watch("orchestrator://projects/API") as announced:
            rename(other, "API", "Three")
            again = await announced()

    assert (len(idle), len(busy)) == (0, 1)
    assert told == ["orchestrator://projects/API", "orchestrator://projects/WEB", "orchestrator://projects/WEB"]
    assert again == "orchestrator://projects/API"


async def test_a_client_that_leaves_without_a_word_is_forgotten(tmp_path: Path, other: Orchestrator) -> None:
    server = build_server(other)

    async with connected(server, "legacy") as client:
        await client.client.subscribe_resource("orchestrator://projects/WEB")
        busy = watches()

    await ended(busy)
    assert len(busy) == 1


def watches() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "history-watch"]


async def ended(threads: list[threading.Thread]) -> None:
    for thread in threads:
        await asyncio.to_thread(thread.join, PATIENCE)
        assert not thread.is_alive()


async def test_a_stream_of_the_stateless_era_ends_gracefully_with_the_process(tmp_path: Path, other: Orchestrator) -> None:
    uris = ["orchestrator://projects/WEB"]

    async with connected(build_server(other), "auto") as watching, watching.client.listen(resource_subscriptions=uris) as stream:
        other.events.close()
        rest = [event async for event in stream]

    assert rest == []


async def test_in_the_handshake_era_a_foreign_resource_is_refused(tmp_path: Path, other: Orchestrator) -> None:
    async with connected(build_server(other), "legacy") as watching:
        with pytest.raises(MCPError) as refused:
            await watching.client.subscribe_resource("https://example.com/")

    assert refused.value.code == -32602


@pytest.mark.parametrize("era", ERAS)
async def test_a_database_that_cannot_be_opened_is_said(tmp_path: Path, era: str) -> None:
    orchestrator = Orchestrator(Settings(_env_file=None, database_url=f"sqlite:///{tmp_path}/missing/plan.db"))

    async with connected(build_server(orchestrator), era) as watching:
        with pytest.raises(MCPError, match="DATABASE_ERROR"):
            async with watching.watch("orchestrator://projects/WEB"):
                pass
    orchestrator.close()


def test_a_process_whose_resources_are_watched_ends_with_its_stdin(tmp_path: Path) -> None:
    watch = {"notifications": {"resourceSubscriptions": ["orchestrator://projects/WEB"]}}

    with wire(tmp_path) as server:
        acknowledged = server.ask(1, "subscriptions/listen", modern(watch))
        server.process.communicate(timeout=10)
        server.process.stdin = None

    assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
    assert server.process.returncode == 0


@pytest.mark.parametrize(
    ("uri", "changed"),
    [
        ("orchestrator://projects/WEB", True),
        ("orchestrator://projects/web", True),
        ("orchestrator://projects/01A20728-5abb-77c8-96e8-8c8fab3ea9e0", True),
        ("orchestrator://projects/WEBB", False),
        ("orchestrator://projects/01a20728-5abb-77c8-96e8-8c8fab3ea9e1", False),
        ("orchestrator://tasks/WEB-14", True),
        ("orchestrator://tasks/web-14", True),
        ("orchestrator://tasks/API-14", False),
        ("orchestrator://tasks/01a20728-0000-77c8-96e8-8c8fab3ea9e0", True),  # perhaps; its project is not known
        ("orchestrator://patch-sets/ps_8jfbnct8hqgvyn05", True),
        ("orchestrator://patch-sets/ps_8jfbnct8hqgvyn06", False),
        ("orchestrator://schemas/patch-set", False),
        ("orchestrator://", False),
    ],
)
def test_an_event_concerns_its_set_its_projects_and_their_tasks(uri: str, changed: bool) -> None:
    web = EventProject(id="01a20728-5abb-77c8-96e8-8c8fab3ea9e0", key="WEB", revision_before=1, revision=2)
    event = Event(
        seq=1,
        patch_set_id="ps_8jfbnct8hqgvyn05",
        summary="",
        engine="caller",
        author="ada",
        applied_by="ada",
        applied_at=datetime(2026, 3, 2, tzinfo=UTC),
        reverts=[],
        projects=[web],
        totals=Totals(updated=1),
    )

    assert concerns(event, uri) is changed
