"""Projects: what is stored, what may be written, what is answered."""

from enum import StrEnum

from pydantic import Field, StrictBool

from schemas.paging import PageRequest, Paging
from schemas.primitives import (
    Day,
    Description,
    FilterText,
    Instant,
    JsonObject,
    Links,
    LinksPatch,
    Model,
    Name,
    Priority,
    PriorityInput,
    ProjectKey,
    ProjectStatus,
    ProjectStatusInput,
    Tags,
)
from schemas.tasks import FirstTask, Task, TaskNode, without_defaults


class ProjectFields(Model, json_schema_extra=without_defaults):
    """Fields of a project a caller may set. Absent keeps (on creation: the default), null clears."""

    name: Name = ""
    description: Description | None = None
    status: ProjectStatusInput = Field(default=ProjectStatus.PLANNING, description="planning unless given")
    priority: PriorityInput = Field(default=Priority.MEDIUM, description="medium unless given")
    tags: Tags | None = None
    start_date: Day | None = None
    due_date: Day | None = None
    links: LinksPatch | None = Field(default=None, description="system name -> external id; RFC 7396 merge patch")
    task_schema: JsonObject | None = Field(
        default=None, description="a JSON Schema (2020-12) that every task's `custom` object must satisfy"
    )


class ProjectDraft(ProjectFields):
    """Fields of a new project; only the name is required."""

    name: Name


class ProjectCreate(ProjectDraft):
    """A new project."""

    key: ProjectKey | None = Field(default=None, description="2 to 10 of A-Z and 0-9; derived from the name unless given")


class ProjectWithTasks(ProjectCreate):
    """Body of POST /projects."""

    tasks: list[FirstTask] = Field(default_factory=list, max_length=1_000, description="created with it, or nothing is")


class ProjectUpdate(ProjectFields):
    """Body of PUT and PATCH /projects/{id}: the same partial update."""


class ProjectExpect(Model):
    """State that must hold before the patch set; null = is empty, absent = not checked."""

    name: Name | None = None
    description: Description | None = None
    status: ProjectStatusInput | None = None
    priority: PriorityInput | None = None
    tags: Tags | None = None
    start_date: Day | None = None
    due_date: Day | None = None
    links: Links | None = None
    task_schema: JsonObject | None = None
    deleted: StrictBool | None = None


class Project(Model):
    """A project as every door shows it."""

    id: str
    key: str
    name: str
    description: str
    status: ProjectStatus
    priority: Priority
    tags: list[str]
    start_date: Day | None
    due_date: Day | None
    links: dict[str, str]
    task_schema: JsonObject | None
    revision: int = Field(description="+1 for each applied patch set that changed the project or its tasks")
    task_count: int
    completed_task_count: int
    progress: int = Field(description="0..100: completed leaves of the leaves that are not cancelled")
    estimated_minutes: int = Field(description="sum over leaf tasks")
    created_at: Instant
    updated_at: Instant
    created_by: str
    deleted_at: Instant | None


class ProjectDetail(Project):
    """A project with its first tasks in outline order."""

    tasks: list[Task] | None = Field(default=None, description="the first 1,000, in outline order; null when not asked for")
    tasks_next_cursor: str | None = None


class ProjectHierarchy(Model):
    """A project with its whole tree of tasks."""

    project: Project
    tasks: list[TaskNode]


class ProjectSort(StrEnum):
    NEWEST = "-created_at"
    OLDEST = "created_at"
    NAME = "name"
    PRIORITY = "priority"
    DUE_DATE = "due_date"
    RECENTLY_UPDATED = "-updated_at"


class ProjectQuery(PageRequest):
    """Filters of the project list."""

    status: list[ProjectStatusInput] = []
    priority: list[PriorityInput] = []
    tag: FilterText | None = Field(default=None, max_length=50)
    query: FilterText | None = Field(default=None, max_length=200, description="literal text in key, name or description")
    deleted: bool = Field(default=False, description="list the trash instead")
    sort: ProjectSort = ProjectSort.NEWEST


class ProjectListResponse(Paging):
    projects: list[Project]
