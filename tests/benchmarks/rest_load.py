"""The REST gateway under load from 32 connections, against what FastAPI and the database alone can do.

Load comes from `wrk`, a client that is far faster than the server; without it these rows are skipped.
One worker, and four of them on PostgreSQL where one answers at TEST_POSTGRES_URL; client and server
share the machine, so only the ratios mean something.
"""

import json
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import psycopg

from tests.benchmarks import bulk_apply
from tests.benchmarks.runner import Row, interleaved_medians
from tests.benchmarks.workspace import database_url
from tests.storage.conftest import POSTGRES_URL, new_database
from tests.support.fake_provider import FakeProvider, fake_provider, hang
from tests.support.servers import ROOT, free_port, gateway_process, running_server

CONNECTIONS, SECONDS, ROUNDS = 32, 2, 3
ROUNDS_OF_WORKERS = 7  # which process takes how many of the connections is chance, and differs more from round to round
HANGING = 8  # calls of a model
SETTLE_SECONDS = 1  # after writes, which are copied into the database file, and after calls that were left
TASK_FIELDS = {"title": "A task", "description": "Some words about what has to be done. " * 3, "assignee": "ada"}
POST = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"project_id": "LOAD", "title": "One more task", "description": "Some words about what has to be done."}'
"""
UNCACHED = 64  # projects of a gateway that keeps none ready, read in turns: requests that wait together ask for different ones
GET_IN_TURNS = f"""
local number = 0
request = function()
  number = number % {UNCACHED} + 1
  return wrk.format("GET", "/api/v1/projects/READ" .. number)
end
"""


@dataclass(frozen=True)
class Load:
    """What `wrk` saw."""

    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int


def rows() -> Iterator[Row]:
    wrk = shutil.which("wrk")
    if wrk is None:
        for what in ("read", "create", "loop lag", "calls beside a hanging model"):
            yield Row(f"REST {what} under load", None, 0, "", "wrk is not installed")
        return
    yield from one_worker(wrk)
    yield from hanging_models(wrk)
    yield from four_workers(wrk)


def one_worker(wrk: str) -> Iterator[Row]:
    with TemporaryDirectory(prefix="orchestrator-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        gateway, process = stack.enter_context(gateway_process(database_url(folder), folder=folder, LOG_LEVEL="ERROR"))
        before = resident_mib(process.pid)
        project = seeded_project(gateway)
        uncached, making = stack.enter_context(keeping_nothing(folder / "uncached"))
        (folder / "body.json").write_bytes(httpx2.get(project).content)
        ready, limit = stack.enter_context(ready_bytes(folder / "body.json"))
        raw = stack.enter_context(closing(sqlite3.connect(folder / "raw.db", isolation_level=None)))
        bulk_apply.prepare(raw, synchronous="FULL")
        (folder / "post.lua").write_text(POST, "utf-8")
        (folder / "in_turns.lua").write_text(GET_IN_TURNS, "utf-8")
        loads: dict[str, list[Load]] = {"ready": [], "read": [], "uncached": [], "create": []}
        spent = dict.fromkeys(loads, 0.0)  # seconds of CPU, which say more than rates where the machine does much else

        def measured(kind: str, url: str, script: Path | None = None) -> Callable[[], float]:
            def run() -> float:
                pid = {"ready": limit, "uncached": making}.get(kind, process.pid)
                before = cpu_seconds(pid)
                load = fire(wrk, url, script)
                spent[kind] += cpu_seconds(pid) - before
                loads[kind].append(load)
                return load.per_second

            return run

        medians = interleaved_medians(
            {
                "ready": measured("ready", f"{ready}/ready"),
                "read": measured("read", project),
                "uncached": measured("uncached", uncached, folder / "in_turns.lua"),
                "raw": lambda: raw_commits(raw),
                "create": measured("create", f"{gateway}/api/v1/tasks", folder / "post.lua"),
            },
            rounds=ROUNDS,
        )
        each = {kind: 1e3 * spent[kind] / SECONDS / sum(load.per_second for load in found) for kind, found in loads.items()}
        cpu = (
            f"{each['read']:.2f} / {each['ready']:.2f} ms; uncached {each['uncached']:.2f} ms, POST task {each['create']:.2f} ms"
        )
        yield Row("CPU of GET project of 100 tasks, cached / of ready bytes", each["read"] / each["ready"], 1 / 0.5, "x", cpu)
        yield ratio("ready bytes / GET project of 100 tasks, cached", medians["ready"], medians["read"], 1 / 0.5)
        yield ratio("ready bytes / GET project of 100 tasks, uncached", medians["ready"], medians["uncached"], 1 / 0.12)
        yield worst("GET project of 100 tasks, cached, p99", loads["read"], 100)
        yield worst("GET project of 100 tasks, uncached, p99", loads["uncached"], 100)
        yield ratio("raw insert+commit / POST task", medians["raw"], medians["create"], 1 / 0.3)
        yield worst("POST task, p99", loads["create"], 200)
        yield Row("loop lag p99 while 16 read and 8 write", loop_lag(wrk, gateway, project, folder / "post.lua"), 50, "ms")
        yield Row("memory of the gateway after all this", resident_mib(process.pid), 200, "MiB", f"{before:.0f} MiB at start")


def hanging_models(wrk: str) -> Iterator[Row]:
    """One gateway while eight callers wait for a model that hangs, against the same while nobody does, in turns."""
    with TemporaryDirectory(prefix="orchestrator-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        provider = stack.enter_context(fake_provider())
        model = {"AI_PROVIDER": "openai", "AI_API_KEY": "sk-none", "AI_API_BASE": provider.url, "AI_DEADLINE_SECONDS": "60"}
        gateway, process = stack.enter_context(gateway_process(database_url(folder), folder=folder, LOG_LEVEL="ERROR", **model))
        project = seeded_project(gateway)
        (folder / "post.lua").write_text(POST, "utf-8")
        urls = {"GET project of 100 tasks": (project, None), "POST task": (f"{gateway}/api/v1/tasks", folder / "post.lua")}
        with asked_in_vain(provider, gateway, 1):
            pass  # the first question waits for the model library, and so would what is measured
        loads: dict[tuple[str, bool], list[Load]] = {(kind, hangs): [] for kind in urls for hangs in (False, True)}
        for _ in range(ROUNDS + 1):
            for hangs in (False, True):
                with asked_in_vain(provider, gateway, HANGING if hangs else 0):
                    for kind, (url, script) in urls.items():
                        time.sleep(SETTLE_SECONDS)
                        loads[kind, hangs].append(fire(wrk, url, script, connections=8))
        with asked_in_vain(provider, gateway, HANGING):
            before = cpu_seconds(process.pid)
            time.sleep(SECONDS)
            spent = 1e3 * (cpu_seconds(process.pid) - before) / SECONDS
        yield Row(f"CPU that {HANGING} hanging calls of a model take", spent, 20, "ms/s")
        for kind in urls:
            rounds = list(zip(loads[kind, True], loads[kind, False], strict=True))[1:]  # each with its neighbour in time
            what = f"p99 of {kind} while {HANGING} calls of a model hang, against none"
            errors = sum(load.errors for pair in rounds for load in pair)
            detail = ", ".join(f"{hung.p99_ms:.3g} / {free.p99_ms:.3g} ms" for hung, free in rounds) + f", {errors} errors"
            ratios = [hung.p99_ms / free.p99_ms for hung, free in rounds]
            yield Row(what, statistics.median(ratios) if not errors else float("inf"), 1.1, "x", detail)


@contextmanager
def asked_in_vain(provider: FakeProvider, gateway: str, count: int) -> Iterator[None]:
    """Have so many questions before a model that hangs; whoever asked leaves at the end, which ends the calls."""
    provider.script(*[hang()] * count)
    host = gateway.removeprefix("http://")
    body = json.dumps({"description": "A web shop for used books"})
    with ExitStack() as stack:
        for _ in range(count):
            caller = stack.enter_context(closing(HTTPConnection(host)))
            caller.request("POST", "/api/v1/planner/generate", body, {"Content-Type": "application/json"})
        while len(provider.asked) < count:
            time.sleep(0.02)
        yield


def four_workers(wrk: str) -> Iterator[Row]:
    """Four processes on PostgreSQL against one: on two cores that the client and the database share, they may not be slower."""
    try:
        databases = {workers: new_database(POSTGRES_URL) for workers in (1, 4)}
        urls = {workers: next(database) for workers, database in databases.items()}
    except psycopg.OperationalError:
        yield Row("REST with four workers", None, 0, "", f"no PostgreSQL answers at {POSTGRES_URL}")
        return
    with TemporaryDirectory(prefix="orchestrator-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "post.lua").write_text(POST, "utf-8")
        errors: dict[str, int] = {"read": 0, "create": 0}
        variants: dict[tuple[str, int], Callable[[], float]] = {}
        for workers, url in urls.items():
            settings = {"WORKERS": str(workers), "AUTO_MIGRATE": "1", "LOG_LEVEL": "ERROR"}
            gateway = stack.enter_context(running_server(url, folder=folder, **settings))
            project = seeded_project(gateway)

            def run(kind: str, address: str, script: Path | None = None) -> float:
                load = fire(wrk, address, script)
                errors[kind] += load.errors
                return load.per_second

            variants["read", workers] = partial(run, "read", project)
            variants["create", workers] = partial(run, "create", f"{gateway}/api/v1/tasks", folder / "post.lua")
        medians = interleaved_medians(variants, rounds=ROUNDS_OF_WORKERS)
    for kind, what in (("read", "GET project of 100 tasks"), ("create", "POST task")):
        one, four = medians[kind, 1], medians[kind, 4]
        detail = f"{one:,.0f} / {four:,.0f} per second, {errors[kind]} errors"
        yield Row(f"{what} on PostgreSQL, one worker / four", one / four if not errors[kind] else float("inf"), 1.2, "x", detail)
    for database in databases.values():
        next(database, None)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Return how much memory a process holds, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found, status
    return int(found[1]) / 1024


def ratio(what: str, limit: float, ours: float, budget: float) -> Row:
    return Row(what, limit / ours, round(budget, 2), "x", f"{limit:,.0f} / {ours:,.0f} per second")


def worst(what: str, loads: list[Load], budget: float) -> Row:
    errors = sum(load.errors for load in loads)
    p99 = statistics.median(load.p99_ms for load in loads[1:])
    p50 = statistics.median(load.p50_ms for load in loads[1:])
    return Row(what, p99 if not errors else float("inf"), budget, "ms", f"p50 {p50:.3g} ms, {errors} errors")


def seeded_project(gateway: str) -> str:
    """Create the project LOAD with 100 tasks to read, and one more for the tasks that are created; return its URL."""
    with httpx2.Client(base_url=f"{gateway}/api/v1", timeout=120) as client:
        for key in ("READ", "LOAD"):
            client.post("/projects", json={"name": key, "key": key}).raise_for_status()
        patches = [{"op": "create_task", "project": "READ", "fields": TASK_FIELDS} for _ in range(100)]
        client.post("/planner/apply", json={"summary": "100 tasks", "patches": patches}).raise_for_status()
    return f"{gateway}/api/v1/projects/READ"


@contextmanager
def keeping_nothing(folder: Path) -> Iterator[tuple[str, int]]:
    """Serve UNCACHED projects with 100 tasks each, all made from the database whenever they are read; give URL and process."""
    folder.mkdir()
    wrapper = [sys.executable, "-m", "tests.benchmarks.keeping_nothing"]
    with gateway_process(database_url(folder), folder=folder, wrapper=wrapper, LOG_LEVEL="ERROR") as (gateway, process):
        patches: list[dict[str, Any]] = []
        for number in range(1, UNCACHED + 1):
            fields = {"name": f"Project {number}"}
            patches.append({"op": "create_project", "key": f"READ{number}", "ref": f"$p{number}", "fields": fields})
            patches += [{"op": "create_task", "project": f"$p{number}", "fields": TASK_FIELDS}] * 100
        body = {"summary": "Projects to read", "patches": patches}
        httpx2.post(f"{gateway}/api/v1/planner/apply", json=body, timeout=120).raise_for_status()
        yield gateway, process.pid


@contextmanager
def ready_bytes(body: Path) -> Iterator[tuple[str, int]]:
    """Serve the limit of reads; give its URL and its process."""
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.benchmarks.ready_bytes_server", str(body), str(port)]
    with subprocess.Popen(command, env=environment) as process:
        try:
            for _ in range(200):
                try:
                    httpx2.get(f"http://127.0.0.1:{port}/ready")
                    break
                except httpx2.TransportError:
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()
            process.wait(15)


def fire(wrk: str, url: str, script: Path | None = None, *, connections: int = CONNECTIONS, seconds: float = SECONDS) -> Load:
    command = [
        wrk,
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--latency",
        "--timeout",
        "30s",
        *(["-s", str(script)] if script else []),
        url,
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert rate, text
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    errors = int(refused[1]) if refused else 0
    return Load(
        per_second=float(rate[1]),
        p50_ms=percentile_ms(50, text),
        p99_ms=percentile_ms(99, text),
        errors=errors + sum(map(int, broken.groups())) if broken else errors,
    )


def percentile_ms(percent: int, text: str) -> float:
    found = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)", text)
    assert found, text
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]


def raw_commits(raw: sqlite3.Connection) -> float:
    """Return how many rows per second one connection inserts with a commit each, as durably as the gateway."""
    row = ("p", None, "One more task", "Some words", "todo", "medium", "ada", 1, 1, bulk_apply.INSTANT, bulk_apply.INSTANT)
    end, count = time.perf_counter() + SECONDS, 0
    while time.perf_counter() < end:
        raw.execute("BEGIN IMMEDIATE")
        raw.execute(bulk_apply.INSERT, (os.urandom(16).hex(), *row))
        raw.execute("COMMIT")
        count += 1
    return count / SECONDS


def loop_lag(wrk: str, gateway: str, project: str, script: Path) -> float:
    """Return the 99th percentile, in ms, of a request that touches no store, while others read and write."""
    threads = [
        threading.Thread(target=fire, args=(wrk, project), kwargs={"connections": 16, "seconds": 2 * SECONDS}),
        threading.Thread(
            target=fire, args=(wrk, f"{gateway}/api/v1/tasks", script), kwargs={"connections": 8, "seconds": 2 * SECONDS}
        ),
    ]
    for thread in threads:
        thread.start()
    waits: list[float] = []
    with httpx2.Client() as client:
        while any(thread.is_alive() for thread in threads):
            start = time.perf_counter()
            client.get(f"{gateway}/health/live")
            waits.append((time.perf_counter() - start) * 1e3)
    return statistics.quantiles(waits, n=100)[98]
