"""The whole workspace as plain dicts, and everything that can be worked out from it by looking at all of it.

Written from the specification (see `reference`), for clearness and not for speed: nothing is kept up to date,
everything is counted when it is asked for. Items are named by their keys, which are never used twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Item = dict[str, Any]
Edge = tuple[str, str]  # (the task that waits, the task it waits for)

PROJECT_DEFAULTS: Mapping[str, Any] = {
    "name": None,
    "description": "",
    "status": "planning",
    "priority": "medium",
    "tags": [],
    "start_date": None,
    "due_date": None,
    "links": {},
    "task_schema": None,
}
TASK_DEFAULTS: Mapping[str, Any] = {
    "title": None,
    "description": "",
    "acceptance_criteria": [],
    "status": "todo",
    "priority": "medium",
    "tags": [],
    "assignee": None,
    "start_date": None,
    "due_date": None,
    "estimated_minutes": None,
    "actual_minutes": None,
    "links": {},
    "custom": {},
}
SYSTEM_DEFAULTS: Mapping[str, Any] = {"completed_at": None, "claimed_by": None, "claim_expires_at": None}
CLOSED = ("completed", "cancelled")


@dataclass
class State:
    """Everything that is stored, deleted items included. Values inside an item are replaced, never changed."""

    projects: dict[str, Item] = field(default_factory=dict)  # by key
    tasks: dict[str, Item] = field(default_factory=dict)  # by key
    edges: set[Edge] = field(default_factory=set)
    comments: list[Item] = field(default_factory=list)

    def copy(self) -> "State":
        return State(
            {key: dict(item) for key, item in self.projects.items()},
            {key: dict(item) for key, item in self.tasks.items()},
            set(self.edges),
            list(self.comments),
        )

    def items(self, kind: str) -> dict[str, Item]:
        return self.projects if kind == "project" else self.tasks


def new_project(key: str, *, author: str, now: Any) -> Item:
    made = {"key": key, "created_by": author, "created_at": now, "updated_at": now, "deleted_at": None, "deletion": None}
    return {**PROJECT_DEFAULTS, **made, "revision": 0, "next_number": 1}


def new_task(project: Item, parent: str | None, *, author: str, now: Any) -> Item:
    number = project["next_number"]
    project["next_number"] += 1
    made = {"key": f"{project['key']}-{number}", "number": number, "project": project["key"], "parent": parent}
    when = {"created_by": author, "created_at": now, "updated_at": now, "deleted_at": None, "deletion": None}
    return {**TASK_DEFAULTS, **SYSTEM_DEFAULTS, **made, **when, "position": None, "revision": 0}


def is_live(item: Item) -> bool:
    return item["deleted_at"] is None


def live_tasks(state: State, project: str | None = None) -> list[Item]:
    return [task for task in state.tasks.values() if is_live(task) and project in (None, task["project"])]


def place(task: Item) -> tuple[str, str | None]:
    return task["project"], task["parent"]


def siblings(state: State, where: tuple[str, str | None]) -> list[Item]:
    """Return the tasks at one place in their order, deleted ones included."""
    return sorted((task for task in state.tasks.values() if place(task) == where), key=lambda task: (task["position"], task["number"]))


def above(state: State, task: Item) -> Iterator[Item]:
    """Yield the tasks above one, nearest first; a circle of parents ends the walk."""
    seen = {task["key"]}
    while task["parent"] is not None and task["parent"] not in seen:
        task = state.tasks[task["parent"]]
        seen.add(task["key"])
        yield task


def below(state: State, key: str) -> list[Item]:
    """Return all tasks below one, deleted ones included."""
    return [task for task in state.tasks.values() if task["key"] != key and any(up["key"] == key for up in above(state, task))]


def depth(state: State, task: Item) -> int:
    return len(list(above(state, task)))


def live_edges(state: State) -> set[Edge]:
    """Dependencies of deleted tasks stay stored, inert and hidden."""
    return {(task, end) for task, end in state.edges if is_live(state.tasks[task]) and is_live(state.tasks[end])}


def deletion_root(state: State, task: Item) -> Item:
    """Return the item whose deletion took a deleted task along: its project, a task above it, or itself."""
    project = state.projects[task["project"]]
    if project["deletion"] == task["deletion"]:
        return project
    root = task
    for up in above(state, task):
        if up["deletion"] != task["deletion"]:
            break
        root = up
    return root


class Derived:
    """What no caller sets, counted from scratch for one state."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.live = live_tasks(state)
        self.edges = live_edges(state)
        self.children: dict[str, list[Item]] = {}
        for task in self.live:
            if task["parent"] is not None:
                self.children.setdefault(task["parent"], []).append(task)

    def leaves(self, task: Item) -> list[Item]:
        """Return the live leaves below a task."""
        found: list[Item] = []
        for child in self.children.get(task["key"], ()):
            found += self.leaves(child) or [child]
        return found

    def leaves_of(self, project: str) -> list[Item]:
        return [task for task in self.live if task["project"] == project and task["key"] not in self.children]

    def is_ready(self, task: Item) -> bool:
        """A leaf, todo, and every dependency of it and of the tasks above it completed or cancelled."""
        if task["status"] != "todo" or task["key"] in self.children:
            return False
        waiting = {task["key"], *(up["key"] for up in above(self.state, task))}
        return all(self.state.tasks[end]["status"] in CLOSED for one, end in self.edges if one in waiting)

    def is_claimable(self, task: Item, claimer: str | None, now: Any) -> bool:
        """A ready leaf, or one in progress whose lease has ended or is the claimer's own."""
        if task["status"] == "in_progress" and task["key"] not in self.children:
            ended = task["claim_expires_at"] is not None and task["claim_expires_at"] <= now
            return ended or (claimer is not None and task["claimed_by"] == claimer)
        return self.is_ready(task)

    def shown(self, task: Item, today: str) -> Item:
        """Return what every door shows of a live task beside its stored fields."""
        own = 100 if task["status"] == "completed" else 0
        return {
            "key": task["key"],
            "parent": task["parent"],
            "depends_on": sorted(end for one, end in self.edges if one == task["key"]),
            "blocks": sorted(one for one, end in self.edges if end == task["key"]),
            "is_ready": self.is_ready(task),
            "is_overdue": task["due_date"] is not None and task["due_date"] < today and task["status"] not in CLOSED,
            "progress": percent(self.leaves(task)) if task["key"] in self.children else own,
            "subtask_count": len(self.children.get(task["key"], ())),
        }

    def numbers(self, task: Item) -> Item:
        """Return the stored numbers of a task."""
        count, completed = counted(self.leaves(task))
        subtasks = len(self.children.get(task["key"], ()))
        return {"subtask_count": subtasks, "leaf_count": count, "leaf_completed": completed}

    def totals(self, project: str) -> Item:
        """Return the stored numbers of a project."""
        tasks, leaves = [task for task in self.live if task["project"] == project], self.leaves_of(project)
        count, completed = counted(leaves)
        return {
            "task_count": len(tasks),
            "completed_task_count": sum(task["status"] == "completed" for task in tasks),
            "leaf_count": count,
            "leaf_completed": completed,
            "estimated_minutes": sum(leaf["estimated_minutes"] or 0 for leaf in leaves),
        }


def counted(leaves: list[Item]) -> tuple[int, int]:
    """Return how many leaves count (not cancelled), and how many of these are completed."""
    return sum(leaf["status"] != "cancelled" for leaf in leaves), sum(leaf["status"] == "completed" for leaf in leaves)


def percent(leaves: list[Item]) -> int:
    count, completed = counted(leaves)
    return 100 * completed // count if count else 0


def outline(state: State, project: str, parent: str | None = None) -> list[Item]:
    """Return the live tasks of a project, parents before children, in order."""
    found: list[Item] = []
    for task in siblings(state, (project, parent)):
        if is_live(task):
            found += [task, *outline(state, project, task["key"])]
    return found
