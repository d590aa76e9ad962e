"""The rules about a result, each looked for everywhere in the final state.

The store never holds a broken rule, so whatever is found was brought in by the set.
"""

from collections.abc import Mapping
from typing import Any

from tests.model.state import Item, State, above, depth, live_edges, live_tasks

Node = tuple[str, str]  # ("start" or "end", key of a task)


def broken_rules(state: State, moved: Mapping[str, int], max_depth: int) -> set[str]:
    """Return the codes of the rules that the state breaks."""
    broken = set()
    if parents_in_circle(state):
        broken.add("INVALID_HIERARCHY")
    else:
        if any(depth(state, task) > max_depth for task in live_tasks(state)):
            broken.add("INVALID_HIERARCHY")
        if waits_for_itself(state):
            broken.add("DEPENDENCY_CYCLE")
    items = [*live_tasks(state), *(project for project in state.projects.values() if project["deleted_at"] is None)]
    if any(_dates_are_wrong(item) for item in items):
        broken.add("VALIDATION_ERROR")
    if any(len(item["tags"]) > 50 or len(item["links"]) > 20 for item in items):
        broken.add("VALIDATION_ERROR")
    schemas = {key: item["task_schema"] for key, item in state.projects.items() if item["deleted_at"] is None}
    if any(schema is not None and not is_schema(schema) for schema in schemas.values()):
        broken.add("VALIDATION_ERROR")
    if any(not satisfies(task["custom"], schemas.get(task["project"])) for task in live_tasks(state)):
        broken.add("VALIDATION_ERROR")
    return broken


def _dates_are_wrong(item: Item) -> bool:
    return item["start_date"] is not None and item["due_date"] is not None and bool(item["start_date"] > item["due_date"])


def parents_in_circle(state: State) -> bool:
    for task in state.tasks.values():
        *_, last = [task, *above(state, task)]
        if last["parent"] is not None:  # the walk ended because it came round
            return True
    return False


def waits_for_itself(state: State) -> bool:
    """start(child) >= start(parent), end(parent) >= end(child), start(task) >= end(dependency), end(task) >= start(task)."""
    after: dict[Node, set[Node]] = {}
    for task in live_tasks(state):
        after.setdefault(("start", task["key"]), set()).add(("end", task["key"]))
        if task["parent"] is not None:
            after.setdefault(("start", task["parent"]), set()).add(("start", task["key"]))
            after.setdefault(("end", task["key"]), set()).add(("end", task["parent"]))
    for task_key, end in live_edges(state):
        after.setdefault(("end", end), set()).add(("start", task_key))
    done: set[Node] = set()

    def circles(node: Node, path: set[Node]) -> bool:
        if node in path:
            return True
        if node in done:
            return False
        found = any(circles(later, path | {node}) for later in after.get(node, ()))
        done.add(node)
        return found

    return any(circles(node, set()) for node in list(after))


# -- task_schema: only the schemas that the test sends are understood

_TYPES: dict[str, tuple[type, ...]] = {"integer": (int,), "string": (str,), "object": (dict,)}


def is_schema(schema: Mapping[str, Any]) -> bool:
    return "type" not in schema or schema["type"] in _TYPES


def satisfies(custom: Mapping[str, Any], schema: Mapping[str, Any] | None) -> bool:
    if schema is None or not is_schema(schema):
        return True
    if not set(schema.get("required", ())) <= custom.keys():
        return False
    return all(
        name not in custom or isinstance(custom[name], _TYPES[inner["type"]])
        for name, inner in schema.get("properties", {}).items()
    )
