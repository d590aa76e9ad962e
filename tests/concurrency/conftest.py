"""Databases for processes that share one: a new SQLite file, or a new PostgreSQL database."""

from pathlib import Path

import pytest

from tests.crash.workload import opened
from tests.storage.conftest import empty_postgres, postgres_server

__all__ = ["empty_postgres", "postgres_server"]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new, migrated database; every test that takes this runs on both."""
    if request.param == "sqlite":
        found = f"sqlite:///{tmp_path / 'orchestrator.db'}"
    else:
        found = request.getfixturevalue("empty_postgres")
    opened(found, create=True).close()
    return found
