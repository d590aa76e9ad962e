"""What readers of the live feed are told: one event for each applied patch set, in the order of the history."""

from enum import StrEnum

from pydantic import Field

from schemas.changes import Totals
from schemas.primitives import Instant, Model, PatchSetId


class EventProject(Model):
    """A project that the set changed."""

    id: str
    key: str
    revision_before: int
    revision: int = Field(description="after the set")


class Event(Model):
    """A patch set was applied; `seq` is its place in the history, counted without gaps."""

    seq: int
    patch_set_id: PatchSetId
    summary: str
    engine: str = Field(description="what wrote it: caller, rules, or a model")
    author: str
    applied_by: str
    applied_at: Instant
    reverts: list[str] = Field(description="the sets it undoes, if it is a revert")
    projects: list[EventProject] = Field(description="by key; empty when the set changed nothing")
    totals: Totals


class StreamOpened(Model):
    """First message of a stream: events after `seq` follow."""

    seq: int


class EndReason(StrEnum):
    SLOW_READER = "slow_reader"
    SHUTDOWN = "shutdown"
    FAILURE = "failure"
    ACCESS_ENDED = "access_ended"  # the key or token was revoked, has expired, or may not read any more


class StreamClosed(Model):
    """Last message of a stream that the server ends; events after `seq` were not sent."""

    reason: EndReason
    seq: int
