"""Taking back: one set, a revert, and everything since a revision; on a database file."""

import shutil
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.context import Context
from core.errors import ConcurrentUpdate, DeletedResource, InvalidPatch, NotFound, PatchSetClosed, ValidationFailed
from core.services import history, patch_sets, projects, reverting, tasks
from schemas.changes import ApplyResponse
from schemas.patches import PatchSet, PatchSetQuery
from schemas.projects import ProjectCreate
from schemas.tasks import TaskUpdate
from tests.core.patches.test_laws import patch_sets as random_sets
from tests.core.patches.test_past import narrow_gaps
from tests.core.services.test_laws import apply, normal, opened, stored, template
from tests.core.services.test_patch_sets import a_set, rename

__all__ = ["template"]

TITLES = {"op": "update_task", "task": "WEB-2", "fields": {"title": "Login"}}


def titles(ctx: Context) -> list[str]:
    return [task.title for task in projects.get_project(ctx, "WEB", include_tasks=True).tasks or []]


def revision(ctx: Context, key: str = "WEB") -> int:
    return projects.get_project(ctx, key).revision


def hierarchy(ctx: Context, key: str = "WEB", at: int | None = None) -> dict[str, Any]:
    hidden = {"revision", "updated_at"}

    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: bare(item) for name, item in value.items() if name not in hidden}
        return [bare(item) for item in value] if isinstance(value, list) else value

    return bare(projects.get_hierarchy(ctx, key, revision=at).model_dump(mode="json"))  # type: ignore[no-any-return]


def test_a_revert_gives_back_the_state_and_the_history_grows(ctx: Context, web: ApplyResponse) -> None:
    before = projects.get_hierarchy(ctx, "WEB").tasks
    applied = patch_sets.apply_patch_set(
        ctx,
        a_set(
            {"op": "update_task", "task": "WEB-2", "fields": {"status": "done", "tags": ["x"], "links": {"gh": "1"}}},
            {"op": "delete_task", "task": "WEB-4"},
            {"op": "move_task", "task": "WEB-3", "parent": None, "before": "WEB-1"},
        ),
    )

    reverting.revert_patch_set(ctx, applied.patch_set_id or "")

    after = projects.get_hierarchy(ctx, "WEB").tasks
    hidden = {"revision", "updated_at", "children"}
    assert [task.model_dump(exclude=hidden) for task in after] == [task.model_dump(exclude=hidden) for task in before]
    past = history.list_history(ctx, "WEB", PatchSetQuery())
    assert past.total == 4
    assert past.patch_sets[0].reverts == [applied.patch_set_id]


def test_a_revert_is_refused_when_what_it_would_put_back_has_changed(ctx: Context, web: ApplyResponse) -> None:
    applied = patch_sets.apply_patch_set(ctx, a_set(rename("WEB-2", "Login")))
    tasks.update_task(ctx, "WEB-2", TaskUpdate(title="Sign-in"))

    with pytest.raises(ConcurrentUpdate) as refusal:
        reverting.revert_patch_set(ctx, applied.patch_set_id or "")

    assert [(c.base, c.current, c.proposed) for c in refusal.value.conflicts] == [("Login", "Sign-in", "Auth")]


def test_reverting_the_creation_of_a_project_removes_it_with_its_tasks(ctx: Context) -> None:
    created = patch_sets.apply_patch_set(
        ctx,
        a_set(
            {"op": "create_project", "ref": "$p", "fields": {"name": "Side Job"}},
            {"op": "create_task", "project": "$p", "ref": "$t", "fields": {"title": "One"}},
            {"op": "create_task", "parent": "$t", "fields": {"title": "Two"}},
        ),
    )

    undone = reverting.revert_patch_set(ctx, created.patch_set_id or "")
    redone = reverting.revert_patch_set(ctx, undone.patch_set_id or "")

    assert undone.totals.deleted == 3
    assert redone.totals.restored == 3
    assert [task.title for task in projects.get_project(ctx, "SJ", include_tasks=True).tasks or []] == ["One", "Two"]


def test_a_set_that_only_commented_cannot_be_reverted(ctx: Context, web: ApplyResponse) -> None:
    commented = tasks.add_comment(ctx, "WEB-2", "Nice")

    with pytest.raises(InvalidPatch):
        reverting.revert_patch_set(ctx, commented.effect.patch_set_id or "")


def test_only_an_applied_set_can_be_reverted(ctx: Context, web: ApplyResponse) -> None:
    proposal = patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Login")))

    with pytest.raises(PatchSetClosed) as still_open:
        reverting.revert_patch_set(ctx, proposal.id)
    patch_sets.reject_patch_set(ctx, proposal.id)
    with pytest.raises(PatchSetClosed) as rejected:
        reverting.revert_patch_set(ctx, proposal.id)

    assert still_open.value.details[0].hint == "apply or reject it"
    assert rejected.value.details[0].hint == "it changed nothing, so there is nothing to take back"


def test_going_back_to_a_revision_is_one_set_and_reverting_it_is_redo(ctx: Context, web: ApplyResponse) -> None:
    start = hierarchy(ctx)
    first = apply(ctx, TITLES, {"op": "move_task", "task": "WEB-3", "parent": None, "before": "WEB-1"})
    second = reverting.revert_patch_set(ctx, first).patch_set_id
    third = apply(
        ctx, {"op": "delete_task", "task": "WEB-1"}, {"op": "create_task", "project": "WEB", "fields": {"title": "New"}}
    )
    later = hierarchy(ctx)

    back = reverting.revert_to_revision(ctx, "web", 2)

    assert hierarchy(ctx) == start
    entry = history.list_history(ctx, "WEB", PatchSetQuery()).patch_sets[0]
    assert (entry.id, entry.reverts, entry.summary) == (back.patch_set_id, [third, second, first], "Revert WEB to revision 2")
    assert back.revisions == {"WEB": 6}
    reverting.revert_patch_set(ctx, back.patch_set_id or "")
    assert hierarchy(ctx) == later


def test_a_dry_run_of_going_back_shows_the_same_and_stores_nothing(ctx: Context, web: ApplyResponse) -> None:
    apply(ctx, TITLES)
    apply(ctx, {"op": "delete_task", "task": "WEB-4"})

    dry = reverting.revert_to_revision(ctx, "WEB", 2, dry_run=True)
    assert revision(ctx) == 4
    real = reverting.revert_to_revision(ctx, "WEB", 2)

    assert dry.model_copy(update={"patch_set_id": real.patch_set_id, "critical_paths": {}}) == real


@pytest.mark.parametrize("to", [0, -1, 3, 99])
def test_only_an_earlier_revision_can_be_gone_back_to(ctx: Context, web: ApplyResponse, to: int) -> None:
    apply(ctx, TITLES)

    with pytest.raises(ValidationFailed) as refusal:
        reverting.revert_to_revision(ctx, "WEB", to)

    [issue] = refusal.value.details
    assert (issue.path, issue.hint) == ("/to_revision", "WEB is at revision 3; give 1 to 2")


def test_an_unknown_project_cannot_be_gone_back_in(ctx: Context, web: ApplyResponse) -> None:
    with pytest.raises(NotFound):
        reverting.revert_to_revision(ctx, "WEBB", 1)


def test_comments_stay_and_are_nothing_to_take_back(ctx: Context, web: ApplyResponse) -> None:
    tasks.add_comment(ctx, "WEB-2", "Nice")
    with pytest.raises(InvalidPatch):
        reverting.revert_to_revision(ctx, "WEB", 2)
    apply(ctx, TITLES)

    reverting.revert_to_revision(ctx, "WEB", 2)

    assert tasks.get_task(ctx, "WEB-2").title == "Auth"
    assert [comment.body for comment in tasks.get_task(ctx, "WEB-2").comments] == ["Nice"]


def test_a_deleted_project_can_be_brought_back_and_a_live_one_to_its_deletion(ctx: Context, web: ApplyResponse) -> None:
    before = hierarchy(ctx)
    projects.delete_project(ctx, "WEB")
    projects.restore_project(ctx, "WEB")

    reverting.revert_to_revision(ctx, "WEB", 3)
    with pytest.raises(DeletedResource):
        projects.get_project(ctx, "WEB")
    reverting.revert_to_revision(ctx, "WEB", 2)

    assert hierarchy(ctx) == before


def test_of_a_set_that_changed_two_projects_only_the_own_part_is_taken_back(ctx: Context, web: ApplyResponse) -> None:
    projects.create_project(ctx, ProjectCreate(name="API", key="API"))
    apply(ctx, {"op": "create_task", "project": "API", "fields": {"title": "Kept"}})
    both = apply(ctx, TITLES, {"op": "update_task", "task": "API-1", "fields": {"title": "Changed"}})

    back = reverting.revert_to_revision(ctx, "WEB", 2)

    assert (tasks.get_task(ctx, "WEB-2").title, tasks.get_task(ctx, "API-1").title) == ("Auth", "Changed")
    assert (back.revisions, revision(ctx, "API")) == ({"WEB": 4}, 3)
    [warning] = back.warnings
    assert warning.message == f"{both} also changed API; only its part in WEB is taken back"


def test_a_way_back_that_is_too_long_is_gone_in_steps(ctx: Context, web: ApplyResponse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reverting, "MAX_PATCHES", 2)
    for title in ("Login", "Sign-in", "Entry"):
        apply(ctx, TITLES | {"fields": {"title": title}})

    with pytest.raises(ValidationFailed) as refusal:
        reverting.revert_to_revision(ctx, "WEB", 2)
    assert refusal.value.details[0].hint == "go back in steps: first to 3"
    reverting.revert_to_revision(ctx, "WEB", 3)

    assert tasks.get_task(ctx, "WEB-2").title == "Login"


def test_a_set_that_made_and_deleted_the_same_task_is_no_obstacle(ctx: Context, web: ApplyResponse) -> None:
    start = hierarchy(ctx)
    apply(
        ctx,
        {"op": "create_task", "project": "WEB", "ref": "$gone", "fields": {"title": "Gone"}},
        {"op": "delete_task", "task": "$gone"},
    )
    apply(ctx, TITLES)

    reverting.revert_to_revision(ctx, "WEB", 2)

    assert hierarchy(ctx) == start


def test_a_set_applied_in_part_is_reverted_in_that_part(ctx: Context, web: ApplyResponse) -> None:
    start = hierarchy(ctx)
    patches = [TITLES, {"op": "update_task", "task": "WEB-3", "fields": {"title": "Paths"}}]
    proposal = patch_sets.propose_patch_set(ctx, PatchSet(patches=patches))
    patch_sets.apply_proposal(ctx, proposal.id, only=[1])
    apply(ctx, TITLES)

    reverting.revert_patch_set(ctx, proposal.id)

    assert titles(ctx) == ["API", "Login", "Routes", "Docs"]
    reverting.revert_to_revision(ctx, "WEB", 2)
    assert hierarchy(ctx) == start


def test_a_conflict_of_a_revert_names_key_field_and_the_three_values(ctx: Context, web: ApplyResponse) -> None:
    applied = apply(ctx, {"op": "update_task", "task": "WEB-2", "fields": {"status": "done", "links": {"gh": "1"}}})
    later = apply(ctx, {"op": "update_task", "task": "WEB-2", "fields": {"status": "blocked", "links": {"gh": "2", "jira": "3"}}})

    with pytest.raises(ConcurrentUpdate) as refusal:
        reverting.revert_patch_set(ctx, applied)

    assert {(c.key, c.field, c.base, c.current, c.proposed) for c in refusal.value.conflicts} == {
        ("WEB-2", "status", "completed", "blocked", "todo"),
        ("WEB-2", "links.gh", "1", "2", None),
    }
    hints = {issue.hint for issue in refusal.value.details}
    assert hints == {f"revert {later} first, or bring WEB back to revision 2 with everything since"}


def test_a_restore_is_taken_back_and_redone_with_exactly_its_rows(ctx: Context, web: ApplyResponse) -> None:
    apply(ctx, {"op": "delete_task", "task": "WEB-2"})
    alone = hierarchy(ctx)
    apply(ctx, {"op": "delete_task", "task": "WEB-1"})
    restored = apply(ctx, {"op": "restore_task", "task": "WEB-1"})
    assert hierarchy(ctx) == alone, "WEB-2 went by a deletion of its own"

    undone = reverting.revert_patch_set(ctx, restored)
    assert titles(ctx) == ["Docs"]
    reverting.revert_patch_set(ctx, undone.patch_set_id or "")

    assert hierarchy(ctx) == alone


def test_a_project_restored_and_deleted_anew_by_one_set_can_be_reverted(ctx: Context, web: ApplyResponse) -> None:
    start = hierarchy(ctx)
    projects.delete_project(ctx, "WEB")
    both = apply(ctx, {"op": "restore_project", "project": "WEB"}, {"op": "delete_project", "project": "WEB"})

    reverting.revert_patch_set(ctx, both)
    projects.restore_project(ctx, "WEB")

    assert hierarchy(ctx) == start


def test_a_task_goes_back_to_its_place_among_siblings_that_were_renumbered_since(ctx: Context, web: ApplyResponse) -> None:
    apply(ctx, {"op": "create_task", "project": "WEB", "fields": {"title": "Last"}})
    moved = apply(ctx, {"op": "move_task", "task": "WEB-5", "before": "WEB-1"})
    for _ in range(40):  # halves one gap until it is exhausted
        apply(ctx, {"op": "create_task", "fields": {"title": "x"}, "after": "WEB-1"})

    reverting.revert_patch_set(ctx, moved)

    assert titles(ctx) == ["API", "Auth", "Routes", *["x"] * 40, "Docs", "Last"]


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sets=st.lists(random_sets(), min_size=1, max_size=5), data=st.data(), narrow=st.booleans())
def test_going_back_gives_exactly_the_state_of_that_revision(
    sets: list[list[dict[str, Any]]], data: st.DataObject, narrow: bool, template: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("example") / "plans.db"
    shutil.copy(template, path)
    with opened(path) as ctx, narrow_gaps() if narrow else nullcontext():
        states: dict[int, Any] = {2: _state(ctx, narrow)}
        for patches in sets:
            try:
                effect = patch_sets.apply_patch_set(ctx, PatchSet(patches=patches))
            except InvalidPatch:
                continue
            states |= {revision: _state(ctx, narrow) for revision in effect.revisions.values()}
        now = max(states)
        if now == 2:
            return
        to = data.draw(st.sampled_from([revision for revision in states if revision < now]))
        try:
            back = reverting.revert_to_revision(ctx, "WEB", to)
        except InvalidPatch:  # nothing to undo: comments, or what came and went
            back = None

        assert _state(ctx, narrow) == states[to]
        if back is not None and back.revisions:
            reverting.revert_patch_set(ctx, back.patch_set_id or "")
            assert _state(ctx, narrow) == states[now]


def _state(ctx: Context, narrow: bool) -> Any:
    """Return the live tasks in order; where siblings get renumbered, without the numbers that make the order."""
    found = normal(stored(ctx))
    if isinstance(found, str) or not narrow:
        return found
    return [{name: value for name, value in task.items() if name != "position"} for task in found]


def test_a_cycle_is_refused_though_the_same_set_deletes_it(ctx: Context, web: ApplyResponse) -> None:
    loop = {"op": "add_dependency", "task": "WEB-2", "depends_on": "WEB-2"}

    with pytest.raises(InvalidPatch, match="WEB-2 > WEB-2"):  # else a restore could never bring it back
        apply(ctx, loop, {"op": "delete_project", "project": "WEB"})


def test_what_was_gone_before_and_after_is_no_change_of_going_back(ctx: Context, web: ApplyResponse) -> None:
    apply(ctx, {"op": "delete_task", "task": "WEB-3"})
    there = revision(ctx)
    restored = apply(ctx, {"op": "restore_task", "task": "WEB-3"})
    reverting.revert_patch_set(ctx, restored)
    apply(ctx, TITLES)
    later = replace(ctx, now=ctx.now + timedelta(days=1))

    back = reverting.revert_to_revision(later, "WEB", there)

    assert [(change.key, list(change.fields)) for change in back.changes] == [("WEB-2", ["title"])]


def test_a_set_is_taken_back_once(ctx: Context, web: ApplyResponse) -> None:
    renamed = apply(ctx, TITLES)
    reverting.revert_patch_set(ctx, renamed)

    with pytest.raises(InvalidPatch, match="is taken back already"):
        reverting.revert_patch_set(ctx, renamed)

    assert revision(ctx) == 4


def test_a_revert_that_conflicts_about_the_project_itself_points_to_the_history(ctx: Context, web: ApplyResponse) -> None:
    renamed = apply(ctx, {"op": "update_project", "project": "WEB", "fields": {"name": "Site"}})
    apply(ctx, {"op": "update_project", "project": "WEB", "fields": {"name": "Pages"}})

    with pytest.raises(ConcurrentUpdate) as refusal:
        reverting.revert_patch_set(ctx, renamed)

    assert refusal.value.details[0].hint == (
        "revert the later set first; the history names it, or bring WEB back to revision 2 with everything since"
    )


def test_a_task_goes_back_to_its_place_though_the_very_next_set_renumbered_it(ctx: Context) -> None:
    def create(title: str, **place: str) -> dict[str, Any]:
        return {"op": "create_task", "fields": {"title": title}, **(place or {"project": "OPS"})}

    with narrow_gaps():
        apply(ctx, {"op": "create_project", "key": "OPS", "fields": {"name": "Operations"}}, *map(create, "ABC"))
        apply(ctx, create("x", after="OPS-1"), create("y", after="OPS-1"))
        moved = apply(ctx, {"op": "move_task", "task": "OPS-3", "before": "OPS-1"})
        apply(ctx, *(create("z", after="OPS-1") for _ in range(4)))  # more than the gap holds

        reverting.revert_patch_set(ctx, moved)

    order = [task.title for task in projects.get_project(ctx, "OPS", include_tasks=True).tasks or []]
    assert order == ["A", "z", "z", "z", "z", "y", "x", "B", "C"]
