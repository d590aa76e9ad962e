"""Look at a database from outside, with nothing of the product, and check that all of it agrees.

The history is the yardstick: replayed from the first applied set on, it must give exactly the rows that
stand in the tables. So a set of which only a part was written is found, whichever part is missing.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import make_url

Row = dict[str, Any]
TABLES = (
    "projects",
    "tasks",
    "dependencies",
    "comments",
    "patch_sets",
    "patch_set_projects",
    "patch_set_changes",
    "idempotency_keys",
    "item_tags",
)
RENUMBERING = "renumbering"  # kind of the entries, with ordinals below zero, that say which positions are other numbers now
_JSON = {"tags", "links", "custom", "task_schema", "acceptance_criteria", "fields", "revisions", "patches", "totals"}
_INSTANTS = {"completed_at", "claim_expires_at"}
_DAYS = {"start_date", "due_date"}
_EMPTY: dict[str, Any] = {
    "description": "",
    "tags": [],
    "links": {},
    "custom": {},
    "acceptance_criteria": [],
    "priority": "medium",
}
PROJECT_START = {
    name: _EMPTY.get(name) for name in "name description priority tags start_date due_date links task_schema".split()
} | {"status": "planning"}
TASK_START = {
    name: _EMPTY.get(name)
    for name in (
        "title description acceptance_criteria priority tags assignee start_date due_date estimated_minutes actual_minutes "
        "links custom completed_at claimed_by claim_expires_at parent position depends_on"
    ).split()
} | {"status": "todo", "depends_on": []}


def audit(database: str | Path) -> None:
    """Check a whole database, given by URL or path; AssertionError lists what does not agree.

    Held: the engine's own checks (SQLite), `seq` and revisions without gaps, every applied set as large as it says,
    numbers never reused, counters equal to a recount, and tables equal to the replayed history.
    """
    tables, found = read_tables(database)
    by_workspace: dict[str, dict[str, list[Row]]] = defaultdict(lambda: {name: [] for name in TABLES})
    for name, rows in tables.items():
        for row in rows:
            by_workspace[row["workspace_id"]][name].append(row)
    if not found:  # otherwise rows may refer to rows that are not there
        for workspace, content in by_workspace.items():
            found += [f"{workspace}: {line}" for line in _Audit(content).differences()]
    more = f"\n... {len(found) - 50} more" if len(found) > 50 else ""
    assert not found, f"{len(found)} differences in {database}:\n" + "\n".join(found[:50]) + more


def read_tables(database: str | Path) -> tuple[dict[str, list[Row]], list[str]]:
    """Return every row as of one moment, values decoded, and what the engine itself finds damaged."""
    url = str(database)
    if "://" not in url:
        return _read_sqlite(url)
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _read_sqlite(parsed.database or "")
    return _read_postgresql(parsed.set(drivername="postgresql").render_as_string(hide_password=False)), []


def _read_sqlite(path: str) -> tuple[dict[str, list[Row]], list[str]]:
    assert Path(path).is_file(), f"there is no database at {path}"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")
        damage = [f"integrity_check: {line}" for (line,) in connection.execute("PRAGMA integrity_check") if line != "ok"]
        damage += [f"foreign_key_check: {tuple(row)}" for row in connection.execute("PRAGMA foreign_key_check")]
        return {name: _decoded(connection.execute(f"SELECT * FROM {name}")) for name in TABLES}, damage  # noqa: S608


def _read_postgresql(url: str) -> dict[str, list[Row]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return {name: _decoded(connection.execute(f"SELECT * FROM {name}".encode())) for name in TABLES}  # noqa: S608


def _decoded(rows: Iterable[Any]) -> list[Row]:
    return [{name: _value(name, value) for name, value in dict(row).items()} for row in rows]


def _value(name: str, value: Any) -> Any:
    """Return a stored or recorded value in the one form in which the two are compared."""
    if isinstance(value, str):
        if name in _JSON:
            return json.loads(value)
        if name in _INSTANTS:
            return datetime.fromisoformat(value)
        if name in _DAYS:
            return date.fromisoformat(value)
    return sorted(value) if name == "depends_on" and value else value


@dataclass
class _Item:
    """What the history says of one project or task."""

    values: dict[str, Any]
    revision: int
    deleted: bool


@dataclass
class _Audit:
    """The rows of one workspace, and what is wrong with them."""

    tables: Mapping[str, list[Row]]
    found: list[str] = field(default_factory=list)

    def differences(self) -> list[str]:
        self.sets = {row["id"]: row for row in self.tables["patch_sets"]}
        self.applied = sorted((row for row in self.sets.values() if row["state"] == "applied"), key=lambda row: row["seq"] or 0)
        self.changes = _grouped(self.tables["patch_set_changes"], lambda row: row["patch_set_id"])
        self.projects = {row["id"]: row for row in self.tables["projects"]}
        self.tasks = {row["id"]: row for row in self.tables["tasks"]}
        self._sequence()
        self._revisions()
        self._sizes()
        self._replay()
        self._numbers()
        self._counters()
        self._tags()
        for row in self.tables["idempotency_keys"]:
            self._same(f"idempotency key {row['key']}", "has an answer", row["answer"] is not None, True)
        return self.found

    def _same(self, what: str, which: str, stored: Any, expected: Any) -> None:
        if stored != expected:
            self.found.append(f"{what}: {which} is {stored!r}, and should be {expected!r}")

    def _tags(self) -> None:
        """The table by which lists filter has the tags of every item, and no others."""
        items = {**self.projects, **self.tasks}
        stored = sorted((row["item_id"], row["tag"]) for row in self.tables["item_tags"])
        self._same(
            "tags of items", "table", stored, sorted((item_id, tag) for item_id, row in items.items() for tag in row["tags"])
        )

    def _sequence(self) -> None:
        self._same("applied sets", "seq", [row["seq"] for row in self.applied], list(range(1, len(self.applied) + 1)))
        for row in self.sets.values():
            if row["state"] != "applied":
                self._same(row["id"], f"seq of a {row['state']} set", row["seq"], None)

    def _revisions(self) -> None:
        """Per project, each set starts at the revision where the one before it ended."""
        touched = _grouped(self.tables["patch_set_projects"], lambda row: row["patch_set_id"])
        current: Counter[str] = Counter()
        for applied in self.applied:
            revisions = {}
            for row in touched[applied["id"]]:
                project_id = row["project_id"]
                step = (row["revision_before"], row["revision_after"])
                self._same(applied["id"], f"step of project {project_id}", step, (current[project_id], current[project_id] + 1))
                current[project_id] = row["revision_after"]
                revisions[self.projects[project_id]["key"]] = row["revision_after"]
            self._same(applied["id"], "revisions", applied["revisions"], revisions)
            named = {(row["project_id"], row["revision"]) for row in self.changes[applied["id"]]}
            ended = {(row["project_id"], row["revision_after"]) for row in touched[applied["id"]]}
            self._same(applied["id"], "projects and revisions of its changes", sorted(named), sorted(ended))
        for project in self.projects.values():
            self._same(project["key"], "revision", project["revision"], current[project["id"]])

    def _sizes(self) -> None:
        for row in self.sets.values():
            total = row["changes_total"] if row["state"] == "applied" else 0
            shown = sorted(change["ordinal"] for change in self.changes[row["id"]] if change["kind"] != RENUMBERING)
            self._same(row["id"], "ordinals of its changes", shown, list(range(total)))
            hidden = sorted(-change["ordinal"] for change in self.changes[row["id"]] if change["kind"] == RENUMBERING)
            self._same(row["id"], "ordinals of its renumberings", hidden, list(range(1, len(hidden) + 1)))

    def _replay(self) -> None:
        replayed: dict[str, dict[str, _Item]] = {"project": {}, "task": {}, "comment": {}}
        for applied in self.applied:
            for change in sorted(self.changes[applied["id"]], key=lambda row: row["ordinal"]):
                if change["kind"] == RENUMBERING:
                    self._renumber(replayed["task"], change)
                else:
                    self._play(replayed[change["kind"]], change)
        self._compare("project", self.projects, replayed["project"])
        edges = _grouped(self.tables["dependencies"], lambda row: row["task_id"])
        key = {task["id"]: task["key"] for task in self.tasks.values()}
        stored = {
            task["id"]: task
            | {
                "parent": key.get(task["parent_id"]),
                "depends_on": sorted(key[edge["depends_on_id"]] for edge in edges[task["id"]]),
            }
            for task in self.tasks.values()
        }
        self._compare("task", stored, replayed["task"])
        comments = {row["id"]: (row["body"], row["author"]) for row in self.tables["comments"]}
        said = {item_id: (item.values["body"], item.values["author"]) for item_id, item in replayed["comment"].items()}
        self._same("comments", "content", comments, said)

    def _renumber(self, tasks: Mapping[str, _Item], entry: Row) -> None:
        for task_id, step in entry["fields"].items():
            values = tasks[task_id].values
            self._same(f"{entry['patch_set_id']}: renumbering below {entry['key']}", task_id, values["position"], step["before"])
            values["position"] = step["after"]

    def _play(self, items: dict[str, _Item], change: Row) -> None:
        what = f"{change['patch_set_id']}: {change['kind']} {change['key']}"
        item = items.get(change["entity_id"])
        if change["action"] == "created":
            if item is not None:
                self.found.append(f"{what} is created twice")
            start: dict[str, dict[str, Any]] = {"project": PROJECT_START, "task": TASK_START, "comment": {}}
            item = items[change["entity_id"]] = _Item(dict(start[change["kind"]]), 0, deleted=False)
        elif item is None:
            self.found.append(f"{what} is {change['action']} and was never created")
            return
        else:
            for name, step in change["fields"].items():
                before = _value(name, step["before"])
                if name != "deleted_at" and item.values[name] != before:
                    self.found.append(f"{what}: {name} was {item.values[name]!r}, and the history says {before!r}")
        item.values |= {name: _value(name, step["after"]) for name, step in change["fields"].items() if name != "deleted_at"}
        item.revision = change["revision"]
        if change["action"] in ("deleted", "restored"):
            item.deleted = change["action"] == "deleted"
        elif "deleted_at" in change["fields"]:  # made and deleted, or restored and deleted anew, by one set
            item.deleted = True

    def _compare(self, kind: str, stored: Mapping[str, Row], replayed: Mapping[str, _Item]) -> None:
        self._same(f"{kind}s", "ids", sorted(stored.keys() ^ replayed.keys()), [])
        for item_id in stored.keys() & replayed.keys():
            row, item = stored[item_id], replayed[item_id]
            for name, value in item.values.items():
                if row[name] != value:
                    self._same(f"{kind} {row['key']}", name, row[name], value)
            self._same(
                f"{kind} {row['key']}", "deleted_at and deletion_id", row["deleted_at"] is None, row["deletion_id"] is None
            )
            if kind == "task":
                self._same(f"task {row['key']}", "revision", row["revision"], item.revision)
            self._same(f"{kind} {row['key']}", "deleted", row["deleted_at"] is not None, item.deleted)

    def _numbers(self) -> None:
        numbers = _grouped(self.tasks.values(), lambda row: row["project_id"])
        for project in self.projects.values():
            used = sorted(task["number"] for task in numbers[project["id"]])
            self._same(project["key"], "numbers of its tasks", used, list(range(1, project["next_number"])))
        for task in self.tasks.values():
            self._same(task["key"], "key", task["key"], f"{self.projects[task['project_id']]['key']}-{task['number']}")

    def _counters(self) -> None:
        live = [task for task in self.tasks.values() if task["deleted_at"] is None]
        children = Counter(task["parent_id"] for task in live)
        below: dict[str, Counter[str]] = defaultdict(Counter)
        whole: dict[str, Counter[str]] = defaultdict(Counter)
        for task in live:
            leaf = not children[task["id"]]
            counted = Counter(
                leaf_count=int(leaf and task["status"] != "cancelled"),
                leaf_completed=int(leaf and task["status"] == "completed"),
            )
            whole[task["project_id"]].update(
                counted,
                task_count=1,
                completed_task_count=int(task["status"] == "completed"),
                estimated_minutes=(task["estimated_minutes"] or 0) if leaf else 0,
            )
            depth, parent_id = 0, task["parent_id"]
            while parent_id is not None:
                below[parent_id].update(counted)
                depth, parent_id = depth + 1, self.tasks[parent_id]["parent_id"]
            self._same(task["key"], "depth", task["depth"], depth)
        for task in self.tasks.values():
            self._same(task["key"], "subtask_count", task["subtask_count"], children[task["id"]])
            for name in ("leaf_count", "leaf_completed"):
                self._same(task["key"], name, task[name], below[task["id"]][name])
        for project in self.projects.values():
            for name in ("task_count", "completed_task_count", "leaf_count", "leaf_completed", "estimated_minutes"):
                self._same(project["key"], name, project[name], whole[project["id"]][name])


def _grouped(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups
