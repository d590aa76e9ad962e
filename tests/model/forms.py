"""Which patches are well formed, and their normal form, as docs/operations.md and the limits of its last section have it.

Part of the reference: written from the contract, shares no code with the product.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

Patch = dict[str, Any]
Check = Callable[[Any], bool]

TASK_STATUSES = ("todo", "in_progress", "blocked", "in_review", "completed", "cancelled")
PROJECT_STATUSES = ("planning", "active", "on_hold", "completed", "archived")
PRIORITIES = ("critical", "high", "medium", "low", "backlog")
OTHER_WORDS = {"done": "completed", "review": "in_review"}
CREATIONS = ("create_project", "create_task")


def _text(most: int, *, may_be_empty: bool = False) -> Check:
    return lambda value: isinstance(value, str) and len(value) <= most and (may_be_empty or bool(value.strip()))


def _word(words: tuple[str, ...]) -> Check:
    return lambda value: isinstance(value, str) and _canonical(value) in words


def _canonical(value: str) -> str:
    word = value.strip().lower().replace("-", "_").replace(" ", "_")
    return OTHER_WORDS.get(word, word)


def _day(value: Any) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _number(least: int) -> Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= 525_600


def _list(item: Check, most: int) -> Check:
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(item, value))


def _map(item: Check, most: int) -> Check:
    name = _text(50)
    return lambda value: (
        isinstance(value, dict) and len(value) <= most and all(name(key) and item(target) for key, target in value.items())
    )


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _bool(value: Any) -> bool:
    return isinstance(value, bool)


def _or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _matching(pattern: str) -> Check:
    return lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value))


def _name(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 80


_SHARED: dict[str, Check] = {
    "description": _or_null(_text(10_000, may_be_empty=True)),
    "priority": _word(PRIORITIES),
    "tags": _or_null(_list(_text(50), 50)),
    "start_date": _or_null(_day),
    "due_date": _or_null(_day),
    "links": _or_null(_map(_or_null(_text(500)), 40)),
}
PROJECT_FIELDS = _SHARED | {
    "name": _text(255),
    "status": _word(PROJECT_STATUSES),
    "task_schema": _or_null(_object),
}
TASK_FIELDS = _SHARED | {
    "title": _text(255),
    "status": _word(TASK_STATUSES),
    "acceptance_criteria": _or_null(_list(_text(500), 50)),
    "assignee": _or_null(_text(100)),
    "estimated_minutes": _or_null(_number(1)),
    "actual_minutes": _or_null(_number(0)),
    "custom": _or_null(_object),
}
_WHOLE_LINKS: dict[str, Check] = {"links": _map(_text(500), 20)}
PROJECT_EXPECT = {name: _or_null(check) for name, check in (PROJECT_FIELDS | _WHOLE_LINKS | {"deleted": _bool}).items()}
TASK_EXPECT = {
    name: _or_null(check)
    for name, check in (
        TASK_FIELDS
        | _WHOLE_LINKS
        | {"claimed_by": _text(100), "parent": _name, "depends_on": _list(_name, 1_000), "deleted": _bool}
    ).items()
}


def _members(of: dict[str, Check], required: str = "") -> Check:
    return lambda value: (
        isinstance(value, dict)
        and (not required or required in value)
        and all(name in of and of[name](item) for name, item in value.items())
    )


_REF = _or_null(_matching(r"\$[A-Za-z][A-Za-z0-9_-]{0,39}"))
_PROJECT: dict[str, Check] = {"project": _name}
_TASK: dict[str, Check] = {"task": _name}
_EXPECT_PROJECT = {"expect": _or_null(_members(PROJECT_EXPECT))}
_EXPECT_TASK = {"expect": _or_null(_members(TASK_EXPECT))}
_BESIDE = {"parent": _or_null(_name), "before": _or_null(_name), "after": _or_null(_name)}
# op -> what it must have, and what it may have besides
OPS: dict[str, tuple[dict[str, Check], dict[str, Check]]] = {
    "create_project": (
        {"fields": _members(PROJECT_FIELDS, "name")},
        {"ref": _REF, "key": _or_null(_matching(r"[A-Za-z][A-Za-z0-9]{1,9}"))},
    ),
    "update_project": (_PROJECT | {"fields": _members(PROJECT_FIELDS)}, _EXPECT_PROJECT),
    "delete_project": (_PROJECT, _EXPECT_PROJECT | {"cascade": _bool}),
    "restore_project": (_PROJECT, _EXPECT_PROJECT),
    "create_task": (
        {"fields": _members(TASK_FIELDS, "title")},
        {"ref": _REF, "project": _or_null(_name), "depends_on": _list(_name, 1_000)} | _BESIDE,
    ),
    "update_task": (_TASK | {"fields": _members(TASK_FIELDS)}, _EXPECT_TASK),
    "move_task": (_TASK, _BESIDE | _EXPECT_TASK),
    "delete_task": (_TASK, _EXPECT_TASK | {"cascade": _bool}),
    "restore_task": (_TASK, _EXPECT_TASK),
    "add_dependency": (_TASK | {"depends_on": _name}, {}),
    "remove_dependency": (_TASK | {"depends_on": _name}, {}),
    "add_comment": (_TASK | {"body": _text(10_000)}, {}),
}


def is_sound(patch: Any) -> bool:
    """Whether a patch has the form of its op."""
    if not isinstance(patch, dict) or patch.get("op") not in OPS:
        return False
    required, optional = OPS[patch["op"]]
    known = required | optional
    given = {name: value for name, value in patch.items() if name != "op"}
    return required.keys() <= given.keys() and all(name in known and known[name](value) for name, value in given.items())


def names_in(patch: Any) -> list[tuple[str, str]]:
    """Return the well formed names in a malformed patch of a known op, each with the member that holds it."""
    if not isinstance(patch, dict) or patch.get("op") not in OPS:
        return []
    required, optional = OPS[patch["op"]]
    members = [name for name in ("project", "task", "parent", "before", "after", "depends_on") if name in required | optional]
    return [(name, patch[name]) for name in members if _name(patch.get(name))]


def place_names(patch: Patch) -> list[str]:
    """Return the names of a creation that must be there before it: project, parent and anchors."""
    if patch["op"] == "create_project":
        return []
    names = [patch[name] for name in ("project", "parent", "before", "after") if patch.get(name)]
    return [name if name.startswith("$") else name.upper() for name in names]


def normal(patch: Patch) -> Patch:
    """Return a sound patch in canonical form: words of closed vocabularies, tags once each, keys in capitals."""
    result = dict(patch)
    for part in ("fields", "expect"):
        if isinstance(result.get(part), dict):
            result[part] = {name: _normal_value(name, value) for name, value in result[part].items()}
    if result["op"] == "create_project" and result.get("key"):
        result["key"] = result["key"].upper()
    return result


def _normal_value(name: str, value: Any) -> Any:
    if name in ("status", "priority") and value is not None:
        return _canonical(value)
    return list(dict.fromkeys(value)) if name == "tags" and value is not None else value
