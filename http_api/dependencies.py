"""What routes ask for: the context of the request, and the parameters many of them share."""

import re
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request
from pydantic import BeforeValidator, Field

from core.context import Context
from core.errors import ValidationFailed
from core.wiring import Orchestrator
from schemas.changes import EntityKind
from schemas.paging import PageRequest
from schemas.patches import ApprovalMeans, PatchSetQuery, ProposalState
from schemas.primitives import FilterText, ItemName, PriorityInput, ProjectStatusInput, TaskStatusInput
from schemas.projects import ProjectQuery
from schemas.search import SearchQuery
from schemas.tasks import TaskQuery
from schemas.trash import TrashQuery

NEVER = -1  # a revision no item has
_TAG = re.compile(r'"([^"]*)"')
_REVISION = re.compile(r"(\d{1,18})(?:\.[^\"]*)?")


async def request_context(request: Request) -> Context:
    """Return the context of this request; its caller is known since the edge."""
    state = request.scope["state"]
    orchestrator: Orchestrator = request.app.state.orchestrator
    return orchestrator.context(state["principal"], state["request_id"], approval=ApprovalMeans.REST)


RequestContext = Annotated[Context, Depends(request_context)]
ProjectName = Annotated[ItemName, Path(description="id or key of the project")]
TaskName = Annotated[ItemName, Path(description="id or key of the task")]
PatchSetName = Annotated[ItemName, Path(description="id of the patch set")]
Then = Annotated[int | None, Query(description="as it was at this revision of the project")]
DryRun = Annotated[bool, Query(description="answer what would change, and store nothing")]
Cascade = Annotated[bool, Query(description="false refuses when something live is below")]


async def expected_revision(
    if_match: Annotated[
        str | None, Header(alias="If-Match", description="the ETag you read; 412 when the item has changed since")
    ] = None,
) -> int | None:
    """Return the revision `If-Match` demands. A tag we never made matches nothing (RFC 9110)."""
    if if_match is None or if_match.strip() == "*":
        return None
    tags = [tag.strip() for tag in if_match.split(",")]
    if len(tags) > 1:
        raise ValidationFailed("If-Match must hold one ETag, or *.")
    quoted = _TAG.fullmatch(tags[0])
    revision = _REVISION.fullmatch(quoted[1]) if quoted else None
    return int(revision[1]) if revision else NEVER


IfMatch = Annotated[int | None, Depends(expected_revision)]


def _split(value: Any) -> Any:
    """Read `status=todo,blocked` as `status=todo&status=blocked`."""
    if not isinstance(value, list):
        return value
    return [part for item in value for part in (item.split(",") if isinstance(item, str) else [item])]


COMMAS = BeforeValidator(_split)


class ProjectFilters(ProjectQuery):
    """The project list as a query string: lists may repeat or be separated by commas."""

    status: Annotated[list[ProjectStatusInput], COMMAS] = []
    priority: Annotated[list[PriorityInput], COMMAS] = []


class TaskFilters(TaskQuery):
    """The task list as a query string, with the specification's names."""

    project: ItemName | None = Field(default=None, alias="project_id", description="id or key")
    parent: ItemName | None = Field(default=None, alias="parent_id", description="id or key")
    status: Annotated[list[TaskStatusInput], COMMAS] = []
    priority: Annotated[list[PriorityInput], COMMAS] = []


class SearchFilters(SearchQuery):
    """A search as a query string."""

    project: ItemName | None = Field(default=None, alias="project_id", description="id or key: only of this project")
    kind: Annotated[list[EntityKind], COMMAS] = Field(default=[], description="only these kinds of items")


class TrashFilters(TrashQuery):
    """The trash as a query string."""

    project: ItemName | None = Field(default=None, alias="project_id", description="id or key: only this project and its tasks")


class PatchSetFilters(PatchSetQuery):
    """The list of patch sets as a query string."""

    state: Annotated[list[ProposalState], COMMAS] = []
    project: ItemName | None = Field(default=None, alias="project_id", description="id or key")
    task: ItemName | None = Field(default=None, alias="task_id", description="id or key")


class HistoryFilters(PageRequest):
    """A project's history as a query string."""

    task: ItemName | None = Field(default=None, alias="task_id", description="only sets that changed this task")
    author: FilterText | None = Field(default=None, max_length=200)

    def query(self) -> PatchSetQuery:
        return PatchSetQuery(page=self.page, per_page=self.per_page, cursor=self.cursor, task=self.task, author=self.author)
