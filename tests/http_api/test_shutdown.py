"""A gateway that is told to stop, under load: what it has acknowledged is stored, streams end, and it ends itself, in time."""

import signal
import subprocess
import threading
from pathlib import Path

import httpx2
import pytest

from core.services import projects
from core.settings import Settings
from core.wiring import Orchestrator
from tests.http_api.conftest import REDIS
from tests.support.http import data
from tests.support.servers import gateway_process

WRITERS = 6
END_SECONDS = 60  # 10 s of grace, and a machine that does much else


class Load:
    """Clients that create tasks until the server is gone, and one that reads its events."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.acknowledged: set[str] = set()
        self.refused: set[int] = set()
        self.enough = threading.Event()
        self.told: list[str] = []
        self.threads = [threading.Thread(target=self._write) for _ in range(WRITERS)]
        self.threads.append(threading.Thread(target=self._listen))

    def _write(self) -> None:
        with httpx2.Client(base_url=f"{self.url}/api/v1", timeout=END_SECONDS) as client:
            while True:
                try:
                    answer = client.post("/tasks", json={"project_id": "WEB", "title": "One more"})
                except httpx2.TransportError:  # nobody listens any more, or the connection was closed between two calls
                    return
                if answer.status_code != 201:
                    self.refused.add(answer.status_code)
                    return
                self.acknowledged.add(data(answer)["id"])
                if len(self.acknowledged) >= 5 * WRITERS:
                    self.enough.set()

    def _listen(self) -> None:
        try:
            with httpx2.stream("GET", f"{self.url}/api/v1/events", timeout=END_SECONDS) as stream:
                self.told += [line for line in stream.iter_lines() if line.startswith("event: ")]
        except httpx2.TransportError as error:
            self.told.append(f"broken: {error}")


def stopped_under_load(url: str, process: subprocess.Popen[bytes]) -> Load:
    """Return what clients saw of a gateway that is told to stop while they work; it has ended by itself, with 0."""
    data(httpx2.post(f"{url}/api/v1/projects", json={"name": "Web", "key": "WEB"}, timeout=END_SECONDS))
    load = Load(url)
    for thread in load.threads:
        thread.start()
    assert load.enough.wait(END_SECONDS)

    process.send_signal(signal.SIGTERM)

    assert process.wait(END_SECONDS) == 0
    for thread in load.threads:
        thread.join(END_SECONDS)
        assert not thread.is_alive()
    return load


def stored(database_url: str) -> set[str]:
    orchestrator = Orchestrator(Settings(_env_file=None, database_url=database_url))
    orchestrator.start(create=False)
    try:
        found = projects.get_hierarchy(orchestrator.context(), "WEB")
    finally:
        orchestrator.close()
    return {task.id for task in found.tasks}


def test_nothing_acknowledged_is_lost_and_streams_are_closed(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/plan.db"
    with gateway_process(database, folder=tmp_path) as (url, process):
        load = stopped_under_load(url, process)

    assert load.acknowledged <= stored(database)
    assert load.refused <= {503}
    assert load.told[-1] == "event: stream_closed"
    assert "Traceback" not in (tmp_path / "gateway.log").read_text("utf-8")


@pytest.mark.usefixtures("redis_server")
def test_several_workers_end_together(empty_postgres: str, tmp_path: Path) -> None:
    settings = {"WORKERS": "2", "AUTO_MIGRATE": "1", "REDIS_URL": REDIS, "RATE_LIMIT_DEFAULT": "1000000/minute"}
    with gateway_process(empty_postgres, folder=tmp_path, **settings) as (url, process):
        load = stopped_under_load(url, process)

    assert load.acknowledged <= stored(empty_postgres)
    assert load.refused <= {503}
    assert load.told[-1] == "event: stream_closed"
    assert "Traceback" not in (tmp_path / "gateway.log").read_text("utf-8")
