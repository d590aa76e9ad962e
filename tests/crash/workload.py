"""Numbered patch sets, each of many rows in two projects, and what a database holds after the first of them.

Set n builds on set n-1, and its id is its number: a lost, doubled or half set shows in every later state.
"""

from pathlib import Path
from typing import Any

from core.services import patch_sets
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.changes import ApplyResponse
from schemas.patches import PatchSet
from tests.support.audit import read_tables

# Made anew by every run, so the same in no two databases.
_OWN = {"workspace_id", "id", "project_id", "parent_id", "deletion_id", "created_at", "updated_at", "closed_at"}
_MOMENTS = {"completed_at", "deleted_at"}
_SAID = ("id", "seq", "state", "hash", "revisions", "totals", "changes_total")


def opened(url: str, *, create: bool = False) -> Orchestrator:
    """Return the product on this database, with its default durability."""
    orchestrator = Orchestrator(Settings(database_url=url, auto_migrate=create))
    orchestrator.start(create=create)
    return orchestrator


def set_id(number: int) -> str:
    return f"ps_{number:016d}"


def apply(orchestrator: Orchestrator, number: int) -> ApplyResponse:
    return patch_sets.apply_patch_set(orchestrator.context(), numbered(number))


def numbered(number: int) -> PatchSet:
    return PatchSet(id=set_id(number), summary=f"set {number}", patches=_patches(number) if number else _first_patches())


def _first_patches() -> list[dict[str, Any]]:
    return [
        {"op": "create_project", "ref": "$web", "key": "WEB", "fields": {"name": "Web"}},
        {"op": "create_project", "ref": "$app", "key": "APP", "fields": {"name": "App"}},
        *({"op": "create_task", "project": "$web", "fields": {"title": title}} for title in ("state", "wanderer", "home")),
        {"op": "create_task", "project": "$app", "fields": {"title": "state"}},
    ]


def _patches(number: int) -> list[dict[str, Any]]:
    said = f"set {number}"
    patches: list[dict[str, Any]] = [
        {"op": "create_task", "ref": "$made", "project": "WEB", "fields": {"title": said, "estimated_minutes": number}},
        {"op": "create_task", "parent": "$made", "fields": {"title": f"below {said}", "status": ("todo", "done")[number % 2]}},
        {"op": "create_task", "project": "APP", "fields": {"title": said}, "depends_on": [f"APP-{number}"]},
        {"op": "add_dependency", "task": "$made", "depends_on": "WEB-1"},
        {"op": "update_task", "task": "WEB-1", "fields": {"description": said, "custom": {"last": number}}},
        {"op": "update_task", "task": "APP-1", "fields": {"description": said, "estimated_minutes": number}},
        {"op": "move_task", "task": "WEB-2", "parent": "WEB-3" if number % 2 else None},
        {"op": "update_project", "project": "APP", "fields": {"description": said}},
        {"op": "add_comment", "task": "WEB-1", "body": said},
    ]
    if number > 2 and number % 3 == 0:
        patches.append({"op": "delete_task", "task": _made_by(number - 1)})
    if number > 3 and number % 3 == 1:
        patches.append({"op": "restore_task", "task": _made_by(number - 2)})
    return patches


def _made_by(number: int) -> str:
    return f"WEB-{2 * number + 2}"


def contents(database: str | Path) -> dict[str, list[Any]]:
    """Return all that the sets decide: no ids, no instants."""
    tables, _ = read_tables(database)
    key = {row["id"]: row["key"] for row in tables["tasks"]}
    tasks = [_decided(row) | {"parent": key.get(row["parent_id"])} for row in tables["tasks"]]
    return {
        "sets": [{name: row[name] for name in _SAID} for row in sorted(tables["patch_sets"], key=lambda row: row["seq"] or 0)],
        "projects": sorted((_decided(row) for row in tables["projects"]), key=lambda row: row["key"]),
        "tasks": sorted(tasks, key=lambda row: row["key"]),
        "dependencies": sorted((key[row["task_id"]], key[row["depends_on_id"]]) for row in tables["dependencies"]),
        "comments": sorted((key[row["task_id"]], row["body"], row["author"]) for row in tables["comments"]),
        "changes": sorted(
            # the fields of a renumbering are the ids of its tasks
            (
                row["patch_set_id"],
                row["ordinal"],
                row["key"],
                row["action"],
                row["revision"],
                sorted(key.get(name, name) for name in row["fields"]),
            )
            for row in tables["patch_set_changes"]
        ),
    }


def _decided(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value is not None if name in _MOMENTS else value for name, value in row.items() if name not in _OWN}


class Reference:
    """A database on which nothing ever went wrong."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "reference.db"
        self._orchestrator = opened(f"sqlite:///{self._path}", create=True)
        self._states: list[dict[str, list[Any]]] = []

    def after(self, number: int) -> dict[str, list[Any]]:
        """Return the contents after the sets 0 to `number`."""
        while len(self._states) <= number:
            apply(self._orchestrator, len(self._states))
            self._states.append(contents(self._path))
        return self._states[number]
