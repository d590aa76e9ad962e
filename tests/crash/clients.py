"""Clients that write all at once to a server which fails, stops or is killed, and repeat each set until it is acknowledged."""

import threading
import time
from collections import Counter
from typing import Any, Self

import httpx2

from tests.support.audit import audit, read_tables

CLIENTS = 4
PATIENCE_SECONDS = 60
PAUSE_SECONDS = 0.01  # before a repetition


def set_id(client: int, number: int) -> str:
    return f"ps_{client:08d}{number:08d}"


def patch_set(client: int, number: int) -> dict[str, Any]:
    title = f"{client}/{number}"
    patches: list[dict[str, Any]] = [
        {"op": "create_task", "ref": "$first", "project": "WEB", "fields": {"title": title}},
        {"op": "create_task", "project": "WEB", "fields": {"title": title}, "depends_on": ["$first"]},
        {"op": "create_task", "project": "APP", "fields": {"title": title}},
        {"op": "update_task", "task": "APP-1", "fields": {"description": title}},
    ]
    return {"id": set_id(client, number), "patches": patches}


class Client(threading.Thread):
    """Applies one set after another, each until it is acknowledged; reads in between."""

    def __init__(self, load: "Load", number: int) -> None:
        super().__init__(daemon=True)
        self._load = load
        self.number = number
        self.acknowledged = 0
        self.outcomes: Counter[tuple[int, str | None]] = Counter()
        self.messages: set[str] = set()

    def run(self) -> None:
        with httpx2.Client(timeout=30) as http:
            while not self._load.ending:
                try:
                    self._step(http, f"{self._load.base}/api/v1")
                except httpx2.TransportError:  # nobody is there just now, or has gone before answering
                    time.sleep(PAUSE_SECONDS)

    def _step(self, http: httpx2.Client, api: str) -> None:
        if self._note(http.post(f"{api}/planner/apply", json=patch_set(self.number, self.acknowledged))):
            self.acknowledged += 1
        else:
            time.sleep(PAUSE_SECONDS)
        self._note(http.get(f"{api}/projects/WEB"))

    def _note(self, response: httpx2.Response) -> bool:
        answer: dict[str, Any] = response.json()
        error = answer["error"] or {}
        self.outcomes[response.status_code, error.get("code")] += 1
        if error.get("code") == "DATABASE_ERROR":
            self.messages.add(error["message"])
        return bool(answer["success"])


class Load:
    """All the clients of a server; at the latest they end with the block."""

    def __init__(self, base: str) -> None:
        self.base = base  # set anew when the server is started again
        self.ending = False
        for key in ("WEB", "APP"):
            httpx2.post(f"{base}/api/v1/projects", json={"key": key, "name": key}).raise_for_status()
        httpx2.post(f"{base}/api/v1/tasks", json={"project_id": "APP", "title": "state"}).raise_for_status()
        self.clients = [Client(self, number) for number in range(CLIENTS)]
        for client in self.clients:
            client.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ending = True

    @property
    def outcomes(self) -> set[tuple[int, str | None]]:
        """Every status and code that any client has seen."""
        return set().union(*(client.outcomes for client in self.clients))

    @property
    def messages(self) -> set[str]:
        return set().union(*(client.messages for client in self.clients))

    def wait_for_progress(self, sets: int) -> None:
        """Return once every client has so many more sets acknowledged."""
        goals = {client: client.acknowledged + sets for client in self.clients}
        self._wait(lambda client: client.acknowledged >= goals[client])

    def wait_for_refusals(self) -> None:
        """Return once every client has been refused by the database."""
        self._wait(lambda client: (503, "DATABASE_ERROR") in client.outcomes)

    def _wait(self, reached: Any) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not all(reached(client) for client in self.clients):
            assert time.monotonic() < deadline, [(client.acknowledged, client.outcomes) for client in self.clients]
            assert all(client.is_alive() for client in self.clients)
            time.sleep(PAUSE_SECONDS)

    def end(self) -> None:
        """Let every client finish the call it is in."""
        self.ending = True
        for client in self.clients:
            client.join(PATIENCE_SECONDS)
            assert not client.is_alive()

    def assert_each_set_is_there_once(self, database: str) -> None:
        """What was acknowledged is stored, once and whole; beyond it at most the one set each client was waiting for."""
        audit(database)
        tables, _ = read_tables(database)
        stored = {row["id"] for row in tables["patch_sets"]}
        titles = Counter(row["title"] for row in tables["tasks"])
        for client in self.clients:
            of_client = sorted(item for item in stored if item.startswith(f"ps_{client.number:08d}"))
            expected = [set_id(client.number, number) for number in range(client.acknowledged + 1)]
            assert of_client in (expected[:-1], expected)
            assert {titles[f"{client.number}/{number}"] for number in range(client.acknowledged)} <= {3}
