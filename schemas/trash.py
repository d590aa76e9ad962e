"""The trash: what was deleted and can be restored, each deletion once."""

from pydantic import Field

from schemas.changes import EntityKind
from schemas.paging import PageRequest, Paging
from schemas.primitives import Instant, ItemName, Model


class TrashQuery(PageRequest):
    project: ItemName | None = Field(default=None, description="only this project and its tasks")


class TrashEntry(Model):
    """A project or task that was named in a deletion; what went with it comes back with it."""

    kind: EntityKind = Field(description="project or task")
    id: str
    key: str
    project: str = Field(description="key of the project it belongs to")
    title: str = Field(description="of the task, or name of the project")
    deleted_at: Instant
    deleted_by: str = Field(description="who applied the patch set that deleted it")
    patch_set_id: str = Field(description="that patch set; reverting it restores everything it deleted")
    tasks: int = Field(description="tasks that come back with it")
    restore: dict[str, str] = Field(description="the patch that restores it, alone or in any set")
    waits_for: str | None = Field(description="key of the deleted project or task that must be restored before it")


class TrashResponse(Paging):
    """Deletions, the latest first."""

    trash: list[TrashEntry]
