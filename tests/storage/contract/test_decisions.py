"""What a service decides from what it read still holds when it writes, whoever writes meanwhile."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from core.context import Context
from core.errors import ConcurrentUpdate, PreconditionFailed, StorageBusy
from core.services import claiming, projects, tasks
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.projects import ProjectCreate, ProjectUpdate
from schemas.tasks import TaskCreate, TaskUpdate

WRITERS = 6


@pytest.fixture(params=["sqlite", "postgresql"])
def ctx(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Context]:
    """WEB with its tasks 1 to 3, on either database."""
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/plans.db" if sqlite else request.getfixturevalue("empty_postgres")
    orchestrator = Orchestrator(Settings(database_url=url, auto_migrate=True))
    orchestrator.start(create=True)
    ctx = orchestrator.context()
    projects.create_project(ctx, ProjectCreate(name="Website", key="WEB"))
    for title in ("API", "Docs", "Tests"):
        tasks.create_task(ctx, TaskCreate(title=title, project_id="WEB"))
    yield ctx
    orchestrator.close()


def count_up(ctx: Context, rounds: int = 8) -> int:
    """Raise WEB-1's minutes by one, again and again, on the revision that was read; return how often it was accepted."""
    accepted = 0
    for _ in range(rounds):
        seen = tasks.get_task(ctx, "WEB-1")
        update = TaskUpdate(actual_minutes=(seen.actual_minutes or 0) + 1)
        try:
            tasks.update_task(ctx, "WEB-1", update, if_match=seen.revision)
        except (PreconditionFailed, StorageBusy):
            continue
        accepted += 1
    return accepted


def test_an_accepted_if_match_is_never_a_lost_update(ctx: Context) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        accepted = sum(pool.map(lambda _: count_up(ctx), range(WRITERS)))

    assert tasks.get_task(ctx, "WEB-1").actual_minutes == accepted


def rename(ctx: Context, name: str, revision: int) -> bool:
    try:
        projects.update_project(ctx, "WEB", ProjectUpdate(name=name), if_match=revision)
    except (PreconditionFailed, StorageBusy):
        return False
    return True


def test_one_revision_of_a_project_is_overwritten_once(ctx: Context) -> None:
    for _ in range(5):
        revision = projects.get_project(ctx, "WEB").revision
        with ThreadPoolExecutor(WRITERS) as pool:
            accepted = list(pool.map(lambda number, seen=revision: rename(ctx, f"{number} on {seen}", seen), range(WRITERS)))
        assert sum(accepted) == 1


def claim(ctx: Context, agent: str) -> bool:
    try:
        return claiming.claim_task(ctx, task="WEB-2", agent=agent) is not None
    except (ConcurrentUpdate, StorageBusy):
        return False


def test_a_task_is_claimed_by_one_of_many(ctx: Context) -> None:
    for _ in range(5):
        tasks.update_task(ctx, "WEB-2", TaskUpdate(status="todo", assignee=None))
        with ThreadPoolExecutor(WRITERS) as pool:
            won = list(pool.map(lambda number: claim(ctx, f"agent {number}"), range(WRITERS)))
        assert sum(won) == 1


def test_the_last_list_of_dependencies_is_what_is_stored(ctx: Context) -> None:
    def relink(wanted: list[str]) -> list[str]:
        while True:
            with suppress(StorageBusy):
                written = tasks.update_task(ctx, "WEB-1", TaskUpdate(depends_on=wanted)).item
                assert written is not None
                return written.depends_on

    wishes = [["WEB-2"], ["WEB-3"], [], ["WEB-2", "WEB-3"]] * 4
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(relink, wishes)) == wishes
