"""The REST gateway: its application, and the command `orchestrator-api` that serves it.

The database is opened before the server starts, so that a wrong setting is one clear line and
never a traceback; making the application touches nothing.
"""

import json
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn, Protocol

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from core.errors import DatabaseError
from core.settings import Auth, Settings
from core.wiring import InvalidSettings, Orchestrator, load_settings
from http_api import errors, logs, openapi
from http_api.envelope import API_PREFIX, API_VERSION
from http_api.middleware import Edge
from http_api.ready import ReadyProjects
from http_api.routes import agent, docs, events, health, patch_sets, planner, projects, tasks

EXIT_FAILED = 1
EXIT_USAGE = 2
EXPOSED_HEADERS = ("ETag", "Link", "Location", "Mcp-Session-Id", "Retry-After", "X-Request-ID")
ALLOWED_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "MCP-Protocol-Version",
    "Mcp-Method",
    "Mcp-Name",
    "Mcp-Session-Id",
    "X-Request-ID",
)
GRACE_SECONDS = 10


class Endpoint(Protocol):
    """Another face at a path of its own: it finds its caller in the request's state, and has streams to end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    async def close(self) -> None: ...


Endpoints = Mapping[str, Callable[[Orchestrator], Endpoint]]


def create_app(settings: Settings, endpoints: Endpoints = MappingProxyType({})) -> FastAPI:
    """Return the application, with other faces at their paths; whoever serves it starts `app.state.orchestrator` first."""
    orchestrator = Orchestrator(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        orchestrator.close()

    app = FastAPI(
        title=openapi.TITLE, version=API_VERSION, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan
    )
    app.state.orchestrator = orchestrator
    app.state.ready_projects = ReadyProjects()
    app.add_middleware(Edge, orchestrator=orchestrator)
    app.add_middleware(  # added last, so outermost: a browser must be able to read refusals too
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=ALLOWED_HEADERS,
        expose_headers=EXPOSED_HEADERS,
    )
    for room in (projects, tasks, planner, agent, patch_sets, events):
        app.include_router(room.router, prefix=API_PREFIX)
    for room in (health, docs):
        app.include_router(room.router)
    app.state.endpoints = [make(orchestrator) for make in endpoints.values()]
    for path, endpoint in zip(endpoints, app.state.endpoints, strict=True):
        app.router.routes.append(Route(path, endpoint=endpoint, include_in_schema=False))
    errors.install(app)
    openapi.install(app)
    return app


def main(endpoints: Endpoints = MappingProxyType({})) -> None:
    """Serve the REST gateway, and other faces beside it, until it is stopped."""
    settings = _settings()
    if settings.auth is Auth.NONE and not settings.on_loopback:
        reason = "is reachable from other machines, and AUTH=none lets everybody in"
        _exit(EXIT_USAGE, f"HOST={settings.host} {reason}. Set AUTH=api_key or AUTH=jwt, or use HOST=127.0.0.1.")
    listener = _bind(settings)
    app = create_app(settings, endpoints)
    logs.silence()
    try:
        app.state.orchestrator.start(create=True)
    except DatabaseError as error:
        _exit(EXIT_FAILED, _why(error))
    logs.configure(settings.log_level)
    _serve(app, listener, settings)


def _settings() -> Settings:
    try:
        return load_settings()
    except InvalidSettings as error:
        _exit(EXIT_USAGE, str(error))


def _bind(settings: Settings) -> socket.socket:
    """Return the listening socket; taking it first answers a used port before anything else is opened."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(2048)
    except OSError as error:
        _exit(EXIT_USAGE, f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}). Set PORT to a free port.")
    return listener


def _why(error: DatabaseError) -> str:
    """Return message and way out, or what the driver said where we know neither."""
    hint = next((issue.hint for issue in error.details if issue.hint), None) or str(error.__cause__ or "").partition("\n")[0]
    return f"{error.message} ({hint})" if hint else error.message


def _serve(app: FastAPI, listener: socket.socket, settings: Settings) -> None:
    import uvicorn  # only the command needs a server

    sys.stdout.write(_welcome(settings) + "\n")
    sys.stdout.flush()

    class Gateway(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            app.state.orchestrator.events.close()  # streams have no end of their own, and the server waits for them
            for endpoint in app.state.endpoints:
                await endpoint.close()
            await super().shutdown(sockets)

    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=GRACE_SECONDS)
    with suppress(KeyboardInterrupt):  # raised again by the server once everything is closed
        Gateway(config).run(sockets=[listener])


def _welcome(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = f"http://{host}:{settings.port}"
    mcp = str(Path(sys.executable).with_name("orchestrator-mcp"))
    claude = {"mcpServers": {"orchestrator": {"command": mcp, "env": {"DATABASE_URL": absolute_url(settings.database_url)}}}}
    return "\n".join(
        [
            f"REST API   {base}{API_PREFIX}",
            f"API docs   {base}/docs",
            f"Health     {base}/health",
            f"MCP        {base}/mcp, or {mcp} (stdio)",
            "",
            "For Claude Desktop, put this into claude_desktop_config.json:",
            json.dumps(claude, indent=2),
        ]
    )


def absolute_url(database_url: str) -> str:
    """Return the URL with an absolute path, for a process that starts in another folder."""
    prefix = "sqlite:///"
    if not database_url.startswith(prefix):
        return database_url
    return prefix + str(Path(database_url.removeprefix(prefix)).absolute())


def _exit(status: int, message: str) -> NoReturn:
    sys.stderr.write(f"orchestrator-api: {message}\n")
    raise SystemExit(status)
