"""Opening an SQLite file: created and upgraded where allowed, else one clear way out."""

import json
import os
import queue
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from core.errors import DatabaseError, StorageBusy
from core.services.search import search
from core.settings import Settings
from core.storage.interface import Transaction
from core.storage.sql import upgrade
from core.wiring import Orchestrator
from schemas.projects import ProjectQuery
from schemas.search import SearchQuery
from tests.storage.builders import creation, project, proposal, revision
from tests.storage.conftest import opened

ROOT = Path(__file__).parents[2]
NOBODY = 65534


def prepare(path: Path | str, *, create: bool = True) -> None:
    storage = opened(f"sqlite:///{path}")
    try:
        storage.prepare(create=create, migrate=False)
    finally:
        storage.close()


def refusal(path: Path | str, *, create: bool = True) -> str:
    """Return message and hint with which a file is refused."""
    with pytest.raises(DatabaseError) as caught:
        prepare(path, create=create)
    return f"{caught.value.message} {caught.value.details[0].hint}"


@contextmanager
def held(path: Path, statement: str) -> Iterator[sqlite3.Connection]:
    """Another program's connection that holds a lock."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)
        yield connection


def test_a_missing_file_is_created_only_by_those_who_may(tmp_path: Path) -> None:
    path = tmp_path / "new.db"

    text = refusal(path, create=False)
    assert str(path) in text
    assert "`orchestrator import FILE`" in text
    assert not path.exists()

    prepare(path, create=True)
    prepare(path, create=False)


def test_a_missing_folder_is_named_and_not_created(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"

    text = refusal(folder / "a.db")

    assert str(folder) in text
    assert "create it, or set DATABASE_URL" in text
    assert not folder.exists()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:///:memory:", "sqlite:///a%00.db"])
def test_what_is_no_file_is_refused(url: str) -> None:
    with pytest.raises(DatabaseError, match="names no file"):
        opened(url)


def test_options_of_a_file_are_refused_because_none_would_be_heeded() -> None:
    with pytest.raises(DatabaseError, match="takes no options"):
        opened("sqlite:///plans.db?mode=ro")


@pytest.mark.parametrize("url", ["postgresql://ann:secret@host:port/plans", "postgresql://ann:secret@[::1/plans"])
def test_an_address_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(DatabaseError, match="cannot be read") as caught:
        opened(url)

    assert "postgresql://user:password@host:5432/database" in (caught.value.details[0].hint or "")
    assert "secret" not in str(caught.value.detail())
    assert caught.value.__suppress_context__


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    assert "cannot be opened: File name too long" in refusal(tmp_path / ("x" * 300))


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("just some notes, long enough to be read as a header\n" * 50)
    before = path.read_bytes()

    assert "is not an SQLite database" in refusal(path)
    assert path.read_bytes() == before


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE cookies (id)")

    assert "another program" in refusal(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("cookies",)]


def test_a_newer_database_is_refused(migrated_file: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(migrated_file, tmp_path / "newer.db"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    text = refusal(path)

    assert "'9999'" in text
    assert "update orchestrator" in text


def test_a_file_that_stays_locked_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrade, "_PATIENCE_SECONDS", 0.2)
    path = tmp_path / "locked.db"
    path.touch()

    with held(path, "BEGIN EXCLUSIVE"):
        assert "is locked by another program" in refusal(path)

    prepare(path)


def test_a_write_waits_shortly_for_a_lock_and_then_says_busy(migrated_file: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(migrated_file, tmp_path / "busy.db"))
    storage = opened(f"sqlite:///{path}")
    web = project()

    with held(path, "BEGIN IMMEDIATE") as other:
        with pytest.raises(StorageBusy):
            storage.write("default", lambda tx: tx.save_plan(proposal(), revision(web)))
        assert storage.read("default", lambda tx: tx.find_project("WEB")) is None, "readers pass"
        other.execute("ROLLBACK")

    storage.write("default", lambda tx: tx.save_proposal(proposal()))
    storage.close()


def as_nobody(work: Callable[[], object]) -> str:
    """Return the message with which `work` fails for a user without rights (nothing is read-only for root)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(NOBODY)
            work()
        except DatabaseError as error:
            os.write(writing, error.message.encode())
        except BaseException as error:  # noqa: BLE001  # shown by the parent
            os.write(writing, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as answer:
        return answer.read()


def read_and_write(path: Path) -> None:
    """Find that reads are served; raises where writes are refused."""
    storage = opened(f"sqlite:///{path}")
    storage.prepare(create=True, migrate=False)
    storage.check()
    assert storage.read("default", lambda tx: tx.find_project("WEB")) is not None
    storage.write("default", lambda tx: tx.save_proposal(proposal()))


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that other users reach; tmp_path is closed to them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder
        folder.chmod(0o755)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("what", ["file", "folder", "file and folder"])
@pytest.mark.parametrize("left", ["closed", "in use"])
def test_what_cannot_be_written_is_read_and_nothing_is_made_beside_it(
    migrated_file: Path, shared_folder: Path, what: str, left: str
) -> None:
    path = Path(shutil.copy(migrated_file, shared_folder / "plans.db"))
    owner = opened(f"sqlite:///{path}")
    owner.write("default", lambda tx: tx.save_plan(proposal(), creation([project()])))
    if left == "closed":
        owner.close()
    for file in shared_folder.iterdir():
        file.chmod(0o444 if "file" in what else 0o666)
    shared_folder.chmod(0o555 if "folder" in what else 0o777)
    files = set(shared_folder.iterdir())

    message = as_nobody(lambda: read_and_write(path))

    made = set(shared_folder.iterdir()) - files
    owner.close()
    in_place = left == "in use" and what == "folder"  # log and index are there already, and can be written
    assert message == ("" if in_place else "The database file cannot be written.")
    assert not made or what == "file"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_where_nothing_can_be_written_no_file_is_made_and_no_schema_upgraded(shared_folder: Path) -> None:
    (shared_folder / "old.db").touch()
    shared_folder.chmod(0o555)

    assert as_nobody(lambda: prepare(shared_folder / "new.db")) == "The database cannot be made."
    assert as_nobody(lambda: prepare(shared_folder / "old.db")) == "The database file cannot be written."


@pytest.fixture
def sealed_file(migrated_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database on media that this process, be it root's, can only read; others have another way to it."""
    path = Path(shutil.copy(migrated_file, tmp_path / "plans.db"))
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda place, mode: mode != os.W_OK and allowed(place, mode))
    return path


def create_project(path: Path) -> None:
    """Create WEB in another process, which leaves the file closed."""
    patch_set = {"patches": [{"op": "create_project", "key": "WEB", "fields": {"name": "Web"}}]}
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{path}", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "core.cli", "apply", "-"]
    subprocess.run(command, input=json.dumps(patch_set).encode(), env=environment, check=True, capture_output=True)


def test_what_others_write_to_a_sealed_file_is_seen_by_the_next_read(sealed_file: Path) -> None:
    storage = opened(f"sqlite:///{sealed_file}")

    before = storage.read("default", lambda tx: tx.find_project("WEB"))
    create_project(sealed_file)
    after = storage.read("default", lambda tx: tx.find_project("WEB"))
    storage.close()

    assert (before is None, after is None) == (True, False)


def test_what_was_read_of_two_states_of_a_sealed_file_is_read_again(sealed_file: Path) -> None:
    storage = opened(f"sqlite:///{sealed_file}")
    found: list[bool] = []

    def work(tx: Transaction) -> None:
        found.append(tx.find_project("WEB") is not None)
        if len(found) == 1:
            create_project(sealed_file)

    storage.read("default", work)
    storage.close()

    assert found == [False, True]


async def test_search_in_a_sealed_file_says_that_it_has_changes_to_take_in(sealed_file: Path) -> None:
    create_project(sealed_file)
    orchestrator = Orchestrator(Settings(_env_file=None, database_url=f"sqlite:///{sealed_file}"))

    with pytest.raises(DatabaseError, match=r"take in the latest changes\. The database file cannot be written"):
        await search(orchestrator.context(), SearchQuery(query="web"))
    orchestrator.close()


def test_the_history_of_a_sealed_file_is_watched(sealed_file: Path) -> None:
    storage = opened(f"sqlite:///{sealed_file}")
    noticed: queue.SimpleQueue[None] = queue.SimpleQueue()

    storage.watch(lambda: noticed.put(None))
    noticed.get(timeout=60)
    create_project(sealed_file)
    noticed.get(timeout=60)
    storage.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("name", ["plans.db", "folder/plans.db"])
def test_a_file_in_a_folder_of_somebody_else_is_refused(migrated_file: Path, name: str) -> None:
    with tempfile.TemporaryDirectory() as closed:  # as its owner alone may look into it
        message = as_nobody(lambda: prepare(Path(closed) / name))

    assert message == "The database file cannot be opened: Permission denied."


@pytest.mark.parametrize("instead", ["nothing", "another"])
def test_a_file_that_was_moved_away_is_not_written_any_more_until_it_is_back(
    migrated_file: Path, tmp_path: Path, instead: str
) -> None:
    path = Path(shutil.copy(migrated_file, tmp_path / "plans.db"))
    storage = opened(f"sqlite:///{path}")
    storage.prepare(create=False, migrate=False)

    def count() -> int:
        return len(storage.read("default", lambda tx: tx.list_projects(ProjectQuery())).projects)

    assert count() == 0
    path.rename(tmp_path / "away.db")
    if instead == "another":
        shutil.copy(migrated_file, path)
    wait_for_refusal(count)  # reads may go on for a moment
    for call in (count, storage.check, lambda: storage.write("default", lambda tx: tx.list_api_keys())):
        with pytest.raises(DatabaseError, match="moved, deleted or replaced") as caught:
            call()
        assert caught.value.details[0].hint == "put it back, or restart to open what is there now"

    (tmp_path / "away.db").replace(path)
    assert count() == 0
    storage.close()


def wait_for_refusal(call: Callable[[], object], seconds: float = 30) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            call()
        except DatabaseError:
            return
        time.sleep(0.05)


START = """
import sys
from core.settings import Settings
from core.storage.sql.store import open_store
storage = open_store(Settings(database_url=f"sqlite:///{sys.argv[1]}"))
sys.stdin.readline()
storage.prepare(create=True, migrate=False)
storage.check()
"""


def test_processes_that_start_at_once_on_a_new_file_all_succeed(tmp_path: Path) -> None:
    path = tmp_path / "race.db"
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", START, str(path)],
            env={"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    answers = [process.communicate("go\n", timeout=60) for process in starting]

    assert answers == [("", "")] * 3
    prepare(path, create=False)


def test_the_settings_reach_every_connection(database_file: str) -> None:
    storage = opened(database_file)

    def pragma(name: str) -> object:
        return storage.read("default", lambda tx: tx.connection.exec_driver_sql(f"PRAGMA {name}").scalar())  # type: ignore[attr-defined]

    assert [pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")] == ["wal", 2, 1, 50]
    storage.close()


@pytest.fixture
def database_file(migrated_file: Path, tmp_path: Path) -> str:
    return f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'own.db')}"
