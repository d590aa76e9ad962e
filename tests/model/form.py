"""What a patch must look like, member by member; each check reads the value as it will be stored, or raises.

Only what the test sends has to be told apart: it is no second copy of the schemas.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

Patch = dict[str, Any]
Check = Callable[[Any], Any]


class Malformed(Exception):
    """A value that can never be stored."""


def need(condition: bool) -> None:
    if not condition:
        raise Malformed


def text(least: int, most: int) -> Check:
    def check(value: Any) -> Any:
        need(isinstance(value, str) and len(value) <= most and (least == 0 or bool(value.strip())))
        return value

    return check


def word(*known: str, **other: str) -> Check:
    def check(value: Any) -> Any:
        need(isinstance(value, str))
        plain = value.strip().lower().replace("-", "_").replace(" ", "_")
        plain = other.get(plain, plain)
        need(plain in known)
        return plain

    return check


def whole(least: int, most: int) -> Check:
    def check(value: Any) -> Any:
        need(type(value) is int and least <= value <= most)
        return value

    return check


def day(value: Any) -> Any:
    need(isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) is not None)
    try:
        date.fromisoformat(value)
    except ValueError:
        raise Malformed from None
    return value


def list_of(item: Check, most: int, *, once: bool = False) -> Check:
    def check(value: Any) -> Any:
        need(isinstance(value, list) and len(value) <= most)
        found = [item(one) for one in value]
        return list(dict.fromkeys(found)) if once else found

    return check


def object_of(value: Any) -> Any:
    need(isinstance(value, dict))
    return value


def links(value: Any) -> Any:
    need(isinstance(value, dict))
    return {text(1, 50)(name): end if end is None else text(1, 500)(end) for name, end in value.items()}


def boolean(value: Any) -> Any:
    need(isinstance(value, bool))
    return value


STATUS = word("todo", "in_progress", "blocked", "in_review", "completed", "cancelled", done="completed", review="in_review")
PRIORITY = word("critical", "high", "medium", "low", "backlog")
TAGS = list_of(text(1, 50), 50, once=True)
NAME = text(1, 80)  # of an item
PROJECT_FIELDS: Mapping[str, Check] = {
    "name": text(1, 255),
    "description": text(0, 10_000),
    "status": word("planning", "active", "on_hold", "completed", "archived"),
    "priority": PRIORITY,
    "tags": TAGS,
    "start_date": day,
    "due_date": day,
    "links": links,
    "task_schema": object_of,
}
TASK_FIELDS: Mapping[str, Check] = {
    "title": text(1, 255),
    "description": text(0, 10_000),
    "acceptance_criteria": list_of(text(1, 500), 50),
    "status": STATUS,
    "priority": PRIORITY,
    "tags": TAGS,
    "assignee": text(1, 100),
    "start_date": day,
    "due_date": day,
    "estimated_minutes": whole(1, 525_600),
    "actual_minutes": whole(0, 525_600),
    "links": links,
    "custom": object_of,
}
NEVER_NULL = {"name", "title", "status", "priority"}
PROJECT_EXPECT = {**PROJECT_FIELDS, "deleted": boolean}
TASK_EXPECT = {**TASK_FIELDS, "claimed_by": text(1, 100), "parent": NAME, "depends_on": list_of(NAME, 1_000), "deleted": boolean}


def fields(checks: Mapping[str, Check], *, required: str | None = None, nullable: bool = False) -> Check:
    def check(value: Any) -> Any:
        need(isinstance(value, dict) and (required is None or required in value) and value.keys() <= checks.keys())
        return {
            name: None if given is None and (nullable or name not in NEVER_NULL) else checks[name](given)
            for name, given in value.items()
        }

    return check


def ref(value: Any) -> Any:
    need(isinstance(value, str) and re.fullmatch(r"\$[A-Za-z][A-Za-z0-9_-]{0,39}", value) is not None)
    return value


def project_key(value: Any) -> Any:
    need(isinstance(value, str) and re.fullmatch(r"[A-Z][A-Z0-9]{1,9}", value.upper()) is not None)
    return value.upper()


_PLACE: Mapping[str, Check] = {"parent": NAME, "before": NAME, "after": NAME}
_EXPECT_PROJECT = {"expect": fields(PROJECT_EXPECT, nullable=True)}
_EXPECT_TASK = {"expect": fields(TASK_EXPECT, nullable=True)}
REQUIRED: Mapping[str, Mapping[str, Check]] = {
    "create_project": {"fields": fields(PROJECT_FIELDS, required="name")},
    "update_project": {"project": NAME, "fields": fields(PROJECT_FIELDS)},
    "delete_project": {"project": NAME},
    "restore_project": {"project": NAME},
    "create_task": {"fields": fields(TASK_FIELDS, required="title")},
    "update_task": {"task": NAME, "fields": fields(TASK_FIELDS)},
    "move_task": {"task": NAME},
    "delete_task": {"task": NAME},
    "restore_task": {"task": NAME},
    "add_dependency": {"task": NAME, "depends_on": NAME},
    "remove_dependency": {"task": NAME, "depends_on": NAME},
    "add_comment": {"task": NAME, "body": text(1, 10_000)},
}
OPTIONAL: Mapping[str, Mapping[str, Check]] = {
    "create_project": {"ref": ref, "key": project_key},
    "update_project": _EXPECT_PROJECT,
    "delete_project": {"cascade": boolean, **_EXPECT_PROJECT},
    "restore_project": _EXPECT_PROJECT,
    "create_task": {"ref": ref, "project": NAME, "depends_on": list_of(NAME, 1_000), **_PLACE},
    "update_task": _EXPECT_TASK,
    "move_task": {**_PLACE, **_EXPECT_TASK},
    "delete_task": {"cascade": boolean, **_EXPECT_TASK},
    "restore_task": _EXPECT_TASK,
    "add_dependency": {},
    "remove_dependency": {},
    "add_comment": {},
}
_NOT_NULL = {"cascade", "depends_on"}  # optional members that are left out, not null, where nothing is meant


def read(raw: Any) -> Patch:
    """Return a patch with its values as they will be stored; raises Malformed."""
    need(isinstance(raw, dict) and raw.get("op") in REQUIRED)
    required, optional = REQUIRED[raw["op"]], OPTIONAL[raw["op"]]
    need(required.keys() <= raw.keys() and raw.keys() - {"op"} <= required.keys() | optional.keys())
    patch = {"op": raw["op"]}
    for name, value in raw.items():
        if name in required:
            patch[name] = required[name](value)
        elif name in optional:
            patch[name] = None if value is None and name not in _NOT_NULL else optional[name](value)
    return patch


def mentions(raw: Any) -> list[tuple[str, str]]:
    """Return kind and name of the items that a malformed patch of a known op names."""
    if not isinstance(raw, dict) or raw.get("op") not in REQUIRED:
        return []
    kinds = {"project": "project", **dict.fromkeys(("task", "parent", "before", "after", "depends_on"), "task")}
    return [(kind, raw[member]) for member, kind in kinds.items() if isinstance(raw.get(member), str)]
