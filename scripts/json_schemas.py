"""JSON Schemas (2020-12) of everything that crosses an edge, one file per model.

A patch set's model leaves its patches open, because one malformed patch must not hide the rest;
the published schema names the exact union, which is what validation enforces.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter

from schemas.agents import CapabilitiesResponse
from schemas.changes import ApplyResponse, ChangeListResponse, RevisionDiff, ValidationResponse
from schemas.chat import ChatRequest, ChatResponse, ConversationDetail, ConversationListResponse
from schemas.errors import ErrorDetail
from schemas.events import Event
from schemas.export import ExportDocument
from schemas.jobs import Job
from schemas.patches import (
    MAX_PATCHES,
    ApplyRequest,
    HistoryResponse,
    Patch,
    PatchSet,
    PatchSetDetail,
    PatchSetListResponse,
    PatchSetQuery,
    RejectRequest,
    RevertRequest,
    StoredPatchSet,
)
from schemas.planning import DecomposeRequest, ImportRequest, PlannerRequest, PlannerResponse, RefineRequest
from schemas.projects import (
    Project,
    ProjectCreate,
    ProjectDetail,
    ProjectHierarchy,
    ProjectListResponse,
    ProjectQuery,
    ProjectUpdate,
)
from schemas.schedule import Schedule
from schemas.tasks import (
    Comment,
    CommentListResponse,
    Task,
    TaskCreate,
    TaskDetail,
    TaskListResponse,
    TaskQuery,
    TaskUpdate,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class ExactPatchSet(PatchSet):
    __doc__ = PatchSet.__doc__

    patches: Annotated[list[Patch], Field(min_length=1, max_length=MAX_PATCHES)]


REQUESTS: dict[str, Any] = {
    "patch": Patch,
    "patch-set": ExactPatchSet,
    "apply-request": ApplyRequest,
    "chat-request": ChatRequest,
    "decompose-request": DecomposeRequest,
    "import-request": ImportRequest,
    "planner-request": PlannerRequest,
    "refine-request": RefineRequest,
    "patch-set-query": PatchSetQuery,
    "project-create": ProjectCreate,
    "project-query": ProjectQuery,
    "project-update": ProjectUpdate,
    "reject-request": RejectRequest,
    "revert-request": RevertRequest,
    "task-create": TaskCreate,
    "task-query": TaskQuery,
    "task-update": TaskUpdate,
}
ANSWERS: dict[str, type[BaseModel]] = {
    "apply-response": ApplyResponse,
    "capabilities-response": CapabilitiesResponse,
    "change-list-response": ChangeListResponse,
    "chat-response": ChatResponse,
    "comment": Comment,
    "comment-list-response": CommentListResponse,
    "conversation-detail": ConversationDetail,
    "conversation-list-response": ConversationListResponse,
    "error-detail": ErrorDetail,
    "event": Event,
    "export-document": ExportDocument,
    "history-response": HistoryResponse,
    "job": Job,
    "patch-set-detail": PatchSetDetail,
    "patch-set-list-response": PatchSetListResponse,
    "planner-response": PlannerResponse,
    "project": Project,
    "project-detail": ProjectDetail,
    "project-hierarchy": ProjectHierarchy,
    "project-list-response": ProjectListResponse,
    "revision-diff": RevisionDiff,
    "schedule": Schedule,
    "stored-patch-set": StoredPatchSet,
    "task": Task,
    "task-detail": TaskDetail,
    "task-list-response": TaskListResponse,
    "validation-response": ValidationResponse,
}


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return every published schema by the name of its file."""
    return {name: _schema(kind, "validation") for name, kind in REQUESTS.items()} | {
        name: _schema(kind, "serialization") for name, kind in ANSWERS.items()
    }


def _schema(kind: Any, mode: Literal["validation", "serialization"]) -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema(mode=mode)
    if kind is ExactPatchSet:
        schema["title"] = PatchSet.__name__
    return {"$schema": DIALECT} | schema
