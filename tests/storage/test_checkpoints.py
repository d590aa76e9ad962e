"""A long log is copied back beside the writes."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from core.storage.sql import checkpoints
from core.storage.sql.checkpoints import Checkpoints


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plan.db"


def fill(file: Path, size: int) -> sqlite3.Connection:
    """Return an open connection after writing `size` bytes that only the log holds."""
    connection = sqlite3.connect(file, isolation_level=None)
    for statement in ("PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0", "CREATE TABLE t (b)"):
        connection.execute(statement)
    connection.execute("INSERT INTO t VALUES (randomblob(?))", (size,))
    return connection


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def test_a_long_log_is_copied_into_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "REST_SECONDS", 0.0)
    with closing(fill(file, checkpoints.LONG_LOG_BYTES + 1)):
        work = Checkpoints(file)
        copied = threading.Event()
        copy_back = work._copy_back

        def report() -> None:
            copy_back()
            copied.set()

        monkeypatch.setattr(work, "_copy_back", report)

        work.stir()

        assert copied.wait(30)
        work.close()
        assert file.stat().st_size > checkpoints.LONG_LOG_BYTES


def test_a_short_log_is_left_alone(file: Path) -> None:
    with closing(fill(file, 1_000)):
        Checkpoints(file).stir()

        assert "checkpoints" not in threads()


def test_nothing_is_left_running_after_the_end(file: Path) -> None:
    with closing(fill(file, checkpoints.LONG_LOG_BYTES + 1)):
        work = Checkpoints(file)
        work.stir()

        work.close()
        work.stir()

    assert "checkpoints" not in threads()
