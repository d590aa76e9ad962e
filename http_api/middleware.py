"""The edge of the gateway, in one pure ASGI layer; each further layer would cost every request.

It names the request, answers preflights, refuses foreign hosts and origins, finds out who is calling
and how often before any body is read, makes the short paths canonical, answers HEAD and conditional
GET from what GET answers, leaves bodies out where the caller prefers that, adds the headers every
answer has, catches what nobody expected, counts, and writes the access line.
"""

import logging
import random
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from time import perf_counter
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.auth import bearer
from core.bodies import CallerGone
from core.errors import DomainError
from core.origins import foreign
from core.settings import Auth, Settings
from core.wiring import Orchestrator
from http_api import errors, metrics
from http_api.envelope import API_PREFIX
from http_api.errors import error_detail, refusal, unexpected
from http_api.rate_limits import RateLimits, Taken, address_of
from schemas.errors import ErrorCode, ErrorDetail

log = logging.getLogger("http_api.access")

SAFE_TOKEN = re.compile(rb"[A-Za-z0-9._-]{1,64}")
SHORT_PREFIX = "/api/"
OPEN_PATHS = frozenset({"/health", "/health/live", "/health/ready", "/docs", "/openapi.json"})  # all others need a caller
UNCOUNTED_PATHS = OPEN_PATHS | {"/metrics"}  # asked by machines that watch, however busy the server is
GONE = (ClientDisconnect, CallerGone)
CLIENT_GONE = 499  # what servers write into their log when nobody waits for the answer any more
SHOWN_PATH = 500
# `/api/...` without a version is deprecated since this version named `/api/v1/...` canonical (RFC 9745).
DEPRECATED_SINCE = datetime(2026, 11, 23, tzinfo=UTC)

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
# Asking the system for each would hand the interpreter to the store's thread, and getting it back can take 5 ms.
_ids = random.Random()  # noqa: S311  # names, not secrets
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
EXPOSED_HEADERS = (
    *("ETag", "Link", "Location", "Retry-After", "X-Request-ID", "RateLimit", "RateLimit-Policy", "Preference-Applied"),
    *("Idempotency-Replayed", "Deprecation", "Sunset", "Mcp-Session-Id", "X-Vercel-AI-UI-Message-Stream"),
)
ALLOWED_HEADERS = (
    *("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID", "Prefer"),
    *("X-Request-ID", "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Session-Id"),
)
# What a granted preflight says besides the origin, which every answer to that origin names.
PREFLIGHT_HEADERS = ("access-control-allow-methods", "access-control-allow-headers", "access-control-max-age", "vary")
RawHeaders = list[tuple[bytes, bytes]]


class Edge:
    def __init__(self, app: ASGIApp, gateway: FastAPI, orchestrator: Orchestrator, limits: RateLimits) -> None:
        self.app = app
        self.orchestrator = orchestrator
        self.settings = orchestrator.settings
        self.on_loopback = self.settings.on_loopback
        self.limits = limits
        self.cors = Cors(app, orchestrator.settings)
        self.sunset = _sunset_headers(orchestrator.settings.api_sunset)
        self.routes = {id(route.original_route): route.path or "" for route in iter_route_contexts(gateway.routes)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        metrics.IN_FLIGHT.inc()
        given: dict[bytes, bytes] = dict(scope["headers"])
        if len(given) != len(scope["headers"]):
            given = joined(scope["headers"])
            scope = {**scope, "headers": list(given.items())}
        named = given.get(b"x-request-id", b"")
        request_id = named.decode() if SAFE_TOKEN.fullmatch(named) else f"{_ids.getrandbits(64):016x}"
        inner = canonical(scope)
        inner["state"] = {**scope.get("state", {}), "request_id": request_id, "bodiless": scope["method"] == "HEAD"}
        answer = Answer(send, inner, given, scope["method"], request_id)
        answer.headers += self.cors.headers(given.get(b"origin"))
        if self.sunset and inner["path"] != scope["path"] and inner["path"].startswith(API_PREFIX):
            answer.headers += self._successor(scope["path"], inner["path"])
        try:
            await self._answer(inner, receive, given, answer)
        except GONE:
            answer.status = CLIENT_GONE
        finally:
            self._record(scope, inner, answer, perf_counter() - began)

    async def _answer(self, scope: Scope, receive: Receive, given: Mapping[bytes, bytes], answer: "Answer") -> None:
        try:
            response = await self._refused(scope, given, answer)
            app = self.app if response is None else response
            await app(scope, receive, answer)
        except GONE:
            raise
        except Exception as failure:  # noqa: BLE001  the last place that can turn a bug into an answer
            if answer.status is None and isinstance(failure, DomainError | RequestValidationError):
                response = errors.answer(Request(scope), failure)
            else:
                response = unexpected(Request(scope), failure)
            if answer.status is None:
                await response(scope, receive, answer)

    async def _refused(self, scope: Scope, given: Mapping[bytes, bytes], answer: "Answer") -> Response | None:
        """Return the answer to a request that does not get as far as a route."""
        if (foreign := self._foreign(scope, given)) is not None:
            return refusal(Request(scope), foreign)
        if scope["method"] == "OPTIONS" and b"origin" in given and b"access-control-request-method" in given:
            return self.cors.preflight(Request(scope))
        path: str = scope["path"]
        if path in OPEN_PATHS:
            return None
        stranger = await self._stranger(scope, given)
        if path not in UNCOUNTED_PATHS and (taken := await self._taken(scope, known=stranger is None)) is not None:
            answer.headers += taken.headers
            if not taken.allowed:
                message = f"Too many calls; the next one is answered in {taken.wait} s."
                detail = error_detail(ErrorCode.RATE_LIMIT_EXCEEDED, message)
                return refusal(Request(scope), detail, {"Retry-After": str(taken.wait)})
        return None if stranger is None else refusal(Request(scope), stranger)

    async def _stranger(self, scope: Scope, given: Mapping[bytes, bytes]) -> ErrorDetail | None:
        """Find out who is calling, for the routes; return the refusal of those nobody knows."""
        credential = bearer(given.get(b"authorization", b"").decode("latin-1"))
        try:
            scope["state"]["principal"] = await self.orchestrator.authenticate(credential)
        except DomainError as refused:
            return refused.detail()
        return None

    async def _taken(self, scope: Scope, *, known: bool) -> Taken | None:
        """Count the call, for its principal or else for the address it comes from; None where nothing is limited."""
        policy = self.limits.policy(scope["method"], scope["path"])
        if policy is None:
            return None
        if known and self.settings.auth is not Auth.NONE:
            principal = scope["state"]["principal"]
            caller = f"{principal.workspace}/{principal.subject}"
        else:
            caller = address_of(scope.get("client"))
        return await self.limits.take(policy, caller)

    def _foreign(self, scope: Scope, given: Mapping[bytes, bytes]) -> ErrorDetail | None:
        """Refuse what a page on another site could make a browser send to this machine."""
        if not self.on_loopback:  # callers must show credentials there, which no foreign page has
            return None
        host, origin = given.get(b"host", b"").decode("latin-1"), given.get(b"origin")
        shown = None if origin is None else origin.decode("latin-1")
        why = foreign(host, shown, scheme=scope["scheme"], allowed=self.settings.cors_origins)
        return None if why is None else error_detail(ErrorCode.FORBIDDEN, why)

    def _successor(self, asked: str, path: str) -> RawHeaders:
        """Say until when `/api/...` is answered, and where it goes on (RFC 8594, RFC 9745)."""
        if asked.startswith(f"{API_PREFIX}/"):
            return []
        return [*self.sunset, (b"link", f'<{quote(path)}>; rel="successor-version"'.encode())]

    def _record(self, scope: Scope, inner: Scope, answer: "Answer", seconds: float) -> None:
        metrics.IN_FLIGHT.dec()
        route = self.routes.get(id(inner.get("route")), metrics.UNROUTED)
        metrics.count_request(scope["method"], route, answer.status, None if answer.streams else seconds)
        if not log.isEnabledFor(logging.INFO):
            return
        principal = inner["state"].get("principal")
        fields = {
            "request_id": inner["state"]["request_id"],
            "method": scope["method"],
            "path": scope["path"][:SHOWN_PATH],
            "route": route,
            "status": answer.status,
            "milliseconds": round(seconds * 1000, 1),
            "client": scope["client"][0] if scope.get("client") else None,
            "caller": f"{principal.workspace}/{principal.subject}" if principal else None,
        }
        log.info("request", extra={"fields": fields})


class Cors:
    """What browsers are told about pages of other origins: those of CORS_ORIGINS may call, without cookies."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._origins = frozenset(origin.encode() for origin in settings.cors_origins)
        self._exposed = (b"access-control-expose-headers", ", ".join(EXPOSED_HEADERS).encode())
        self._policy = CORSMiddleware(
            app, allow_origins=settings.cors_origins, allow_methods=METHODS, allow_headers=ALLOWED_HEADERS
        )

    def allows(self, origin: bytes) -> bool:
        return origin in self._origins

    def headers(self, origin: bytes | None) -> RawHeaders:
        """Return what lets a page of `origin` read an answer, refusals included."""
        if origin is None or not self.allows(origin):
            return []
        return [(b"access-control-allow-origin", origin), self._exposed]

    def preflight(self, request: Request) -> Response:
        """Return whether the call that a browser asks about may be made."""
        response = self._policy.preflight_response(request.headers)
        if response.status_code == 200:
            granted = {name: response.headers[name] for name in PREFLIGHT_HEADERS}
            return Response(status_code=204, headers=granted)
        detail = error_detail(
            ErrorCode.FORBIDDEN, "This origin may not make such a call; see CORS_ORIGINS, and /docs for the headers."
        )
        return refusal(request, detail, {"Vary": response.headers["vary"]})


def _sunset_headers(day: date | None) -> RawHeaders:
    if day is None:
        return []
    sunset = datetime.combine(day, time(), UTC)
    since = min(DEPRECATED_SINCE, sunset)
    return [
        (b"deprecation", f"@{int(since.timestamp())}".encode()),
        (b"sunset", format_datetime(sunset, usegmt=True).encode()),
    ]


def joined(headers: RawHeaders) -> dict[bytes, bytes]:
    """Return each header once, the values of a repeated one as a list (RFC 9110, 5.3).

    So all who read it see the same: a list where one is allowed, else a value that nothing accepts.
    """
    together: dict[bytes, bytes] = {}
    for name, value in headers:
        together[name] = together[name] + b", " + value if name in together else value
    return together


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

    def __init__(self, send: Send, inner: Scope, given: Mapping[bytes, bytes], method: str, request_id: str) -> None:
        self.status: int | None = None
        self.streams = False
        self.headers: RawHeaders = [(b"x-request-id", request_id.encode())]
        self._send = send
        self._state = inner["state"]
        self._known = given.get(b"if-none-match") if method in ("GET", "HEAD") else None
        self._bodiless = method == "HEAD"

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message = self._head(message)
        elif self._bodiless:
            message = {**message, "body": b""}
        await self._send(message)

    def _head(self, message: Message) -> Message:
        status: int = message["status"]
        headers: RawHeaders = [*message.get("headers", ()), *self.headers]
        present = dict(headers)
        headers += [pair for pair in SECURITY_HEADERS if pair[0] not in present]
        self.streams = present.get(b"content-type", b"").startswith(b"text/event-stream")
        if self._known is not None and status == 200 and _names(self._known, present.get(b"etag")):
            status = 304
        minimal = "minimal" in self._state and status in (200, 201)
        if minimal:
            status = 204 if status == 200 else status
            headers.append((b"preference-applied", b"return=minimal"))
        if minimal or status == 304:
            self._bodiless = True
            headers = [pair for pair in headers if pair[0] not in (b"content-length", b"content-type")]
            if status == 201:
                headers.append((b"content-length", b"0"))
        self.status = status
        return {**message, "status": status, "headers": headers}


def _names(known: bytes, tag: bytes | None) -> bool:
    """Compare `If-None-Match` weakly, as RFC 9110 asks for."""
    if tag is None:
        return False
    return known.strip() == b"*" or tag.removeprefix(b"W/") in (one.strip().removeprefix(b"W/") for one in known.split(b","))
