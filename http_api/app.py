"""The REST gateway: its application, and the command `orchestrator-api` that serves it.

The database is opened before the server starts, so that a wrong setting is one clear line and
never a traceback; making the application touches nothing.
"""

import asyncio
import gc
import json
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType, MappingProxyType
from typing import Any, NoReturn, Protocol
from urllib.parse import quote

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import DatabaseError
from core.jobs import Jobs
from core.llm.providers import configured
from core.settings import Auth, Settings
from core.wiring import InvalidSettings, Orchestrator, load_settings
from http_api import errors, logs, openapi, ready
from http_api.dispatch import Dispatch
from http_api.envelope import API_PREFIX, API_VERSION
from http_api.metrics import MULTIPROCESS_DIR, StoreMeter
from http_api.middleware import Edge
from http_api.rate_limits import RateLimits
from http_api.routes import agent, chat, docs, events, health, jobs, patch_sets, planner, projects, search, tasks, trash

EXIT_FAILED = 1
EXIT_USAGE = 2
GRACE_SECONDS = 10


class Endpoint(Protocol):
    """Another face at a path of its own: it finds its caller in the request's state, and has streams to end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def tools(self) -> list[dict[str, Any]]:
        """Return what it offers to models, for those who ask what there is; it may load a library."""

    async def close(self) -> None: ...


class Gateway(FastAPI):
    """FastAPI behind our own layers, and not around them: its own, which are many, are for what those leave to it."""

    def __init__(self, orchestrator: Orchestrator, limits: RateLimits, **options: Any) -> None:
        super().__init__(**options)
        self.state.orchestrator = orchestrator
        self._front = partial(Edge, gateway=self, orchestrator=orchestrator, limits=limits)

    def build_middleware_stack(self) -> ASGIApp:
        return self._front(Dispatch(super().build_middleware_stack(), self))


Endpoints = Mapping[str, Callable[[Orchestrator], Endpoint]]


def create_app(settings: Settings, endpoints: Endpoints = MappingProxyType({})) -> FastAPI:
    """Return the application, with other faces at their paths. It opens its database when it is served."""
    orchestrator = Orchestrator(settings, meter=StoreMeter())
    limits = RateLimits(settings)
    faces = [make(orchestrator) for make in endpoints.values()]
    running = Jobs(orchestrator.context)
    closing: list[asyncio.Task[None]] = []  # held, or the loop would forget them

    def stop() -> None:
        orchestrator.events.close()
        closing.extend(asyncio.ensure_future(face.close()) for face in faces)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        orchestrator.start(create=True)
        orchestrator.models.warm()
        gc.freeze()  # what is loaded by now stays, and a pass of the collector that looks at all of it holds up every answer
        with _told_to_stop(stop):
            yield
        await running.close()
        for face in faces:
            await face.close()
        await limits.close()
        orchestrator.close()

    app = Gateway(
        orchestrator,
        limits,
        title=openapi.TITLE,
        version=API_VERSION,
        openapi_url=None,  # it has a route of its own, as the docs have
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # looked up for each request, even where none is set up
    )
    app.state.ready_projects = ready.ReadyProjects(ready.CACHED_BYTES)
    app.state.faces = faces
    app.state.jobs = running
    for room in (projects, tasks, search, trash, planner, agent, chat, jobs, patch_sets, events):
        app.include_router(room.router, prefix=API_PREFIX)
    for room in (health, docs):
        app.include_router(room.router)
    for path, face in zip(endpoints, faces, strict=True):
        app.router.routes.append(Route(path, endpoint=face, include_in_schema=False))
    errors.install(app)
    openapi.install(app)
    return app


@contextmanager
def _told_to_stop(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` as soon as the server is told to end, not after its last answer: streams have no end of their own."""
    if threading.current_thread() is not threading.main_thread():  # only there can signals be listened to
        yield
        return
    loop = asyncio.get_running_loop()
    servers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def told(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop)
        if callable(server := servers[signal.Signals(number)]):
            server(number, frame)

    for number in servers:
        signal.signal(number, told)
    try:
        yield
    finally:
        for number, server in servers.items():
            signal.signal(number, server)


def worker(endpoints: Endpoints) -> FastAPI:
    """Return the application of one of several processes, configured by the environment."""
    settings = load_settings()
    logs.configure(settings.log_level)
    return create_app(settings, endpoints)


def main(endpoints: Endpoints, worker: str) -> None:
    """Serve the REST gateway, and other faces beside it, until it is stopped.

    `worker` names the function that makes the application of each process, where there are several.
    """
    settings = _settings()
    if settings.auth is Auth.NONE and not settings.on_loopback:
        reason = "is reachable from other machines, and AUTH=none lets everybody in"
        _exit(EXIT_USAGE, f"HOST={settings.host} {reason}. Set AUTH=api_key or AUTH=jwt, or use HOST=127.0.0.1.")
    listener = _bind(settings)
    logs.silence()
    orchestrator = Orchestrator(settings)
    try:
        orchestrator.start(create=True)  # before any worker: a database that cannot be used is told once
    except DatabaseError as error:
        _exit(EXIT_FAILED, _why(error))
    orchestrator.close()
    logs.configure(settings.log_level)
    _serve(listener, settings, endpoints, worker)


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
        way_out = "Set HOST to an address of this machine, and PORT to a free port"
        _exit(EXIT_USAGE, f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}). {way_out}.")
    return listener


def _why(error: DatabaseError) -> str:
    """Return message and way out, or what the driver said where we know neither."""
    hint = error.hint or str(error.__cause__ or "").partition("\n")[0]
    return error.located().message + (f" ({hint})" if hint else "")


def _serve(listener: socket.socket, settings: Settings, endpoints: Endpoints, worker: str) -> None:
    import uvicorn  # only the command needs a server
    from uvicorn.supervisors import Multiprocess

    from http_api.protocol import BoundedProtocol

    sys.stdout.write(_welcome(settings) + "\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        worker if settings.workers > 1 else create_app(settings, endpoints),
        factory=settings.workers > 1,
        workers=settings.workers,
        http=BoundedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    if settings.workers == 1:
        signal.signal(signal.SIGTERM, _end_well)
        with suppress(KeyboardInterrupt):  # raised again, as SIGTERM is, by the server once everything is closed
            uvicorn.Server(config).run(sockets=[listener])
        return
    os.environ.setdefault("MCP_SHARED_SECRET", secrets.token_urlsafe(48))  # any worker may answer any call of an MCP client
    with TemporaryDirectory(prefix="orchestrator-metrics-") as folder:
        os.environ.setdefault(MULTIPROCESS_DIR, folder)  # for the workers, which are started from nothing
        Multiprocess(config, [listener]).run()


def _end_well(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001  a signal handler's
    """End with 0: to be told to stop is no failure."""
    raise SystemExit(0)


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
            f"Agents     {_agents(settings)}",
            "",
            "For Claude Desktop, put this into claude_desktop_config.json:",
            json.dumps(claude, indent=2),
        ]
    )


def _agents(settings: Settings) -> str:
    """Return what answers where a model may be asked; never a key."""
    endpoints = configured(settings)
    if not endpoints:
        return "rules, no AI (AI_PROVIDER and AI_API_KEY set up a model)"
    return ", then ".join(f"{one.name} ({one.missing} is missing)" if one.missing else one.name for one in endpoints)


def absolute_url(database_url: str) -> str:
    """Return the URL with an absolute path, for a process that starts in another folder."""
    prefix = "sqlite:///"
    path = Path(database_url.removeprefix(prefix))
    if not database_url.startswith(prefix) or path.is_absolute():
        return database_url
    return f"{prefix}{Path(quote(str(Path.cwd()), safe='/:')) / path}"


def _exit(status: int, message: str) -> NoReturn:
    sys.stderr.write(f"orchestrator-api: {message}\n")
    raise SystemExit(status)
