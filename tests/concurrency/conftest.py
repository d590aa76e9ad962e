"""Databases for processes that share one: a new SQLite file, or a new PostgreSQL database."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.crash.workload import opened
from tests.storage.conftest import new_database, postgres_server

__all__ = ["postgres_server"]

KINDS = ("sqlite", "postgresql")


def _databases(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    postgresql = request.param == "postgresql"
    urls = new_database(request.getfixturevalue("postgres_server")) if postgresql else [f"sqlite:///{folder / 'orchestrator.db'}"]
    deadlocks = 0
    for url in urls:
        opened(url, create=True).close()
        yield url
        deadlocks = _deadlocks(url) if postgresql else 0
    assert deadlocks == 0, "two transactions take their locks in different orders"


def _deadlocks(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert found is not None
    count: int = found[0]
    return count


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new, migrated database; every test that takes this runs on both."""
    yield from _databases(request, tmp_path)


@pytest.fixture(scope="module", params=KINDS)
def shared_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same for all tests of a module."""
    yield from _databases(request, tmp_path_factory.mktemp("shared"))
