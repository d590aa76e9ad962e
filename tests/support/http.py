"""What tests expect of answers."""

from typing import Any

import httpx2


def data(answer: httpx2.Response) -> Any:
    """Return the data of a successful answer, after checking its envelope."""
    body = answer.json()
    assert body["success"] is True, body
    assert body["error"] is None
    assert body.keys() == {"success", "data", "error", "metadata"}
    assert body["metadata"]["request_id"] == answer.headers["x-request-id"]
    return body["data"]


def refused(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """Return the error of a refusal, after checking its envelope, status and code."""
    body = answer.json()
    assert (answer.status_code, (body["error"] or {}).get("code")) == (status, code), body
    assert body["success"] is False
    assert body["data"] is None
    assert body.keys() == {"success", "data", "error", "metadata"}
    assert body["metadata"]["request_id"] == answer.headers["x-request-id"]
    error: dict[str, Any] = body["error"]
    assert error.keys() == {"code", "message", "details", "retryable"}
    return error
