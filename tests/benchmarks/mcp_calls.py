"""Calls of an MCP client over stdio: how much longer than those of a trivial tool, in a small and in a large project."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

from tests.benchmarks.mcp_start import INITIALIZE, MINIMAL, OURS, Server
from tests.benchmarks.runner import Row, interleaved_medians, seconds
from tests.benchmarks.workspace import fill, workspace

SIZES = (10, 100_000)
ROUNDS = 60
LIMIT_MS = 3
FLAT = 2

Calls = dict[str, Callable[[], float]]


def rows() -> Iterator[Row]:
    with ExitStack() as stack:
        trivial = stack.enter_context(ready(MINIMAL))
        variants: dict[tuple[str, int], Callable[[], float]] = {("echo", 0): calling(trivial, "echo", lambda: {"text": "hello"})}
        for size in SIZES:
            ctx = stack.enter_context(workspace())
            fill(ctx, "BIG", size)
            server = stack.enter_context(ready(OURS, DATABASE_URL=ctx.settings.database_url))
            # A leaf in the middle: where its number ends with 01, a task has 99 below it.
            variants |= {(name, size): call for name, call in calls(server, f"BIG-{size // 2 + 2}").items()}
        medians = interleaved_medians(variants, rounds=ROUNDS)
    echo = medians.pop(("echo", 0))
    for name in dict.fromkeys(name for name, _ in medians):
        small, large = (medians[name, size] for size in SIZES)
        detail = f"{small * 1e3:.2f} / {large * 1e3:.2f} ms, a trivial tool {echo * 1e3:.2f} ms"
        yield Row(
            f"MCP {name}, 10 / 100,000 tasks, over a trivial tool", (max(small, large) - echo) * 1e3, LIMIT_MS, "ms", detail
        )
        yield Row(f"MCP {name}, 100,000 tasks / 10 tasks", large / small, FLAT, "x")


def ready(module: str, **settings: str) -> Server:
    """Return a server that has shaken hands."""
    server = Server(module, os.environ | settings)
    server.ask("initialize", INITIALIZE)
    server.tell("notifications/initialized")
    return server


def calls(server: Server, task: str) -> Calls:
    """Return a measurement of each kind of call; each update sets another title, so none is a no-op."""
    numbers = count()

    def update() -> dict[str, Any]:
        return {"patches": [{"op": "update_task", "task": task, "fields": {"title": f"Renamed {next(numbers)}"}}]}

    def create() -> dict[str, Any]:
        return {"patches": [{"op": "create_task", "project": "BIG", "fields": {"title": f"New {next(numbers)}"}}]}

    return {
        "get_task": calling(server, "get_task", lambda: {"task": task}),
        "update": calling(server, "apply_patch_set", update),
        "create": calling(server, "apply_patch_set", create),
    }


def calling(server: Server, tool: str, arguments: Callable[[], dict[str, Any]]) -> Callable[[], float]:
    def call() -> float:
        params = {"name": tool, "arguments": arguments()}
        answers: list[bytes] = []
        took = seconds(lambda: answers.append(server.ask("tools/call", params)))
        if b'"isError":true' in answers[0]:
            raise RuntimeError(answers[0].decode()[:500])
        return took

    return call
