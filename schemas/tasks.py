"""Tasks and comments: what is stored, what may be written, what is answered."""

from enum import StrEnum
from typing import Any

from pydantic import Field, StrictBool

from schemas.paging import PageRequest, Paging
from schemas.primitives import (
    AcceptanceCriteria,
    Assignee,
    CommentBody,
    Day,
    Description,
    FilterText,
    Instant,
    InstantInput,
    ItemName,
    JsonObject,
    Links,
    LinksPatch,
    Minutes,
    MinutesSpent,
    Model,
    Name,
    Priority,
    PriorityInput,
    Tags,
    TaskStatus,
    TaskStatusInput,
)


def without_defaults(schema: dict[str, Any]) -> None:
    """Drop `default` from a partial update's schema: there an absent field keeps its value."""
    for field in schema.get("properties", {}).values():
        field.pop("default", None)


class TaskFields(Model, json_schema_extra=without_defaults):
    """Fields of a task a caller may set. Absent keeps (on creation: the default), null clears."""

    title: Name = ""
    description: Description | None = None
    acceptance_criteria: AcceptanceCriteria | None = None
    status: TaskStatusInput = Field(
        default=TaskStatus.TODO,
        description="todo unless given; case-blind, done = completed, review = in_review",
    )
    priority: PriorityInput = Field(default=Priority.MEDIUM, description="medium unless given")
    tags: Tags | None = None
    assignee: Assignee | None = None
    start_date: Day | None = None
    due_date: Day | None = None
    estimated_minutes: Minutes | None = None
    actual_minutes: MinutesSpent | None = None
    links: LinksPatch | None = Field(default=None, description="system name -> external id; RFC 7396 merge patch")
    custom: JsonObject | None = Field(default=None, description="RFC 7396 merge patch, checked by the project's task_schema")


class TaskDraft(TaskFields):
    """Fields of a new task; only the title is required."""

    title: Name


class TaskPlace(Model):
    """Where a task goes: under `parent_id` (null = top level), `before` or `after` a sibling, else last."""

    parent_id: ItemName | None = None
    before: ItemName | None = None
    after: ItemName | None = None


class FirstTask(TaskDraft, TaskPlace):
    """A task of a new project. The tasks of one list name each other by their place in it: `$t1`, `$t2`, ..."""

    depends_on: list[ItemName] = Field(default_factory=list, max_length=1_000)


class TaskCreate(FirstTask):
    """Body of POST /tasks."""

    project_id: ItemName | None = Field(default=None, description="id or key; may be left out when a parent or anchor names it")


class TaskUpdate(TaskFields, TaskPlace):
    """Body of PUT and PATCH /tasks/{id}: the same partial update."""

    depends_on: list[ItemName] = Field(default_factory=list, max_length=1_000, description="the whole list; absent keeps it")


class TaskExpect(Model):
    """State that must hold before the patch set; null = is empty, absent = not checked."""

    title: Name | None = None
    description: Description | None = None
    acceptance_criteria: AcceptanceCriteria | None = None
    status: TaskStatusInput | None = None
    priority: PriorityInput | None = None
    tags: Tags | None = None
    assignee: Assignee | None = None
    start_date: Day | None = None
    due_date: Day | None = None
    estimated_minutes: Minutes | None = None
    actual_minutes: MinutesSpent | None = None
    links: Links | None = None
    custom: JsonObject | None = None
    claimed_by: Assignee | None = None
    parent: ItemName | None = None
    depends_on: list[ItemName] | None = Field(default=None, max_length=1_000)
    deleted: StrictBool | None = None


class Task(Model):
    """A task as every door shows it."""

    id: str
    key: str
    project_id: str
    parent_id: str | None
    parent: str | None = Field(description="key of the parent")
    position: int = Field(description="order among siblings, owned by the server")
    depth: int = Field(description="0 = top level")
    title: str
    description: str
    acceptance_criteria: list[str]
    status: TaskStatus
    priority: Priority
    tags: list[str]
    assignee: str | None
    start_date: Day | None
    due_date: Day | None
    estimated_minutes: int | None
    actual_minutes: int | None
    links: dict[str, str]
    custom: JsonObject
    depends_on: list[str] = Field(description="keys of tasks that must end first")
    blocks: list[str] = Field(description="keys of tasks that wait for this one")
    is_ready: bool = Field(description="a leaf, todo, and nothing it or its ancestors wait for is open")
    is_overdue: bool
    progress: int = Field(description="0..100: completed leaves of the leaves that are not cancelled")
    subtask_count: int = Field(description="direct live children")
    claimed_by: str | None
    claim_expires_at: Instant | None
    completed_at: Instant | None
    revision: int = Field(description="the project revision that last changed this task")
    created_at: Instant
    updated_at: Instant
    created_by: str
    deleted_at: Instant | None


class TaskNode(Task):
    """A task with everything below it."""

    children: list["TaskNode"]


class Comment(Model):
    id: str
    task_id: str
    author: str
    body: str
    created_at: Instant


class CommentCreate(Model):
    """Body of POST /tasks/{id}/comments."""

    body: CommentBody


class ClaimRequest(Model):
    """Body of POST /tasks/{id}/claim."""

    agent: Assignee | None = Field(default=None, description="who works on it; the caller unless given")
    lease_minutes: int | None = Field(
        default=None, strict=True, ge=1, le=10_080, description="the task is free again after this time; 60 unless given"
    )


class EndedLease(Model):
    """A claim that anybody may take over."""

    claimed_by: str
    ended_at: Instant


class WhyNext(Model):
    """What decides a task's rank: priority, then the critical path, then the due date, then the order of the outline."""

    priority: Priority
    on_critical_path: bool | None = Field(description="null where nothing is scheduled: across projects, or without estimates")
    slack: int | None = Field(description="minutes it may slip without moving the end of the project; null as above")
    due_date: Day | None
    ended_lease: EndedLease | None = Field(description="set when another has worked on it, and did not renew")


class RankedTask(Task):
    """A task that may be claimed now."""

    rank: int = Field(description="1 = what claiming gives")
    why: WhyNext


class NextTasksResponse(Model):
    """The tasks that may be claimed now, best first."""

    tasks: list[RankedTask]


class TaskDetail(Task):
    """A task with its direct subtasks and comments."""

    subtasks: list[Task] | None = Field(default=None, description="direct children in order; null when not asked for")
    comments: list[Comment] = Field(default=[], description="the newest 50, oldest first")


class TaskSort(StrEnum):
    POSITION = "position"
    NEWEST = "-created_at"
    OLDEST = "created_at"
    PRIORITY = "priority"
    DUE_DATE = "due_date"
    RECENTLY_UPDATED = "-updated_at"


class TaskQuery(PageRequest):
    """Filters of the task list; all given ones must hold."""

    project: ItemName | None = None
    parent: ItemName | None = None
    root: bool = Field(default=False, description="only top-level tasks")
    status: list[TaskStatusInput] = []
    priority: list[PriorityInput] = []
    assignee: FilterText | None = Field(default=None, max_length=100)
    tag: FilterText | None = Field(default=None, max_length=50)
    due_before: Day | None = Field(default=None, description="due on an earlier day")
    due_after: Day | None = Field(default=None, description="due on a later day")
    updated_since: InstantInput | None = Field(default=None, description="changed at this instant or later")
    ready: bool | None = Field(
        default=None, description="whether work on it can begin: todo, no subtasks, waiting for nothing open"
    )
    overdue: bool | None = Field(default=None, description="whether it is open and was due before today")
    query: FilterText | None = Field(default=None, max_length=200, description="literal text in key, title or description")
    deleted: bool = Field(default=False, description="list the trash instead")
    sort: TaskSort | None = Field(default=None, description="position when a parent or root is given, else newest first")


class TaskListResponse(Paging):
    tasks: list[Task]


class CommentListResponse(Paging):
    comments: list[Comment]
