"""Writes of one thread that share a transaction: each fails alone, all become durable together."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import DatabaseError, NotFound, StorageBusy
from core.settings import Settings
from core.storage.interface import Storage, Transaction
from core.storage.sql.store import open_store
from tests.storage.builders import creation, project, proposal

WORKSPACE = "default"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plan.db"


@pytest.fixture
def storage(file: Path) -> Iterator[Storage]:
    store = open_store(Settings(_env_file=None, database_url=f"sqlite:///{file}"))
    store.prepare(create=True, migrate=True)
    yield store
    store.close()


def create(storage: Storage, key: str) -> None:
    storage.write(WORKSPACE, lambda tx: tx.save_plan(proposal(), creation([project(key)], [])))


def stored(file: Path) -> set[str]:
    """Return what another process sees."""
    with closing(sqlite3.connect(file)) as connection:
        return {key for (key,) in connection.execute("SELECT key FROM projects")}


def test_nothing_is_seen_by_others_before_the_round_ends(storage: Storage, file: Path) -> None:
    with storage.together():
        create(storage, "AA")
        create(storage, "BB")
        assert stored(file) == set()

    assert stored(file) == {"AA", "BB"}


def test_a_call_sees_what_earlier_calls_of_the_round_wrote(storage: Storage) -> None:
    with storage.together():
        create(storage, "AA")
        found = storage.read(WORKSPACE, lambda tx: tx.find_project("AA"))

    assert found is not None


def test_a_refusal_undoes_only_itself(storage: Storage, file: Path) -> None:
    def refuse(tx: Transaction) -> None:
        tx.save_plan(proposal(), creation([project("BB")], []))
        raise NotFound("there is no task 'X-1'")

    with storage.together():
        create(storage, "AA")
        with pytest.raises(NotFound):
            storage.write(WORKSPACE, refuse)
        create(storage, "CC")

    assert stored(file) == {"AA", "CC"}


def test_a_failure_of_the_database_undoes_the_whole_round_and_says_so(storage: Storage, file: Path) -> None:
    def fail(tx: Transaction) -> None:
        tx.save_plan(proposal(), creation([project("BB")], []))
        raise sqlite3.OperationalError("disk I/O error")

    def round_() -> None:
        with storage.together():
            create(storage, "AA")
            with pytest.raises(DatabaseError):
                storage.write(WORKSPACE, fail)
            with pytest.raises(StorageBusy):
                create(storage, "CC")

    with pytest.raises(StorageBusy):
        round_()
    assert stored(file) == set()
    create(storage, "DD")
    assert stored(file) == {"DD"}


def test_a_round_that_raises_leaves_nothing(storage: Storage, file: Path) -> None:
    def round_() -> None:
        with storage.together():
            create(storage, "AA")
            raise KeyError

    with pytest.raises(KeyError):
        round_()

    assert stored(file) == set()


def test_nothing_is_committed_to_a_file_that_was_moved_away_during_the_round(
    storage: Storage, file: Path, tmp_path: Path
) -> None:
    def round_() -> None:
        with storage.together():
            create(storage, "AA")
            file.rename(tmp_path / "away.db")
            create(storage, "BB")

    with pytest.raises(DatabaseError, match="moved, deleted or replaced"):
        round_()

    (tmp_path / "away.db").rename(file)
    assert stored(file) == set()


def test_a_round_of_reads_takes_no_lock(storage: Storage, file: Path) -> None:
    with storage.together():
        assert storage.read(WORKSPACE, lambda tx: tx.find_project("AA")) is None
        with closing(sqlite3.connect(file, timeout=0)) as other:
            other.execute("BEGIN IMMEDIATE")
