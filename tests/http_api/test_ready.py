"""Answers that are ready to be sent again are never stale, whoever wrote meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx2
import pytest

from core.context import Context, Principal, local_owner
from core.errors import Forbidden, StorageBusy
from core.services.projects import ProjectJson
from core.services.tasks import update_task
from core.settings import Settings
from core.wiring import Orchestrator
from http_api.ready import CACHED_BYTES, Ready, ReadyProjects
from schemas.tasks import TaskUpdate
from tests.support.http import data, refused


def read(api: httpx2.Client, project: dict[str, Any], **query: Any) -> Any:
    return data(api.get(f"/projects/{project['key']}", params=query))


def test_a_repeated_read_is_the_same(api: httpx2.Client, project: dict[str, Any], task: dict[str, Any]) -> None:
    first, again = (api.get(f"/projects/{project['key']}") for _ in range(2))

    assert data(first) == data(again)
    assert first.headers["etag"] == again.headers["etag"]
    assert [item["key"] for item in data(again)["tasks"]] == [task["key"]]


def test_a_write_of_another_process_shows_in_the_next_read(
    api: httpx2.Client, gateway_folder: Path, project: dict[str, Any], task: dict[str, Any]
) -> None:
    read(api, project)
    other = Orchestrator(Settings(_env_file=None, database_url=f"sqlite:///{gateway_folder / 'plan.db'}"))
    other.start(create=False)
    try:
        update_task(other.context(), task["key"], TaskUpdate(title="Written elsewhere"))
    finally:
        other.close()

    assert read(api, project)["tasks"][0]["title"] == "Written elsewhere"


def test_readers_who_come_together_after_a_write_all_see_it(
    api: httpx2.Client, project: dict[str, Any], task: dict[str, Any]
) -> None:
    for title in ("Once more", "And again"):
        data(api.patch(f"/tasks/{task['key']}", json={"title": title}))

        with ThreadPoolExecutor(12) as pool:
            shown = list(pool.map(lambda _: read(api, project)["tasks"][0]["title"], range(24)))

        assert shown == [title] * 24


@pytest.mark.parametrize("name", ["key", "id"])
def test_every_variant_of_a_read_is_its_own(api: httpx2.Client, project: dict[str, Any], task: dict[str, Any], name: str) -> None:
    whole = data(api.get(f"/projects/{project[name]}"))
    bare = data(api.get(f"/projects/{project[name]}", params={"include_tasks": "false"}))

    assert [item["id"] for item in whole["tasks"]] == [task["id"]]
    assert bare["tasks"] is None
    assert data(api.get(f"/projects/{project[name].lower()}")) == whole


def test_a_deleted_project_is_gone_at_once_and_back_when_restored(
    api: httpx2.Client, project: dict[str, Any], task: dict[str, Any]
) -> None:
    read(api, project)

    api.delete(f"/projects/{project['key']}").raise_for_status()
    refused(api.get(f"/projects/{project['key']}"), 404, "DELETED_RESOURCE")
    api.post(f"/projects/{project['key']}/restore").raise_for_status()

    assert [item["id"] for item in read(api, project)["tasks"]] == [task["id"]]


def test_reads_that_come_together_are_all_answered(api: httpx2.Client, project: dict[str, Any], task: dict[str, Any]) -> None:
    names = [project["key"], "NOSUCH", project["id"]] * 20

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda name: api.get(f"/projects/{name}").status_code, names))

    assert answers == [200, 404, 200] * 20


class Store:
    """A runner that answers reads of projects when told to, and counts them."""

    def __init__(self) -> None:
        self.reads: list[list[str]] = []
        self.open = asyncio.Event()
        self.revisions: dict[str, int] = {}
        self.failure: Exception | None = None

    def context(self, workspace: str = "default") -> Context:
        ctx: Any = SimpleNamespace(principal=local_owner(workspace), today=date(2026, 11, 28), run=self.run)
        return cast("Context", ctx)

    async def run(self, _service: object, names: list[str], held: Callable[[str, int], bytes | None]) -> dict[str, ProjectJson]:
        self.reads.append(list(names))
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        return {name: self._shown(name, held) for name in names if name in self.revisions}

    def _shown(self, name: str, held: Callable[[str, int], bytes | None]) -> ProjectJson:
        revision = self.revisions[name]
        return ProjectJson(name, revision, held(name, revision) or f"{name} {revision}".encode())


async def bodies(*finding: Awaitable[Ready | None]) -> list[bytes | None]:
    return [None if ready is None else ready.body for ready in await asyncio.gather(*finding)]


async def test_reads_that_wait_together_share_the_next_read_and_each_project_is_read_once_in_it() -> None:
    store, projects = Store(), ReadyProjects(CACHED_BYTES)
    store.revisions = {"A": 1, "B": 2}
    first = asyncio.create_task(bodies(projects.find(store.context(), "A")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    later = asyncio.create_task(bodies(*(projects.find(store.context(), name) for name in ("B", "A", "NONE", "B"))))
    await asyncio.sleep(0)

    store.open.set()

    assert await first == [b"A 1"]
    assert await later == [b"B 2", b"A 1", None, b"B 2"]
    assert store.reads == [["A"], ["B", "A", "NONE"]]


async def test_workspaces_are_read_apart() -> None:
    store, projects = Store(), ReadyProjects(CACHED_BYTES)
    store.revisions = {"A": 1}
    store.open.set()

    await bodies(projects.find(store.context("one"), "A"), projects.find(store.context("two"), "A"))

    assert store.reads == [["A"], ["A"]]


async def test_a_failure_reaches_all_who_waited_and_nobody_who_comes_later() -> None:
    store, projects = Store(), ReadyProjects(CACHED_BYTES)
    store.revisions = {"A": 1}
    store.open.set()
    store.failure = StorageBusy()

    failed = await asyncio.gather(*(projects.find(store.context(), name) for name in "AAB"), return_exceptions=True)
    store.failure = None

    assert [type(one) for one in failed] == [StorageBusy] * 3
    assert await bodies(projects.find(store.context(), "A")) == [b"A 1"]


async def test_a_caller_who_leaves_takes_nothing_from_the_others() -> None:
    store, projects = Store(), ReadyProjects(CACHED_BYTES)
    store.revisions = {"A": 1}
    leaving, staying = (asyncio.create_task(projects.find(store.context(), "A")) for _ in range(2))
    await asyncio.sleep(0)

    leaving.cancel()
    store.open.set()

    assert await bodies(staying) == [b"A 1"]
    assert leaving.cancelled()


async def test_what_was_used_longest_ago_goes_when_there_is_no_room() -> None:
    store, projects = Store(), ReadyProjects(capacity=6)
    store.revisions = {"A": 1, "B": 1, "C": 1}
    store.open.set()
    held: list[bytes | None] = []

    for name in ("A", "B", "A", "C", "A", "B"):  # each takes three bytes
        was = projects._held.get(("default", name))
        held.append(None if was is None else was.body)
        await projects.find(store.context(), name)

    assert held == [None, None, b"A 1", None, b"A 1", None]


async def test_a_scope_is_asked_for_though_somebody_else_may_read() -> None:
    projects = ReadyProjects(CACHED_BYTES)
    ctx: Any = SimpleNamespace(principal=Principal(subject="blind", workspace="default", scopes=frozenset()))

    with pytest.raises(Forbidden):
        await projects.find(ctx, "A")
