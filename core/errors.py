"""Every refusal the product can answer, defined once; each face shows it in its own way.

The docstring of a class is the message a person reads: what happened, and what to do next.
`core` knows no status numbers.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Self

from pydantic import JsonValue

from schemas.errors import RETRYABLE, Conflict, ErrorCode, ErrorDetail, Issue

MAX_SHOWN = 80
MAX_DRAFT = 16_000


class DomainError(Exception):
    """A refusal with a stable code and details a caller can act on."""

    code: ErrorCode
    retry_after: float | None = None  # seconds after which a repetition may succeed, where that is known

    def __init__(self, message: str | None = None, *, details: Iterable[Issue] = (), hint: str | None = None) -> None:
        self.message = message or " ".join((type(self).__doc__ or "").split())
        self.details = list(details)
        if hint and not self.details:
            self.details = [Issue(code=self.code, message=self.message, hint=hint)]
        super().__init__(self.message)

    def detail(self) -> ErrorDetail:
        """Return the shape that both faces send."""
        return ErrorDetail(code=self.code, message=self.message, details=self.details, retryable=self.code in RETRYABLE)


class NotFound(DomainError):
    """There is no such item here."""

    code = ErrorCode.NOT_FOUND

    @classmethod
    def named(cls, kind: str, name: str, nearest: Sequence[str]) -> Self:
        """Return the refusal of a name that no `kind` has; its hint is the keys `nearest` to it."""
        return cls(f"there is no {kind} {name!r}", hint=f"nearest: {', '.join(nearest)}" if nearest else f"list the {kind}s")


class DeletedResource(DomainError):
    """The item has been deleted; restore it first."""

    code = ErrorCode.DELETED_RESOURCE


class ValidationFailed(DomainError):
    """The request breaks at least one rule; all of them are listed."""

    code = ErrorCode.VALIDATION_ERROR


class InvalidCursor(DomainError):
    """The cursor does not belong to this list; start again without it."""

    code = ErrorCode.INVALID_CURSOR


class PatchSetClosed(DomainError):
    """This patch set has already been applied, rejected or superseded; propose a new one."""

    code = ErrorCode.PATCH_SET_CLOSED


class IdempotencyKeyReused(DomainError):
    """This id was used for other content; use a new id for a new patch set."""

    code = ErrorCode.IDEMPOTENCY_KEY_REUSED


class IdempotencyInProgress(DomainError):
    """A call with this idempotency key still runs; wait a moment and repeat it with the same key."""

    code = ErrorCode.IDEMPOTENCY_IN_PROGRESS


class TurnInProgress(DomainError):
    """This conversation still answers another message; send the next one when it has."""

    code = ErrorCode.IDEMPOTENCY_IN_PROGRESS


class PreconditionFailed(DomainError):
    """The item has changed since you read it; read it again."""

    code = ErrorCode.PRECONDITION_FAILED


class ConcurrentUpdate(DomainError):
    """The project has changed since this patch set was written. Reload it and propose again."""

    code = ErrorCode.CONCURRENT_UPDATE

    def __init__(self, conflicts: Sequence[Conflict], message: str | None = None, *, proposal: str | None = None) -> None:
        if any("/expect/" in conflict.path for conflict in conflicts):
            proposal = None  # rebased, it would expect the same again
        super().__init__(message, details=[conflict_issue(conflict, proposal=proposal) for conflict in conflicts])
        self.conflicts = list(conflicts)


def conflict_issue(conflict: Conflict, *, proposal: str | None = None) -> Issue:
    """Return the issue that shows a conflict among other details; `proposal` is the stored one it was found in."""
    hint = "read the item again, then propose with its current revision as base"
    if "/expect/" in conflict.path:
        hint = "read the item again; then leave out `expect`, or expect what is current"
    elif proposal is not None:
        hint = f"rebase {proposal}: it proposes the same patches on the present state, and shows their diff"
    return Issue(
        path=conflict.path,
        code=ErrorCode.CONCURRENT_UPDATE,
        message=_what_changed(conflict),
        hint=hint,
        patch_index=conflict.patch_index,
        conflict=conflict,
    )


def _what_changed(conflict: Conflict) -> str:
    key, field, current = conflict.key, conflict.field, conflict.current
    if field == "deleted":
        return f"{key} has been {'deleted' if current else 'created or restored'} since"
    if field.startswith("depends_on."):
        return f"{key} {'waits' if current else 'does not wait'} for {field.partition('.')[2]} now"
    if field == "position":
        now, base, wanted = (_shown_place(place) for place in (current, conflict.base, conflict.proposed))
        return f"{key} stands {now} now, not {base}; proposed is {wanted}"
    proposed = "" if conflict.proposed in (current, conflict.base) else f"; proposed is {_shown(conflict.proposed)}"
    return f"{key} {field} is now {_shown(current)}, not {_shown(conflict.base)}{proposed}"


def _shown_place(place: JsonValue) -> str:
    """Return `after WEB-4 below WEB-1`, `first at the top level`; a task that was not there yet stood nowhere."""
    if not isinstance(place, dict):
        return "anywhere"
    home = f"below {place['parent']}" if place["parent"] else "at the top level"
    return f"after {place['after']} {home}" if place["after"] else f"first {home}"


def _shown(value: JsonValue) -> str:
    """Return a value as JSON, cut so that a long text stays one line; the whole of it is in the conflict."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


class InvalidPatch(DomainError):
    """The patch set breaks rules, so nothing was stored; all of them are listed."""

    code = ErrorCode.INVALID_PATCH

    def __init__(self, issues: Sequence[Issue]) -> None:
        codes = {issue.code for issue in issues}
        if len(codes) == 1:  # one kind of failure answers with its own code and status
            self.code = codes.pop()
        message = issues[0].message if len(issues) == 1 else None
        super().__init__(message, details=issues)


class InvalidAiRequest(DomainError):
    """Nothing in this text could be understood as a change; nothing was proposed."""

    code = ErrorCode.INVALID_AI_REQUEST


class AiNotConfigured(DomainError):
    """This needs a model, and none is set up."""

    code = ErrorCode.AI_NOT_CONFIGURED


class AiProviderError(DomainError):
    """The model provider refused the call, or answered what is no answer."""

    code = ErrorCode.AI_PROVIDER_ERROR


class AiProviderUnavailable(DomainError):
    """The model provider cannot be reached, or is overloaded; try again later."""

    code = ErrorCode.AI_PROVIDER_UNAVAILABLE


class AiTimeout(DomainError):
    """The model did not answer in time; nothing was stored. Try again, or ask for less at once."""

    code = ErrorCode.AI_TIMEOUT


class AiQuotaExceeded(DomainError):
    """The model's budget is used up."""

    code = ErrorCode.AI_QUOTA_EXCEEDED


class AiGenerationFailed(DomainError):
    """The model's plan still broke rules after its repairs; nothing was stored. Ask more precisely, or for less at once."""

    code = ErrorCode.AI_GENERATION_FAILED

    def __init__(self, issues: Iterable[Issue] = (), *, draft: str = "", message: str | None = None) -> None:
        details = list(issues)
        if draft:  # what the model wrote, as it wrote it: data for whoever asks why
            details.append(Issue(path="/draft", code=self.code, message="the model's last answer", hint=draft[:MAX_DRAFT]))
        super().__init__(message, details=details)


class Unauthorized(DomainError):
    """Nobody is known by these credentials."""

    code = ErrorCode.UNAUTHORIZED


class TokenExpired(DomainError):
    """These credentials have expired; get new ones."""

    code = ErrorCode.TOKEN_EXPIRED


class DuplicateResource(DomainError):
    """There is one of this name already."""

    code = ErrorCode.DUPLICATE_RESOURCE


class Forbidden(DomainError):
    """You may not do this; `details` names the missing scope."""

    code = ErrorCode.FORBIDDEN


class BodyTooLarge(DomainError):
    """The request is larger than allowed."""

    code = ErrorCode.BODY_TOO_LARGE


class UnsupportedMediaType(DomainError):
    """The body must be JSON, sent with Content-Type: application/json."""

    code = ErrorCode.UNSUPPORTED_MEDIA_TYPE


class RequestTimeout(DomainError):
    """The body did not arrive in time; send it again, without pauses."""

    code = ErrorCode.REQUEST_TIMEOUT


class StorageBusy(DomainError):
    """The database is busy; try again in a moment."""

    code = ErrorCode.STORAGE_BUSY


class ServiceUnavailable(DomainError):
    """The server cannot take this on now; try again in a moment."""

    code = ErrorCode.SERVICE_UNAVAILABLE


class DatabaseError(DomainError):
    """The database could not do this; nothing was changed."""

    code = ErrorCode.DATABASE_ERROR

    def __init__(self, message: str | None = None, *, hint: str | None = None, place: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.hint = hint
        self.place = place  # path or address, for the log and for whoever runs the program; never for callers

    def located(self) -> "DatabaseError":
        """Return the same with its place in the message, for whoever runs the program."""
        return DatabaseError(f"{self.message} ({self.place})", hint=self.hint) if self.place else self


class TooLong(Exception):
    """No refusal: a call among the short ones has much to read, so `Context.run` begins it again among the long ones."""
