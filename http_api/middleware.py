"""The edge of the gateway, in one pure ASGI layer; each further layer would cost every request.

It names the request, refuses foreign hosts and origins, finds out who is calling before any body is
read, makes the short paths canonical, answers HEAD and conditional GET from what GET answers, adds
security headers, catches what nobody expected and writes the access line.
"""

import logging
import re
import secrets
from time import perf_counter

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import DomainError
from core.origins import foreign
from core.wiring import Orchestrator
from http_api.envelope import API_PREFIX
from http_api.errors import error_detail, refusal, unexpected
from schemas.errors import ErrorCode, ErrorDetail

log = logging.getLogger("http_api.access")

SAFE_TOKEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
SHORT_PREFIX = "/api/"
OPEN_PATHS = frozenset({"/health", "/health/live", "/health/ready", "/docs", "/openapi.json"})  # all others need a caller
CLIENT_GONE = 499  # what servers write into their log when nobody waits for the answer any more

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Edge:
    def __init__(self, app: ASGIApp, orchestrator: Orchestrator) -> None:
        self.app = app
        self.orchestrator = orchestrator
        self.settings = orchestrator.settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if SAFE_TOKEN.fullmatch(given) else secrets.token_hex(8)
        inner = canonical(scope)
        inner["state"] = {**scope.get("state", {}), "request_id": request_id, "bodiless": scope["method"] == "HEAD"}
        request = Request(inner, receive)
        answer = Answer(send, request, scope["method"], request_id)
        try:
            await self._answer(request, answer)
        except ClientDisconnect:
            answer.status = CLIENT_GONE
        finally:
            fields = {"method": scope["method"], "path": scope["path"], "status": answer.status}
            took = round((perf_counter() - began) * 1000, 1)
            log.info("request", extra={"fields": {"request_id": request_id, **fields, "milliseconds": took}})

    async def _answer(self, request: Request, answer: "Answer") -> None:
        try:
            if (refused := self._foreign(request) or await self._stranger(request)) is not None:
                await refusal(request, refused)(request.scope, request.receive, answer)
            else:
                await self.app(request.scope, request.receive, answer)
        except ClientDisconnect:
            raise
        except Exception as failure:  # noqa: BLE001  the last place that can turn a bug into an answer
            response = unexpected(request, failure)
            if answer.status is None:
                await response(request.scope, request.receive, answer)

    async def _stranger(self, request: Request) -> ErrorDetail | None:
        """Find out who is calling, for the routes; return the refusal of those nobody knows."""
        if request.scope["path"] in OPEN_PATHS:
            return None
        try:
            request.state.principal = await self.orchestrator.authenticate(credential(request.headers))
        except DomainError as refused:
            return refused.detail()
        return None

    def _foreign(self, request: Request) -> ErrorDetail | None:
        """Refuse what a page on another site could make a browser send to this machine."""
        if not self.settings.on_loopback:  # callers must show credentials there, which no foreign page has
            return None
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        why = foreign(host, origin, scheme=request.url.scheme, allowed=self.settings.cors_origins)
        return None if why is None else error_detail(ErrorCode.FORBIDDEN, why)


def credential(headers: Headers) -> str | None:
    """Return the key or token of `Authorization: Bearer ...`; other schemes are none of ours."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" and value.strip() else None


def canonical(scope: Scope) -> Scope:
    """Return `scope` as the routes know it: /api/... is /api/v1/..., a last slash and HEAD change nothing."""
    path: str = scope["path"]
    if path.startswith(SHORT_PREFIX) and not path.startswith(f"{API_PREFIX}/") and path != API_PREFIX:
        path = f"{API_PREFIX}/{path.removeprefix(SHORT_PREFIX)}"
    if len(path) > 1 and path.endswith("/"):
        path = path[:-1]
    return {**scope, "path": path, "method": "GET" if scope["method"] == "HEAD" else scope["method"]}


class Answer:
    """One response on its way out: gets its headers, and loses its body where the caller wants none."""

    def __init__(self, send: Send, request: Request, method: str, request_id: str) -> None:
        self.status: int | None = None
        self._send = send
        self._request = request
        self._request_id = request_id
        self._reads = method in ("GET", "HEAD")
        self._bodiless = method == "HEAD"

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message = self._head(message)
        elif self._bodiless:
            message = {**message, "body": b""}
        await self._send(message)

    def _head(self, message: Message) -> Message:
        message = {**message, "headers": list(message.get("headers", []))}
        headers = MutableHeaders(raw=message["headers"])
        headers["X-Request-ID"] = self._request_id
        for name, value in SECURITY_HEADERS.items():
            headers.setdefault(name, value)
        if self._reads and message["status"] == 200 and self._is_known(headers.get("etag")):
            message["status"] = 304
            self._bodiless = True
            del headers["content-length"], headers["content-type"]
        self.status = message["status"]
        return message

    def _is_known(self, tag: str | None) -> bool:
        """Compare weakly, as RFC 9110 asks for `If-None-Match`."""
        known = self._request.headers.get("if-none-match")
        if tag is None or known is None:
            return False
        return known.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in known.split(","))
