"""The audit on which the crash tests rest finds what it is there to find: each of these is one lost or doubled row."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.crash.workload import apply, opened
from tests.support.audit import audit

DAMAGE = {
    "a task was not written": "DELETE FROM tasks WHERE key = 'APP-6'",
    "an update was not written": "UPDATE tasks SET description = 'set 5' WHERE key = 'WEB-1'",
    "a move was not written": "UPDATE tasks SET parent_id = NULL WHERE key = 'WEB-5'",
    "a deletion was not written": "UPDATE tasks SET deleted_at = NULL, deletion_id = NULL WHERE deleted_at IS NOT NULL",
    "a dependency was not written": "DELETE FROM dependencies WHERE rowid = (SELECT max(rowid) FROM dependencies)",
    "a comment was not written": "DELETE FROM comments WHERE body = 'set 6'",
    "a project was not written": "UPDATE projects SET description = 'set 5' WHERE key = 'APP'",
    "a revision was not moved": "UPDATE projects SET revision = revision - 1 WHERE key = 'WEB'",
    "a revision of a task was not moved": "UPDATE tasks SET revision = revision - 1 WHERE key = 'WEB-1'",
    "a counter was not moved": "UPDATE tasks SET leaf_count = leaf_count + 1 WHERE key = 'WEB-4'",
    "a total was not moved": "UPDATE projects SET estimated_minutes = estimated_minutes + 1 WHERE key = 'APP'",
    "a number was not used up": "UPDATE projects SET next_number = next_number - 1 WHERE key = 'WEB'",
    "a change is missing": "DELETE FROM patch_set_changes WHERE patch_set_id = 'ps_0000000000000006' AND ordinal = 3",
    "the last change is missing": "DELETE FROM patch_set_changes WHERE rowid = (SELECT max(rowid) FROM patch_set_changes)",
    "a touched project is missing": "DELETE FROM patch_set_projects WHERE rowid = (SELECT max(rowid) FROM patch_set_projects)",
    "a set is in the history without its rows": "UPDATE patch_sets SET state = 'proposed', seq = NULL WHERE seq = 7",
    "the sequence has a gap": "UPDATE patch_sets SET seq = 9 WHERE seq = 7",
    "an idempotency key has no answer": "INSERT INTO idempotency_keys SELECT id, 's', 'k', 'f', 0, NULL, '' FROM workspaces",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a few sets, sound."""
    path = tmp_path / "sound.db"
    orchestrator = opened(f"sqlite:///{path}", create=True)
    for number in range(7):
        apply(orchestrator, number)
    orchestrator.close()
    audit(path)
    return path


@pytest.mark.parametrize("what", DAMAGE)
def test_a_half_written_set_is_found(what: str, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(DAMAGE[what]).rowcount > 0

    with pytest.raises(AssertionError, match="differences"):
        audit(path)


def test_a_damaged_index_is_found(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_master WHERE name = 'ix_tasks_status'")

    with pytest.raises(AssertionError, match="integrity_check"):
        audit(path)
