"""From spawning the MCP server to its first answer, its memory then, and the bytes of its tool list."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from tests.benchmarks.runner import Row, interleaved_medians, seconds, versus
from tests.benchmarks.workspace import database_url

ROUNDS = 9
OURS, MINIMAL = "mcp_server", "tests.benchmarks.minimal_mcp_server"
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}


def rows() -> Iterator[Row]:
    with TemporaryDirectory(prefix="orchestrator-bench-") as folder:
        environment = os.environ | {"DATABASE_URL": database_url(Path(folder))}
        medians = interleaved_medians(
            {"ours": lambda: cold_start(OURS, environment), "minimal": lambda: cold_start(MINIMAL, environment)}, rounds=ROUNDS
        )
        ours, minimal = medians["ours"], medians["minimal"]
        yield Row("MCP cold start / minimal MCPServer", ours / minimal, 1.2, "x", versus(ours, minimal))
        with Server(OURS, environment) as server:
            server.ask("initialize", INITIALIZE)
            yield Row("MCP memory at the first answer", server.resident_mebibytes(), 90, "MiB")
            server.tell("notifications/initialized")
            answer = server.ask("tools/list", {})
    yield Row("tools/list", len(answer), 14_000, "bytes", f"{len(json.loads(answer)['result']['tools'])} tools")


def cold_start(module: str, environment: Mapping[str, str]) -> float:
    """Return the seconds from spawn to the answer of `initialize`."""
    servers: list[Server] = []

    def start() -> None:
        servers.append(Server(module, environment))
        servers[0].ask("initialize", INITIALIZE)

    elapsed = seconds(start)
    servers[0].close()
    return elapsed


class Server:
    """An MCP server process, spoken to by bare lines: a client library would be measured too."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, "-m", module], env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
        )
        self.calls = 0

    def tell(self, method: str, **message: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", "method": method} | message).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method: str, params: Mapping[str, Any]) -> bytes:
        """Return the answer as the line that arrived."""
        assert self.process.stdout
        self.calls += 1
        self.tell(method, id=self.calls, params=params)
        line = self.process.stdout.readline()
        if b'"result"' not in line:
            raise RuntimeError(f"{method} was not answered: {line.decode()[:200]!r}")
        return line.rstrip(b"\n")

    def resident_mebibytes(self) -> float | None:
        """Return the resident set size; None where the system has no /proc."""
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            return None
        fields = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return int(fields["VmRSS"].split()[0]) / 1024

    def close(self) -> None:
        self.process.communicate()  # closes its input, which ends it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
