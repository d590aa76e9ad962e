"""What a patch set changes, or would change: the same shape in previews, answers and the history."""

from enum import StrEnum

from pydantic import Field, JsonValue
from typing_extensions import TypedDict

from schemas.errors import Conflict, Issue
from schemas.paging import Paging
from schemas.primitives import Model


class EntityKind(StrEnum):
    PROJECT = "project"
    TASK = "task"
    COMMENT = "comment"


class Action(StrEnum):
    """What happened to an item; where several apply, the first of this order is named."""

    CREATED = "created"
    DELETED = "deleted"
    RESTORED = "restored"
    MOVED = "moved"
    UPDATED = "updated"


class FieldChange(TypedDict):
    """Plain dicts, because a set of 10,000 creations makes 50,000 of them."""

    before: JsonValue
    after: JsonValue


class Change(Model):
    """The effect on one item. A creation lists only fields that were set to something."""

    kind: EntityKind
    id: str
    key: str
    title: str = Field(description="title or name after the change")
    action: Action
    fields: dict[str, FieldChange]
    patch_indexes: list[int] = Field(description="the patches that caused it")
    cascaded: bool = Field(default=False, description="not named by a patch: went or came with its parent")
    provisional: bool = Field(default=False, description="the key may differ when the set is applied")


class Totals(Model):
    """Number of items by effect. A moved and updated task counts in both."""

    created: int = 0
    updated: int = 0
    moved: int = 0
    deleted: int = 0
    restored: int = 0
    dependencies_added: int = 0
    dependencies_removed: int = 0
    comments_added: int = 0

    @property
    def can_be_undone(self) -> bool:
        """Whether something but comments was made: those stay."""
        return any(count for effect, count in self if effect != "comments_added")


NOTHING_DONE = Totals.trusted(**dict.fromkeys(Totals.model_fields, 0))


class RefTarget(Model):
    id: str
    key: str


class CriticalPath(Model):
    """The chain of open tasks that decides when a project ends; no time and no tasks where nothing is estimated."""

    minutes: int
    tasks: list[str] = Field(description="keys in order, the first 200; those of new tasks are provisional")
    tasks_total: int


class CriticalPathChange(Model):
    before: CriticalPath
    after: CriticalPath


class PlanEffect(Model):
    """The part that previews and applied answers share."""

    refs: dict[str, RefTarget] = Field(description="each ref of the set -> the item it names")
    changes: list[Change] = Field(description="the first 200")
    changes_total: int
    changes_next_cursor: str | None = None
    totals: Totals
    diff: str = Field(description="the changes as readable text, at most 64 KiB")
    critical_paths: dict[str, CriticalPathChange | None] = Field(
        default={},
        description="in previews, by key, of the projects whose schedule may change; null, with a warning, above 20,000 tasks",
    )


class ValidationResponse(PlanEffect):
    """Whether a patch set would be accepted now, every broken rule, and its exact effect."""

    valid: bool
    issues: list[Issue]
    conflicts: list[Conflict]
    base_revisions: dict[str, int] = Field(default={}, description="the revisions this preview describes, by project key")


class Receipt(Model):
    """What names an applied patch set, and tells from its dry run."""

    patch_set_id: str | None = Field(description="what to name in revert; null for a dry run")
    revisions: dict[str, int] = Field(description="project key -> revision after the set")
    warnings: list[Issue] = []
    replayed: bool = Field(default=False, description="this set had been applied before; this is its first answer")


class ApplyResponse(Receipt, PlanEffect):
    """What an applied patch set (or its dry run) did."""


class RevisionDiff(Model):
    """What differs between two revisions of a project: the net effect of all sets in between."""

    project: str = Field(description="key")
    from_revision: int
    to_revision: int
    changes: list[Change] = Field(description="the first 200, each item once")
    changes_total: int
    totals: Totals
    diff: str = Field(description="the changes as readable text, at most 64 KiB")


class ChangeListResponse(Paging):
    changes: list[Change]
