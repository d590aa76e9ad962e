"""Look-ups are by index, and their number does not follow the size of the project."""

import importlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.patches.snapshot import Needs
from core.storage.interface import Transaction
from core.storage.sql.session import SQLITE, Statement
from tests.storage.builders import Database, creation, project, proposal, task

MODULES = ("names", "closure", "loading", "saving", "history", "display", "outline", "past", "tasks", "claiming", "idempotency")
ONLY_POSTGRESQL = {"LOCK_SEQUENCE", "LOCK_PROJECTS"}
# Reads bounded by their LIMIT; what may be claimed anywhere depends on every dependency there is.
WHOLE_WORKSPACE = {"_NEWEST_PROJECT_KEYS", "CLAIMABLE"}


def statements() -> Iterator[tuple[str, Statement]]:
    for module in MODULES:
        for name, value in vars(importlib.import_module(f"core.storage.sql.{module}")).items():
            for item in value.values() if isinstance(value, dict) and name.isupper() else [value]:
                if isinstance(item, Statement) and name not in ONLY_POSTGRESQL:
                    yield name, item


def test_every_statement_seeks_by_more_than_the_workspace(migrated_file: Path) -> None:
    slow = []
    with closing(sqlite3.connect(migrated_file)) as connection:
        for name, statement in statements():
            sql, parameters, _ = statement.compiled(SQLITE.dialect)
            for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * len(parameters)):
                scans = step.startswith("SCAN") and step.split()[1] not in ("json_each", "up", "down")
                if (scans or step.endswith("(workspace_id=?)")) and name not in WHOLE_WORKSPACE | {"TAKE_SEQ"}:
                    slow.append((name, step))

    assert slow == []


@pytest.mark.parametrize("size", [10, 2_000])
def test_a_small_set_takes_the_same_few_statements_in_any_project(
    database: Database, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = project()
    tasks = [task(web) for _ in range(size)]
    database.create([web], tasks, new_edges=[(tasks[1].id, tasks[0].id)])
    needs = Needs(tasks=frozenset(["WEB-2"]), append_to_projects=frozenset(["WEB"]), edges=frozenset(["WEB-2"]))
    fresh = creation([project("NEW")], [])
    ran: list[str] = []

    def work(tx: Transaction) -> None:
        run = tx._driver.execute  # type: ignore[attr-defined]

        class Counting:
            def execute(self, sql: str, *values: object) -> object:
                ran.append(sql)
                return run(sql, *values)

            def cursor(self) -> object:
                ran.append("executemany")
                return tx.connection.connection.driver_connection.cursor()  # type: ignore[attr-defined]

        tx._driver = Counting()  # type: ignore[attr-defined]
        snapshot = tx.load_snapshot(needs)
        assert len(snapshot.tasks) == 2
        tx.save_plan(proposal(), fresh)

    database.write(work)

    assert len(ran) == (13 if database.kind == "postgresql" else 11)
