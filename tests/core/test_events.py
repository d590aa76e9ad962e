"""The live feed: everything applied, once, in order, to every reader, wherever it begins."""

import asyncio
import itertools
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core import events
from core.context import OWNER, Context
from core.errors import DatabaseError, NotFound, ServiceUnavailable, ValidationFailed
from core.events import EventFeed, FeedEnded, Reader
from core.services import patch_sets, projects
from core.services.events import get_place
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.events import EndReason
from schemas.patches import PatchSet
from schemas.projects import ProjectCreate, ProjectUpdate

PATIENCE = 20
_numbers = itertools.count()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(database_url=f"sqlite:///{tmp_path}/plans.db")


@pytest.fixture
def orchestrator(settings: Settings) -> Iterator[Orchestrator]:
    orchestrator = Orchestrator(settings)
    orchestrator.start(create=True)
    projects.create_project(orchestrator.context(), ProjectCreate(name="Website", key="WEB"))
    yield orchestrator
    orchestrator.close()


@pytest.fixture
def other(orchestrator: Orchestrator, settings: Settings) -> Iterator[Orchestrator]:
    """Another process's way to the same database."""
    other = Orchestrator(settings)
    yield other
    other.close()


async def follow(of: Orchestrator, **place: Any) -> Reader:
    return of.events.subscribe(await of.context().run(get_place, **place))


async def rename(by: Orchestrator, times: int, project: str = "WEB") -> None:
    for _ in range(times):
        await by.context().run(projects.update_project, project, ProjectUpdate(name=f"Renamed {next(_numbers)}"))


async def seqs(reader: Reader, count: int) -> list[int]:
    """Return the places of the next events, at least `count` of them."""
    taken: list[int] = []
    async with asyncio.timeout(PATIENCE):
        while len(taken) < count:
            taken += [event.seq for event in await reader.take()]
    return taken


async def rest(reader: Reader) -> tuple[list[int], EndReason]:
    """Return the places of all that is left to an ended reader, and why it ended."""
    taken: list[int] = []
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                taken += [event.seq for event in await reader.take()]
            except FeedEnded as end:
                return taken, end.reason


async def test_a_reader_hears_what_is_applied_from_now_on(orchestrator: Orchestrator) -> None:
    reader = await follow(orchestrator)
    ctx = orchestrator.context()
    created = {"op": "create_task", "project": "WEB", "fields": {"title": "API"}}

    applied = await ctx.run(patch_sets.apply_patch_set, PatchSet(summary="Plan", patches=[created]))
    (event,) = await reader.take()

    assert (event.seq, event.patch_set_id, event.summary) == (2, applied.patch_set_id, "Plan")
    assert [(project.key, project.revision_before, project.revision) for project in event.projects] == [("WEB", 1, 2)]
    assert event.totals == applied.totals
    assert (event.author, event.applied_by, event.applied_at) == ("local", "local", ctx.now)


async def test_a_reader_hears_what_another_process_applies(orchestrator: Orchestrator, other: Orchestrator) -> None:
    reader = await follow(orchestrator)

    await rename(other, 3)

    assert await seqs(reader, 3) == [2, 3, 4]


async def test_proposals_and_rejections_are_no_events(orchestrator: Orchestrator) -> None:
    reader = await follow(orchestrator)
    ctx = orchestrator.context()
    update = {"op": "update_project", "project": "WEB", "fields": {"name": "Other"}}

    proposed = await ctx.run(patch_sets.propose_patch_set, PatchSet(patches=[update]))
    await ctx.run(patch_sets.reject_patch_set, proposed.id, reason="")
    await rename(orchestrator, 1)
    (event,) = await reader.take()

    assert event.patch_set_id != proposed.id


async def test_every_reader_gets_everything_once_wherever_it_joins_while_two_processes_write(
    orchestrator: Orchestrator, other: Orchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PAGE", 7)  # many pages, many seams
    last = 1 + 2 * 100

    async def read_from(after: int) -> list[int]:
        reader = await follow(orchestrator, after=after)
        return await seqs(reader, last - after)

    async def join_late() -> list[tuple[int, list[int]]]:
        heard = []
        for _ in range(10):
            latest = await orchestrator.context().run(lambda ctx: ctx.read(lambda tx: tx.latest_seq()))
            heard.append((latest, asyncio.create_task(read_from(latest // 2))))
            await rename(orchestrator, 10)
        return [(latest // 2, await task) for latest, task in heard]

    early = [asyncio.create_task(read_from(0)) for _ in range(3)]
    late, _ = await asyncio.gather(join_late(), rename(other, 100))

    assert [await task for task in early] == [list(range(1, last + 1))] * 3
    for after, taken in late:
        assert taken == list(range(after + 1, last + 1))


async def test_a_take_that_is_cancelled_loses_nothing(orchestrator: Orchestrator) -> None:
    reader = await follow(orchestrator, after=0)

    behind = asyncio.create_task(reader.take())
    await asyncio.sleep(0)  # it has begun to read
    behind.cancel()
    first = await reader.take()
    waiting = asyncio.create_task(reader.take())
    await rename(orchestrator, 1)
    waiting.cancel()
    await asyncio.wait([waiting])
    second = [] if not waiting.cancelled() else await reader.take()

    assert [event.seq for event in first] == [1]
    assert [event.seq for event in second or waiting.result()] == [2]


async def test_a_reader_of_one_project_hears_only_of_it_and_moves_on_past_the_others(orchestrator: Orchestrator) -> None:
    await orchestrator.context().run(projects.create_project, ProjectCreate(name="Server", key="API"))
    reader, witness = await follow(orchestrator, project="api"), await follow(orchestrator)
    waiting, others = asyncio.create_task(reader.take()), asyncio.create_task(seqs(witness, 3))
    await asyncio.sleep(0)  # both wait for what comes: from now on they are told together
    await rename(orchestrator, 3, "WEB")
    await others
    passed = reader.position

    await rename(orchestrator, 1, "API")
    heard = await waiting
    await rename(orchestrator, 1, "API")
    await rename(orchestrator, 1, "WEB")
    await seqs(witness, 3)
    with_one_to_take = reader.position
    caught_up = await follow(orchestrator, project="API", after=0)

    assert passed == 5
    assert [event.seq for event in heard] == [6]
    assert with_one_to_take == 6
    assert await seqs(reader, 1) == [7]
    assert await seqs(caught_up, 3) == [2, 6, 7]


async def test_a_reader_that_takes_nothing_is_ended_and_comes_back_to_the_rest(
    orchestrator: Orchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "QUEUE", 5)
    slow, quick = await follow(orchestrator), await follow(orchestrator)
    heard = asyncio.create_task(seqs(quick, 9))
    first = asyncio.create_task(slow.take())
    await rename(orchestrator, 1)
    await first

    await rename(orchestrator, 8)
    await heard
    taken, reason = await rest(slow)
    again = await follow(orchestrator, after=slow.position)

    assert taken == [3, 4, 5, 6, 7]
    assert reason is EndReason.SLOW_READER
    assert await seqs(again, 3) == [8, 9, 10]


async def test_a_reader_far_behind_is_not_slow(orchestrator: Orchestrator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "QUEUE", 5)
    monkeypatch.setattr(events, "PAGE", 4)
    await rename(orchestrator, 30)

    assert await seqs(await follow(orchestrator, after=0), 31) == list(range(1, 32))


async def test_each_workspace_has_a_history_of_its_own(orchestrator: Orchestrator, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "plans.db") as database:
        database.execute("INSERT INTO workspaces (id, created_at) VALUES ('second', '2026-01-01T00:00:00Z')")
    ours = await follow(orchestrator)
    theirs = orchestrator.context(replace(OWNER, workspace="second"))
    place = await theirs.run(get_place)
    await theirs.run(projects.create_project, ProjectCreate(name="Applied before there was a reader", key="NEW"))
    await rename(orchestrator, 1)
    heard = await seqs(ours, 1)  # the signal of that write is spent
    reader = orchestrator.events.subscribe(place)
    (event,) = await asyncio.wait_for(reader.take(), PATIENCE)

    assert [project.key for project in event.projects] == ["NEW"]
    assert (event.seq, heard) == (1, [2])


async def test_there_is_a_most_of_readers(orchestrator: Orchestrator) -> None:
    ctx = orchestrator.context()
    feed = EventFeed(ctx.storage, ctx.runner, max_readers=2)
    place = get_place(ctx)
    first, _ = feed.subscribe(place), feed.subscribe(place)

    with pytest.raises(ServiceUnavailable, match="2 event streams"):
        feed.subscribe(place)
    first.close()
    feed.subscribe(place)
    feed.close()


async def test_closing_ends_every_reader_and_takes_no_new_one(orchestrator: Orchestrator) -> None:
    place = get_place(orchestrator.context())
    waiting, behind = await follow(orchestrator), await follow(orchestrator, after=0)
    pending = asyncio.create_task(rest(waiting))
    await asyncio.sleep(0)

    orchestrator.events.close()

    assert await pending == ([], EndReason.SHUTDOWN)
    assert await rest(behind) == ([], EndReason.SHUTDOWN)
    with pytest.raises(ServiceUnavailable):
        orchestrator.events.subscribe(place)


async def test_nothing_watches_the_database_while_nobody_reads(orchestrator: Orchestrator) -> None:
    def watches() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "history-watch"]

    before = watches()
    reader, second = await follow(orchestrator), await follow(orchestrator)
    during = watches()
    reader.close()
    second.close()
    for thread in during:
        await asyncio.to_thread(thread.join, PATIENCE)
    after = watches()
    again = await follow(orchestrator)
    await rename(orchestrator, 1)

    assert (len(before), len(during), len(after)) == (0, 1, 0)
    assert await seqs(again, 1) == [2]


async def test_a_database_that_cannot_be_read_for_a_while_only_delays(
    orchestrator: Orchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "RETRY_SECONDS", 0.0)
    ctx = orchestrator.context()
    runner = FailingRunner(ctx)
    feed = EventFeed(ctx.storage, runner)
    reader = feed.subscribe(get_place(ctx))
    waiting = asyncio.create_task(reader.take())
    await asyncio.sleep(0)

    runner.failures = 3
    await rename(orchestrator, 1)

    async with asyncio.timeout(PATIENCE):
        assert [event.seq for event in await waiting] == [2]
    assert runner.failures == 0
    feed.close()


async def test_a_feed_that_breaks_ends_its_readers_and_works_again_for_the_next_one(
    orchestrator: Orchestrator, caplog: pytest.LogCaptureFixture
) -> None:
    ctx = orchestrator.context()
    runner = FailingRunner(ctx, error=ZeroDivisionError())
    feed = EventFeed(ctx.storage, runner)
    runner.failures = 1

    ended = await rest(feed.subscribe(get_place(ctx)))
    reader = feed.subscribe(get_place(ctx, after=0))

    assert ended == ([], EndReason.FAILURE)
    assert "the feed of events has failed" in caplog.text
    assert await seqs(reader, 1) == [1]
    feed.close()


class FailingRunner:
    """The runner of a context, whose next `failures` calls fail."""

    def __init__(self, ctx: Context, error: Exception | None = None) -> None:
        self.failures = 0
        self._runner = ctx.runner
        self._error = error or DatabaseError()

    async def run(self, fn: Any, *, long: bool = False) -> Any:
        if self.failures:
            self.failures -= 1
            raise self._error
        return await self._runner.run(fn, long=long)


async def test_a_place_must_be_one_of_this_history(orchestrator: Orchestrator) -> None:
    ctx = orchestrator.context()

    with pytest.raises(ValidationFailed) as refused:
        get_place(ctx, after=2, argument="since")
    with pytest.raises(NotFound):
        get_place(ctx, project="NONE")
    assert [(issue.path, issue.message) for issue in refused.value.details] == [
        ("/since", "there is no event of this number in this history")
    ]
    assert get_place(ctx, after=1) == replace(get_place(ctx), after=1)


async def test_a_deleted_project_can_be_followed_for_it_may_be_restored(orchestrator: Orchestrator) -> None:
    await orchestrator.context().run(projects.delete_project, "WEB")
    reader = await follow(orchestrator, project="WEB")

    await orchestrator.context().run(projects.restore_project, "WEB")

    assert [event.totals.restored for event in await reader.take()] == [1]
