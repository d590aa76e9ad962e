"""Filters that no task can match together, whatever is stored.

Such a list would always be empty, which reads as "there is none": the caller is told instead. What only happens to
match nothing, today or in this plan, is an empty list.
"""

from collections.abc import Iterator
from datetime import timedelta

from core.errors import ValidationFailed
from schemas.errors import ErrorCode, Issue
from schemas.primitives import CLOSED_STATUSES, TaskStatus
from schemas.tasks import TaskQuery


def require_possible(query: TaskQuery) -> None:
    """Raise ValidationFailed when filters contradict each other, with an issue for each of them."""
    if issues := list(_contradictions(query)):
        raise ValidationFailed("No task can match these filters together.", details=issues)


def _contradictions(query: TaskQuery) -> Iterator[Issue]:
    if query.root and query.parent is not None:
        yield from _pair("root", "parent_id", "a top-level task has no parent")
    days = query.due_after, query.due_before
    if days[0] is not None and days[1] is not None and days[1] - days[0] <= timedelta(days=1):
        yield from _pair("due_after", "due_before", "no day is later than the one and earlier than the other")
    if query.ready and query.status and TaskStatus.TODO not in query.status:
        yield from _pair("ready", "status", "only a task with the status todo is ready")
    if query.overdue and query.status and CLOSED_STATUSES.issuperset(query.status):
        yield from _pair("overdue", "status", "a completed or cancelled task is not overdue")


def _pair(one: str, other: str, why: str) -> Iterator[Issue]:
    for field, against in ((one, other), (other, one)):
        message = f"contradicts {against}: {why}"
        yield Issue(path=f"/{field}", code=ErrorCode.VALIDATION_ERROR, message=message, hint="leave out one of them")
