"""Apply thousands of creates in one set, against the raw driver inserting as many rows.

The raw side has the same pragmas and commits as durably; what it takes without a commit is shown too.
"""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from core.context import Context
from core.services.patch_sets import apply_patch_set
from core.services.projects import create_project
from schemas.projects import ProjectCreate
from tests.benchmarks.runner import Row, interleaved_medians, seconds, versus
from tests.benchmarks.workspace import DESCRIPTION, creates, workspace

ROUNDS = 5
LARGE, SMALL = 10_000, 1_000
TABLE = """
    CREATE TABLE projects (id VARCHAR(40) PRIMARY KEY);
    INSERT INTO projects VALUES ('p');
    CREATE TABLE tasks (
        id VARCHAR(40) PRIMARY KEY, project_id VARCHAR(40) NOT NULL REFERENCES projects (id), parent_id VARCHAR(40),
        title VARCHAR(200) NOT NULL, description TEXT NOT NULL, status VARCHAR(20) NOT NULL, priority VARCHAR(20) NOT NULL,
        assignee VARCHAR(80), position INTEGER NOT NULL, version INTEGER NOT NULL,
        created_at VARCHAR(40) NOT NULL, updated_at VARCHAR(40) NOT NULL
    );
    CREATE INDEX ix_tasks_project_position ON tasks (project_id, position);
"""
INSERT = "INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSTANT = "2026-01-01T00:00:00+00:00"


def rows() -> Iterator[Row]:
    with (
        workspace() as ctx,
        TemporaryDirectory() as folder,
        closing(sqlite3.connect(Path(folder) / "raw.db", isolation_level=None)) as raw,
    ):
        prepare(raw, synchronous=ctx.settings.sqlite_synchronous)
        numbers = count()
        medians = interleaved_medians(
            {
                "raw": lambda: raw_insert(raw, LARGE, "COMMIT"),
                "uncommitted": lambda: raw_insert(raw, LARGE, "ROLLBACK"),
                "large": lambda: apply(ctx, f"L{next(numbers)}", LARGE),
                "small": lambda: apply(ctx, f"S{next(numbers)}", SMALL),
            },
            rounds=ROUNDS,
        )
    large, small, limit = medians["large"], medians["small"], medians["raw"]
    uncommitted = f"{medians['uncommitted'] * 1e3:,.0f} ms without its commit"
    yield Row(
        "apply 10,000 creates / raw insert of 10,000 rows", large / limit, 12, "x", f"{versus(large, limit)}; {uncommitted}"
    )
    yield Row("apply 10,000 creates", large, 1.5, "s")
    yield Row("apply 10,000 creates / apply 1,000 creates", large / small, 12, "x", versus(large, small))


def apply(ctx: Context, project: str, size: int) -> float:
    create_project(ctx, ProjectCreate(name=project, key=project))
    patch_set = creates(project, size)
    return seconds(lambda: apply_patch_set(ctx, patch_set))


def prepare(raw: sqlite3.Connection, *, synchronous: str) -> None:
    for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON"):
        raw.execute(f"PRAGMA {pragma}")
    raw.executescript(TABLE)


def raw_insert(raw: sqlite3.Connection, size: int, end: str) -> float:
    raw.execute("DELETE FROM tasks")
    lines = [
        (str(uuid.uuid4()), "p", None, f"Task number {n}", DESCRIPTION, "todo", "medium", "ada", n, 1, INSTANT, INSTANT)
        for n in range(size)
    ]

    def work() -> None:
        raw.execute("BEGIN IMMEDIATE")
        raw.executemany(INSERT, lines)
        raw.execute(end)

    return seconds(work)
