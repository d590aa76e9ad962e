"""Clients of the MCP server: the SDK's own, over stdio to a real process or in memory, and bare JSON-RPC lines."""

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.session import ElicitationFnT
from mcp.types import CallToolResult, TextContent

from core.settings import Settings
from core.wiring import Orchestrator
from mcp_server.server import build_server
from tests.support.servers import gateway_environment

ERAS = ("legacy", "2026-07-28")
COMMAND = [sys.executable, "-m", "mcp_server"]
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


def database_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'orchestrator.db'}"


class Tools:
    """Tool calls as a model makes them: by name and arguments, answered by text and structure."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, name: str, /, **arguments: Any) -> CallToolResult:
        return await self.client.call_tool(name, arguments)

    async def ask(self, name: str, /, **arguments: Any) -> str:
        """Return the text of an accepted call."""
        result = await self.call(name, **arguments)
        assert not result.is_error, text_of(result)
        return text_of(result)

    async def facts(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """Return the structure of an accepted call."""
        result = await self.call(name, **arguments)
        assert not result.is_error, text_of(result)
        facts: dict[str, Any] = result.structured_content or {}
        return facts

    async def refused(self, name: str, /, **arguments: Any) -> "Refused":
        result = await self.call(name, **arguments)
        assert result.is_error, text_of(result)
        return Refused(result)

    async def make_project(self, *titles: str, key: str = "WEB") -> None:
        """Create a project, and a task for each title: WEB-1, WEB-2, ..."""
        create: dict[str, Any] = {"op": "create_project", "ref": "$p", "key": key, "fields": {"name": "Website"}}
        tasks = [{"op": "create_task", "project": "$p", "fields": {"title": title}} for title in titles]
        await self.ask("apply_patch_set", patches=[create, *tasks], summary="set up")


class Refused:
    def __init__(self, result: CallToolResult) -> None:
        self.text = text_of(result)
        self.error: dict[str, Any] = result.structured_content or {}

    @property
    def code(self) -> str:
        return str(self.error["code"])

    @property
    def paths(self) -> list[str]:
        return [issue["path"] for issue in self.error["details"]]


def text_of(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


@asynccontextmanager
async def stdio_tools(
    folder: Path, *, era: str = "auto", options: tuple[str, ...] = (), user: ElicitationFnT | None = None, **settings: str
) -> AsyncIterator[Tools]:
    """Start the server as a process on the database of `folder`; `user` answers its questions."""
    environment = gateway_environment(database_url(folder), **settings)
    process = StdioServerParameters(command=COMMAND[0], args=[*COMMAND[1:], *options], env=environment, cwd=folder)
    async with Client(process, mode=era, elicitation_callback=user) as client:
        yield Tools(client)


@asynccontextmanager
async def memory_tools(
    folder: Path, *, era: str = "auto", approval: str = "host", user: ElicitationFnT | None = None
) -> AsyncIterator[Tools]:
    """Serve the database of `folder` from this process."""
    settings = Settings(_env_file=None, database_url=database_url(folder), approval=approval)
    orchestrator = Orchestrator(settings)
    try:
        async with Client(build_server(orchestrator), mode=era, elicitation_callback=user) as connected:
            yield Tools(connected)
    finally:
        orchestrator.close()


@contextmanager
def http_server(
    folder: Path, *options: str, command: Sequence[str] = COMMAND, **settings: str
) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Run `orchestrator-mcp --http` on the database of `folder`, and give the address it prints."""
    environment = gateway_environment(database_url(folder), **settings)
    start = [*command, "--http", "127.0.0.1:0", *options]
    with subprocess.Popen(start, env=environment, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            found = re.search(r"http://\S+(?=/mcp)", process.stderr.readline())
            assert found is not None
            yield found[0], process
        finally:
            process.terminate()
            process.communicate(timeout=15)


class Wire:
    """A server process spoken to in bare lines."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def send(self, message: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
        self.process.stdin.flush()

    def ask(self, number: int, method: str, params: Any = None) -> dict[str, Any]:
        """Send a request and return the next line."""
        self.send({"jsonrpc": "2.0", "id": number, "method": method, **({"params": params} if params is not None else {})})
        return self.receive()

    def last_answer(self, number: int, method: str, params: Any) -> dict[str, Any]:
        """Send a request and return its answer, past answers to what came before it."""
        answer = self.ask(number, method, params)
        while answer.get("id") != number or "error" in answer:
            answer = self.receive()
        return answer

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def shake_hands(self) -> dict[str, Any]:
        answer = self.ask(1, "initialize", INITIALIZE)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer


@contextmanager
def wire(folder: Path, command: list[str] = COMMAND, **settings: str) -> Iterator[Wire]:
    """Start the server as a process; at the end its stdin is closed and it must go."""
    pipe = subprocess.PIPE
    environment = gateway_environment(database_url(folder), **settings)
    with subprocess.Popen(command, env=environment, cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield Wire(process)
        finally:
            process.communicate(timeout=10)


def modern(params: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return request parameters with what the stateless era wants in every request."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }
    return {**(params or {}), "_meta": meta}
