"""Databases for tests: a migrated SQLite file of its own, or a workspace of its own in one PostgreSQL database."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

from core.context import Context, local_owner
from core.settings import Settings
from core.storage.interface import Storage
from core.storage.sql.store import open_store
from core.wiring import Orchestrator
from tests.storage.builders import NOW, Database
from tests.support.services import missing

POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/test")


def opened(url: str) -> Storage:
    return open_store(Settings(database_url=url, pool_size=4))


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The URL of a PostgreSQL where tests may make databases."""
    try:
        psycopg.connect(POSTGRES_URL, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        missing(f"no PostgreSQL answers at TEST_POSTGRES_URL ({POSTGRES_URL}): {error}")
    return POSTGRES_URL


@pytest.fixture
def empty_postgres(postgres_server: str) -> Iterator[str]:
    """The URL of a new, empty PostgreSQL database."""
    yield from new_database(postgres_server)


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> Iterator[str]:
    for url in new_database(postgres_server):
        storage = opened(url)
        storage.prepare(create=True, migrate=True)
        storage.close()
        yield url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "orchestrator.db"
    storage = opened(f"sqlite:///{path}")
    storage.prepare(create=True, migrate=True)
    storage.close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Every test that takes this runs on both databases."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "orchestrator.db")
        url, workspace = f"sqlite:///{tmp_path / 'orchestrator.db'}", "default"
    else:
        url, workspace = request.getfixturevalue("migrated_postgres"), f"test-{uuid4()}"
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO workspaces (id, created_at) VALUES (%s, %s)", (workspace, NOW))
    storage = opened(url)
    yield Database(storage, workspace, request.param, url)
    storage.close()


@pytest.fixture
def other(database: Database) -> Iterator[Database]:
    """The same database and workspace through connections of its own, as another process has."""
    storage = opened(database.url)
    yield Database(storage, database.workspace, database.kind, database.url)
    storage.close()


@contextmanager
def process(database: Database, workspace: str | None = None) -> Iterator[Context]:
    """Give the context of a process of its own on the database."""
    orchestrator = Orchestrator(Settings(_env_file=None, database_url=database.url, pool_size=4))
    yield orchestrator.context(local_owner(workspace or database.workspace))
    orchestrator.close()


@pytest.fixture
def ctx(database: Database) -> Iterator[Context]:
    """Services on either database."""
    with process(database) as context:
        yield context


def new_database(server: str) -> Iterator[str]:
    """Yield the URL of a new, empty database, which is gone afterwards."""
    name = f"orchestrator_test_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
