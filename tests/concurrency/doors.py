"""Two server processes on one database: the REST gateway, and an MCP server over stdio."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx2

from core.executor import PATIENCE_SECONDS
from tests.mcp_server.clients import Tools, stdio_tools

DONE, REPLAYED = "done", "replayed"


@dataclass
class Outcome:
    """How one delivery was answered."""

    said: str  # DONE, REPLAYED or the code of a refusal
    facts: dict[str, Any] = field(default_factory=dict)

    def key(self, ref: str) -> str:
        """Return the key that a ref of the set has got."""
        target = self.facts["refs"][ref]
        return str(target["key"] if isinstance(target, dict) else target)


async def _served(deliver: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Deliver, and again after STORAGE_BUSY, which a server says of a lock only when it has waited for it; see `Caller`."""
    while True:
        began = time.monotonic()
        outcome = await deliver()
        if outcome.said != "STORAGE_BUSY":
            return outcome
        assert time.monotonic() - began >= PATIENCE_SECONDS, "it gave up without having tried"


class Door(Protocol):
    """What both servers do with patch sets."""

    async def apply(self, patch_set: dict[str, Any]) -> Outcome: ...
    async def propose(self, patch_set: dict[str, Any]) -> Outcome: ...
    async def apply_proposal(self, id: str, only: list[int] | None = None) -> Outcome: ...
    async def reject(self, id: str) -> Outcome: ...
    async def rebase(self, id: str) -> Outcome: ...
    async def revert(self, id: str) -> Outcome: ...


class Rest:
    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def apply(self, patch_set: dict[str, Any]) -> Outcome:
        return await self._post("/planner/apply", patch_set)

    async def propose(self, patch_set: dict[str, Any]) -> Outcome:
        return await self._post("/patch-sets", patch_set)

    async def apply_proposal(self, id: str, only: list[int] | None = None) -> Outcome:
        return await self._post(f"/patch-sets/{id}/apply", {"only": only})

    async def reject(self, id: str) -> Outcome:
        return await self._post(f"/patch-sets/{id}/reject", {})

    async def rebase(self, id: str) -> Outcome:
        return await self._post(f"/patch-sets/{id}/rebase")

    async def revert(self, id: str) -> Outcome:
        return await self._post(f"/patch-sets/{id}/revert")

    async def get(self, path: str) -> dict[str, Any]:
        answer = (await self._client.get(path)).json()
        assert answer["success"], answer
        data: dict[str, Any] = answer["data"]
        return data

    async def _post(self, path: str, body: dict[str, Any] | None = None) -> Outcome:
        return await _served(lambda: self._deliver(path, body))

    async def _deliver(self, path: str, body: dict[str, Any] | None) -> Outcome:
        answer = (await self._client.post(path, json=body)).json()
        if not answer["success"]:
            return Outcome(answer["error"]["code"])
        return Outcome(REPLAYED if answer["metadata"].get("replayed") else DONE, answer["data"])


class Mcp:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def apply(self, patch_set: dict[str, Any]) -> Outcome:
        return await self._call("apply_patch_set", **patch_set)

    async def propose(self, patch_set: dict[str, Any]) -> Outcome:
        return await self._call("propose_patch_set", **patch_set)

    async def apply_proposal(self, id: str, only: list[int] | None = None) -> Outcome:
        return await self._call("apply_patch_set", id=id, **({} if only is None else {"only": only}))

    async def reject(self, id: str) -> Outcome:
        return await self._call("reject_patch_set", id=id)

    async def rebase(self, id: str) -> Outcome:
        return await self._call("propose_patch_set", rebase=id)

    async def revert(self, id: str) -> Outcome:
        return await self._call("revert_patch_set", id=id)

    async def _call(self, tool: str, /, **arguments: Any) -> Outcome:
        return await _served(lambda: self._deliver(tool, arguments))

    async def _deliver(self, tool: str, arguments: dict[str, Any]) -> Outcome:
        result = await self._tools.call(tool, **arguments)
        facts: dict[str, Any] = result.structured_content or {}
        if result.is_error:
            return Outcome(facts["code"])
        return Outcome(REPLAYED if facts.get("replayed") else DONE, facts)


@asynccontextmanager
async def rest_door(base_url: str) -> AsyncIterator[Rest]:
    """Speak to a gateway that runs."""
    async with httpx2.AsyncClient(base_url=f"{base_url}/api/v1", timeout=60) as client:
        yield Rest(client)


@asynccontextmanager
async def mcp_door(url: str, folder: Path) -> AsyncIterator[Mcp]:
    """Start an MCP server on the database at `url`."""
    async with stdio_tools(folder, DATABASE_URL=url) as tools:
        yield Mcp(tools)
