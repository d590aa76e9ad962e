"""Calls that go on after they were answered (`Prefer: respond-async`)."""

from enum import StrEnum

from pydantic import Field, JsonValue

from schemas.errors import ErrorDetail, Issue
from schemas.primitives import Instant, Model


class JobState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job(Model):
    """A call that runs or has run, kept for 24 hours; only its caller sees it."""

    id: str
    operation: str = Field(description="operation id of the call")
    state: JobState
    created_at: Instant
    ended_at: Instant | None = None
    result: JsonValue = Field(default=None, description="once done: the `data` that the call would have answered")
    warnings: list[Issue] = Field(default=[], description="the warnings of that answer")
    error: ErrorDetail | None = Field(default=None, description="why it failed")
