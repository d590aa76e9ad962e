"""Look-ups are by index, and their number does not follow the size of the project."""

import importlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import event, make_url

from core.patches.snapshot import Needs
from core.storage.interface import Transaction
from core.storage.sql.session import SQLITE, Statement
from core.storage.sql.store import SqlStorage
from core.words import terms_of
from schemas.projects import ProjectQuery
from schemas.search import SearchQuery
from schemas.tasks import TaskQuery
from tests.storage.builders import NOW, TODAY, Database, creation, project, proposal, task

MODULES = (
    "names",
    "closure",
    "loading",
    "saving",
    "history",
    "display",
    "outline",
    "past",
    "tasks",
    "claiming",
    "idempotency",
    "search",
    "trash",
)
ONLY_POSTGRESQL = {"LOCK_SEQUENCE", "LOCK_PROJECTS", "PUT_TSVECTOR"}
# Reads bounded by their LIMIT; what may be claimed anywhere depends on every dependency there is.
WHOLE_WORKSPACE = {"_NEWEST_PROJECTS", "CLAIMABLE"}
# The last entry of an index, and the only row of a workspace.
ONE_ROW = {"TAKE_SEQ", "LATEST_SEQ", "PROGRESS", "MOVE_PROGRESS"}


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
                scans = step.startswith("SCAN") and step.split()[1] not in ("json_each", "page", "edges", "up", "down")
                if (scans or step.endswith("(workspace_id=?)")) and name not in WHOLE_WORKSPACE | ONE_ROW:
                    slow.append((name, step))

    assert slow == []


def plan_of(database: Database, work: Callable[[Transaction], object]) -> list[str]:
    """Return the steps by which SQLite runs the statements that `work` builds for one request."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        asked.append((statement, parameters))

    engine = cast(SqlStorage, database.storage)._writer
    event.listen(engine, "before_cursor_execute", note)
    database.read(work)
    event.remove(engine, "before_cursor_execute", note)
    with closing(sqlite3.connect(make_url(database.url).database or "")) as connection:
        return [
            step
            for statement, parameters in asked
            if statement.startswith("SELECT")
            for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_search_looks_up_the_words_and_then_their_items(database: Database) -> None:
    """The other way round, the index of words would be asked once for every item of the workspace."""
    database.create([web := project()], [task(web) for _ in range(3)])
    query = SearchQuery(query="some words", project="WEB", kind=["task"])

    steps = plan_of(database, lambda tx: tx.find_documents(query, terms_of(query.query)))

    words = [place for place, step in enumerate(steps) if step.startswith("SCAN search_words VIRTUAL TABLE INDEX 0:M")]
    assert words
    for place in words:
        assert steps[place + 1].startswith("SEARCH search_documents USING INTEGER PRIMARY KEY")
        assert all(step.startswith(("SEARCH", "USE TEMP B-TREE FOR ORDER BY")) for step in steps[place + 1 : place + 5]), steps


# What a list is filtered by alone, and which index it is found by. `query` is literal text anywhere in a text, which no
# index can find (search is for words); what is ready depends on every dependency there is; not being overdue is what
# nearly all tasks are.
TASK_FILTERS: dict[str, tuple[Any, str | None]] = {
    "project": ("WEB", "ix_tasks_project_newest"),
    "parent": ("WEB-1", "ix_tasks_children"),
    "root": (True, "ix_tasks_top_level"),
    "status": (["todo", "blocked"], "ix_tasks_status"),
    "priority": (["high"], "ix_tasks_priority"),
    "assignee": ("ada", "ix_tasks_assignee"),
    "tag": ("ui", "sqlite_autoindex_item_tags_1"),
    "due_before": (TODAY, "ix_tasks_due"),
    "due_after": (TODAY, "ix_tasks_due"),
    "updated_since": (NOW, "ix_tasks_recent"),
    "ready": (True, None),
    "overdue": (True, "ix_tasks_due"),
    "query": ("text", None),
    "deleted": (True, "ix_tasks_deletion"),
}
PROJECT_FILTERS: dict[str, tuple[Any, str | None]] = {
    "status": (["active"], "ix_projects_status"),
    "priority": (["high"], "ix_projects_priority"),
    "tag": ("ui", "sqlite_autoindex_item_tags_1"),
    "query": ("text", None),
    "deleted": (True, "ix_projects_deletion"),
}
ORDER = {"page", "per_page", "cursor", "sort"}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_every_filter_of_a_list_has_an_index(database: Database) -> None:
    assert TASK_FILTERS.keys() == TaskQuery.model_fields.keys() - ORDER
    assert PROJECT_FILTERS.keys() == ProjectQuery.model_fields.keys() - ORDER
    database.create([web := project()], [task(web) for _ in range(3)])

    for name, (value, index) in TASK_FILTERS.items():
        tasks_query = TaskQuery.model_validate({name: value})
        steps = plan_of(database, lambda tx, query=tasks_query: tx.list_tasks(query, today=TODAY))  # type: ignore[misc]
        assert index is None or any(index in step for step in steps), (name, steps)
    for name, (value, index) in PROJECT_FILTERS.items():
        projects_query = ProjectQuery.model_validate({name: value})
        steps = plan_of(database, lambda tx, query=projects_query: tx.list_projects(query))  # type: ignore[misc]
        assert index is None or any(index in step for step in steps), (name, steps)


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
