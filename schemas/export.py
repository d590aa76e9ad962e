"""A whole project as one document; what `import` reads back without loss."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas.primitives import Instant, Model
from schemas.projects import Project
from schemas.tasks import Comment, Task


class ExportDocument(Model):
    """A project, its live tasks in outline order, and their comments."""

    format: Literal["orchestrator/1"] = "orchestrator/1"
    exported_at: Instant
    project: Project
    tasks: list[Task] = Field(description="outline order: parents before their children")
    comments: list[Comment]


class ExportFormat(StrEnum):
    MARKDOWN = "md"
    JSON = "json"
    CSV = "csv"
