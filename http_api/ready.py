"""Projects whose bytes are ready to be sent again: a layer in front of the routes.

The bytes are found by revision, so they are never stale, and there is nothing to invalidate: any
process may have written meanwhile, so each request looks the revision up. Requests that wait for the
store at the same time share that look-up, which begins after they came. Only the plain read is kept
ready, as a route's way through parameters and dependencies costs more than all that is done here.
After a write one of those who wait makes the new bytes, and the others take them.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Request

from core.context import Context, Scope
from core.services import projects
from core.wiring import Orchestrator
from http_api.envelope import API_PREFIX, found_bytes

CACHED_BYTES = 32 * 2**20
LOOKED_UP_TOGETHER = 64
_PROJECT = re.compile(f"{API_PREFIX}/projects/([0-9A-Za-z-]{{2,36}})")  # no other text is an id or a key


def project_tag(revision: int, today: date) -> str:
    """Return the validator of a project with tasks: they show is_overdue, which changes at midnight without a new revision."""
    return f'"{revision}.{today}"'


class ReadyProjects:
    """The bytes of one process, by workspace and project; used on the event loop only."""

    def __init__(self, capacity: int = CACHED_BYTES) -> None:
        self._capacity = capacity
        self._size = 0
        self._bodies: OrderedDict[tuple[str, str], tuple[str, bytes]] = OrderedDict()
        self._made: dict[tuple[str, str], asyncio.Event] = {}

    def find(self, workspace: str, project_id: str, tag: str) -> bytes | None:
        """Return the bytes of a project with all its tasks, if those of `tag` are here."""
        held = self._bodies.get((workspace, project_id))
        if held is None or held[0] != tag:
            return None
        self._bodies.move_to_end((workspace, project_id))
        return held[1]

    def keep(self, workspace: str, project_id: str, tag: str, body: bytes) -> None:
        """Hold `body` for those who wait for it and come later, and let go of what was read longest ago."""
        _, replaced = self._bodies.pop((workspace, project_id), ("", b""))
        self._bodies[workspace, project_id] = (tag, body)
        self._size += len(body) - len(replaced)
        while self._size > self._capacity:
            _, (_, dropped) = self._bodies.popitem(last=False)
            self._size -= len(dropped)
        if (made := self._made.get((workspace, project_id))) is not None:
            made.set()

    @asynccontextmanager
    async def made_once(self, workspace: str, project_id: str) -> AsyncIterator[None]:
        """Wait while somebody else makes the bytes of a project; those who come during this block wait for `keep`."""
        place = (workspace, project_id)
        if (made := self._made.get(place)) is not None:
            await made.wait()
            yield
            return
        made = self._made[place] = asyncio.Event()
        try:
            yield
        finally:
            made.set()
            if self._made.get(place) is made:
                del self._made[place]


class ReadyAnswers:
    """Answers the plain GET of a project from its ready bytes; all else goes on to the routes."""

    def __init__(self, app: ASGIApp, gateway: FastAPI, orchestrator: Orchestrator, ready: ReadyProjects) -> None:
        self.app = app
        self._orchestrator = orchestrator
        self._ready = ready
        # The route that makes the bytes: what is answered here counts as its answer.
        self._route = next(route.original_route for route in iter_route_contexts(gateway.routes) if route.name == "get_project")
        self._lookups: dict[str, _Lookups] = {}

    async def __call__(self, scope: Request, receive: Receive, send: Send) -> None:
        named = _PROJECT.fullmatch(scope["path"]) if scope["type"] == "http" and not scope["query_string"] else None
        if named is None or scope["method"] != "GET" or Scope.PROJECTS_READ not in scope["state"]["principal"].scopes:
            await self.app(scope, receive, send)
            return
        state = scope["state"]
        ctx = self._orchestrator.context(state["principal"], state["request_id"])
        workspace = ctx.principal.workspace
        scope["route"] = self._route
        current = await self._lookups.setdefault(workspace, _Lookups()).find(ctx, named[1])
        if current is None:
            await self.app(scope, receive, send)
            return
        project_id, revision = current
        tag = project_tag(revision, ctx.today)
        body = self._ready.find(workspace, project_id, tag)
        if body is None:
            async with self._ready.made_once(workspace, project_id):
                body = self._ready.find(workspace, project_id, tag)
                if body is None:
                    await self.app(scope, receive, send)
                    return
        await found_bytes(ctx, body, tag=tag)(scope, receive, send)


class _Lookups:
    """Looks up the revisions of one workspace's projects; those asked for while one look-up runs share the next."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, asyncio.Future[tuple[str, int] | None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def find(self, ctx: Context, project: str) -> tuple[str, int] | None:
        """Return id and revision of a live project, None if there is no such."""
        answer: asyncio.Future[tuple[str, int] | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((project, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._serve(ctx))
        return await answer

    async def _serve(self, ctx: Context) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:LOOKED_UP_TOGETHER], self._waiting[LOOKED_UP_TOGETHER:]
            try:
                found = await ctx.run(projects.get_revisions, {name for name, _ in batch})
            except Exception as failure:  # noqa: BLE001  # a look-up without an answer would be a hang
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(failure)
                continue
            for name, answer in batch:
                if not answer.done():  # the caller may have gone
                    answer.set_result(found.get(name))
        self._task = None
