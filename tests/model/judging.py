"""Rules about the result of a set, conflicts with the author's base, and what has changed. Part of the reference."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from tests.model.forms import Patch
from tests.model.playing import Play, Touch
from tests.model.state import NEW_TASK, PRIVATE, PROJECT_FIELDS, TASK_FIELDS, Item, State, project_of, same

Conflict = tuple[int, str, str]  # patch, key, field
MOST_TAGS, MOST_LINKS = 50, 20


# -- rules, on what is live in the end


def broken_rules(play: Play, max_depth: int) -> Iterator[str]:
    """Yield the code of each rule that the result breaks."""
    state = play.state
    if any(key in state.above(key) for key in state.tasks):
        yield "INVALID_HIERARCHY"
    else:
        if any(len(state.above(key)) > max_depth for key in state.tasks if not state.is_gone(key)):
            yield "INVALID_HIERARCHY"
        if _has_cycle(state, play.stored):
            yield "DEPENDENCY_CYCLE"
    for key, item in [*state.projects.items(), *state.tasks.items()]:
        if item["deletion"] is None and not _is_sound(state, key, item):
            yield "VALIDATION_ERROR"


def _is_sound(state: State, key: str, item: Item) -> bool:
    days = item["start_date"], item["due_date"]
    if None not in days and days[0] > days[1]:
        return False
    if len(item["tags"]) > MOST_TAGS or len(item["links"]) > MOST_LINKS:
        return False
    if "-" not in key:
        return item["task_schema"] is None or _is_schema(item["task_schema"])
    schema = state.projects[project_of(key)]["task_schema"]
    return schema is None or not _is_schema(schema) or _satisfies(schema, item["custom"])


# The part of JSON Schema that the model's schemas are made of.
_TYPES = {"integer": int, "string": str, "object": dict}


def _is_schema(schema: Item) -> bool:
    if schema.get("type", "object") not in _TYPES:
        return False
    return all(_is_schema(part) for part in schema.get("properties", {}).values())


def _satisfies(schema: Item, value: Any) -> bool:
    if "type" in schema and (not isinstance(value, _TYPES[schema["type"]]) or isinstance(value, bool)):
        return False
    if "maximum" in schema and isinstance(value, int) and not isinstance(value, bool) and value > schema["maximum"]:
        return False
    if not isinstance(value, dict):
        return True
    parts = schema.get("properties", {})
    return all(name in value for name in schema.get("required", ())) and all(
        _satisfies(part, value[name]) for name, part in parts.items() if name in value
    )


def _has_cycle(state: State, stored: State) -> bool:
    """Whether anything would wait for itself.

    What ends a new dependency counts even if the set deletes it again, and so does what went with its project.
    """
    ends = {key for edge in state.edges - stored.edges for key in edge}
    counted = ends | {above for key in ends for above in state.above(key)}
    live = {
        key
        for key, item in state.tasks.items()
        if item["deletion"] == state.projects[item["project"]]["deletion"] or key in counted
    }
    follows: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for key in live:
        follows.setdefault(("start", key), []).append(("end", key))
        parent = state.tasks[key]["parent"]
        if parent in live:
            follows.setdefault(("start", parent), []).append(("start", key))
            follows.setdefault(("end", key), []).append(("end", parent))
    for task, target in state.edges:
        if task in live and target in live:
            follows.setdefault(("end", target), []).append(("start", task))
    incoming = {moment: 0 for key in live for moment in (("start", key), ("end", key))}
    for moments in follows.values():
        for moment in moments:
            incoming[moment] += 1
    ready = [moment for moment, count in incoming.items() if not count]
    done = 0
    while ready:
        done += 1
        for moment in follows.get(ready.pop(), ()):
            incoming[moment] -= 1
            if not incoming[moment]:
                ready.append(moment)
    return done < len(incoming)


# -- conflicts


def conflicts(play: Play, created: Mapping[str, State]) -> set[Conflict]:
    """Return where the value at the base differs from the current one, and the current one from the proposed one.

    `created` holds the state right after each task was made: what a creation set is news to who has not seen it.
    """
    found = set()
    for touch in play.touches:
        base = play.given.bases.get(project_of(touch.key))
        if base is None or (touch.relies and touch.field != "deleted" and base.item(touch.key) is None):
            continue
        if touch.field == "position":
            current, proposed = (_place(state, touch.key) for state in (play.stored, play.state))
            seen = _place(base, touch.key)
        else:
            current, proposed = (value_at(state, touch) for state in (play.stored, play.state))
            seen = value_at(base, touch) if base.item(touch.key) or touch.field == "deleted" else _unseen(touch, created)
        if touch.relies:
            proposed = seen
        if not same(current, seen) and not same(current, proposed):
            found.add((touch.index, touch.key, touch.field + (f".{touch.unit}" if touch.unit else "")))
    return found


def value_at(state: State, touch: Touch) -> Any:
    if touch.field == "deleted":
        return state.is_gone(touch.key)
    if touch.field == "depends_on":
        return (touch.key, touch.unit) in state.edges
    item = state.item(touch.key)
    value = item[touch.field] if item is not None else None
    return value if touch.unit is None else (value or {}).get(touch.unit)


def _place(state: State, key: str) -> Any:
    return [state.tasks[key]["parent"], state.tasks[key]["position"]] if key in state.tasks else None


def _unseen(touch: Touch, created: Mapping[str, State]) -> Any:
    """Return what a value was before the item was there: nothing, or what every new item has and its creation left."""
    if touch.field == "depends_on":
        return False
    if touch.unit is not None or touch.field in ("parent", *PRIVATE):
        return None
    new = NEW_TASK[touch.field]
    return new if same(created[touch.key].tasks[touch.key][touch.field], new) else None


# -- expectations


def unexpected(play: Play, index: int, patch: Patch) -> set[Conflict]:
    """Return which values are not, as stored, what the patch expects; of what the set makes nothing is stored."""
    expect = patch.get("expect")
    if expect is None:
        return set()
    name = patch.get("task") or patch["project"]
    if name.startswith("$"):
        play.issues.add((index, "VALIDATION_ERROR"))
        return set()
    key = play.given.ids.get(name, name.upper())
    item = play.stored.item(key)
    if item is None or ("-" in key) is not ("task" in patch):
        return set()
    return {(index, key, field) for field, wanted in expect.items() if not same(*_expected(play, key, item, field, wanted))}


def _expected(play: Play, key: str, item: Item, field: str, wanted: Any) -> tuple[Any, Any]:
    if field == "deleted":
        return bool(wanted), item["deletion"] is not None
    if field == "parent":
        return _key(play, wanted), item["parent"]
    if field == "depends_on":
        live = [target for task, target in play.stored.edges if task == key and not play.stored.is_gone(target)]
        return sorted(_key(play, name) for name in wanted or ()), sorted(live)
    return wanted or (0 if wanted == 0 else None), item[field] or (0 if item[field] == 0 else None)


def _key(play: Play, name: Any) -> Any:
    """Return the key that a name stands for; an unknown one is like nothing."""
    key = play.given.ids.get(name, name.upper()) if name else None
    return key if key in play.stored.tasks else name


# -- changes


def changed_tasks(before: State, after: State) -> set[str]:
    """Return the keys of tasks with another field, place, deletion or dependency of their own."""
    linked = {task for task, _ in before.edges ^ after.edges}
    names = (*TASK_FIELDS, *PRIVATE, "parent", "position", "deletion")
    return {
        key
        for key, task in after.tasks.items()
        if key in linked or key not in before.tasks or _differs(before.tasks[key], task, names)
    }


def changed_projects(before: State, after: State) -> set[str]:
    names = (*PROJECT_FIELDS, "deletion")
    return {
        key
        for key, project in after.projects.items()
        if key not in before.projects or _differs(before.projects[key], project, names)
    }


def _differs(before: Item, after: Item, names: tuple[str, ...]) -> bool:
    return any(not same(before[name], after[name]) for name in names)


def settle(before: State, after: State, now: datetime) -> dict[str, int]:
    """Give what has changed its new revisions and times; return the projects' revisions."""
    tasks, projects = changed_tasks(before, after), changed_projects(before, after)
    said = {project_of(comment[0]) for comment in after.comments[len(before.comments) :]}
    for key in projects | {project_of(task) for task in tasks} | said:
        after.projects[key] |= {"revision": after.projects[key]["revision"] + 1, "updated_at": now}
    for key in tasks:
        after.tasks[key] |= {"revision": after.projects[project_of(key)]["revision"], "updated_at": now}
    for key in after.tasks.keys() - tasks:  # deleted anew as the deletion it was: nothing has happened
        after.tasks[key]["deleted_at"] = before.tasks[key]["deleted_at"]
    for key in after.projects.keys() - projects:
        after.projects[key]["deleted_at"] = before.projects[key]["deleted_at"]
    return {key: after.projects[key]["revision"] for key in projects | {project_of(task) for task in tasks} | said}
