"""Whole projects as bytes, ready to be sent again.

The bytes are found by revision, so they are never stale, and there is nothing to invalidate: any process may have
written meanwhile, so each request has the revision looked up. Requests that wait for the store at the same time
share one call of it, which begins after they came: it looks up all their revisions, and reads each project whose
bytes are not here once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice

from core.context import Context, Scope
from core.services import projects

CACHED_BYTES = 32 * 2**20
READ_TOGETHER = 16  # projects; more would keep other calls waiting for long


def project_tag(revision: int, today: date) -> str:
    """Return the validator of a project with tasks: they show is_overdue, which changes at midnight without a new revision."""
    return f'"{revision}.{today}"'


@dataclass(frozen=True, slots=True)
class Ready:
    """The JSON of a project with its tasks, and its validator."""

    tag: str
    body: bytes


Answer = asyncio.Future[Ready | None]


@dataclass(slots=True)
class _Waiting:
    """Who waits for projects of one workspace, by the name they gave, and the context of whoever came last."""

    ctx: Context
    answers: dict[str, list[Answer]] = field(default_factory=dict)


class ReadyProjects:
    """The bytes of one process; used on the event loop only."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._held: OrderedDict[tuple[str, str], Ready] = OrderedDict()  # by workspace and id, last used last
        self._waiting: dict[str, _Waiting] = {}  # by workspace; there while a task serves it
        self._tasks: set[asyncio.Task[None]] = set()  # held, or the loop would forget them

    async def find(self, ctx: Context, name: str) -> Ready | None:
        """Return a live project with its first 1,000 tasks, by its id or key; None if there is no such."""
        ctx.principal.require(Scope.PROJECTS_READ)
        answer: Answer = asyncio.get_running_loop().create_future()
        workspace = ctx.principal.workspace
        waiting = self._waiting.get(workspace)
        if waiting is None:
            waiting = self._waiting[workspace] = _Waiting(ctx)
            task = asyncio.create_task(self._serve(workspace, waiting))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        waiting.ctx = ctx
        waiting.answers.setdefault(name, []).append(answer)
        return await answer

    async def _serve(self, workspace: str, waiting: _Waiting) -> None:
        while waiting.answers:
            answers = {name: waiting.answers.pop(name) for name in list(islice(waiting.answers, READ_TOGETHER))}
            try:
                found = await self._read(waiting.ctx, workspace, list(answers))
            except Exception as failure:  # noqa: BLE001  # those who wait for an answer without one would hang
                for answer in _open(answers.values()):
                    answer.set_exception(failure)
                continue
            for name, waiters in answers.items():
                for answer in _open([waiters]):
                    answer.set_result(found.get(name))
        del self._waiting[workspace]

    async def _read(self, ctx: Context, workspace: str, names: Sequence[str]) -> dict[str, Ready]:
        """Return the projects of these names that there are; those that had to be read are kept."""

        def held(project_id: str, revision: int) -> bytes | None:
            ready = self._held.get((workspace, project_id))
            return ready.body if ready is not None and ready.tag == project_tag(revision, ctx.today) else None

        found = {}
        for name, shown in (await ctx.run(projects.get_projects_json, names, held)).items():
            found[name] = Ready(project_tag(shown.revision, ctx.today), shown.body)
            self._keep(workspace, shown.id, found[name])
        return found

    def _keep(self, workspace: str, project_id: str, ready: Ready) -> None:
        """Hold these bytes as those used last, and let go of what was used longest ago."""
        replaced = self._held.pop((workspace, project_id), None)
        self._held[workspace, project_id] = ready
        self._size += len(ready.body) - (len(replaced.body) if replaced else 0)
        while self._size > self._capacity:
            _, dropped = self._held.popitem(last=False)
            self._size -= len(dropped.body)


def _open(answers: Iterable[list[Answer]]) -> Iterator[Answer]:
    """Yield those whose callers still wait."""
    return (answer for waiters in answers for answer in waiters if not answer.done())
