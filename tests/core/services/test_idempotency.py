"""A keyed call is done once: its effect and its answer are stored together, and repetitions get the answer."""

import asyncio
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core.clock import FixedClock
from core.context import Context, Principal, Scope
from core.errors import DomainError, IdempotencyInProgress, IdempotencyKeyReused, NotFound, StorageBusy
from core.idempotency import FINAL, Attempt, answer_of, once_held
from core.services import patch_sets, projects, tasks
from core.services.patch_sets import Written, whole_effect
from core.wiring import Orchestrator
from schemas.errors import ErrorCode
from schemas.projects import Project, ProjectCreate, ProjectQuery
from schemas.tasks import TaskCreate

ROOT = Path(__file__).parents[3]


def keyed(orchestrator: Orchestrator, key: str = "k", *, fingerprint: str = "f", caller: Principal | None = None) -> Context:
    """Return the context of one more delivery of a call."""
    return replace(orchestrator.context(caller), attempt=Attempt(key, fingerprint))


def caller(subject: str) -> Principal:
    return Principal(subject=subject, workspace="default", scopes=frozenset(Scope))


def names(orchestrator: Orchestrator) -> list[str]:
    found = projects.list_projects(orchestrator.context(), ProjectQuery()).projects
    return sorted(project.name for project in found)


def create(ctx: Context, name: str) -> Written[Project]:
    return projects.create_project(ctx, ProjectCreate(name=name))


async def test_a_repetition_gets_the_first_answer_and_has_no_effect(orchestrator: Orchestrator) -> None:
    again = keyed(orchestrator)
    first = await keyed(orchestrator).run(create, "Website")
    projects.delete_project(orchestrator.context(), "WEBS")

    assert await again.run(create, "Website") == first
    assert again.attempt is not None
    assert again.attempt.replayed
    assert names(orchestrator) == []


def test_an_answer_that_was_recorded_with_its_whole_effect_is_read_as_well(orchestrator: Orchestrator) -> None:
    ctx = orchestrator.context()
    created = create(ctx, "Website")
    recorded = Written(created.item, whole_effect(ctx, created))
    answers = answer_of(create)

    assert answers.validate_json(answers.dump_json(recorded)) == recorded
    assert answers.validate_json(answers.dump_json(created)) == created


async def test_a_key_lives_for_24_hours(orchestrator: Orchestrator, clock: FixedClock) -> None:
    await keyed(orchestrator).run(create, "Website")

    clock.instant += timedelta(hours=24) - timedelta(seconds=1)
    await keyed(orchestrator).run(create, "Website")
    assert names(orchestrator) == ["Website"]

    clock.instant += timedelta(seconds=1)
    await keyed(orchestrator).run(create, "Website")
    assert names(orchestrator) == ["Website", "Website"]


async def test_another_request_with_the_key_is_refused_and_does_nothing(orchestrator: Orchestrator) -> None:
    await keyed(orchestrator).run(create, "Website")

    with pytest.raises(IdempotencyKeyReused):
        await keyed(orchestrator, fingerprint="of another request").run(create, "Another")

    assert names(orchestrator) == ["Website"]


async def test_callers_do_not_share_keys(orchestrator: Orchestrator) -> None:
    await keyed(orchestrator, caller=caller("ada")).run(create, "Website")
    of_bob = keyed(orchestrator, caller=caller("bob"), fingerprint="of another request")

    await of_bob.run(create, "Shop")

    assert of_bob.attempt is not None
    assert not of_bob.attempt.replayed
    assert names(orchestrator) == ["Shop", "Website"]


async def test_a_refusal_is_repeated_even_when_it_would_not_be_refused_any_more(orchestrator: Orchestrator) -> None:
    draft = TaskCreate(project_id="WEBS", title="Docs")
    with pytest.raises(DomainError) as first:
        await keyed(orchestrator).run(tasks.create_task, draft)
    create(orchestrator.context(), "Website")

    with pytest.raises(DomainError) as again:
        await keyed(orchestrator).run(tasks.create_task, draft)

    assert first.value.code is ErrorCode.NOT_FOUND
    assert again.value.detail() == first.value.detail()
    await keyed(orchestrator, "a new key").run(tasks.create_task, draft)


class Refused(DomainError):
    """No."""

    def __init__(self, code: ErrorCode) -> None:
        self.code = code
        super().__init__()


def refused_after_writing(ctx: Context, code: ErrorCode) -> Written[Project]:
    create(ctx, "Never")
    raise Refused(code)


@pytest.mark.parametrize("code", ErrorCode)
async def test_what_may_pass_by_itself_is_tried_again(orchestrator: Orchestrator, code: ErrorCode) -> None:
    with pytest.raises(Refused):
        await keyed(orchestrator).run(refused_after_writing, code)

    again = keyed(orchestrator)
    if code in FINAL:
        with pytest.raises(DomainError) as refusal:
            await again.run(create, "Website")
        assert refusal.value.code is code
    else:
        await again.run(create, "Website")
    assert names(orchestrator) == ([] if code in FINAL else ["Website"])


async def test_a_dry_run_leaves_its_key_free(orchestrator: Orchestrator) -> None:
    draft = ProjectCreate(name="Website")
    await keyed(orchestrator, fingerprint="of the dry run").run(projects.create_project, draft, dry_run=True)

    written = await keyed(orchestrator).run(projects.create_project, draft)

    assert written.item is not None
    assert not written.effect.replayed


def two_writes(ctx: Context, second: str) -> Written[Project]:
    create(ctx, "First")
    assert names_seen_by(ctx) == ["First"], "reads after a write see it"
    return create(ctx, second)


def names_seen_by(ctx: Context) -> list[str]:
    return [project.name for project in projects.list_projects(ctx, ProjectQuery()).projects]


async def test_all_writes_of_a_call_are_one(orchestrator: Orchestrator) -> None:
    def fails_at_last(ctx: Context) -> Written[Project]:
        two_writes(ctx, "Second")
        raise NotFound

    with pytest.raises(NotFound):
        await keyed(orchestrator, "fails").run(fails_at_last)
    assert names(orchestrator) == []

    first = await keyed(orchestrator).run(two_writes, "Second")
    assert await keyed(orchestrator).run(two_writes, "Second") == first
    assert names(orchestrator) == ["First", "Second"]


def goes_on_after_a_failure(ctx: Context) -> Written[Project]:
    with pytest.raises(ZeroDivisionError):
        patch_sets.write_patches(
            ctx,
            lambda _: [{"op": "create_project", "fields": {"name": "Undone"}}],
            summary="",
            result=lambda *_: 1 // 0,
        )
    return create(ctx, "Website")


async def test_a_write_that_failed_is_undone_though_the_call_goes_on(orchestrator: Orchestrator) -> None:
    await keyed(orchestrator).run(goes_on_after_a_failure)

    assert names(orchestrator) == ["Website"]


async def test_nothing_is_locked_before_the_first_write(orchestrator: Orchestrator) -> None:
    other = Orchestrator(orchestrator.settings)

    def reads_long(ctx: Context) -> Written[Project]:
        assert names_seen_by(ctx) == []
        create(other.context(), "From elsewhere")
        return create(ctx, "Website")

    await keyed(orchestrator).run(reads_long)

    assert names(orchestrator) == ["From elsewhere", "Website"]
    other.close()


async def test_a_duplicate_that_overtakes_gives_its_answer_to_both(orchestrator: Orchestrator) -> None:
    def overtaken(ctx: Context) -> Written[Project]:
        duplicate.append(_delivered(orchestrator))
        return create(ctx, "Website")

    duplicate: list[Written[Project]] = []
    late = keyed(orchestrator)

    assert await late.run(overtaken) == duplicate[0]
    assert late.attempt is not None
    assert late.attempt.replayed
    assert names(orchestrator) == ["Website"]


async def test_a_duplicate_that_overtakes_a_refusal_gives_its_answer_to_both(orchestrator: Orchestrator) -> None:
    def overtaken(_: Context) -> Written[Project]:
        duplicate.append(_delivered(orchestrator))
        raise NotFound

    duplicate: list[Written[Project]] = []

    assert await keyed(orchestrator).run(overtaken) == duplicate[0]


def _delivered(orchestrator: Orchestrator) -> Written[Project]:
    """Deliver the call through connections of its own, as another process would."""
    other = Orchestrator(orchestrator.settings)
    try:
        return asyncio.run(keyed(other).run(create, "Website"))
    finally:
        other.close()


KILLED = """
import asyncio, os, signal, sys
from core.idempotency import Attempt
from core.services import projects
from core.services.patch_sets import Written
from core.settings import Settings
from core.wiring import Orchestrator
from dataclasses import replace
from schemas.projects import Project, ProjectCreate

def killed_before_the_commit(ctx) -> Written[Project]:
    projects.create_project(ctx, ProjectCreate(name="Website"))
    os.kill(os.getpid(), signal.SIGKILL)

orchestrator = Orchestrator(Settings(database_url=sys.argv[1]))
asyncio.run(replace(orchestrator.context(), attempt=Attempt("k", "f")).run(killed_before_the_commit))
"""


async def test_a_call_killed_before_its_commit_is_done_by_its_repetition(orchestrator: Orchestrator) -> None:
    command = [sys.executable, "-c", KILLED, orchestrator.settings.database_url]
    killed = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert names(orchestrator) == []

    again = keyed(orchestrator)
    await again.run(create, "Website")

    assert again.attempt is not None
    assert not again.attempt.replayed
    assert names(orchestrator) == ["Website"]


class LongCall:
    """A call of several transactions: it reads, waits for what it is told to, and creates a project at last."""

    def __init__(self, *, fails: BaseException | None = None) -> None:
        self.waits, self.goes_on = asyncio.Event(), asyncio.Event()
        self.fails = fails

    async def __call__(self, ctx: Context) -> Written[Project]:
        await ctx.without_key().run(projects.list_projects, ProjectQuery())
        self.waits.set()
        await self.goes_on.wait()
        if self.fails is not None:
            raise self.fails
        return await ctx.run(create, "Website")

    async def begin(self, ctx: Context) -> "asyncio.Task[Written[Project]]":
        running = asyncio.create_task(self.deliver(ctx))
        await self.waits.wait()
        self.goes_on.set()
        return running

    async def deliver(self, ctx: Context) -> Written[Project]:
        return await once_held(ctx, self, answer_of(create), seconds=60)


async def test_a_call_of_several_transactions_is_done_once_and_duplicates_are_told_that_it_runs(
    orchestrator: Orchestrator,
) -> None:
    call = LongCall()
    running = asyncio.create_task(call.deliver(keyed(orchestrator)))
    await call.waits.wait()

    with pytest.raises(IdempotencyInProgress):
        await call.deliver(keyed(orchestrator))
    with pytest.raises(IdempotencyInProgress):
        await keyed(orchestrator).run(create, "Website")
    with pytest.raises(IdempotencyKeyReused):
        await call.deliver(keyed(orchestrator, fingerprint="another"))
    call.goes_on.set()
    first = await running
    again = keyed(orchestrator)

    assert await call.deliver(again) == first
    assert again.attempt is not None
    assert again.attempt.replayed
    assert names(orchestrator) == ["Website"]


async def test_a_call_that_takes_longer_than_its_key_is_held_has_no_effect(orchestrator: Orchestrator, clock: FixedClock) -> None:
    died = LongCall()
    task = asyncio.create_task(died.deliver(keyed(orchestrator)))
    await died.waits.wait()
    clock.instant += timedelta(seconds=61)

    second = await (await LongCall().begin(keyed(orchestrator)))
    died.goes_on.set()

    with pytest.raises(IdempotencyInProgress):  # it took too long, so it has no effect
        await task
    assert names(orchestrator) == ["Website"]
    clock.instant += timedelta(hours=23)
    assert await LongCall().deliver(keyed(orchestrator)) == second


async def test_a_final_refusal_of_a_long_call_is_kept_and_any_other_end_frees_its_key(orchestrator: Orchestrator) -> None:
    for passing in (ZeroDivisionError(), StorageBusy(), asyncio.CancelledError()):
        with pytest.raises(type(passing)):
            await (await LongCall(fails=passing).begin(keyed(orchestrator)))
    with pytest.raises(NotFound):
        await (await LongCall(fails=NotFound("gone")).begin(keyed(orchestrator)))

    with pytest.raises(DomainError, match="gone") as refusal:
        await LongCall().deliver(keyed(orchestrator))
    assert refusal.value.code is ErrorCode.NOT_FOUND
    assert names(orchestrator) == []
