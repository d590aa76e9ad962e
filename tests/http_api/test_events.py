"""The event stream: what is applied, by whatever process, reaches every reader once; and what becomes of readers."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from core import events as feed
from core.events import EventFeed
from core.services import projects
from core.settings import Settings
from core.wiring import Orchestrator
from http_api import event_stream, sse
from http_api.app import create_app
from schemas.projects import ProjectCreate, ProjectUpdate
from tests.http_api.streams import PATIENCE, Message, read_message, streaming
from tests.support.http import data, refused
from tests.support.servers import gateway_environment, running_server


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'plan.db'}"


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("events")


@pytest.fixture(scope="module")
def gateway(shared_folder: Path) -> Iterator[str]:
    """The base URL of a gateway on a database of its own, with the projects WEB (event 1) and API (event 2)."""
    with running_server(f"sqlite:///{shared_folder / 'plan.db'}", folder=shared_folder) as base_url:
        for key in ("WEB", "API"):
            data(httpx2.post(f"{base_url}/api/v1/projects", json={"name": key, "key": key}))
        yield base_url


def rename(base_url: str, *names: str, key: str = "WEB") -> None:
    with httpx2.Client(base_url=f"{base_url}/api/v1", timeout=PATIENCE) as api:
        for name in names:
            data(api.patch(f"/projects/{key}", json={"name": name}))


def latest(base_url: str) -> int:
    """Return the place of the last event."""
    with streaming(base_url) as stream:
        return int(stream.opened.data["seq"])


def test_a_stream_tells_where_it_begins_and_then_every_applied_set(gateway: str) -> None:
    before, revision = latest(gateway), data(httpx2.get(f"{gateway}/api/v1/projects/WEB"))["revision"]
    with streaming(gateway) as stream:
        rename(gateway, "Website")
        event = stream.next()
        applied = data(httpx2.get(f"{gateway}/api/v1/patch-sets/{event.data['patch_set_id']}"))

    assert stream.answer.headers["content-type"].partition(";")[0] == "text/event-stream"
    assert stream.answer.headers["cache-control"] == "no-store"
    assert stream.answer.headers["x-accel-buffering"] == "no"
    assert stream.answer.headers["x-request-id"]
    assert stream.opened == Message(name="stream_opened", id=f"{before}", data={"seq": before}, retry="2000")
    assert (event.name, event.id) == ("patch_set_applied", f"{before + 1}")
    assert event.data["seq"] == applied["proposal"]["seq"] == before + 1
    assert [(project["key"], project["revision_before"], project["revision"]) for project in event.data["projects"]] == [
        ("WEB", revision, revision + 1)
    ]
    assert event.data["totals"]["updated"] == 1
    assert (event.data["author"], event.data["applied_by"]) == ("local", "local")


def test_what_other_processes_apply_arrives_too(gateway: str, shared_folder: Path, tmp_path: Path) -> None:
    database_url = f"sqlite:///{shared_folder / 'plan.db'}"
    with streaming(gateway) as stream:
        with running_server(database_url, folder=tmp_path) as second:
            rename(second, "By another gateway")
            by_gateway = stream.next().data
        command = [sys.executable, "-m", "core.cli", "revert", by_gateway["patch_set_id"]]
        subprocess.run(command, env=gateway_environment(database_url), cwd=tmp_path, check=True, capture_output=True, timeout=60)
        by_command = stream.next().data

    assert [by_gateway["seq"], by_command["seq"]] == [stream.opened.data["seq"] + 1, stream.opened.data["seq"] + 2]
    assert by_command["reverts"] == [by_gateway["patch_set_id"]]


async def test_a_reader_comes_back_after_a_restart_without_loss_or_repetition(database_url: str, tmp_path: Path) -> None:
    other = Orchestrator(Settings(database_url=database_url))
    other.start(create=True)
    await other.context().run(projects.create_project, ProjectCreate(name="Website", key="WEB"))
    with running_server(database_url, folder=tmp_path) as base_url, streaming(base_url, after=0) as stream:
        rename(base_url, "a", "b")
        heard = stream.seqs(2)  # and goes away before the last one

    for name in "cdef":  # while there is no gateway
        await other.context().run(projects.update_project, "WEB", ProjectUpdate(name=name))
    other.close()

    with running_server(database_url, folder=tmp_path) as base_url, streaming(base_url, after=heard[-1]) as stream:
        heard += stream.seqs(5)
        rename(base_url, "g")
        heard += stream.seqs(1)

    assert heard == list(range(1, 9))


def test_a_gateway_that_stops_ends_its_streams_and_says_so(database_url: str, tmp_path: Path) -> None:
    with ExitStack() as streams:
        with running_server(database_url, folder=tmp_path) as base_url:
            both = [streams.enter_context(streaming(base_url)) for _ in range(2)]
            data(httpx2.post(f"{base_url}/api/v1/projects", json={"name": "WEB"}))
            assert [stream.seqs(1) for stream in both] == [[1], [1]]
        last = [stream.rest() for stream in both]

    log = (tmp_path / "gateway.log").read_text("utf-8")
    assert last == [[Message(name="stream_closed", data={"reason": "shutdown", "seq": 1})]] * 2
    assert "timeout graceful shutdown exceeded" not in log
    assert '"level": "error"' not in log


def test_a_stream_can_be_that_of_one_project(gateway: str) -> None:
    id = data(httpx2.get(f"{gateway}/api/v1/projects/API"))["id"]

    with ExitStack() as open_streams:
        live, by_id = [open_streams.enter_context(streaming(gateway, project_id=name)) for name in ("api", id)]
        from_the_start = open_streams.enter_context(streaming(gateway, after=0, project_id="API"))
        now = live.opened.data["seq"]
        rename(gateway, "another project", key="WEB")
        rename(gateway, "heard", "heard", "heard again", key="API")  # the second changes nothing

        assert live.seqs(2) == by_id.seqs(2) == [now + 2, now + 4]
        assert from_the_start.seqs(3) == [2, now + 2, now + 4]


def test_a_page_that_cannot_set_the_header_names_its_place_in_the_query_until_the_browser_sends_the_header(gateway: str) -> None:
    with streaming(gateway, last_event_id="1") as page, streaming(gateway, last_event_id="0", after=1) as returning:
        assert (page.opened.id, page.seqs(1)) == ("1", [2])
        assert (returning.opened.id, returning.seqs(1)) == ("1", [2])
    with streaming(gateway, last_event_id="") as fresh:
        assert fresh.opened.data["seq"] >= 2


@pytest.mark.parametrize("id", ["x", "-1", "1.0", "1_0", "\u0661".encode(), "1" * 16, "9" * 15])
def test_a_place_that_is_none_of_the_history_is_refused(gateway: str, id: str | bytes) -> None:
    url = f"{gateway}/api/v1/events"

    header = httpx2.get(url, headers=[(b"Last-Event-ID", id if isinstance(id, bytes) else id.encode())])
    query = httpx2.get(url, params={"last_event_id": id})

    assert refused(header, 422, "VALIDATION_ERROR")["details"][0]["path"] == "/Last-Event-ID"
    assert refused(query, 422, "VALIDATION_ERROR")["details"][0]["path"] == "/last_event_id"


def test_other_refusals_are_those_of_every_route(gateway: str) -> None:
    url = f"{gateway}/api/v1/events"

    refused(httpx2.get(url, params={"project_id": "NONE"}), 404, "NOT_FOUND")
    refused(httpx2.get(url, params={"project": "WEB"}), 422, "VALIDATION_ERROR")
    refused(httpx2.get(url, headers={"Origin": "https://evil.example"}), 403, "FORBIDDEN")
    wrong_method = httpx2.post(url)
    refused(wrong_method, 405, "METHOD_NOT_ALLOWED")
    assert wrong_method.headers["allow"] == "GET, HEAD, OPTIONS"


def test_head_answers_without_a_stream(gateway: str) -> None:
    answer = httpx2.head(f"{gateway}/api/events/")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


# In this process, where a client can be one that does not read, and time can be short.


@pytest.fixture
def app(database_url: str) -> Iterator[FastAPI]:
    app = create_app(Settings(database_url=database_url))
    app.state.orchestrator.start(create=True)
    projects.create_project(app.state.orchestrator.context(), ProjectCreate(name="Website", key="WEB"))
    yield app
    app.state.orchestrator.close()


class Client:
    """One request for the stream; what it has not allowed to be sent, its connection holds back."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.gone = asyncio.Event()
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.reads.set()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await self.reads.wait()
        if body := message.get("body"):
            self.received.put_nowait(body)

    async def next(self) -> list[Message]:
        """Return the messages of the next chunk that is sent."""
        async with asyncio.timeout(PATIENCE):
            lines = iter((await self.received.get()).decode().splitlines())
        messages = []
        while True:
            try:
                messages.append(read_message(lines))
            except StopIteration:
                return messages


@asynccontextmanager
async def streamed(app: FastAPI, *, after: int | None = None) -> AsyncIterator[tuple[Client, "asyncio.Task[None]"]]:
    """Give a client of the stream, which has opened, and the task that serves it."""
    headers = [(b"host", b"127.0.0.1"), *([(b"last-event-id", b"%d" % after)] if after is not None else [])]
    scope = {"type": "http", "method": "GET", "path": "/api/v1/events", "query_string": b"", "headers": headers, "scheme": "http"}
    client = Client()
    serving = asyncio.create_task(app(scope, client.receive, client.send))
    assert [message.name for message in await client.next()] == ["stream_opened"]
    yield client, serving
    client.gone.set()
    client.reads.set()
    await asyncio.wait_for(serving, PATIENCE)


async def apply(app: FastAPI, times: int) -> None:
    for number in range(times):
        await app.state.orchestrator.context().run(projects.update_project, "WEB", ProjectUpdate(name=f"Website {number}"))


async def test_a_reader_that_does_not_read_is_dropped_and_gets_the_rest_when_it_comes_back(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "QUEUE", 3)
    async with streamed(app) as (slow, serving), streamed(app) as (quick, _):
        await apply(app, 1)
        assert [message.id for message in await slow.next()] == ["2"]
        slow.reads.clear()
        for seq in range(2, 9):
            assert [message.id for message in await quick.next()] == [str(seq)]
            await apply(app, 1)
        slow.reads.set()
        received = [message for _ in range(3) for message in await slow.next()]
        await asyncio.wait_for(serving, PATIENCE)
        place = received[-1].data["seq"]
        async with streamed(app, after=place) as (again, _):
            rest = await again.next()

    # 3 was held back by its connection, the next three by the gateway, and 7 was too many.
    assert [message.id for message in received[:-1]] == ["3", "4", "5", "6"]
    assert received[-1] == Message(name="stream_closed", data={"reason": "slow_reader", "seq": 6})
    assert [message.id for message in rest] == ["7", "8", "9"]


async def test_a_client_that_takes_nothing_for_long_is_left(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "SEND_SECONDS", 0.01)
    async with streamed(app) as (client, serving):
        client.reads.clear()
        await apply(app, 1)
        await asyncio.wait_for(serving, PATIENCE)

    assert client.received.empty()


async def test_a_client_that_goes_frees_its_place(app: FastAPI) -> None:
    orchestrator = app.state.orchestrator
    orchestrator.events = EventFeed(orchestrator.context().storage, orchestrator.context().runner, max_readers=1)

    async with streamed(app), httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1") as api:
        busy = await api.get("/api/v1/events")
    async with streamed(app) as (client, _):
        await apply(app, 1)
        (event,) = await client.next()

    refused(busy, 503, "SERVICE_UNAVAILABLE")
    assert busy.headers["retry-after"]
    assert event.id == "2"


async def test_a_quiet_stream_beats_and_its_place_moves_on(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.01)

    async with streamed(app) as (client, _):
        beats = [await client.next() for _ in range(2)]
        await apply(app, 1)
        while (await client.next())[-1].name != "patch_set_applied":
            pass
        later = await client.next()

    assert beats == [[Message(id="1", comment="heartbeat")]] * 2
    assert later == [Message(id="2", comment="heartbeat")]
