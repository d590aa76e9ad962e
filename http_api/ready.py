"""Bytes of projects that are ready to be sent again, found by revision: never stale, and nothing to invalidate.

Any process may have written meanwhile, so each request looks the revision up; requests that wait for
the store at the same time share that look-up, which begins after they came.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from core.context import Context, Scope
from core.services import projects

CACHED_BYTES = 32 * 2**20
LOOKED_UP_TOGETHER = 64


class ReadyProjects:
    """The cache of one process; used on the event loop only."""

    def __init__(self, capacity: int = CACHED_BYTES) -> None:
        self._capacity = capacity
        self._size = 0
        self._bodies: OrderedDict[tuple[object, ...], tuple[int, bytes]] = OrderedDict()
        self._lookups: dict[str, _Lookups] = {}

    async def body(
        self, ctx: Context, project: str, variant: tuple[object, ...], make: Callable[[], Awaitable[tuple[int, bytes]]]
    ) -> tuple[int, bytes]:
        """Return revision and body of `project` in one of its variants; `make` gives them when they are not ready.

        Raises what `make` raises; a project that is unknown, deleted or hidden is never ready.
        """
        lookups = self._lookups.setdefault(ctx.principal.workspace, _Lookups())
        current = await lookups.find(ctx, project)
        if current is None:
            return await make()
        project_id, revision = current
        place = (ctx.principal.workspace, project_id, *variant)
        ready = self._bodies.get(place)
        if ready is not None and ready[0] == revision:
            self._bodies.move_to_end(place)
            return ready
        made = await make()
        self._keep(place, made)
        return made

    def _keep(self, place: tuple[object, ...], made: tuple[int, bytes]) -> None:
        _, replaced = self._bodies.pop(place, (0, b""))
        self._bodies[place] = made
        self._size += len(made[1]) - len(replaced)
        while self._size > self._capacity:
            _, (_, dropped) = self._bodies.popitem(last=False)
            self._size -= len(dropped)


class _Lookups:
    """Looks up the revisions of one workspace's projects; those asked for while one look-up runs share the next."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, asyncio.Future[tuple[str, int] | None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def find(self, ctx: Context, project: str) -> tuple[str, int] | None:
        """Return id and revision of a live project, None if there is no such."""
        ctx.principal.require(Scope.PROJECTS_READ)
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
