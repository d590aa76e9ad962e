"""Patches in few words, and what a test asks of a plan."""

from collections.abc import Sequence
from typing import Any

from core.patches.plan import Plan
from schemas.errors import Issue


def create(title: str, **members: Any) -> dict[str, Any]:
    fields = {"title": title, **members.pop("fields", {})}
    if "parent" not in members and "before" not in members and "after" not in members:
        members.setdefault("project", "WEB")
    return {"op": "create_task", "fields": fields, **members}


def update(task: str, **fields: Any) -> dict[str, Any]:
    return {"op": "update_task", "task": task, "fields": fields}


def only_issue(issues: Sequence[Issue]) -> Issue:
    assert len(issues) == 1, issues
    return issues[0]


def conflicts_of(plan: Plan) -> list[tuple[str, str, Any, Any]]:
    """Return key, field, base and current of every conflict."""
    return [(conflict.key, conflict.field, conflict.base, conflict.current) for conflict in plan.conflicts]
