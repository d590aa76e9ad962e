"""Hold the product's database and answers against the reference; every difference is one readable line."""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from schemas.changes import Change
from schemas.tasks import Task
from tests.model.reference import Reference, Set, task_differs
from tests.model.state import (
    PROJECT_DEFAULTS,
    SYSTEM_DEFAULTS,
    TASK_DEFAULTS,
    Derived,
    Item,
    State,
    depth,
    is_live,
    outline,
    siblings,
)
from tests.model.store import Contents, Eyes

_JSON = {"tags", "links", "custom", "task_schema", "acceptance_criteria", "only", "reverts", "revisions", "base_revisions"}
_COMMON = ("created_by", "created_at", "updated_at", "deleted_at", "revision")
PROJECT_COLUMNS = ("name", *PROJECT_DEFAULTS, *_COMMON, "next_number")
TASK_COLUMNS = ("number", *TASK_DEFAULTS, *SYSTEM_DEFAULTS, *_COMMON)


@lru_cache(maxsize=4096)
def _loaded(text: str) -> Any:
    return json.loads(text)


@lru_cache(maxsize=4096)
def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _value(name: str, value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        if name in _JSON:
            return _loaded(value)
        if name.endswith("_at"):
            return _instant(value)
    return value


class Comparison:
    """Compares one store with one reference, step by step."""

    def __init__(self, eyes: Eyes) -> None:
        self._columns = {name: eyes.columns(name) for name in ("projects", "tasks", "dependencies", "comments", "patch_sets")}
        self._deletions: dict[str, int] = {}  # ids of deletions -> what the reference calls them
        self._deletion_ids: dict[int, str] = {}

    def differences(self, contents: Contents, reference: Reference) -> list[str]:
        """Return where the stored rows differ from the reference."""
        rows = {
            table: [{name: _value(name, value) for name, value in zip(names, row, strict=False)} for row in contents[table]]
            for table, names in self._columns.items()
        }
        key = {row["id"]: row["key"] for table in ("projects", "tasks") for row in rows[table]}
        state, derived = reference.state, Derived(reference.state)
        found = _uneven("projects", {row["key"] for row in rows["projects"]}, state.projects.keys())
        found += _uneven("tasks", {row["key"] for row in rows["tasks"]}, state.tasks.keys())
        if found:
            return found
        for row in rows["projects"]:
            project = state.projects[row["key"]]
            found += self._unlike(row, {name: project[name] for name in PROJECT_COLUMNS} | derived.totals(row["key"]))
            found += self._deletion(row, project)
        for row in rows["tasks"]:
            task = state.tasks[row["key"]]
            expected = {name: task[name] for name in TASK_COLUMNS} | derived.numbers(task)
            if is_live(task):
                expected["depth"] = depth(state, task)
            found += self._unlike(row, expected)
            for name, column in (("project", "project_id"), ("parent", "parent_id")):
                if key.get(row[column]) != task[name]:
                    found.append(f"{row['key']}: {name} is {key.get(row[column])}, expected {task[name]}")
            found += self._deletion(row, task)
        if found:
            return found
        found += _orders(rows["tasks"], key, state)
        edges = {(key[row["task_id"]], key[row["depends_on_id"]]) for row in rows["dependencies"]}
        found += _uneven("dependencies", edges, state.edges)
        said = sorted((key[row["task_id"]], row["author"], row["body"], row["created_at"]) for row in rows["comments"])
        expected_said = sorted((one["task"], one["author"], one["body"], one["created_at"]) for one in state.comments)
        if said != expected_said:
            found.append(f"comments are {said}, expected {expected_said}")
        return found + self._sets(rows["patch_sets"], reference)

    def _unlike(self, row: Item, expected: Item) -> list[str]:
        return [
            f"{row['key']}: {name} is {row[name]!r}, expected {value!r}" for name, value in expected.items() if row[name] != value
        ]

    def _deletion(self, row: Item, item: Item) -> list[str]:
        """What was deleted together must share its deletion, and nothing else may."""
        if (row["deletion_id"] is None) != (item["deletion"] is None):
            return [f"{row['key']}: deletion_id is {row['deletion_id']}, expected {item['deletion']}"]
        if row["deletion_id"] is not None:
            known = self._deletions.setdefault(row["deletion_id"], item["deletion"])
            known_id = self._deletion_ids.setdefault(item["deletion"], row["deletion_id"])
            if known != item["deletion"] or known_id != row["deletion_id"]:
                return [f"{row['key']}: belongs to deletion {row['deletion_id']}, expected {item['deletion']} ({known_id})"]
        return []

    def _sets(self, rows: Iterable[Item], reference: Reference) -> list[str]:
        by_id = {row["id"]: row for row in rows}
        found = _uneven("patch sets", set(by_id), reference.sets.keys())
        seq = {applied.id: number for number, applied in enumerate(reference.applied, 1)}
        for one in reference.sets.values() if not found else ():
            row = by_id[one.id] | {"key": one.id}
            expected: Item = {
                "state": one.state,
                "seq": seq.get(one.id),
                "only": one.only,
                "base_revisions": one.base,
                "reverts": list(one.reverts),
                "supersedes": one.supersedes,
                "revisions": one.revisions,
                "patch_count": len(one.patches) if not one.reverts else row["patch_count"],
            }
            found += self._unlike(row, expected)
        return found


def _uneven(what: str, stored: Iterable[Any], expected: Iterable[Any]) -> list[str]:
    here, there = set(stored), set(expected)
    return [f"{what}: {one} is stored and should not be" for one in sorted(here - there)] + [
        f"{what}: {one} should be stored and is not" for one in sorted(there - here)
    ]


def _orders(rows: Iterable[Item], key: Mapping[str, str], state: State) -> list[str]:
    stored: dict[tuple[str, str | None], list[Item]] = {}
    for row in rows:
        stored.setdefault((key[row["project_id"]], key.get(row["parent_id"])), []).append(row)
    found = []
    for where, here in stored.items():
        order = [row["key"] for row in sorted(here, key=lambda row: (row["position"], row["id"]))]
        expected = [task["key"] for task in siblings(state, where)]
        if order != expected:
            found.append(f"order below {where[1] or where[0]} is {order}, expected {expected}")
    return found


def shown_differences(shown: Iterable[Task], state: State, project: str, today: str) -> list[str]:
    """Compare the outline of a project, as every door shows it."""
    derived = Derived(state)
    found = []
    expected = [derived.shown(task, today) for task in outline(state, project)]
    answered = [{name: getattr(task, name) for name in expected[0]} for task in shown] if expected else list(shown)
    for here, there in zip(answered, expected, strict=False):
        here |= {"depends_on": sorted(here["depends_on"]), "blocks": sorted(here["blocks"])}
        if here != there:
            found.append(f"shown as {here}, expected {there}")
    if len(answered) != len(expected):
        found.append(f"{project} shows {len(answered)} tasks, expected {len(expected)}")
    return found


# -- what an answer says has changed


def change_differences(changes: Iterable[Change], made: Set, now: datetime) -> list[str]:
    """Compare the changes of an answer with the difference between the whole states before and after."""
    answered: dict[tuple[str, str], Item] = {}
    comments = []
    for change in changes:
        fields = {name: (sides["before"], sides["after"]) for name, sides in change.fields.items() if name != "position"}
        if change.kind.value == "comment":
            comments.append((change.key, fields["body"][1]))
            continue
        if "depends_on" in fields:
            fields["depends_on"] = tuple(None if side is None else sorted(side) for side in fields["depends_on"])  # type: ignore[arg-type]
        answered[change.kind.value, change.key] = {"action": change.action.value, "fields": fields}
    expected = _expected_changes(made.before, made.after, now)
    found = [
        f"change of {name[1]} is {answered.get(name)}, expected {expected.get(name)}"
        for name in sorted(answered.keys() | expected.keys())
        if answered.get(name) != expected.get(name)
    ]
    said = [(one["task"], one["body"]) for one in made.after.comments[len(made.before.comments) :]]
    if sorted(comments) != sorted(said):
        found.append(f"changes of comments are {comments}, expected {said}")
    return found


def _expected_changes(before: State, after: State, now: datetime) -> dict[tuple[str, str], Item]:
    found = {}
    for key in after.projects:
        if change := _change(before.projects.get(key), after.projects[key], PROJECT_DEFAULTS, now):
            found["project", key] = change
    for key in after.tasks:
        if task_differs(before, after, key):
            old = before.tasks.get(key)
            change = _change(old, after.tasks[key], {**TASK_DEFAULTS, **SYSTEM_DEFAULTS, "parent": None}, now)
            ends = [sorted(end for one, end in state.edges if one == key) for state in (before, after)]
            change = change or {"action": "updated", "fields": {}}
            if ends[0] != ends[1]:
                change["fields"]["depends_on"] = (None if old is None else ends[0], ends[1])
            found["task", key] = change
    return found


def _change(old: Item | None, new: Item, names: Mapping[str, Any], now: datetime) -> Item | None:
    if old is None:
        fields = {name: (None, _wire(new[name])) for name, default in names.items() if new[name] != default}
        if not is_live(new):
            fields["deleted_at"] = (None, _wire(now))
        return {"action": "created", "fields": fields}
    fields = {name: (_wire(old[name]), _wire(new[name])) for name in names if old[name] != new[name]}
    moved = "number" in new and (old["parent"], old["position"]) != (new["parent"], new["position"])
    if is_live(old) != is_live(new):
        return {"action": "restored" if is_live(new) else "deleted", "fields": fields}
    if old["deletion"] != new["deletion"]:
        fields["deleted_at"] = (_wire(old["deleted_at"]), _wire(new["deleted_at"]))
    if moved:
        return {"action": "moved", "fields": fields}
    return {"action": "updated", "fields": fields} if fields else None


def _wire(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
