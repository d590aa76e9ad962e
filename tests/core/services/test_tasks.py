"""Single-item writes and claims: patch sets underneath, bodies outside."""

from datetime import timedelta

import pytest

from core.clock import FixedClock
from core.context import Context
from core.errors import ConcurrentUpdate, DeletedResource, InvalidPatch, NotFound, PreconditionFailed, ValidationFailed
from core.services import claiming, history, patch_sets, projects, reverting, tasks
from core.wiring import Orchestrator
from schemas.changes import ApplyResponse
from schemas.errors import ErrorCode
from schemas.patches import PatchSetQuery
from schemas.primitives import TaskStatus
from schemas.projects import ProjectCreate
from schemas.tasks import TaskCreate, TaskQuery, TaskUpdate


def test_a_created_task_is_returned_as_stored(ctx: Context, web: ApplyResponse) -> None:
    written = tasks.create_task(ctx, TaskCreate(title="Tests", parent_id="web-1", before="WEB-3", depends_on=["WEB-2"]))

    assert written.item is not None
    assert (written.item.key, written.item.parent, written.item.depends_on) == ("WEB-5", "WEB-1", ["WEB-2"])
    assert [task.key for task in tasks.get_task(ctx, "WEB-1").subtasks or []] == ["WEB-2", "WEB-5", "WEB-3"]


def test_one_update_changes_fields_place_and_dependencies_as_one_set(ctx: Context, web: ApplyResponse) -> None:
    written = tasks.update_task(ctx, "WEB-4", TaskUpdate(title="Manual", parent_id="WEB-1", before="WEB-2", depends_on=["WEB-3"]))

    assert written.effect.revisions == {"WEB": 3}
    assert written.item is not None
    assert (written.item.title, written.item.parent, written.item.depends_on) == ("Manual", "WEB-1", ["WEB-3"])


def test_the_whole_effect_of_a_write_is_what_its_set_did(ctx: Context, web: ApplyResponse) -> None:
    change = TaskUpdate(title="Manual")

    would = patch_sets.whole_effect(ctx, tasks.update_task(ctx, "WEB-4", change, dry_run=True))
    did = patch_sets.whole_effect(ctx, tasks.update_task(ctx, "WEB-4", change))

    assert did.patch_set_id is not None
    assert did == patch_sets.get_patch_set(ctx, did.patch_set_id).applied
    assert (did.diff, did.revisions) == (would.diff, would.revisions)


def test_paths_of_a_refusal_point_into_the_body(ctx: Context, web: ApplyResponse) -> None:
    with pytest.raises(InvalidPatch) as unknown:
        tasks.create_task(ctx, TaskCreate(title="x", parent_id="WEB-99"))
    with pytest.raises(InvalidPatch) as nowhere:
        tasks.create_task(ctx, TaskCreate(title="x"))
    with pytest.raises(InvalidPatch) as dates:
        tasks.update_task(ctx, "WEB-2", TaskUpdate(start_date="2026-05-02", due_date="2026-05-01"))

    assert (unknown.value.code, unknown.value.details[0].path) == (ErrorCode.NOT_FOUND, "/parent_id")
    assert (nowhere.value.code, nowhere.value.details[0].path) == (ErrorCode.VALIDATION_ERROR, "/project_id")
    assert dates.value.details[0].path == "/due_date"
    assert dates.value.details[0].patch_index is None


def test_a_precondition_compares_the_tasks_own_revision(ctx: Context, web: ApplyResponse) -> None:
    tasks.update_task(ctx, "WEB-3", TaskUpdate(title="Paths"))

    tasks.update_task(ctx, "WEB-2", TaskUpdate(title="Login"), if_match=2)

    with pytest.raises(PreconditionFailed):
        tasks.update_task(ctx, "WEB-2", TaskUpdate(title="Sign-in"), if_match=2)


@pytest.mark.parametrize(
    ("filters", "paths"),
    [
        ({"root": True, "parent": "WEB-1"}, ["/root", "/parent_id"]),
        ({"due_after": "2026-03-01", "due_before": "2026-03-02"}, ["/due_after", "/due_before"]),
        ({"ready": True, "status": ["in_review"]}, ["/ready", "/status"]),
        ({"overdue": True, "status": ["completed", "cancelled"]}, ["/overdue", "/status"]),
    ],
)
def test_filters_that_no_task_can_match_together_are_refused(ctx: Context, filters: dict[str, object], paths: list[str]) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        tasks.list_tasks(ctx, TaskQuery.model_validate(filters))

    assert [issue.path for issue in refusal.value.details] == paths


def test_filters_that_a_task_may_match_are_answered(ctx: Context, web: ApplyResponse) -> None:
    def keys(**filters: object) -> list[str]:
        return [task.key for task in tasks.list_tasks(ctx, TaskQuery.model_validate(filters)).tasks]

    assert keys(project="web", parent="web-1", ready=True, status=["todo", "blocked"]) == ["WEB-2", "WEB-3"]
    assert keys(overdue=True, status=["todo", "completed"], due_after="2026-01-01", due_before="2026-01-03") == []


def test_the_subtasks_of_a_task_of_another_project_are_not_found(ctx: Context, web: ApplyResponse) -> None:
    projects.create_project(ctx, ProjectCreate(name="Other", key="OTHER"))

    with pytest.raises(NotFound, match="WEB-1 is no task of OTHER"):
        tasks.list_tasks(ctx, TaskQuery(project="OTHER", parent="WEB-1"))


def test_a_deleted_task_says_how_to_restore_it(ctx: Context, web: ApplyResponse) -> None:
    tasks.delete_task(ctx, "WEB-1")

    with pytest.raises(DeletedResource) as refusal:
        tasks.get_task(ctx, "WEB-1")
    tasks.restore_task(ctx, "WEB-1")

    assert refusal.value.details[0].hint == "use restore_task WEB-1, or revert the patch set that deleted it"
    assert tasks.get_task(ctx, "WEB-2").title == "Auth"


def test_a_task_that_went_with_another_says_what_brings_it_back(ctx: Context, web: ApplyResponse) -> None:
    def advice() -> str | None:
        with pytest.raises(DeletedResource) as refusal:
            tasks.get_task(ctx, "WEB-2")
        return refusal.value.details[0].hint

    tasks.delete_task(ctx, "WEB-1")
    with_its_parent = advice()
    tasks.restore_task(ctx, "WEB-1")
    projects.delete_project(ctx, "WEB")
    with_its_project = advice()

    assert with_its_parent == "use restore_task WEB-1, or revert the patch set that deleted it"
    assert with_its_project == "use restore_project WEB, or revert the patch set that deleted it"


def test_an_unknown_task_names_its_neighbours(ctx: Context, web: ApplyResponse) -> None:
    with pytest.raises(NotFound) as refusal:
        tasks.get_task(ctx, "WEB-50")

    assert refusal.value.details[0].hint == "nearest: WEB-4, WEB-3, WEB-2"


def test_ready_are_open_leaves_that_wait_for_nothing(ctx: Context, web: ApplyResponse) -> None:
    ready = [task.key for task in tasks.list_tasks(ctx, TaskQuery(project="WEB", ready=True, sort="position")).tasks]
    tasks.update_task(ctx, "WEB-2", TaskUpdate(status="done"))
    tasks.update_task(ctx, "WEB-3", TaskUpdate(status="cancelled"))
    tasks.update_task(ctx, "WEB-1", TaskUpdate(status="done"))

    assert ready == ["WEB-2", "WEB-3"]
    assert [task.key for task in tasks.list_tasks(ctx, TaskQuery(project="WEB", ready=True)).tasks] == ["WEB-4"]
    assert projects.get_project(ctx, "WEB").progress == 50


def test_two_claimers_get_two_tasks_and_the_third_gets_none(ctx: Context, web: ApplyResponse) -> None:
    tasks.update_task(ctx, "WEB-3", TaskUpdate(priority="high"))

    claimed = [claiming.claim_task(ctx, project="WEB", agent=agent) for agent in ("ann", "bob", "cleo")]

    assert [one.item.key if one and one.item else None for one in claimed] == ["WEB-3", "WEB-2", None]
    first = tasks.get_task(ctx, "WEB-3")
    assert (first.claimed_by, first.assignee, first.status) == ("ann", "ann", TaskStatus.IN_PROGRESS)
    assert first.claim_expires_at == ctx.now + timedelta(minutes=60)


def test_a_lease_can_be_renewed_by_its_holder_and_taken_over_once_it_ends(
    orchestrator: Orchestrator, clock: FixedClock, web: ApplyResponse
) -> None:
    claiming.claim_task(orchestrator.context(), task="WEB-2", agent="ann")
    with pytest.raises(ConcurrentUpdate):
        claiming.claim_task(orchestrator.context(), task="WEB-2", agent="bob")
    claiming.claim_task(orchestrator.context(), task="WEB-2", agent="ann", lease_minutes=10)

    clock.instant += timedelta(minutes=11)
    taken = claiming.claim_task(orchestrator.context(), task="WEB-2", agent="bob")

    assert taken is not None
    assert taken.item is not None
    assert (taken.item.claimed_by, taken.item.assignee) == ("bob", "ann")


def test_leaving_in_progress_gives_the_claim_back(ctx: Context, web: ApplyResponse) -> None:
    claiming.claim_task(ctx, task="WEB-2", agent="ann")

    released = tasks.update_task(ctx, "WEB-2", TaskUpdate(status="todo")).item

    assert released is not None
    assert (released.claimed_by, released.claim_expires_at) == (None, None)


@pytest.mark.parametrize("minutes", [0, -5, 100_000])
def test_a_lease_has_a_sensible_length(ctx: Context, web: ApplyResponse, minutes: int) -> None:
    with pytest.raises(ValidationFailed):
        claiming.claim_task(ctx, project="WEB", lease_minutes=minutes)


def test_a_claim_can_be_reverted(ctx: Context, web: ApplyResponse) -> None:
    claiming.claim_task(ctx, task="WEB-2", agent="ann")
    claim = history.list_history(ctx, "WEB", PatchSetQuery()).patch_sets[0]

    reverting.revert_patch_set(ctx, claim.id)

    task = tasks.get_task(ctx, "WEB-2")
    assert (task.status, task.assignee, task.claimed_by) == (TaskStatus.TODO, None, None)


def test_comments_are_kept_in_order_with_their_author(ctx: Context, web: ApplyResponse) -> None:
    for body in ("one", "two"):
        tasks.add_comment(ctx, "WEB-2", body)

    assert [(c.author, c.body) for c in tasks.get_task(ctx, "WEB-2").comments] == [("local", "one"), ("local", "two")]
    assert tasks.get_task(ctx, "WEB-2").revision == 2, "a comment moves only the project's revision"
    assert projects.get_project(ctx, "WEB").revision == 4
