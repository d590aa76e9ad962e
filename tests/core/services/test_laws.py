"""Storage loads only what a set touches; its plans must equal those made from everything.

Random patch sets go through the services on a database file and, side by side, through the pure
code on a store that hands out whole snapshots: same refusals, same state, same revert.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.clock import FixedClock
from core.context import Context
from core.errors import DeletedResource, DomainError, InvalidPatch
from core.services import patch_sets, projects, reverting
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.changes import CriticalPath
from schemas.patches import PatchSet
from schemas.tasks import Task
from tests.core.patches.test_laws import patch_sets as random_sets
from tests.core.patches.test_laws import started
from tests.core.patches.world import START, World

HIDDEN = {"id", "project_id", "parent_id", "created_at", "created_by", "updated_at", "completed_at", "is_ready", "is_overdue"}
SHOWN = set(Task.model_fields) - HIDDEN


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that holds the same start as `started()`, to be copied for every example."""
    path = tmp_path_factory.mktemp("laws") / "template.db"
    with opened(path) as ctx:
        creations: list[dict[str, Any]] = [{"op": "create_project", "key": "WEB", "fields": {"name": "Web"}}]
        for number in range(1, 9):
            parent = {"parent": f"$t{number // 2}"} if number > 2 else {}
            creation = {"op": "create_task", "project": "WEB", "ref": f"$t{number}", "fields": {"title": f"T{number}"}}
            creations.append(creation | parent)
        fields = {"status": "completed", "links": {"x": "9"}, "custom": {"p": {"s": 1}}}
        apply(ctx, *creations, {"op": "add_dependency", "task": "$t5", "depends_on": "$t3"})
        apply(ctx, {"op": "update_task", "task": "WEB-4", "fields": fields})
    return path


@contextmanager
def opened(path: Path) -> Iterator[Context]:
    orchestrator = Orchestrator(
        Settings(database_url=f"sqlite:///{path}", sqlite_synchronous="NORMAL", max_task_depth=3), clock=FixedClock(START)
    )
    orchestrator.start(create=True)
    try:
        yield orchestrator.context()
    finally:
        orchestrator.close()


def apply(ctx: Context, *patches: dict[str, Any], base: dict[str, int] | None = None) -> str:
    answer = patch_sets.apply_patch_set(ctx, PatchSet(patches=list(patches), base_revisions=base or {}))
    assert answer.patch_set_id is not None
    return answer.patch_set_id


def stored(ctx: Context) -> list[dict[str, Any]] | str:
    """Return the live tasks in outline order, or why there are none."""
    try:
        tasks = projects.export_project(ctx, "WEB").tasks
    except DomainError as refusal:
        return refusal.code
    return [task.model_dump(mode="json", include=SHOWN) for task in tasks]


def expected(world: World) -> list[dict[str, Any]] | str:
    """Return what `stored` should be, from the store in memory."""
    if world.project("WEB").deleted_at is not None:
        return "DELETED_RESOURCE"
    shown: list[dict[str, Any]] = []

    def add(parent: str | None) -> None:
        for key in world.children(parent):
            task = world.task(key)
            live = [t for t in world.waits_for(key) if world.task(t).deleted_at is None]
            waiting = [world.tasks[a].key for a, b in world.edges if b == task.id and world.tasks[a].deleted_at is None]
            leaf = task.subtask_count == 0
            done = 100 if leaf and task.status == "completed" else 0
            view = {name: getattr(task, name) for name in SHOWN & set(task.__slots__)}
            view |= {"due_date": task.due_date and task.due_date.isoformat(), "parent": parent, "revision": task.revision}
            view |= {"depends_on": sorted(live), "blocks": sorted(waiting)}
            view["progress"] = done if leaf or not task.leaf_count else 100 * task.leaf_completed // task.leaf_count
            shown.append(view)
            add(key)

    add(None)
    return shown


def normal(tasks: list[dict[str, Any]] | str) -> list[dict[str, Any]] | str:
    if isinstance(tasks, str):
        return tasks
    hidden = {"revision"}  # the start differs by one set
    return [{k: sorted(v) if k in ("depends_on", "blocks") else v for k, v in task.items() if k not in hidden} for task in tasks]


def refusal_of(ctx: Context, patches: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Apply a set; return the path and code of each issue if it was refused."""
    try:
        apply(ctx, *patches)
    except InvalidPatch as refusal:
        return sorted((issue.path, issue.code) for issue in refusal.details)
    return []


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sets=st.lists(random_sets(), min_size=1, max_size=4))
def test_a_plan_from_what_was_loaded_equals_a_plan_from_everything(
    sets: list[list[dict[str, Any]]], template: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("example") / "plans.db"
    shutil.copy(template, path)
    world = started()
    with opened(path) as ctx:
        assert normal(stored(ctx)) == normal(expected(world))
        for patches in sets:
            planned = world.plan(*patches)
            validation = patch_sets.validate_patch_set(ctx, PatchSet(patches=patches))
            refused = refusal_of(ctx, patches)
            assert refused == sorted((issue.path, issue.code) for issue in planned.errors())
            assert validation.valid == (not refused)
            if not refused:
                assert validation.totals == planned.totals
                world.store(planned)
            assert normal(stored(ctx)) == normal(expected(world))


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sets=st.lists(random_sets(), min_size=1, max_size=3))
def test_reverting_newest_first_gives_back_every_earlier_state(
    sets: list[list[dict[str, Any]]], template: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("example") / "plans.db"
    shutil.copy(template, path)
    with opened(path) as ctx:
        applied, states = [], [normal(stored(ctx))]
        for patches in sets:
            try:
                applied.append(apply(ctx, *patches))
            except InvalidPatch:
                continue
            states.append(normal(stored(ctx)))

        while applied:
            states.pop()
            patch_set_id = applied.pop()
            if patch_sets.get_patch_set(ctx, patch_set_id).applied is not None and _can_be_undone(ctx, patch_set_id):
                reverting.revert_patch_set(ctx, patch_set_id)
            assert normal(stored(ctx)) == states[-1]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sets=st.lists(random_sets(), min_size=1, max_size=4))
def test_the_critical_paths_of_a_preview_are_those_of_the_schedule_before_and_after(
    sets: list[list[dict[str, Any]]], template: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("example") / "plans.db"
    shutil.copy(template, path)
    with opened(path) as ctx:
        apply(ctx, *({"op": "update_task", "task": f"WEB-{n}", "fields": {"estimated_minutes": 10 * n}} for n in (4, 5, 6, 7, 8)))
        for patches in sets:
            before = critical_path(ctx)
            moved = patch_sets.validate_patch_set(ctx, PatchSet(patches=patches)).critical_paths.get("WEB")
            if not refusal_of(ctx, patches):
                seen = (before, before) if moved is None else (moved.before, moved.after)
                assert seen == (before, critical_path(ctx))


def critical_path(ctx: Context) -> CriticalPath:
    """Return the critical path that the schedule shows; a deleted project has none."""
    try:
        schedule = projects.get_schedule(ctx, "WEB")
    except DeletedResource:
        return CriticalPath(minutes=0, tasks=[], tasks_total=0)
    keys = schedule.critical_path
    return CriticalPath(minutes=schedule.total_minutes, tasks=keys, tasks_total=len(keys))


def _can_be_undone(ctx: Context, patch_set_id: str) -> bool:
    """A set without effect, or of comments only, has nothing to undo."""
    totals = patch_sets.get_patch_set(ctx, patch_set_id).applied
    assert totals is not None
    return any(count for name, count in totals.totals.model_dump().items() if name != "comments_added")
