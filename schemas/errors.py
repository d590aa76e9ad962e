"""Error codes and their shape, the same behind every door.

`docs/errors.md` is generated from `ErrorCode` and `MEANINGS`; a test compares them.
"""

from enum import StrEnum
from typing import NamedTuple

from pydantic import Field, JsonValue

from schemas.primitives import Model


class ErrorCode(StrEnum):
    MALFORMED_BODY = "MALFORMED_BODY"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    UNAUTHORIZED = "UNAUTHORIZED"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    DELETED_RESOURCE = "DELETED_RESOURCE"
    CONCURRENT_UPDATE = "CONCURRENT_UPDATE"
    DUPLICATE_RESOURCE = "DUPLICATE_RESOURCE"
    HAS_CHILDREN = "HAS_CHILDREN"
    PATCH_SET_CLOSED = "PATCH_SET_CLOSED"
    IDEMPOTENCY_IN_PROGRESS = "IDEMPOTENCY_IN_PROGRESS"
    PRECONDITION_FAILED = "PRECONDITION_FAILED"
    PRECONDITION_REQUIRED = "PRECONDITION_REQUIRED"
    VALIDATION_ERROR = "VALIDATION_ERROR"
    INVALID_PATCH = "INVALID_PATCH"
    INVALID_HIERARCHY = "INVALID_HIERARCHY"
    DEPENDENCY_CYCLE = "DEPENDENCY_CYCLE"
    INVALID_CURSOR = "INVALID_CURSOR"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    INVALID_AI_REQUEST = "INVALID_AI_REQUEST"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    AI_QUOTA_EXCEEDED = "AI_QUOTA_EXCEEDED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    DATABASE_ERROR = "DATABASE_ERROR"
    STORAGE_BUSY = "STORAGE_BUSY"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    AI_GENERATION_FAILED = "AI_GENERATION_FAILED"
    AI_PROVIDER_ERROR = "AI_PROVIDER_ERROR"
    AI_PROVIDER_UNAVAILABLE = "AI_PROVIDER_UNAVAILABLE"
    AI_NOT_CONFIGURED = "AI_NOT_CONFIGURED"
    AI_TIMEOUT = "AI_TIMEOUT"


class Meaning(NamedTuple):
    """A code in a person's words."""

    happened: str
    way_out: str


MEANINGS = {
    ErrorCode.MALFORMED_BODY: Meaning(
        "The body is not JSON, or not text in UTF-8.",
        "Send valid JSON; the message names the place where reading stopped.",
    ),
    ErrorCode.REQUEST_TIMEOUT: Meaning(
        "The body did not arrive in time.",
        "Send it again, without pauses.",
    ),
    ErrorCode.BODY_TOO_LARGE: Meaning(
        "The body, or the plan in it, is larger than allowed.",
        "Send less at once: split the plan or the patch set.",
    ),
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: Meaning(
        "The body is of a type this route does not read.",
        "Send JSON with `Content-Type: application/json`.",
    ),
    ErrorCode.METHOD_NOT_ALLOWED: Meaning(
        "The path exists, but not with this method.",
        "Use one of the methods in the `Allow` header.",
    ),
    ErrorCode.UNAUTHORIZED: Meaning(
        "The call carries no credentials, or wrong ones.",
        "Send a valid key or token in `Authorization`.",
    ),
    ErrorCode.TOKEN_EXPIRED: Meaning(
        "The token was valid and has expired.",
        "Get a new token and repeat the call.",
    ),
    ErrorCode.FORBIDDEN: Meaning(
        "You are known, and may not do this.",
        "The details name the missing scope; ask an owner of the workspace for it.",
    ),
    ErrorCode.NOT_FOUND: Meaning(
        "There is no such item, or none that you may see. In a patch set: a named project, task or parent is unknown.",
        "Check the key; the hint lists the nearest existing ones.",
    ),
    ErrorCode.DELETED_RESOURCE: Meaning(
        "The item has been deleted.",
        "Restore it first, or leave it out; the hint names what to restore.",
    ),
    ErrorCode.CONCURRENT_UPDATE: Meaning(
        "Something this change touches or relies on has changed since its author looked. Nothing was stored.",
        "Compare base, current and proposed value in the details, then propose again on the current revision.",
    ),
    ErrorCode.DUPLICATE_RESOURCE: Meaning(
        "The key is taken; keys of deleted projects count.",
        "Choose another key, or leave it out and one is derived from the name.",
    ),
    ErrorCode.HAS_CHILDREN: Meaning(
        "The deletion was asked not to cascade, and there are live tasks below.",
        "Delete or move them first, or delete with `cascade: true`.",
    ),
    ErrorCode.PATCH_SET_CLOSED: Meaning(
        "The patch set has been applied, rejected or superseded already, or was applied with another choice of patches.",
        "Look at its state; for another change propose a new patch set.",
    ),
    ErrorCode.IDEMPOTENCY_IN_PROGRESS: Meaning(
        "A call with the same idempotency key is still running, or another message of the same conversation.",
        "Wait a moment and repeat the call with the same key.",
    ),
    ErrorCode.PRECONDITION_FAILED: Meaning(
        "`If-Match` names another version than the stored one. Nothing was stored.",
        "Read the item again and repeat the change with its new `ETag`.",
    ),
    ErrorCode.PRECONDITION_REQUIRED: Meaning(
        "This change must say which version it is based on.",
        "Read the item and send its `ETag` in `If-Match`.",
    ),
    ErrorCode.VALIDATION_ERROR: Meaning(
        "At least one value breaks a rule: type, length, range, date order, unknown field. Nothing was stored.",
        "Correct every entry of the details; each has a path, and a hint where one helps.",
    ),
    ErrorCode.INVALID_PATCH: Meaning(
        "The patch set breaks rules of several kinds. Nothing was stored.",
        "Correct every entry of the details, each with its own code, and send the whole set again.",
    ),
    ErrorCode.INVALID_HIERARCHY: Meaning(
        "The tasks would not form a tree: too deep, below itself, in another project, or beside an anchor elsewhere.",
        "Choose another parent or anchor; the hint states the rule.",
    ),
    ErrorCode.DEPENDENCY_CYCLE: Meaning(
        "Tasks would wait for each other in a circle; the message names the chain of keys. Parents count.",
        "Leave out one dependency of the chain.",
    ),
    ErrorCode.INVALID_CURSOR: Meaning(
        "The cursor belongs to another list, filter or order, or was altered.",
        "Start the list again without it.",
    ),
    ErrorCode.IDEMPOTENCY_KEY_REUSED: Meaning(
        "The id or idempotency key was used before, for other content.",
        "Use a new one for a new change.",
    ),
    ErrorCode.INVALID_AI_REQUEST: Meaning(
        "The request to the planner or the agents cannot be understood.",
        "The details say what is missing; ask for one thing at a time.",
    ),
    ErrorCode.RATE_LIMIT_EXCEEDED: Meaning(
        "Too many calls in a short time.",
        "Wait as many seconds as `Retry-After` says.",
    ),
    ErrorCode.AI_QUOTA_EXCEEDED: Meaning(
        "The model's budget is used up.",
        "Wait until it is renewed, or raise it with the provider.",
    ),
    ErrorCode.INTERNAL_ERROR: Meaning(
        "Something went wrong on the server, and it is our fault.",
        "Report the request id; the server's log has the rest.",
    ),
    ErrorCode.DATABASE_ERROR: Meaning(
        "The database could not be opened or could not do this. Nothing was stored, unless the connection broke at the commit.",
        "The message names the file or address and the way out; `DATABASE_URL` decides which database is used. Repeated "
        "under the same patch set id or `Idempotency-Key`, the call has one effect in either case.",
    ),
    ErrorCode.STORAGE_BUSY: Meaning(
        "The database is busy with other calls. Nothing was stored.",
        "Repeat the call in a moment.",
    ),
    ErrorCode.SERVICE_UNAVAILABLE: Meaning(
        "The server is starting, stopping, or lacks something it needs.",
        "Repeat the call in a moment; `/health/ready` says what is missing.",
    ),
    ErrorCode.AI_GENERATION_FAILED: Meaning(
        "The model's plan still broke rules after its repairs. Nothing was stored.",
        "The details hold the draft's errors; ask more precisely, or for less at once.",
    ),
    ErrorCode.AI_PROVIDER_ERROR: Meaning(
        "The model provider refused the call or answered nonsense.",
        "Check `AI_MODEL`, `AI_API_KEY` and the provider's status.",
    ),
    ErrorCode.AI_PROVIDER_UNAVAILABLE: Meaning(
        "The model provider cannot be reached.",
        "Try again later; plans can still be imported without a model.",
    ),
    ErrorCode.AI_NOT_CONFIGURED: Meaning(
        "This needs a model, and none is set up.",
        "Set `AI_PROVIDER` and `AI_API_KEY`, or import a written plan, which needs no model.",
    ),
    ErrorCode.AI_TIMEOUT: Meaning(
        "The model did not answer in time. Nothing was stored.",
        "Try again, or ask for less at once.",
    ),
}


RETRYABLE = frozenset(
    {
        ErrorCode.CONCURRENT_UPDATE,
        ErrorCode.IDEMPOTENCY_IN_PROGRESS,
        ErrorCode.RATE_LIMIT_EXCEEDED,
        ErrorCode.DATABASE_ERROR,
        ErrorCode.STORAGE_BUSY,
        ErrorCode.SERVICE_UNAVAILABLE,
        ErrorCode.AI_PROVIDER_UNAVAILABLE,
        ErrorCode.AI_TIMEOUT,
    }
)


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


class Conflict(Model):
    """One thing that a patch touches or relies on and that has changed since its author looked."""

    patch_index: int
    path: str = Field(description="JSON Pointer into the patch set")
    key: str = Field(description="key of the project or task")
    field: str
    base: JsonValue = Field(description="the value the author saw")
    current: JsonValue = Field(description="the value stored now")
    proposed: JsonValue = Field(description="the value this patch set would store")


class Issue(Model):
    """One broken rule. Errors block, warnings do not."""

    path: str = Field(default="", description="JSON Pointer into the body; empty for the whole of it")
    code: ErrorCode
    message: str
    hint: str | None = Field(default=None, description="what is allowed, or what to do next")
    patch_index: int | None = Field(default=None, description="which patch of the set, from 0")
    severity: Severity = Severity.ERROR
    conflict: Conflict | None = None


class ErrorDetail(Model):
    """What every refused call answers, over HTTP and over MCP alike."""

    code: ErrorCode
    message: str
    details: list[Issue] = []
    retryable: bool = Field(default=False, description="the same call may succeed later, or after a reload")
