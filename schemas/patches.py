"""The twelve operations, and the patch set that carries them.

Items that exist are named by id or key; items that the set itself creates by their `$ref`, before
or after their creation. Absent fields keep their value, null clears.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.changes import ApplyResponse, Totals, ValidationResponse
from schemas.paging import PageRequest, Paging
from schemas.primitives import (
    CommentBody,
    Description,
    FilterText,
    Instant,
    ItemName,
    Model,
    PatchIndex,
    PatchSetId,
    ProjectKey,
    Ref,
    Revision,
    Summary,
)
from schemas.projects import ProjectDraft, ProjectExpect, ProjectFields
from schemas.tasks import TaskDraft, TaskExpect, TaskFields
from schemas.usage import Usage

MAX_PATCHES = 10_000
MAX_AGENT_PATCHES = 500


class CreateProject(Model):
    op: Literal["create_project"]
    ref: Ref | None = None
    key: ProjectKey | None = None
    fields: ProjectDraft


class UpdateProject(Model):
    op: Literal["update_project"]
    project: ItemName
    fields: ProjectFields
    expect: ProjectExpect | None = None


class DeleteProject(Model):
    """Soft-delete a project with all its tasks."""

    op: Literal["delete_project"]
    project: ItemName
    cascade: bool = Field(default=True, strict=True, description="false refuses when live tasks remain")
    expect: ProjectExpect | None = None


class RestoreProject(Model):
    """Revive a deleted project and exactly what that deletion removed."""

    op: Literal["restore_project"]
    project: ItemName
    expect: ProjectExpect | None = None


class CreateTask(Model):
    op: Literal["create_task"]
    ref: Ref | None = None
    project: ItemName | None = Field(default=None, description="may be left out when parent, before or after names it")
    parent: ItemName | None = None
    before: ItemName | None = None
    after: ItemName | None = None
    fields: TaskDraft
    depends_on: list[ItemName] = Field(default_factory=list, max_length=1_000)


class UpdateTask(Model):
    op: Literal["update_task"]
    task: ItemName
    fields: TaskFields
    expect: TaskExpect | None = None


class MoveTask(Model):
    """Change parent or order. An absent parent keeps it (or takes the anchor's), null = top level."""

    op: Literal["move_task"]
    task: ItemName
    parent: ItemName | None = None
    before: ItemName | None = None
    after: ItemName | None = None
    expect: TaskExpect | None = None


class DeleteTask(Model):
    """Soft-delete a task with all its subtasks."""

    op: Literal["delete_task"]
    task: ItemName
    cascade: bool = Field(default=True, strict=True, description="false refuses when live subtasks remain")
    expect: TaskExpect | None = None


class RestoreTask(Model):
    """Revive a deleted task and exactly what that deletion removed."""

    op: Literal["restore_task"]
    task: ItemName
    expect: TaskExpect | None = None


class AddDependency(Model):
    """`task` waits until `depends_on` has ended."""

    op: Literal["add_dependency"]
    task: ItemName
    depends_on: ItemName


class RemoveDependency(Model):
    op: Literal["remove_dependency"]
    task: ItemName
    depends_on: ItemName


class AddComment(Model):
    op: Literal["add_comment"]
    task: ItemName
    body: CommentBody


Patch = Annotated[
    CreateProject
    | UpdateProject
    | DeleteProject
    | RestoreProject
    | CreateTask
    | UpdateTask
    | MoveTask
    | DeleteTask
    | RestoreTask
    | AddDependency
    | RemoveDependency
    | AddComment,
    Field(discriminator="op"),
]
OPS = (
    "create_project",
    "update_project",
    "delete_project",
    "restore_project",
    "create_task",
    "update_task",
    "move_task",
    "delete_task",
    "restore_task",
    "add_dependency",
    "remove_dependency",
    "add_comment",
)


# Each patch is parsed by `core.patches.parse`, so that one malformed patch is an issue like any
# other and never hides the rest; here only the envelope of a set is checked.
RawPatches = Annotated[list[Any], Field(min_length=1, max_length=MAX_PATCHES)]


HOW_APPROVED = "how closed_by approved an applied set; null = not applied, or not recorded"


class ProposalState(StrEnum):
    PROPOSED = "proposed"
    APPLIED = "applied"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


class ApprovalMeans(StrEnum):
    """By which means an applied set was approved by whoever closed it."""

    REST = "rest"
    COMMAND_LINE = "command_line"
    MCP = "mcp"  # a claim or a comment, which need no approval
    MCP_HOST = "mcp_host"  # the client is told to ask its user before it calls
    MCP_ELICITATION = "mcp_elicitation"  # the server asked the user, who agreed


class Proposal(Model):
    """Everything the server knows about a stored patch set."""

    state: ProposalState
    hash: str = Field(description="SHA-256 of the RFC 8785 form of the normalised patches")
    engine: str = Field(description="what wrote it: caller, rules, or a model")
    model: str | None = Field(default=None, description="the model that wrote it, as provider/model")
    usage: Usage | None = Field(default=None, description="what that took")
    author: str
    created_at: Instant
    closed_at: Instant | None = None
    closed_by: str | None = None
    approval: ApprovalMeans | None = Field(default=None, description=HOW_APPROVED)
    reason: str | None = None
    seq: int | None = Field(default=None, description="place in the workspace's history, once applied")
    applied_indexes: list[int] | None = Field(default=None, description="which patches were applied; null = all")
    supersedes: str | None = None
    reverts: list[str] = []
    revisions: dict[str, int] = Field(default={}, description="project key -> revision after the apply")
    stale: bool = Field(
        default=False, description="it cannot be applied as it was shown: its preview says why; after conflicts, rebase renews it"
    )


class PatchSet(Model):
    """Ordered patches, proposed and applied as one unit: whole, or not at all."""

    id: PatchSetId | None = Field(
        default=None, description="made by the server unless given; names the proposal and the applied set"
    )
    summary: Summary = ""
    rationale: Description = ""
    base_revisions: dict[ItemName, Revision] = Field(
        default={}, max_length=1_000, description="project key or id -> the revision the author saw"
    )
    patches: RawPatches
    proposal: Any = Field(default=None, description="owned by the server; accepted and ignored on input")


class StoredPatchSet(Model):
    """A patch set as stored: what was sent, and what the server knows about it."""

    id: PatchSetId
    summary: str
    rationale: str
    base_revisions: dict[str, int]
    patches: list[Any]
    proposal: Proposal


class PatchSetDetail(StoredPatchSet):
    """A stored patch set with its preview (while proposed) or its effect (once applied)."""

    preview: ValidationResponse | None = None
    applied: ApplyResponse | None = None


class PatchSetSummary(Model):
    """One line of a list or of a project's history."""

    id: PatchSetId
    summary: str
    rationale: str
    state: ProposalState
    engine: str
    author: str
    created_at: Instant
    closed_at: Instant | None
    closed_by: str | None
    approval: ApprovalMeans | None = Field(description=HOW_APPROVED)
    patch_count: int
    changes_total: int
    totals: Totals
    seq: int | None
    reverts: list[str]
    revisions: dict[str, int]


class HistoryEntry(PatchSetSummary):
    """An applied set in the history of one project."""

    revision_before: int
    revision: int = Field(description="of the project after the set")


class PatchSetQuery(PageRequest):
    state: list[ProposalState] = []
    project: ItemName | None = None
    task: ItemName | None = None
    author: FilterText | None = Field(default=None, max_length=200)


class PatchSetListResponse(Paging):
    patch_sets: list[PatchSetSummary]


class HistoryResponse(Paging):
    patch_sets: list[HistoryEntry]


class RevertRequest(Model):
    """Body of POST /projects/{id}/revert."""

    to_revision: Revision = Field(description="the revision whose state comes back")


class RejectRequest(Model):
    reason: Summary = ""


class ApplyRequest(Model):
    """Body of POST /patch-sets/{id}/apply."""

    only: list[PatchIndex] | None = Field(
        default=None, min_length=1, max_length=MAX_PATCHES, description="apply only these patches, from 0"
    )
