"""How a refusal looks over HTTP: code to status, and the two body forms.

Callers get our envelope, or RFC 9457 (`Accept: application/problem+json`) with the same code.
"""

import logging
import re
from http import HTTPStatus
from math import ceil
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from core.errors import DomainError, ValidationFailed
from core.idempotency import ReplayedRefusal
from http_api.envelope import ErrorEnvelope, Problem, failure_bytes
from schemas.errors import RETRYABLE, ErrorCode, ErrorDetail, Issue
from schemas.violations import issues_of

log = logging.getLogger("http_api")

STATUS: dict[ErrorCode, int] = {
    ErrorCode.MALFORMED_BODY: 400,
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.TOKEN_EXPIRED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.DELETED_RESOURCE: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.CONCURRENT_UPDATE: 409,
    ErrorCode.DUPLICATE_RESOURCE: 409,
    ErrorCode.HAS_CHILDREN: 409,
    ErrorCode.PATCH_SET_CLOSED: 409,
    ErrorCode.IDEMPOTENCY_IN_PROGRESS: 409,
    ErrorCode.PRECONDITION_FAILED: 412,
    ErrorCode.REQUEST_TIMEOUT: 408,
    ErrorCode.BODY_TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: 415,
    ErrorCode.VALIDATION_ERROR: 422,
    ErrorCode.INVALID_PATCH: 422,
    ErrorCode.INVALID_HIERARCHY: 422,
    ErrorCode.DEPENDENCY_CYCLE: 422,
    ErrorCode.INVALID_CURSOR: 422,
    ErrorCode.IDEMPOTENCY_KEY_REUSED: 422,
    ErrorCode.INVALID_AI_REQUEST: 422,
    ErrorCode.PRECONDITION_REQUIRED: 428,
    ErrorCode.RATE_LIMIT_EXCEEDED: 429,
    ErrorCode.AI_QUOTA_EXCEEDED: 429,
    ErrorCode.INTERNAL_ERROR: 500,
    ErrorCode.AI_GENERATION_FAILED: 502,
    ErrorCode.AI_PROVIDER_ERROR: 502,
    ErrorCode.DATABASE_ERROR: 503,
    ErrorCode.STORAGE_BUSY: 503,
    ErrorCode.SERVICE_UNAVAILABLE: 503,
    ErrorCode.AI_PROVIDER_UNAVAILABLE: 503,
    ErrorCode.AI_NOT_CONFIGURED: 503,
    ErrorCode.AI_TIMEOUT: 504,
}

PROBLEM = "application/problem+json"
RETRY_AFTER = {"Retry-After": "1"}
MAX_SHOWN = 1_000  # a body of nothing but unknown fields would else be answered with ten times its size

# What routes can answer, for their `responses=`.
ALWAYS = (
    ErrorCode.RATE_LIMIT_EXCEEDED,
    ErrorCode.UNAUTHORIZED,
    ErrorCode.TOKEN_EXPIRED,
    ErrorCode.FORBIDDEN,
    ErrorCode.VALIDATION_ERROR,
    ErrorCode.INTERNAL_ERROR,
    ErrorCode.DATABASE_ERROR,
    ErrorCode.STORAGE_BUSY,
)
NAMED = (ErrorCode.NOT_FOUND, ErrorCode.DELETED_RESOURCE)
PAGED = (ErrorCode.INVALID_CURSOR,)
BODY = (ErrorCode.MALFORMED_BODY, ErrorCode.REQUEST_TIMEOUT, ErrorCode.BODY_TOO_LARGE, ErrorCode.UNSUPPORTED_MEDIA_TYPE)
WRITES = (
    *NAMED,
    ErrorCode.CONCURRENT_UPDATE,
    ErrorCode.DUPLICATE_RESOURCE,
    ErrorCode.HAS_CHILDREN,
    ErrorCode.INVALID_PATCH,
    ErrorCode.INVALID_HIERARCHY,
    ErrorCode.DEPENDENCY_CYCLE,
    ErrorCode.IDEMPOTENCY_KEY_REUSED,
)
GUARDED = (ErrorCode.PRECONDITION_FAILED,)
PATCH_SETS = (ErrorCode.PATCH_SET_CLOSED, ErrorCode.IDEMPOTENCY_KEY_REUSED)
MODELS = (  # of routes that ask a model, which takes as long as a held key
    ErrorCode.INVALID_AI_REQUEST,
    ErrorCode.AI_QUOTA_EXCEEDED,
    ErrorCode.AI_GENERATION_FAILED,
    ErrorCode.AI_PROVIDER_ERROR,
    ErrorCode.AI_PROVIDER_UNAVAILABLE,
    ErrorCode.AI_NOT_CONFIGURED,
    ErrorCode.AI_TIMEOUT,
    ErrorCode.IDEMPOTENCY_IN_PROGRESS,
    ErrorCode.SERVICE_UNAVAILABLE,  # too many jobs
)


def refusals(*codes: ErrorCode) -> dict[int | str, dict[str, Any]]:
    """Return the `responses=` of a route that can answer `codes`, beside what every route can."""
    by_status: dict[int, list[str]] = {}
    for code in (*codes, *ALWAYS):
        by_status.setdefault(STATUS[code], []).append(code.value)
    problem = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"model": ErrorEnvelope, "description": ", ".join(dict.fromkeys(names)), "content": problem}
        for status, names in sorted(by_status.items())
    }


def error_detail(code: ErrorCode, message: str, *details: Issue) -> ErrorDetail:
    """Return a refusal that HTTP itself causes, which no service knows."""
    return ErrorDetail(code=code, message=message, details=list(details), retryable=code in RETRYABLE)


def refusal(request: Request, error: ErrorDetail, headers: dict[str, str] | None = None, *, replayed: bool = False) -> Response:
    """Return `error` with its status, as envelope or as problem document."""
    status = STATUS[error.code]
    retry = RETRY_AFTER if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    shown = ' error="invalid_token"' if "authorization" in request.headers else ""  # RFC 6750, 3.1
    challenge = {"WWW-Authenticate": f"Bearer{shown}"} if status == HTTPStatus.UNAUTHORIZED else {}
    headers = {"Cache-Control": "no-store", **retry, **challenge, **(headers or {})}
    request_id: str = request.state.request_id
    if PROBLEM not in request.headers.get("accept", "").lower():
        about = {"replayed": True} if replayed else {}
        return Response(failure_bytes(request_id, error, about), status, headers, "application/json")
    problem = Problem(
        type=f"/docs#{error.code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.message,
        instance=request.url.path,
        code=error.code,
        errors=error.details,
        retryable=error.retryable,
        request_id=request_id,
    )
    return Response(problem.model_dump_json(), status, headers, PROBLEM)


def unexpected(request: Request, failure: Exception) -> Response:
    """Return INTERNAL_ERROR; the failure itself goes to the log, once, and never to the caller."""
    request_id: str = request.state.request_id
    log.error("unhandled failure", exc_info=failure, extra={"fields": {"request_id": request_id}})
    message = f"Something went wrong on the server; report the request id {request_id}."
    return refusal(request, error_detail(ErrorCode.INTERNAL_ERROR, message))


def answer(request: Request, error: DomainError | RequestValidationError) -> Response:
    """Return the refusal that `error` stands for."""
    if isinstance(error, DomainError):
        wait = {} if error.retry_after is None else {"Retry-After": str(max(1, ceil(error.retry_after)))}
        return refusal(request, error.detail(), wait, replayed=isinstance(error, ReplayedRefusal))
    found = error.errors()
    inside = [{**item, "loc": item["loc"][1:]} for item in found[:MAX_SHOWN]]  # without "body", "query", "path"
    more = f"The first {MAX_SHOWN} of {len(found)} things that are wrong are listed." if len(found) > MAX_SHOWN else None
    return refusal(request, ValidationFailed(more, details=issues_of(inside)).detail())


def install(app: FastAPI) -> None:
    """Answer every refusal of FastAPI itself in our form, unknown paths and methods included; call it after the routes."""
    methods = [(compile_path(route.path or "")[0], route.methods or set()) for route in iter_route_contexts(app.routes)]

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, DomainError | RequestValidationError)
        return answer(request, error)

    async def framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return _other_method(request, methods)
        if error.status_code == HTTPStatus.NOT_FOUND:
            return refusal(request, error_detail(ErrorCode.NOT_FOUND, "There is nothing at this path; /docs lists the routes."))
        return refusal(request, error_detail(ErrorCode.MALFORMED_BODY, "The request could not be read."))

    app.add_exception_handler(DomainError, refused)
    app.add_exception_handler(RequestValidationError, refused)
    app.add_exception_handler(HTTPException, framework)


def _other_method(request: Request, methods: list[tuple[re.Pattern[str], set[str]]]) -> Response:
    """Answer OPTIONS, and every method a path does not know, with those it knows."""
    matching = [(path.groups, names) for path, names in methods if path.match(request.url.path)]
    closest = min((groups for groups, _ in matching), default=0)  # /tasks/next is no task
    allowed = set[str]().union(*(names for groups, names in matching if groups == closest))
    allowed |= {"OPTIONS", "HEAD"} if "GET" in allowed else {"OPTIONS"}
    allow = ", ".join(sorted(allowed))
    if request.method == "OPTIONS":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Allow": allow})
    return refusal(request, error_detail(ErrorCode.METHOD_NOT_ALLOWED, f"This path answers {allow}."), {"Allow": allow})
