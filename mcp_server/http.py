"""MCP over streamable HTTP, in both eras: as one path of a larger application, or served alone.

`Endpoint` is an ASGI application that finds its caller in the request's state, where whoever is in
front of it has put the principal: the edge of the REST gateway, or `Guard` when it is served alone.
The MCP library and its session manager are loaded by the first request.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from core.auth import bearer
from core.bodies import CallerGone, Receive, read_bounded
from core.errors import DomainError
from core.origins import foreign
from core.wiring import Orchestrator
from schemas.errors import ErrorCode

if TYPE_CHECKING:
    from mcp_server.server import OrchestratorServer

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PATH = "/mcp"
MAX_BODY = 4 * 1024 * 1024  # bytes, as over REST
GRACE_SECONDS = 8.0
STATUS = {
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.TOKEN_EXPIRED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.REQUEST_TIMEOUT: 408,
    ErrorCode.BODY_TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: 415,
}


class Endpoint:
    """Answers MCP requests of one process.

    Clients of the handshake era get sessions, so that they can be asked and notified; with MCP_SHARED_SECRET,
    which several processes behind one address need, they get none, and any process answers any request.
    """

    def __init__(
        self, orchestrator: Orchestrator, make_server: "Callable[[Orchestrator], OrchestratorServer] | None" = None
    ) -> None:
        self._orchestrator = orchestrator
        self._make_server = make_server
        self._opening = asyncio.Lock()
        self._app: App | None = None
        self._running: asyncio.Task[None] | None = None
        self._calls: set[asyncio.Task[Any]] = set()
        self._end = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app or await self._open()
        # Blanks around a header's value are no part of it (RFC 9110, 5.5); the HTTP parser leaves some of them in.
        scope = {**scope, "headers": [(name, value.strip(b" \t")) for name, value in scope["headers"]]}
        call = asyncio.current_task()
        if scope["method"] != "POST" or call is None:  # a GET is a stream without an end of its own
            await self._stream(app, scope, receive, send)
            return
        self._calls.add(call)
        try:
            await _post(app, scope, receive, send)
        finally:
            self._calls.discard(call)

    def tools(self) -> list[dict[str, Any]]:
        """Return the catalogue as tools/list answers it; the first call loads the library."""
        from mcp_server.catalogue import catalogue

        return catalogue()

    async def _stream(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer until the client, or its access, ends."""
        begun = False

        async def send_begun(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        given = bearer(dict(scope["headers"]).get(b"authorization", b"").decode("latin-1"))
        answer = asyncio.ensure_future(app(scope, receive, send_begun))
        guard = asyncio.ensure_future(self._orchestrator.access_ended(given, scope["state"]["principal"]))
        try:
            await asyncio.wait((answer, guard), return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                answer.result()
                return
        finally:
            guard.cancel()
            answer.cancel()
        await asyncio.wait((answer,))
        if begun:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def close(self) -> None:
        """Let calls finish, then end sessions and streams. The feed of events is closed before."""
        if self._calls:
            await asyncio.wait(set(self._calls), timeout=GRACE_SECONDS)
        self._end.set()
        if self._running is not None:
            await self._running

    async def _open(self) -> App:
        async with self._opening:
            if self._app is None:
                started: asyncio.Future[App] = asyncio.get_running_loop().create_future()
                self._running = asyncio.create_task(self._run(started))
                self._app = await started
        return self._app

    async def _run(self, started: "asyncio.Future[App]") -> None:
        """Hold the session manager: it must be left by the task that entered it."""
        try:
            server = await asyncio.to_thread(self._make)
            manager = server.session_manager
            async with manager.run():
                started.set_result(_with_caller(manager.handle_request))
                await self._end.wait()
        except Exception as failure:
            if started.done():
                raise
            started.set_exception(failure)

    def _make(self) -> "OrchestratorServer":
        from mcp.server.transport_security import TransportSecuritySettings

        from mcp_server.server import build_server

        server = (self._make_server or build_server)(self._orchestrator)
        server.furnish()  # here, and not on the event loop when the first client asks for more than a greeting
        server.streamable_http_app(
            streamable_http_path=PATH,
            stateless_http=self._orchestrator.settings.mcp_shared_secret is not None,
            max_request_body_size=MAX_BODY,  # longer ones have been refused before
            # Host and Origin are checked before a request comes here.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        return server


async def _post(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a message once all of it is here; the library would hang up on one that is too large, unread."""
    try:
        content = await read_bounded(receive, MAX_BODY, dict(scope["headers"]))
    except CallerGone:
        return
    except DomainError as refused:
        await refuse(send, STATUS[refused.code], f"{refused.code}: {refused.message}")
        return
    first: MutableMapping[str, Any] | None = {"type": "http.request", "body": content, "more_body": False}

    async def receive_read() -> MutableMapping[str, Any]:
        nonlocal first
        message, first = first, None
        return await receive() if message is None else message

    await app(scope, receive_read, send)


def _with_caller(handle: App) -> App:
    """Tell the library who calls, which binds sessions and the state of unfinished calls to their caller."""
    from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
    from mcp.server.auth.provider import AccessToken

    inner = AuthContextMiddleware(handle)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        principal = scope["state"]["principal"]
        token = AccessToken(token="", client_id=principal.workspace, subject=principal.subject, scopes=[])
        await inner({**scope, "user": AuthenticatedUser(token)}, receive, send)

    return app


class Guard:
    """What stands before an endpoint that is served alone: one path, no foreign pages, known callers."""

    def __init__(self, endpoint: Endpoint, orchestrator: Orchestrator, *, on_loopback: bool) -> None:
        self._endpoint = endpoint
        self._orchestrator = orchestrator
        self._on_loopback = on_loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["path"] != PATH:
            await refuse(send, 404, f"NOT_FOUND: MCP is served at {PATH}.")
        elif (foreign := self._foreign(headers)) is not None:
            await refuse(send, 403, f"FORBIDDEN: {foreign}")
        else:
            given = bearer(headers.get("authorization"))
            try:
                principal = await self._orchestrator.authenticate(given)
            except DomainError as refused:
                await refuse(send, STATUS.get(refused.code, 503), f"{refused.code}: {refused.message}", given=given)
                return
            await self._endpoint({**scope, "state": {**scope.get("state", {}), "principal": principal}}, receive, send)

    def _foreign(self, headers: dict[str, str]) -> str | None:
        if not self._on_loopback:  # callers must show credentials there, which no foreign page has
            return None
        allowed = self._orchestrator.settings.cors_origins
        return foreign(headers.get("host", ""), headers.get("origin"), scheme="http", allowed=allowed)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


async def refuse(send: Send, status: int, message: str, *, given: str | None = None) -> None:
    """Answer with a JSON-RPC error that has no id: the request's body has not been parsed."""
    import orjson

    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer error="invalid_token"' if given else b"Bearer"))  # RFC 6750, 3.1
    body = orjson.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": message}})
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def listen(address: str, *, open_to_all: bool) -> tuple[socket.socket, bool]:
    """Return the socket that listens at `HOST:PORT`, and whether only this machine reaches it.

    Raises:
        ValueError: `address` is not HOST:PORT, is taken, or is `open_to_all` beyond this machine.
    """
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"--http {address}: must be HOST:PORT, for example 127.0.0.1:8001")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        on_loopback = ipaddress.ip_address(str(place[0]).partition("%")[0]).is_loopback
        if open_to_all and not on_loopback:
            reason = "is reachable from other machines, and AUTH=none lets everybody in"
            raise ValueError(f"--http {address}: {reason}. Set AUTH=api_key or AUTH=jwt, or use 127.0.0.1.")
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(2048)
    except OSError as error:
        raise ValueError(f"--http {address}: cannot listen there ({error.strerror})") from None
    return listener, on_loopback


def serve(orchestrator: Orchestrator, endpoint: Endpoint, listener: socket.socket, *, on_loopback: bool) -> None:
    """Serve `endpoint` alone until the process is stopped."""
    import uvicorn

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            orchestrator.events.close()  # streams have no end of their own, and the server waits for them
            await endpoint.close()
            await super().shutdown(sockets)

    app = Guard(endpoint, orchestrator, on_loopback=on_loopback)
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=10)
    with suppress(KeyboardInterrupt):  # raised again by the server once everything is closed
        Server(config).run(sockets=[listener])
