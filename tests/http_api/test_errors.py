"""Codes, statuses, and the two forms of a refusal."""

import httpx2
import pytest

from http_api.errors import STATUS
from schemas.errors import ErrorCode
from tests.support.http import refused


@pytest.mark.parametrize("code", ErrorCode)
def test_every_error_code_has_a_status(code: ErrorCode) -> None:
    assert 400 <= STATUS[code] <= 504


def test_the_statuses_are_those_of_the_design() -> None:
    by_status: dict[int, set[str]] = {}
    for code, status in STATUS.items():
        by_status.setdefault(status, set()).add(code.value)

    assert by_status == {
        400: {"MALFORMED_BODY"},
        401: {"UNAUTHORIZED", "TOKEN_EXPIRED"},
        403: {"FORBIDDEN"},
        404: {"NOT_FOUND", "DELETED_RESOURCE"},
        405: {"METHOD_NOT_ALLOWED"},
        409: {"CONCURRENT_UPDATE", "DUPLICATE_RESOURCE", "HAS_CHILDREN", "PATCH_SET_CLOSED", "IDEMPOTENCY_IN_PROGRESS"},
        412: {"PRECONDITION_FAILED"},
        408: {"REQUEST_TIMEOUT"},
        413: {"BODY_TOO_LARGE"},
        415: {"UNSUPPORTED_MEDIA_TYPE"},
        422: {
            "VALIDATION_ERROR",
            "INVALID_PATCH",
            "INVALID_HIERARCHY",
            "DEPENDENCY_CYCLE",
            "INVALID_CURSOR",
            "IDEMPOTENCY_KEY_REUSED",
            "INVALID_AI_REQUEST",
        },
        428: {"PRECONDITION_REQUIRED"},
        429: {"RATE_LIMIT_EXCEEDED", "AI_QUOTA_EXCEEDED"},
        500: {"INTERNAL_ERROR"},
        502: {"AI_GENERATION_FAILED", "AI_PROVIDER_ERROR"},
        503: {"DATABASE_ERROR", "STORAGE_BUSY", "SERVICE_UNAVAILABLE", "AI_PROVIDER_UNAVAILABLE", "AI_NOT_CONFIGURED"},
        504: {"AI_TIMEOUT"},
    }


def test_an_unknown_path_is_not_found_in_our_envelope(api: httpx2.Client) -> None:
    error = refused(api.get("/nothing/here"), 404, "NOT_FOUND")

    assert "/docs" in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/projects", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/projects/WEB", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("GET", "/planner/apply", "OPTIONS, POST"),
        ("HEAD", "/agent/validate", "OPTIONS, POST"),
        ("PUT", "/tasks/WEB-1/comments/", "GET, HEAD, OPTIONS, POST"),
    ],
)
def test_a_wrong_method_is_told_every_right_one(api: httpx2.Client, method: str, path: str, allow: str) -> None:
    answer = api.request(method, path)

    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    if method != "HEAD":
        refused(answer, 405, "METHOD_NOT_ALLOWED")


def test_a_caller_that_accepts_problem_documents_gets_one_with_the_same_code(api: httpx2.Client) -> None:
    answer = api.get("/projects/NOPE", headers={"Accept": "application/problem+json"})

    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert answer.status_code == problem["status"] == 404
    assert (problem["code"], problem["title"], problem["instance"]) == ("NOT_FOUND", "Not Found", "/api/v1/projects/NOPE")
    assert problem["request_id"] == answer.headers["x-request-id"]


def test_unknown_ids_are_refused_everywhere_alike(api: httpx2.Client) -> None:
    for path in ("/projects/NOPE", "/projects/NOPE/hierarchy", "/projects/NOPE/schedule", "/projects/NOPE/history"):
        refused(api.get(path), 404, "NOT_FOUND")
    for path in ("/tasks/NOPE-1", "/tasks/NOPE-1/comments", "/patch-sets/ps_0000000000000000", "/projects/NOPE/export"):
        refused(api.get(path), 404, "NOT_FOUND")
