"""Turning text into a proposed patch set: requests and answers of the planner."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from schemas.changes import ValidationResponse
from schemas.patches import StoredPatchSet
from schemas.primitives import Assignee, Day, FilterText, ItemName, Model, Name, sound_text, spoken_text
from schemas.usage import Usage

MAX_OUTLINE_BYTES = 1_000_000
MAX_IMPORT_BYTES = 16_000_000  # of exports and tables, which are read without a parser of Markdown
MAX_DESCRIPTION = 200_000
MAX_FEEDBACK = 20_000


class OutlineFormat(StrEnum):
    """How a plan is written."""

    AUTO = "auto"
    MARKDOWN = "markdown"
    OUTLINE = "outline"  # one task a line, by indentation
    TASKPAPER = "taskpaper"
    TODO_TXT = "todotxt"
    OPML = "opml"
    CSV = "csv"
    JSON = "json"


# What is longer is refused by the reader of its format: BODY_TOO_LARGE behind every door, with the way out.
OutlineText = Annotated[
    str, StringConstraints(min_length=1), AfterValidator(sound_text), Field(json_schema_extra={"maxLength": MAX_IMPORT_BYTES})
]


DescriptionText = Annotated[str, StringConstraints(min_length=10, max_length=MAX_DESCRIPTION), AfterValidator(spoken_text)]
FeedbackText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_FEEDBACK), AfterValidator(spoken_text)]


class ImportRequest(Model):
    """A written plan to turn into a proposal; nothing is applied."""

    content: OutlineText = Field(description="the text of the plan, at most 1 MB as UTF-8; tables and exports in JSON 16 MB")
    format: OutlineFormat = Field(default=OutlineFormat.AUTO, description="how it is written; auto looks at the text")
    project: ItemName | None = Field(default=None, description="add to this project instead of creating one")
    name: Name | None = Field(default=None, description="name of the new project, unless the text has a title")
    sequential: bool = Field(default=False, description="numbered items wait for the one before them")


class ModelChoice(Model):
    """Which of the configured models is asked; the first of them unless something is said."""

    provider: FilterText | None = Field(default=None, max_length=50, description="such as openai; `rules` asks no model")
    model: FilterText | None = Field(default=None, max_length=200, description="such as gpt-5.2, or openai/gpt-5.2")


class PlanConstraints(Model):
    """What a plan must keep to; only a model reads it, and its plan is checked against it."""

    deadline: Day | None = Field(default=None, description="nothing is due later")
    team: list[Assignee] = Field(default=[], max_length=50, description="the only possible assignees; empty = nobody is assigned")
    max_milestones: int | None = Field(default=None, strict=True, ge=1, le=50, description="tasks at the top level")
    max_depth: int | None = Field(
        default=None, strict=True, ge=0, le=20, description="deepest level of a task; 0 is the top level"
    )
    style: FilterText = Field(default="", max_length=500, description="how the plan should be written")


class PlannerRequest(ModelChoice):
    """An idea, or the requirements of a project, to turn into a proposal; nothing is applied."""

    description: Annotated[str, StringConstraints(min_length=10, max_length=MAX_DESCRIPTION), AfterValidator(spoken_text)] = (
        Field(description="prose, or a list of tasks as POST /planner/import reads them")
    )
    name: Name | None = Field(default=None, description="name of the new project, unless the text has a title")
    constraints: PlanConstraints = PlanConstraints()


class RefineRequest(ModelChoice):
    """What should be different in a project; the answer is a proposal, and nothing is applied."""

    project_id: ItemName = Field(description="id or key of the project; tasks of others are out of reach")
    feedback: FeedbackText = Field(
        description="what should be different; without a model in commands such as `done WEB-3`, which `help` lists"
    )
    task_id: ItemName | None = Field(default=None, description="id or key of a task: only it and what is below it may change")


class DecomposeRequest(ModelChoice):
    """How a task should be split into subtasks; the answer is a proposal, and nothing is applied."""

    instructions: Annotated[str, StringConstraints(max_length=4_000), AfterValidator(sound_text)] = Field(
        default="", description="what to take into account; only a model reads it"
    )


class UnparsedLine(Model):
    """A line of the plan that is in no operation."""

    line: int = Field(description="from 1")
    text: str
    reason: str


class PlannedTask(Model):
    """One line of the outline a proposal would create."""

    ref: str
    parent: str | None
    title: str


class PlannerResponse(Model):
    """A stored proposal, how it was made, and what was left out."""

    patch_set: StoredPatchSet
    project: str = Field(description="key of the project; provisional when the proposal creates it")
    tasks: list[PlannedTask] = Field(description="the first 200 tasks it would create")
    summary: str
    questions: list[str]
    unparsed: list[UnparsedLine]
    engine: str
    model: str | None
    usage: Usage
    validation: ValidationResponse
