"""One gateway process for all tests of this folder, and what they say to it."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.storage.conftest import empty_postgres, postgres_server
from tests.support.servers import running_server
from tests.support.services import missing

__all__ = ["empty_postgres", "postgres_server"]

REDIS = "redis://127.0.0.1:6379/0"


@pytest.fixture(scope="session")
def redis_server() -> None:
    """A Redis at its usual place; without one these tests are skipped, and say so."""
    try:
        socket.create_connection(("127.0.0.1", 6379), timeout=5).close()
    except OSError as error:
        missing(f"no Redis answers at {REDIS}: {error}")


@pytest.fixture(scope="session")
def gateway_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="session")
def base_url(gateway_folder: Path) -> Iterator[str]:
    with running_server(f"sqlite:///{gateway_folder / 'plan.db'}", folder=gateway_folder) as url:
        yield url


@pytest.fixture(scope="session")
def api(base_url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{base_url}/api/v1", timeout=30) as client:
        yield client


@pytest.fixture
def project(api: httpx2.Client) -> dict[str, Any]:
    """A new, empty project."""
    created: dict[str, Any] = api.post("/projects", json={"name": "Website relaunch"}).json()["data"]
    return created


@pytest.fixture
def task(api: httpx2.Client, project: dict[str, Any]) -> dict[str, Any]:
    """The only task of a new project."""
    created: dict[str, Any] = api.post("/tasks", json={"project_id": project["key"], "title": "Draft the API"}).json()["data"]
    return created
