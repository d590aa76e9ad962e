"""Previews show how a set would move the critical path; what is applied, and what is too large, does not."""

import threading
from typing import Any

import pytest

from core.context import Context
from core.patches.outlook import critical_path_lines
from core.services import answers, applying, claiming, patch_sets, reverting, tasks
from core.wiring import Orchestrator
from schemas.changes import ApplyResponse, CriticalPath, CriticalPathChange
from schemas.patches import PatchSet
from schemas.tasks import TaskUpdate

WEB = {
    "WEB": CriticalPathChange(
        before=CriticalPath(minutes=90, tasks=["WEB-2", "WEB-4"], tasks_total=2),
        after=CriticalPath(minutes=135, tasks=["WEB-2", "WEB-5"], tasks_total=2),
    )
}
CHECK: dict[str, Any] = {
    "op": "create_task",
    "project": "WEB",
    "fields": {"title": "Check", "estimated_minutes": 45},
    "depends_on": ["WEB-2"],
}


def a_set(*patches: dict[str, Any]) -> PatchSet:
    return PatchSet(patches=list(patches))


def test_every_preview_shows_the_path_before_and_after_with_provisional_keys(ctx: Context, web: ApplyResponse) -> None:
    proposal = patch_sets.propose_patch_set(ctx, a_set(CHECK))
    previews = [
        proposal.preview,
        patch_sets.get_patch_set(ctx, proposal.id).preview,
        patch_sets.rebase_patch_set(ctx, proposal.id, dry_run=True).preview,
        patch_sets.validate_patch_set(ctx, a_set(CHECK)),
        patch_sets.apply_patch_set(ctx, a_set(CHECK), dry_run=True),
        patch_sets.apply_proposal(ctx, proposal.id, dry_run=True),
    ]

    assert [preview and preview.critical_paths for preview in previews] == [WEB] * len(previews)


def test_what_has_been_applied_shows_none(ctx: Context, web: ApplyResponse) -> None:
    applied = patch_sets.apply_patch_set(ctx, a_set(CHECK))

    assert applied.critical_paths == {}
    assert applied.patch_set_id is not None
    shown = patch_sets.get_patch_set(ctx, applied.patch_set_id).applied
    assert shown is not None
    assert shown.critical_paths == {}


def test_dry_runs_of_single_changes_and_of_reverts_show_it_too(ctx: Context, web: ApplyResponse) -> None:
    done = TaskUpdate(status="completed")

    update = patch_sets.whole_effect(ctx, tasks.update_task(ctx, "WEB-2", done, dry_run=True)).critical_paths["WEB"]
    tasks.update_task(ctx, "WEB-2", done)
    claim = claiming.claim_task(ctx, task="WEB-3", dry_run=True)
    revert = reverting.revert_patch_set(ctx, web.patch_set_id or "", dry_run=True).critical_paths["WEB"]

    assert update is not None
    assert (update.before.tasks, update.after.tasks) == (["WEB-2", "WEB-4"], ["WEB-3", "WEB-4"])
    assert claim is not None
    assert patch_sets.whole_effect(ctx, claim).critical_paths["WEB"] is not None
    assert revert is not None
    assert revert.after == CriticalPath(minutes=0, tasks=[], tasks_total=0)


def test_a_set_that_only_rewords_shows_no_path(ctx: Context, web: ApplyResponse) -> None:
    reworded = a_set(
        {"op": "update_task", "task": "WEB-2", "fields": {"title": "Login"}}, {"op": "add_comment", "task": "WEB-3", "body": "Hm"}
    )

    assert patch_sets.validate_patch_set(ctx, reworded).critical_paths == {}


def test_a_restored_task_waits_again_for_what_it_waited_for(ctx: Context, web: ApplyResponse) -> None:
    patch_sets.apply_patch_set(ctx, a_set(CHECK))
    tasks.delete_task(ctx, "WEB-5")

    shown = patch_sets.validate_patch_set(ctx, a_set({"op": "restore_task", "task": "WEB-5"}))

    assert shown.critical_paths == WEB


def test_a_new_project_begins_with_nothing(ctx: Context) -> None:
    new = a_set(
        {"op": "create_project", "ref": "$new", "key": "NEW", "fields": {"name": "New"}},
        {"op": "create_task", "project": "$new", "fields": {"title": "First", "estimated_minutes": 30}},
    )

    moved = patch_sets.validate_patch_set(ctx, new).critical_paths["NEW"]

    assert moved is not None
    assert moved.before == CriticalPath(minutes=0, tasks=[], tasks_total=0)
    assert moved.after == CriticalPath(minutes=30, tasks=["NEW-1"], tasks_total=1)


def test_a_project_that_is_or_becomes_too_large_has_a_warning_instead(
    ctx: Context, web: ApplyResponse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (answers, applying):
        monkeypatch.setattr(module, "MAX_TASKS", 4)

    validation = patch_sets.validate_patch_set(ctx, a_set(CHECK))
    dry_run = patch_sets.apply_patch_set(ctx, a_set(CHECK), dry_run=True)

    assert validation.valid
    assert validation.critical_paths == dry_run.critical_paths == {"WEB": None}
    assert [issue.message for issue in validation.issues] == [issue.message for issue in dry_run.warnings]
    assert validation.issues[0].message == "WEB has more than 4 tasks, so what becomes of its critical path is not shown"


def test_conflicting_sets_show_none(ctx: Context, web: ApplyResponse) -> None:
    proposal = patch_sets.propose_patch_set(
        ctx, a_set({"op": "update_task", "task": "WEB-2", "fields": {"estimated_minutes": 5}})
    )
    tasks.update_task(ctx, "WEB-2", TaskUpdate(estimated_minutes=500))

    preview = patch_sets.get_patch_set(ctx, proposal.id).preview

    assert preview is not None
    assert preview.conflicts
    assert preview.critical_paths == {}


async def test_a_preview_that_looks_at_a_whole_large_project_does_not_run_among_the_short_calls(
    orchestrator: Orchestrator,
) -> None:
    ctx = orchestrator.context()
    creations = [{"op": "create_task", "project": "$new", "fields": {"title": "T", "estimated_minutes": 1}}] * 1_001
    patch_sets.apply_patch_set(
        ctx, a_set({"op": "create_project", "ref": "$new", "key": "BIG", "fields": {"name": "Big"}}, *creations)
    )
    threads: list[str] = []

    def preview(ctx: Context, title: str) -> ApplyResponse:
        threads.append(threading.current_thread().name)
        fields = {"title": title, "estimated_minutes": len(title)}
        return patch_sets.apply_patch_set(ctx, a_set({"op": "update_task", "task": "BIG-7", "fields": fields}), dry_run=True)

    moved = await ctx.run(preview, "Seven")
    same = await ctx.run(preview, "T")

    assert moved.critical_paths["BIG"] is not None
    assert moved.critical_paths["BIG"].after.minutes == 5
    assert same.critical_paths == {}
    assert threads == ["store", "store-long_0", "store"]


def test_the_line_names_the_first_keys_and_only_paths_that_change() -> None:
    nothing = CriticalPath(minutes=0, tasks=[], tasks_total=0)
    long = CriticalPath(minutes=900, tasks=[f"WEB-{number}" for number in range(1, 201)], tasks_total=5_000)
    moved = {
        "WEB": CriticalPathChange(before=nothing, after=long),
        "APP": CriticalPathChange(before=long, after=nothing),
        "SAME": CriticalPathChange(before=long, after=long),
        "HUGE": None,
    }

    web, app = critical_path_lines(moved)

    assert web.startswith("critical path of WEB: 0m -> 15h (WEB-1, WEB-2, ")
    assert web.endswith(", WEB-20 and 4,980 more)")
    assert app == "critical path of APP: 15h -> 0m"
