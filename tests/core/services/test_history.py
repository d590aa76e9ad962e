"""Looking back through the services: the history of a project, its state at a revision, the diff of two revisions."""

import shutil
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.clock import FixedClock
from core.context import Context, Principal
from core.errors import DeletedResource, InvalidCursor, InvalidPatch, NotFound, ValidationFailed
from core.services import history, patch_sets, projects, tasks
from core.wiring import Orchestrator
from schemas.changes import Action, ApplyResponse
from schemas.patches import PatchSet, PatchSetQuery
from schemas.tasks import TaskUpdate
from tests.core.patches.test_laws import patch_sets as random_sets
from tests.core.patches.test_past import narrow_gaps
from tests.core.services.test_laws import apply, opened, template

__all__ = ["template"]


def whole(ctx: Context, revision: int | None = None) -> Any:
    """Return everything a project shows, or the code of the refusal."""
    try:
        return projects.export_project(ctx, "WEB", revision=revision).model_dump(mode="json", exclude={"exported_at"})
    except DeletedResource as refusal:
        return refusal.code


def test_an_entry_says_who_what_when_why_and_how_much(
    ctx: Context, web: ApplyResponse, clock: FixedClock, orchestrator: Orchestrator
) -> None:
    proposal = patch_sets.propose_patch_set(
        ctx,
        PatchSet(
            summary="Sharper titles",
            rationale="Users asked.",
            patches=[
                {"op": "update_task", "task": "WEB-2", "fields": {"title": "Login"}},
                {"op": "delete_task", "task": "WEB-1"},
            ],
        ),
        engine="rules",
    )
    boss = orchestrator.context(Principal(subject="boss", workspace="default", scopes=ctx.principal.scopes))
    patch_sets.apply_proposal(boss, proposal.id)

    entry = history.list_history(ctx, "web", PatchSetQuery()).patch_sets[0]

    assert (entry.id, entry.summary, entry.rationale) == (proposal.id, "Sharper titles", "Users asked.")
    assert (entry.author, entry.closed_by, entry.engine, entry.closed_at) == ("local", "boss", "rules", clock.now())
    assert (entry.revision_before, entry.revision) == (2, 3)
    assert entry.totals.model_dump(exclude_defaults=True) == {"updated": 1, "deleted": 3}


def test_the_history_is_filtered_by_author_and_task_and_continued_by_cursor(
    ctx: Context, web: ApplyResponse, orchestrator: Orchestrator
) -> None:
    ann = orchestrator.context(Principal(subject="ann", workspace="default", scopes=ctx.principal.scopes))
    tasks.update_task(ann, "WEB-2", TaskUpdate(title="Login"))
    tasks.update_task(ctx, "WEB-3", TaskUpdate(title="Paths"))
    tasks.add_comment(ann, "WEB-3", "Why?")

    def revisions(**filters: Any) -> list[int]:
        return [entry.revision for entry in history.list_history(ctx, "WEB", PatchSetQuery(**filters)).patch_sets]

    assert revisions() == [5, 4, 3, 2, 1]
    assert revisions(author="ann") == [5, 3]
    assert revisions(task="WEB-3") == [5, 4, 2]
    assert revisions(task="WEB-3", author="ann") == [5]
    first = history.list_history(ctx, "WEB", PatchSetQuery(author="ann", per_page=1))
    assert revisions(author="ann", per_page=1, cursor=first.next_cursor) == [3]
    with pytest.raises(InvalidCursor):
        revisions(author="bob", per_page=1, cursor=first.next_cursor)
    with pytest.raises(NotFound):
        history.list_history(ctx, "WEBB", PatchSetQuery())


def test_the_history_of_a_project_is_not_asked_for_a_task_of_another(ctx: Context, web: ApplyResponse) -> None:
    app = {"op": "create_project", "ref": "$app", "key": "APP", "fields": {"name": "App"}}
    apply(ctx, app, {"op": "create_task", "project": "$app", "fields": {"title": "Elsewhere"}})

    with pytest.raises(NotFound, match="APP-1 is no task of WEB"):
        history.list_history(ctx, "WEB", PatchSetQuery(task="APP-1"))
    with pytest.raises(NotFound, match="there is no task 'WEB-99'"):
        history.list_history(ctx, "WEB", PatchSetQuery(task="WEB-99"))


def test_a_proposal_and_a_set_without_effect_are_no_history_of_the_project(ctx: Context, web: ApplyResponse) -> None:
    patch_sets.propose_patch_set(ctx, PatchSet(patches=[{"op": "delete_task", "task": "WEB-2"}]))
    apply(ctx, {"op": "update_task", "task": "WEB-2", "fields": {"title": "Auth"}})

    assert history.list_history(ctx, "WEB", PatchSetQuery()).total == 2


def test_every_read_of_a_project_shows_it_as_it_was(
    ctx: Context, web: ApplyResponse, clock: FixedClock, orchestrator: Orchestrator
) -> None:
    tasks.add_comment(ctx, "WEB-2", "First")
    then = (projects.get_project(ctx, "WEB", include_tasks=True), projects.get_hierarchy(ctx, "WEB"), whole(ctx))
    schedule = projects.get_schedule(ctx, "WEB")
    clock.instant += timedelta(minutes=5)
    ctx = orchestrator.context()
    apply(ctx, {"op": "create_task", "parent": "WEB-2", "fields": {"title": "Later", "estimated_minutes": 10}})
    apply(ctx, {"op": "add_comment", "task": "WEB-2", "body": "Second"}, {"op": "move_task", "task": "WEB-3", "parent": "WEB-4"})
    apply(ctx, {"op": "delete_task", "task": "WEB-1"})
    projects.delete_project(ctx, "WEB")

    assert projects.get_project(ctx, "WEB", include_tasks=True, revision=3) == then[0]
    assert projects.get_hierarchy(ctx, "web", revision=3) == then[1]
    assert whole(ctx, 3) == then[2]
    assert projects.get_schedule(ctx, "WEB", revision=3) == schedule
    with pytest.raises(DeletedResource):
        projects.get_project(ctx, "WEB", revision=7)


def test_the_tasks_of_the_past_come_in_pages(ctx: Context, web: ApplyResponse) -> None:
    apply(ctx, {"op": "delete_task", "task": "WEB-2"})

    first = projects.get_project(ctx, "WEB", include_tasks=True, tasks_limit=3, revision=2)
    rest = projects.get_project(ctx, "WEB", include_tasks=True, tasks_cursor=first.tasks_next_cursor, revision=2)

    assert [task.key for task in first.tasks or []] == ["WEB-1", "WEB-2", "WEB-3"]
    assert ([task.key for task in rest.tasks or []], rest.tasks_next_cursor) == (["WEB-4"], None)
    with pytest.raises(InvalidCursor):
        projects.get_project(ctx, "WEB", include_tasks=True, tasks_cursor=first.tasks_next_cursor, revision=1)


@pytest.mark.parametrize("revision", [0, -1, 3])
def test_a_revision_the_project_never_had_is_refused_with_the_range(ctx: Context, web: ApplyResponse, revision: int) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        projects.get_hierarchy(ctx, "WEB", revision=revision)

    [issue] = refusal.value.details
    assert (issue.path, issue.hint) == ("/revision", "WEB is at revision 2; give 1 to 2")


def test_the_diff_of_two_revisions_is_the_net_effect(ctx: Context, web: ApplyResponse) -> None:
    apply(ctx, {"op": "update_task", "task": "WEB-2", "fields": {"title": "Login"}})
    apply(ctx, {"op": "update_task", "task": "WEB-2", "fields": {"title": "Auth"}}, {"op": "delete_task", "task": "WEB-3"})
    apply(ctx, {"op": "create_task", "project": "WEB", "ref": "$n", "fields": {"title": "New"}, "depends_on": ["WEB-4"]})

    diff = history.diff_revisions(ctx, "web", from_revision=2)

    assert (diff.project, diff.from_revision, diff.to_revision) == ("WEB", 2, 5)
    assert [(change.key, change.action) for change in diff.changes] == [("WEB-3", Action.DELETED), ("WEB-5", Action.CREATED)]
    assert diff.totals.model_dump(exclude_defaults=True) == {"created": 1, "deleted": 1, "dependencies_added": 1}
    assert "+ WEB-5" in diff.diff
    assert history.diff_revisions(ctx, "WEB", from_revision=2, to_revision=3).changes[0].fields == {
        "title": {"before": "Auth", "after": "Login"}
    }
    assert history.diff_revisions(ctx, "WEB", from_revision=5).diff == "no changes"


@pytest.mark.parametrize(
    ("start", "end", "path"), [(0, None, "/from"), (3, None, "/from"), (1, 3, "/to"), (1, 0, "/to"), (2, 1, "/from")]
)
def test_a_diff_goes_from_an_older_revision_to_a_newer_one(
    ctx: Context, web: ApplyResponse, start: int, end: int | None, path: str
) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        history.diff_revisions(ctx, "WEB", from_revision=start, to_revision=end)

    assert refusal.value.details[0].path == path


def test_a_task_that_is_back_among_its_siblings_has_not_moved(ctx: Context, web: ApplyResponse) -> None:
    titles = ("Last", "Very last")
    patches = [{"op": "create_task", "project": "WEB", "fields": {"title": title}} for title in titles]
    base = patch_sets.apply_patch_set(ctx, PatchSet(patches=patches)).revisions["WEB"]
    apply(ctx, {"op": "move_task", "task": "WEB-5", "after": "WEB-6"})
    away = history.diff_revisions(ctx, "WEB", from_revision=base)

    apply(ctx, {"op": "create_task", "after": "WEB-4", "fields": {"title": "Takes its number"}})
    apply(ctx, {"op": "move_task", "task": "WEB-5", "before": "WEB-6"})
    back = history.diff_revisions(ctx, "WEB", from_revision=base)
    apply(ctx, {"op": "update_task", "task": "WEB-5", "fields": {"title": "Nearly last"}})
    renamed = history.diff_revisions(ctx, "WEB", from_revision=base)

    assert [(change.key, change.action) for change in away.changes] == [("WEB-5", Action.MOVED)]
    assert [(change.key, change.action) for change in back.changes] == [("WEB-7", Action.CREATED)]
    assert (back.changes_total, back.totals.moved) == (1, 0)
    assert [(change.action, list(change.fields)) for change in renamed.changes[:1]] == [(Action.UPDATED, ["title"])]


def test_a_large_diff_is_cut_and_says_how_large_it_is(ctx: Context, web: ApplyResponse) -> None:
    text = {"title": "x" * 250, "description": "y" * 200}
    apply(ctx, *({"op": "create_task", "project": "WEB", "fields": text} for _ in range(450)))

    diff = history.diff_revisions(ctx, "WEB", from_revision=2)

    assert (len(diff.changes), diff.changes_total, diff.totals.created) == (200, 450, 450)
    assert len(diff.diff.encode()) <= 65_536
    assert diff.diff.endswith(" more")


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sets=st.lists(random_sets(), min_size=1, max_size=5), narrow=st.booleans())
def test_each_revision_shows_what_was_read_at_that_time(
    sets: list[list[dict[str, Any]]], narrow: bool, template: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("example") / "plans.db"
    shutil.copy(template, path)
    with opened(path) as ctx, narrow_gaps() if narrow else nullcontext():
        seen = {2: whole(ctx)}
        for patches in sets:
            try:
                effect = patch_sets.apply_patch_set(ctx, PatchSet(patches=patches))
            except InvalidPatch:
                continue
            seen |= {revision: whole(ctx) for revision in effect.revisions.values()}

        assert {revision: whole(ctx, revision) for revision in seen} == seen


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "٣", "9" * 10])
def test_a_cursor_of_changes_nobody_was_given_is_refused(ctx: Context, web: ApplyResponse, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        history.list_changes(ctx, web.patch_set_id or "", cursor=cursor)


def test_the_changes_of_an_unknown_set_are_not_found(ctx: Context) -> None:
    with pytest.raises(NotFound):
        history.list_changes(ctx, "ps_0123456789abcdef")


def test_the_history_of_a_task_is_asked_of_its_own_project(ctx: Context, web: ApplyResponse) -> None:
    apply(ctx, {"op": "create_project", "key": "OPS", "fields": {"name": "Operations"}})

    with pytest.raises(NotFound, match="WEB-2 is no task of OPS") as refusal:
        history.list_history(ctx, "OPS", PatchSetQuery(task="WEB-2"))

    assert refusal.value.details[0].hint == "it is a task of WEB"
