"""What the reference derives from its state: counts, and which tasks are ready."""

from collections import Counter
from collections.abc import Mapping

from tests.model.state import State

CLOSED = ("completed", "cancelled")


def tallied(state: State) -> dict[str | None, Counter[str]]:
    """Return counts by task, of what is below it, and by project."""
    live = {key: task for key, task in state.tasks.items() if task["deletion"] is None}
    parents = {task["parent"] for task in live.values()}
    found: dict[str | None, Counter[str]] = {key: Counter() for key in (*state.tasks, *state.projects)}
    for key, task in live.items():
        project = found[task["project"]]
        project.update(task_count=1, completed_task_count=task["status"] == "completed")
        if task["parent"] is not None:
            found[task["parent"]]["subtask_count"] += 1
        if key in parents:
            continue
        project["estimated_minutes"] += task["estimated_minutes"] or 0
        if task["status"] != "cancelled":
            for above in (*state.above(key), task["project"]):
                found[above].update(leaf_count=1, leaf_completed=task["status"] == "completed")
    return found


def waits_for(state: State, key: str) -> list[str]:
    """Return the keys of the live tasks that a task depends on."""
    return sorted(target for task, target in state.edges if task == key and not state.is_gone(target))


def is_ready(state: State, key: str, tallies: Mapping[str | None, Counter[str]]) -> bool:
    """Whether a task is a leaf to be done, and all that it or a task above it waits for has ended."""
    if state.tasks[key]["status"] != "todo" or tallies[key]["subtask_count"]:
        return False
    waiting = [target for task in (key, *state.above(key)) for target in waits_for(state, task)]
    return all(state.tasks[target]["status"] in CLOSED for target in waiting)
