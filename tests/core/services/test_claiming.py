"""What is next, and why; the claims themselves are in test_tasks.py and tests/concurrency."""

from datetime import timedelta

import pytest

from core.clock import FixedClock
from core.context import Context
from core.errors import DeletedResource, NotFound
from core.services import claiming, history, projects, reverting, tasks
from core.services.patch_sets import apply_patch_set
from core.wiring import Orchestrator
from schemas.changes import ApplyResponse
from schemas.patches import PatchSet, PatchSetQuery
from schemas.primitives import TaskStatus
from schemas.projects import ProjectCreate
from schemas.tasks import TaskCreate, TaskUpdate


def keys(ctx: Context, project: str | None = "WEB", limit: int = 20) -> list[str]:
    return [task.key for task in claiming.list_next_tasks(ctx, project=project, limit=limit).tasks]


def claimed(ctx: Context, **how: object) -> str | None:
    written = claiming.claim_task(ctx, **how)  # type: ignore[arg-type]
    return written.item.key if written and written.item else None


def test_the_next_tasks_are_shown_with_the_reasons_for_their_rank(ctx: Context, web: ApplyResponse) -> None:
    tasks.create_task(ctx, TaskCreate(title="Fix", project_id="WEB", priority="critical", due_date="2026-03-05"))
    before = projects.get_project(ctx, "WEB").revision

    found = claiming.list_next_tasks(ctx, project="web").tasks

    assert [(task.rank, task.key, task.title, task.is_ready) for task in found] == [
        (1, "WEB-5", "Fix", True),
        (2, "WEB-2", "Auth", True),
        (3, "WEB-3", "Routes", True),
    ]
    why = [(str(w.priority), w.on_critical_path, w.slack, w.due_date and str(w.due_date)) for w in (task.why for task in found)]
    assert why == [("critical", False, 90, "2026-03-05"), ("medium", True, 0, None), ("medium", False, 30, None)]
    assert projects.get_project(ctx, "WEB").revision == before


def test_claiming_takes_what_is_shown_first(ctx: Context, web: ApplyResponse) -> None:
    tasks.update_task(ctx, "WEB-3", TaskUpdate(due_date="2026-03-05"))
    order = keys(ctx)

    assert [claimed(ctx, project="WEB", agent=agent) for agent in ("ann", "bob", "cleo")] == [*order, None]
    assert order == ["WEB-2", "WEB-3"], "the critical path comes before the due date"


def test_a_critical_task_is_found_behind_any_number_of_others(ctx: Context, web: ApplyResponse) -> None:
    many = [{"op": "create_task", "project": "WEB", "fields": {"title": "Soon", "due_date": "2026-03-03"}} for _ in range(60)]
    apply_patch_set(ctx, PatchSet(patches=many))

    assert keys(ctx)[0] == "WEB-2"
    assert claimed(ctx, project="WEB") == "WEB-2"


def test_a_lease_that_has_ended_says_whose_it_was(orchestrator: Orchestrator, clock: FixedClock, web: ApplyResponse) -> None:
    claiming.claim_task(orchestrator.context(), project="WEB", agent="ann", lease_minutes=10)
    assert keys(orchestrator.context()) == ["WEB-3"]

    clock.instant += timedelta(minutes=10)
    first = claiming.list_next_tasks(orchestrator.context(), project="WEB").tasks[0]

    assert first.key == "WEB-2"
    assert first.why.ended_lease is not None
    assert (first.why.ended_lease.claimed_by, first.why.ended_lease.ended_at) == ("ann", clock.instant)
    assert claimed(orchestrator.context(), project="WEB", agent="bob") == "WEB-2"
    assert keys(orchestrator.context()) == ["WEB-3"]


@pytest.mark.parametrize("change", ["priority", "finished dependency", "deletion", "new task", "revert", "given back"])
def test_every_change_of_the_plan_shows_in_the_next_ranking(ctx: Context, web: ApplyResponse, change: str) -> None:
    assert keys(ctx) == ["WEB-2", "WEB-3"]
    claiming.claim_task(ctx, project="WEB", agent="ann")

    match change:
        case "priority":
            tasks.update_task(ctx, "WEB-2", TaskUpdate(status="todo", priority="low"))
            assert keys(ctx) == ["WEB-3", "WEB-2"]
        case "finished dependency":
            for key in ("WEB-2", "WEB-3", "WEB-1"):
                tasks.update_task(ctx, key, TaskUpdate(status="done"))
            assert keys(ctx) == ["WEB-4"]
        case "deletion":
            tasks.delete_task(ctx, "WEB-3")
            assert keys(ctx) == []
        case "new task":
            tasks.create_task(ctx, TaskCreate(title="New", parent_id="WEB-1", before="WEB-3"))
            assert keys(ctx) == ["WEB-5", "WEB-3"]
        case "revert":
            reverting.revert_patch_set(ctx, history.list_history(ctx, "WEB", PatchSetQuery()).patch_sets[0].id)
            assert keys(ctx) == ["WEB-2", "WEB-3"]
        case "given back":
            tasks.update_task(ctx, "WEB-2", TaskUpdate(status=TaskStatus.TODO))
            assert keys(ctx) == ["WEB-2", "WEB-3"]


def test_without_a_project_the_most_urgent_of_all_comes_first_and_nothing_is_scheduled(ctx: Context, web: ApplyResponse) -> None:
    projects.create_project(ctx, ProjectCreate(name="Mobile", key="APP"))
    tasks.create_task(ctx, TaskCreate(title="Later", project_id="APP", due_date="2026-03-09"))
    tasks.create_task(ctx, TaskCreate(title="Now", project_id="APP", priority="high"))

    found = claiming.list_next_tasks(ctx).tasks

    assert [task.key for task in found] == ["APP-2", "APP-1", "WEB-2", "WEB-3"]
    assert {task.why.on_critical_path for task in found} == {None}
    assert claimed(ctx) == "APP-2"


def test_a_project_too_large_to_rank_is_sorted_by_the_database(
    ctx: Context, web: ApplyResponse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming, "MAX_TASKS", 3)
    tasks.update_task(ctx, "WEB-3", TaskUpdate(priority="high"))

    found = claiming.list_next_tasks(ctx, project="WEB").tasks

    assert [(task.key, task.why.slack) for task in found] == [("WEB-3", None), ("WEB-2", None)]
    assert claimed(ctx, project="WEB") == "WEB-3"


def test_the_list_is_as_long_as_asked_for(ctx: Context, web: ApplyResponse) -> None:
    assert keys(ctx, limit=1) == ["WEB-2"]


def test_an_unknown_or_deleted_project_is_refused(ctx: Context, web: ApplyResponse) -> None:
    projects.delete_project(ctx, "WEB")

    with pytest.raises(NotFound):
        claiming.list_next_tasks(ctx, project="NOPE")
    with pytest.raises(DeletedResource):
        claiming.claim_task(ctx, project="WEB")
