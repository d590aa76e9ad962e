"""The patches that take a set back, worked out from the states before and after it. Part of the reference."""

from typing import Any

from tests.model.forms import Patch
from tests.model.judging import changed_projects, changed_tasks
from tests.model.state import PRIVATE, PROJECT_FIELDS, TASK_FIELDS, Item, State, same

Inverse = tuple[list[Patch], dict[int, Item]]


def inverse(before: State, after: State) -> Inverse:
    """Return patches, and by index what only a revert may say with them."""
    patches: list[Patch] = []
    private: dict[int, Item] = {}

    def add(patch: Patch, **said: Any) -> None:
        if said:
            private[len(patches)] = said
        patches.append(patch)

    projects, tasks = changed_projects(before, after), changed_tasks(before, after)
    old = [key for key in before.projects if key in projects]
    kept = [key for key in before.tasks if key in tasks]
    for key in old:
        if _deleted(before.projects[key], after.projects[key]):
            add({"op": "restore_project", "project": key})
    gone = [key for key in kept if _deleted(before.tasks[key], after.tasks[key]) and after.root(key) == key]
    for key in sorted(gone, key=lambda task: len(after.above(task))):
        add({"op": "restore_task", "task": key})
    for key in old:
        if fields := _fields(before.projects[key], after.projects[key], PROJECT_FIELDS):
            add({"op": "update_project", "project": key, "fields": fields})
    for key in kept:
        said = {name: before.tasks[key][name] for name in PRIVATE if before.tasks[key][name] != after.tasks[key][name]}
        fields = _fields(before.tasks[key], after.tasks[key], TASK_FIELDS)
        if said or fields:
            add({"op": "update_task", "task": key, "fields": fields}, **said)
    for task, target in sorted(after.edges - before.edges):
        if task in before.tasks and target in before.tasks:
            add({"op": "remove_dependency", "task": task, "depends_on": target})
    for key in kept:
        was, now = before.tasks[key], after.tasks[key]
        if (was["parent"], was["position"]) != (now["parent"], now["position"]):
            add({"op": "move_task", "task": key, "parent": was["parent"]}, position=was["position"])
    for task, target in sorted(before.edges - after.edges):
        add({"op": "add_dependency", "task": task, "depends_on": target})
    _take_away(before, after, add, old, kept)
    return patches, private


def _take_away(before: State, after: State, add: Any, old: list[str], kept: list[str]) -> None:
    """Delete what the set has created or restored, and nothing else."""
    new = [key for key in after.tasks if key not in before.tasks]
    new = [key for key in new if not after.is_gone(key) or (after.root(key) not in new and _is_old(before, after.root(key)))]
    for key in new:
        task = after.tasks[key]
        if task["parent"] not in new and task["project"] in before.projects:
            add({"op": "delete_task", "task": key}, rows=[key, *(item for item in after.below(key) if item in new)])
    revived = [key for key in kept if _deleted(after.tasks[key], before.tasks[key])]
    projects = [key for key in old if _deleted(after.projects[key], before.projects[key])]
    rows: dict[str, list[str]] = {}
    for key in revived:
        rows.setdefault(before.tasks[key]["deletion"], []).append(key)
    for key in sorted(revived, key=lambda task: -len(after.above(task))):
        deletion = before.tasks[key]["deletion"]
        if before.root(key) == key:
            add({"op": "delete_task", "task": key}, deletion=deletion, rows=rows[deletion])
    for key in projects:
        deletion = before.projects[key]["deletion"]
        add({"op": "delete_project", "project": key}, deletion=deletion, rows=rows.get(deletion, []))
    for key in after.projects:
        if key not in before.projects and not after.is_gone(key):
            mine = [task for task in after.tasks if after.tasks[task]["project"] == key and not after.is_gone(task)]
            add({"op": "delete_project", "project": key}, rows=mine)


def _is_old(before: State, key: str) -> bool:
    return before.item(key) is not None


def _deleted(was: Item, now: Item) -> bool:
    """Whether an item is deleted in `now`, by another deletion than in `was` if in any."""
    return now["deletion"] not in (None, was["deletion"])


def _fields(before: Item, after: Item, names: tuple[str, ...]) -> Item:
    return {
        name: _merge_back(after[name], before[name]) if name in ("links", "custom") else before[name]
        for name in names
        if not same(before[name], after[name])
    }


def _merge_back(after: Item, before: Item) -> Item:
    patch: Item = {name: None for name in after if name not in before}
    for name, old in before.items():
        new = after.get(name)
        if not same(new, old):
            patch[name] = _merge_back(new, old) if isinstance(new, dict) and isinstance(old, dict) else old
    return patch
