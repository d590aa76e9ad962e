"""Argument types that several tools share."""

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from schemas.patches import MAX_PATCHES, OPS
from schemas.primitives import FilterText, ItemName, Revision

ProjectName = Annotated[ItemName, Field(description="key, e.g. WEB")]
TaskName = Annotated[ItemName, Field(description="key, e.g. WEB-14")]
Words = Annotated[FilterText, Field(max_length=200)]
Person = Annotated[FilterText, Field(max_length=100)]


# Of a stored set: what cannot be an id names none, and is answered as such by the services.
SetId = Annotated[ItemName, WithJsonSchema({"type": "string", "description": "ps_..."})]
Limit = Annotated[int, Field(ge=1, le=100)]
Then = Annotated[int | None, Field(description="as it was then")]
Cursor = Annotated[str, Field(max_length=1_000, description="from the previous answer")]
BaseRevisions = Annotated[
    dict[ItemName, Revision],
    Field(max_length=1_000),
    WithJsonSchema(
        {"type": "object", "description": 'revisions you read, e.g. {"WEB": 41}', "additionalProperties": {"type": "integer"}}
    ),
]

_TEXT = {"type": "string"}
PATCH_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["op"],
    "properties": {
        "op": {"type": "string", "enum": list(OPS)},
        "ref": {"type": "string", "description": "$name for the new item, usable anywhere in this set"},
        "key": {"type": "string", "description": "create_project: wished key"},
        "project": {"type": "string", "description": "key or $ref: target of *_project, home of create_task"},
        "task": {"type": "string", "description": "key or $ref: target of the other task ops"},
        "parent": {"type": ["string", "null"], "description": "create/move_task; null = top level"},
        "before": {"type": "string", "description": "sibling; default: last"},
        "after": _TEXT,
        "fields": {
            "type": "object",
            "description": "create/update. Absent keeps, null clears. Task: title, description, acceptance_criteria[], status"
            " (todo|in_progress|blocked|in_review|completed|cancelled), priority (critical|high|medium|low|backlog), tags[],"
            " assignee, start_date, due_date (YYYY-MM-DD), estimated_minutes, actual_minutes, links{}, custom{}. Project: name,"
            " description, status (planning|active|on_hold|completed|archived), priority, tags, start_date, due_date, links,"
            " task_schema",
        },
        "depends_on": {
            "type": ["string", "array"],
            "items": _TEXT,
            "description": "add/remove_dependency: the one task waited for; create_task: a list",
        },
        "expect": {"type": "object", "description": 'refuse unless these hold now, e.g. {"status": "todo"}'},
        "cascade": {"type": "boolean", "description": "delete: false refuses if it has children"},
        "body": {"type": "string", "description": "add_comment"},
    },
}

# At run time each patch is checked by the service against the exact union, so that every issue comes at once.
_BOUNDS = Field(max_length=MAX_PATCHES)
Patches = Annotated[list[Any], _BOUNDS, WithJsonSchema({"type": "array", "items": PATCH_SCHEMA})]
SamePatches = Annotated[
    list[Any], _BOUNDS, WithJsonSchema({"type": "array", "items": {"type": "object"}, "description": "as in propose_patch_set"})
]
