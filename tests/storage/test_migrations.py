"""The migrations build what the code expects, from nothing, on both databases."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, make_url, text

from core.errors import DatabaseError
from core.services import projects, tasks
from core.services.search import search
from core.settings import Settings
from core.storage import migrations
from core.storage.sql.tables import metadata
from core.wiring import Orchestrator
from schemas.projects import ProjectCreate
from schemas.search import SearchQuery
from schemas.tasks import TaskCreate
from tests.storage.conftest import opened

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    url: str = request.getfixturevalue("empty_postgres")
    return url


@pytest.fixture
def engine(empty_url: str) -> Iterator[Engine]:
    url = make_url(empty_url)
    engine = create_engine(url if url.get_backend_name() == "sqlite" else url.set(drivername="postgresql+psycopg"))
    yield engine
    engine.dispose()


def migrate(url: str) -> None:
    storage = opened(url)
    storage.prepare(create=True, migrate=True)
    storage.close()


def structure(connection: Connection) -> list[tuple[str, ...]]:
    """Return every table, column, constraint and index as the database describes them."""
    if connection.dialect.name == "sqlite":
        queries = ["SELECT type, tbl_name, name, sql FROM sqlite_master WHERE tbl_name <> 'alembic_version' ORDER BY 1, 2, 3"]
    else:
        queries = [
            "SELECT table_name, column_name, data_type, is_nullable, collation_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY table_name, column_name",
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), condeferred::text FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version' ORDER BY 1, 2",
            "SELECT indexname, indexdef FROM pg_indexes"
            " WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY indexname",
        ]
    return [tuple(row) for query in queries for row in connection.execute(text(query))]


def test_migrated_and_declared_schema_are_the_same(empty_url: str, engine: Engine) -> None:
    migrate(empty_url)

    with engine.begin() as connection:
        # The words of search are no table that a construct describes; what follows compares them as well.
        described = MigrationContext.configure(
            connection, opts={"include_name": lambda name, *_: "search_words" not in str(name)}
        )
        assert compare_metadata(described, metadata) == []
        migrated = structure(connection)
        metadata.drop_all(connection)
        metadata.create_all(connection)
        declared = structure(connection)

    # SQLite keeps the text of a statement; its spacing and the order of constraints differ between the two.
    assert [words(row) for row in migrated] == [words(row) for row in declared]


def words(row: tuple[str, ...]) -> list[list[str]]:
    return [sorted(str(part).replace(",", " ").replace("(", " ( ").replace(")", " ) ").split()) for part in row]


def test_the_default_workspace_exists_from_the_start(empty_url: str, engine: Engine) -> None:
    migrate(empty_url)

    with engine.connect() as connection:
        assert connection.execute(text("SELECT id FROM workspaces")).scalars().all() == ["default"]


def test_preparing_again_changes_nothing(empty_url: str, engine: Engine) -> None:
    migrate(empty_url)
    with engine.connect() as connection:
        before = structure(connection)

    migrate(empty_url)

    with engine.connect() as connection:
        assert structure(connection) == before


def test_the_known_versions_are_those_of_the_scripts() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))

    revisions = [script.revision for script in scripts.walk_revisions()]

    assert list(migrations.VERSIONS) == list(reversed(revisions))
    assert scripts.get_current_head() == migrations.VERSIONS[-1]


async def test_what_an_older_database_holds_is_found_after_its_upgrade(empty_url: str, engine: Engine) -> None:
    migrate(empty_url)
    orchestrator = Orchestrator(Settings(_env_file=None, database_url=empty_url))
    ctx = orchestrator.context()
    projects.create_project(ctx, ProjectCreate(name="Website relaunch", key="WEB"))
    tasks.create_task(ctx, TaskCreate(project_id="WEB", title="Load test"))
    tasks.create_task(ctx, TaskCreate(project_id="WEB", title="Load staging"))
    tasks.delete_task(ctx, "WEB-2")
    tasks.add_comment(ctx, "WEB-1", "The load was too high")
    orchestrator.close()
    downgrade(engine, "0006")

    migrate(empty_url)

    orchestrator = Orchestrator(Settings(_env_file=None, database_url=empty_url))
    answer = await search(orchestrator.context(), SearchQuery(query="load"))
    orchestrator.close()
    assert [(hit.kind, hit.key) for hit in answer.hits] == [("task", "WEB-1"), ("comment", "WEB-1")]


def test_what_was_tagged_before_is_found_by_its_tags(empty_url: str, engine: Engine) -> None:
    migrate(empty_url)
    orchestrator = Orchestrator(Settings(_env_file=None, database_url=empty_url))
    projects.create_project(orchestrator.context(), ProjectCreate(name="Website", key="WEB", tags=["ui"]))
    tasks.create_task(orchestrator.context(), TaskCreate(project_id="WEB", title="Load test", tags=["ui", "two words", "ü"]))
    tasks.create_task(orchestrator.context(), TaskCreate(project_id="WEB", title="Plain"))
    orchestrator.close()
    downgrade(engine, "0009")

    migrate(empty_url)

    with engine.connect() as connection:
        assert sorted(connection.execute(text("SELECT tag FROM item_tags")).scalars()) == ["two words", "ui", "ui", "ü"]


def downgrade(engine: Engine, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def test_postgresql_is_not_upgraded_unasked(empty_postgres: str) -> None:
    storage = opened(empty_postgres)

    with pytest.raises(DatabaseError) as refusal:
        storage.prepare(create=True, migrate=False)
    assert "`orchestrator migrate`" in str(refusal.value.details[0].hint)

    storage.prepare(create=False, migrate=True)
    storage.prepare(create=False, migrate=False)
    storage.close()


def test_a_postgresql_that_does_not_answer_is_named_without_its_password() -> None:
    storage = opened("postgresql://someone:secret@127.0.0.1:9/nothing")

    with pytest.raises(DatabaseError) as refusal:
        storage.prepare(create=False, migrate=False)

    assert refusal.value.place == "127.0.0.1/nothing"
    assert "secret" not in str(refusal.value.detail())


IMPORTED = """
import sys
from core.settings import Settings
from core.storage.sql.store import open_store
storage = open_store(Settings(database_url=sys.argv[1]))
storage.prepare(create=False, migrate=False)
storage.read("default", lambda tx: tx.find_project("WEB"))
storage.close()
print([name for name in ("alembic", "psycopg") if name in sys.modules])
"""


def test_a_start_on_a_current_file_imports_neither_alembic_nor_the_other_driver(migrated_file: Path) -> None:
    command = [sys.executable, "-c", IMPORTED, f"sqlite:///{migrated_file}"]

    answer = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True)

    assert answer.stdout == "[]\n"
