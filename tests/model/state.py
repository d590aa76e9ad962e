"""What the reference keeps: plain dicts by key. Values are never changed in place, so a copy of the outer dicts is one.

A task's or project's `deletion` names the deletion that took it along (None: it is live).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Item = dict[str, Any]
_SHARED: Item = {
    "description": "",
    "priority": "medium",
    "tags": [],
    "start_date": None,
    "due_date": None,
    "links": {},
    "deletion": None,
    "deleted_at": None,
    "revision": 0,
}
NEW_PROJECT: Item = _SHARED | {"name": "", "status": "planning", "task_schema": None, "next_number": 1}
NEW_TASK: Item = _SHARED | {
    "title": "",
    "status": "todo",
    "acceptance_criteria": [],
    "assignee": None,
    "estimated_minutes": None,
    "actual_minutes": None,
    "custom": {},
    "completed_at": None,
    "claimed_by": None,
    "claim_expires_at": None,
    "position": 0,
}
PRIVATE = ("completed_at", "claimed_by", "claim_expires_at")  # of a task; follow from its status, or are restored by a revert
PROJECT_FIELDS = ("name", "description", "status", "priority", "tags", "start_date", "due_date", "links", "task_schema")
TASK_FIELDS = (
    *("title", "description", "acceptance_criteria", "status", "priority", "tags", "assignee", "start_date", "due_date"),
    *("estimated_minutes", "actual_minutes", "links", "custom"),
)


@dataclass
class State:
    projects: dict[str, Item] = field(default_factory=dict)
    tasks: dict[str, Item] = field(default_factory=dict)
    edges: set[tuple[str, str]] = field(default_factory=set)  # (task, what it waits for)
    comments: list[tuple[str, str, str, datetime]] = field(default_factory=list)  # task, author, body, instant

    def copy(self) -> "State":
        projects = {key: dict(item) for key, item in self.projects.items()}
        return State(projects, {key: dict(item) for key, item in self.tasks.items()}, set(self.edges), list(self.comments))

    def item(self, key: str) -> Item | None:
        return self.tasks.get(key) or self.projects.get(key)

    def is_gone(self, key: str) -> bool:
        """Whether an item is deleted, or not there."""
        item = self.item(key)
        return item is None or item["deletion"] is not None

    def below(self, key: str) -> Iterator[str]:
        """Yield all tasks below one, deleted ones included; ends in circles too."""
        seen, waiting = {key}, [key]
        while waiting:
            parent = waiting.pop()
            children = [task for task, item in self.tasks.items() if item["parent"] == parent and task not in seen]
            seen.update(children)
            yield from children
            waiting += children

    def above(self, key: str) -> list[str]:
        """Return the tasks above one, the nearest first; in a circle each once, the task itself too."""
        found: list[str] = []
        parent = self.tasks[key]["parent"]
        while parent is not None and parent not in found:
            found.append(parent)
            parent = self.tasks[parent]["parent"]
        return found

    def root(self, key: str) -> str:
        """Return the item whose deletion took a deleted task along: itself, a task above it, or the project."""
        deletion, project = self.tasks[key]["deletion"], self.tasks[key]["project"]
        if self.projects[project]["deletion"] == deletion:
            return str(project)
        root = key
        for parent in self.above(key):
            if self.tasks[parent]["deletion"] != deletion:
                break
            root = parent
        return root


def project_of(key: str) -> str:
    return key.partition("-")[0]


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal as JSON: true is not 1."""
    if one is other or one != other:
        return one is other
    plain = not isinstance(one, bool | dict | list) and not isinstance(other, bool)
    return plain or json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def merged(target: Any, patch: Any) -> Any:
    """Return what RFC 7396 makes of the two."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
