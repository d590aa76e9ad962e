"""Two server processes on one database, each creating and updating at its own pace: nothing is lost, no key given twice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.concurrency.doors import DONE, Door, mcp_door, rest_door
from tests.support.audit import audit, read_tables
from tests.support.servers import running_server

CREATES, UPDATES = 100, 50  # by each server; every other creation is followed by an update


@asynccontextmanager
async def rest_server(url: str, folder: Path) -> AsyncIterator[Door]:
    with running_server(url, folder=folder) as base_url:
        async with rest_door(base_url) as door:
            yield door


Server = Callable[[str, Path], AbstractAsyncContextManager[Door]]


async def work(door: Door, number: int) -> dict[str, str]:
    """Create tasks of its own, and rename tasks that were there; return the title of every task it was told of."""
    titles: dict[str, str] = {}
    for turn in range(CREATES):
        create: dict[str, Any] = {
            "op": "create_task",
            "ref": "$new",
            "project": "WEB",
            "fields": {"title": f"{number} made {turn}"},
        }
        made = await door.apply({"patches": [create]})
        assert made.said == DONE
        titles[made.key("$new")] = f"{number} made {turn}"
        if turn % 2:
            key, title = f"WEB-{number * UPDATES + turn // 2 + 1}", f"{number} named {turn}"
            renamed = await door.apply({"patches": [{"op": "update_task", "task": key, "fields": {"title": title}}]})
            assert renamed.said == DONE
            titles[key] = title
    return titles


@pytest.mark.parametrize("servers", [(mcp_door, mcp_door), (rest_server, mcp_door)], ids=["two MCP servers", "REST and MCP"])
async def test_two_servers_lose_nothing_and_give_no_key_twice(url: str, tmp_path: Path, servers: tuple[Server, Server]) -> None:
    tasks = [{"op": "create_task", "project": "$web", "fields": {"title": "There"}} for _ in range(2 * UPDATES)]
    web = {"op": "create_project", "ref": "$web", "key": "WEB", "fields": {"name": "Web"}}
    async with servers[0](url, tmp_path) as first, servers[1](url, tmp_path) as second:
        assert (await first.apply({"patches": [web, *tasks]})).said == DONE
        told = await asyncio.gather(work(first, 0), work(second, 1))

    assert len(told[0] | told[1]) == len(told[0]) + len(told[1]) == 2 * (CREATES + UPDATES)
    tables, _ = read_tables(url)
    assert {row["key"]: row["title"] for row in tables["tasks"]} == told[0] | told[1]
    audit(url)
