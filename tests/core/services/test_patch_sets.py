"""The life of a patch set: proposed, applied once, rejected, superseded, rebased."""

from typing import Any

import pytest
from pydantic import ValidationError

from core.context import Context, Principal, Scope
from core.errors import ConcurrentUpdate, DomainError, Forbidden, IdempotencyKeyReused, InvalidPatch, NotFound, PatchSetClosed
from core.services import claiming, history, patch_sets, projects, tasks
from core.services.answers import validation_answer
from core.wiring import Orchestrator
from schemas.changes import ApplyResponse, ValidationResponse
from schemas.errors import ErrorCode
from schemas.patches import PatchSet, PatchSetQuery, ProposalState
from schemas.tasks import TaskUpdate

ID = "ps_0123456789abcdef"


def rename(task: str, title: str) -> dict[str, Any]:
    return {"op": "update_task", "task": task, "fields": {"title": title}}


def a_set(*patches: dict[str, Any], **members: Any) -> PatchSet:
    return PatchSet(patches=list(patches), **members)


def test_a_proposal_changes_nothing_until_it_is_applied(ctx: Context, web: ApplyResponse) -> None:
    before = projects.get_project(ctx, "WEB", include_tasks=True)

    proposal = patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Login")))

    assert projects.get_project(ctx, "WEB", include_tasks=True) == before
    assert proposal.proposal.state is ProposalState.PROPOSED
    assert proposal.base_revisions == {"WEB": 2}
    assert proposal.preview is not None
    assert proposal.preview.valid


def test_what_was_previewed_is_what_is_applied(ctx: Context, web: ApplyResponse) -> None:
    proposal = patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Login"), {"op": "delete_task", "task": "WEB-3"}))

    applied = patch_sets.apply_proposal(ctx, proposal.id)

    assert proposal.preview is not None
    assert applied.patch_set_id == proposal.id
    assert (applied.changes, applied.totals, applied.diff) == (
        proposal.preview.changes,
        proposal.preview.totals,
        proposal.preview.diff,
    )
    assert applied.revisions == {"WEB": 3}


def test_a_dry_run_equals_the_real_run_and_stores_nothing(ctx: Context, web: ApplyResponse) -> None:
    patches = a_set(rename("WEB-2", "Login"), {"op": "move_task", "task": "WEB-4", "before": "WEB-1"})

    dry = patch_sets.apply_patch_set(ctx, patches, dry_run=True)
    assert projects.get_project(ctx, "WEB").revision == 2
    real = patch_sets.apply_patch_set(ctx, patches)

    assert dry.patch_set_id is None
    assert dry.model_copy(update={"patch_set_id": real.patch_set_id, "critical_paths": {}}) == real


def test_a_dry_run_of_proposing_shows_the_proposal_and_stores_nothing(ctx: Context, web: ApplyResponse) -> None:
    patches = a_set(rename("WEB-2", "Login"), id=ID)

    dry = patch_sets.propose_patch_set(ctx, patches, dry_run=True)
    assert patch_sets.list_patch_sets(ctx, PatchSetQuery(state=["proposed"])).total == 0

    assert dry == patch_sets.propose_patch_set(ctx, patches)


def test_the_same_set_sent_twice_takes_effect_once(ctx: Context, web: ApplyResponse) -> None:
    patches = a_set({"op": "create_task", "project": "WEB", "ref": "$x", "fields": {"title": "Once"}}, id=ID)

    first = patch_sets.apply_patch_set(ctx, patches)
    second = patch_sets.apply_patch_set(ctx, patches)

    assert second == first.model_copy(update={"replayed": True})
    assert projects.get_project(ctx, "WEB").task_count == 5


def test_an_id_cannot_be_used_for_other_patches(ctx: Context, web: ApplyResponse) -> None:
    patch_sets.apply_patch_set(ctx, a_set(rename("WEB-2", "Login"), id=ID))

    with pytest.raises(IdempotencyKeyReused):
        patch_sets.apply_patch_set(ctx, a_set(rename("WEB-2", "Other"), id=ID))

    assert tasks.get_task(ctx, "WEB-2").title == "Login"


def test_an_id_of_a_proposal_cannot_be_used_for_other_patches(ctx: Context, web: ApplyResponse) -> None:
    patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Login"), id=ID))

    for use in (patch_sets.apply_patch_set, patch_sets.propose_patch_set):
        with pytest.raises(IdempotencyKeyReused):
            use(ctx, a_set(rename("WEB-2", "Other"), id=ID))

    assert patch_sets.get_patch_set(ctx, ID).patches == [rename("WEB-2", "Login")]


def test_an_id_cannot_be_used_for_another_selection(ctx: Context, web: ApplyResponse) -> None:
    both = a_set(rename("WEB-2", "Login"), rename("WEB-3", "Paths"), id=ID)
    first = patch_sets.apply_patch_set(ctx, both, only=[1])

    with pytest.raises(PatchSetClosed):
        patch_sets.apply_patch_set(ctx, both)

    assert patch_sets.apply_patch_set(ctx, both, only=[1, 1]) == first.model_copy(update={"replayed": True})
    assert tasks.get_task(ctx, "WEB-2").title == "Auth"


def test_proposing_the_same_set_again_shows_the_stored_proposal(ctx: Context, web: ApplyResponse) -> None:
    first = patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Login"), id=ID, summary="First"))

    again = patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Login"), id=ID, summary="Second"))

    assert again == first


def test_proposing_what_has_been_applied_shows_that_and_not_what_it_would_do_today(ctx: Context, web: ApplyResponse) -> None:
    deletion = a_set({"op": "delete_task", "task": "WEB-3"}, id=ID)
    applied = patch_sets.apply_patch_set(ctx, deletion)

    assert patch_sets.propose_patch_set(ctx, deletion).applied == applied


def test_validating_tells_every_issue_and_stores_nothing(ctx: Context, web: ApplyResponse) -> None:
    patches = a_set(rename("WEB-2", "Login"), rename("WEB-99", "x"))

    whole = patch_sets.validate_patch_set(ctx, patches)
    part = patch_sets.validate_patch_set(ctx, patches, only=[0])

    assert (whole.valid, [issue.path for issue in whole.issues]) == (False, ["/patches/1/task"])
    assert (part.valid, part.totals.updated) == (True, 1)
    assert patch_sets.list_patch_sets(ctx, PatchSetQuery(state=["proposed"])).total == 0
    assert tasks.get_task(ctx, "WEB-2").title == "Auth"


def test_posting_a_stored_proposal_back_applies_that_proposal(ctx: Context, web: ApplyResponse) -> None:
    proposal = patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Login")), engine="rules")
    sent_back = PatchSet.model_validate(proposal.model_dump(mode="json", exclude={"preview", "applied", "stale"}))

    patch_sets.apply_patch_set(ctx, sent_back)

    stored = patch_sets.get_patch_set(ctx, proposal.id).proposal
    assert (stored.state, stored.engine, stored.closed_by) == (ProposalState.APPLIED, "rules", "local")


def test_a_part_of_a_proposal_can_be_accepted_and_closes_it(ctx: Context, web: ApplyResponse) -> None:
    proposal = patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Login"), rename("WEB-3", "Paths")))

    patch_sets.apply_proposal(ctx, proposal.id, only=[1])

    assert [tasks.get_task(ctx, key).title for key in ("WEB-2", "WEB-3")] == ["Auth", "Paths"]
    assert patch_sets.get_patch_set(ctx, proposal.id).proposal.applied_indexes == [1]
    with pytest.raises(PatchSetClosed):
        patch_sets.apply_proposal(ctx, proposal.id)


def test_what_a_selection_leaves_out_is_well_formed_as_it_belongs_to_the_set(ctx: Context, web: ApplyResponse) -> None:
    with pytest.raises(InvalidPatch) as refusal:
        patch_sets.apply_patch_set(ctx, a_set(rename("WEB-2", "Login"), rename("WEB-3", ""), id=ID), only=[0])

    assert [issue.path for issue in refusal.value.details] == ["/patches/1/fields/title"]


def test_a_task_moved_beside_a_new_one_cannot_close_a_cycle_unseen(ctx: Context, web: ApplyResponse) -> None:
    under_api = {"op": "create_task", "ref": "$new", "parent": "WEB-1", "fields": {"title": "Keys"}}

    with pytest.raises(InvalidPatch) as refusal:  # WEB-4 waits for WEB-1
        patch_sets.apply_patch_set(ctx, a_set(under_api, {"op": "move_task", "task": "WEB-4", "after": "$new"}))

    assert [issue.code for issue in refusal.value.details] == [ErrorCode.DEPENDENCY_CYCLE]


def test_an_invalid_set_is_refused_whole_with_every_issue(ctx: Context, web: ApplyResponse) -> None:
    with pytest.raises(InvalidPatch) as refusal:
        patch_sets.apply_patch_set(ctx, a_set(rename("WEB-2", "Login"), rename("WEB-99", "x"), rename("WEB-3", "x" * 300)))

    assert refusal.value.code is ErrorCode.INVALID_PATCH
    assert [issue.path for issue in refusal.value.details] == ["/patches/1/task", "/patches/2/fields/title"]
    assert refusal.value.details[0].hint == "nearest: WEB-4, WEB-3, WEB-2"
    assert tasks.get_task(ctx, "WEB-2").title == "Auth"


def test_one_kind_of_failure_answers_with_its_own_code(ctx: Context, web: ApplyResponse) -> None:
    cycle = {"op": "add_dependency", "task": "WEB-2", "depends_on": "WEB-4"}

    with pytest.raises(InvalidPatch) as refusal:
        patch_sets.propose_patch_set(ctx, a_set(cycle))

    assert refusal.value.code is ErrorCode.DEPENDENCY_CYCLE
    assert patch_sets.list_patch_sets(ctx, PatchSetQuery(state=["proposed"])).total == 0


def test_a_stale_proposal_is_shown_with_its_conflicts_and_rebased_in_one_call(ctx: Context, web: ApplyResponse) -> None:
    proposal = patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Login")))
    tasks.update_task(ctx, "WEB-2", TaskUpdate(title="Sign-in"))

    shown = patch_sets.get_patch_set(ctx, proposal.id).preview
    with pytest.raises(ConcurrentUpdate):
        patch_sets.apply_proposal(ctx, proposal.id)
    fresh = patch_sets.rebase_patch_set(ctx, proposal.id)

    assert shown is not None
    assert [(c.base, c.current, c.proposed) for c in shown.conflicts] == [("Auth", "Sign-in", "Login")]
    assert patch_sets.get_patch_set(ctx, proposal.id).proposal.state is ProposalState.SUPERSEDED
    assert patch_sets.apply_proposal(ctx, fresh.id).revisions == {"WEB": 4}


def test_a_part_of_a_proposal_is_previewed_as_it_would_be_applied(ctx: Context, web: ApplyResponse) -> None:
    proposal = patch_sets.propose_patch_set(
        ctx, a_set(rename("WEB-2", "Login"), rename("WEB-3", "Paths"), rename("WEB-4", "Guide"))
    )

    part = patch_sets.get_patch_set(ctx, proposal.id, only=[0, 2]).preview
    rest = patch_sets.get_patch_set(ctx, proposal.id, only=[0, 2], first_change=1).preview
    applied = patch_sets.apply_proposal(ctx, proposal.id, only=[0, 2])

    assert part is not None
    assert rest is not None
    assert part.changes == applied.changes
    assert (rest.changes, rest.changes_total) == (applied.changes[1:], 2)
    with pytest.raises(PatchSetClosed):
        patch_sets.get_patch_set(ctx, proposal.id, only=[1])


def test_what_has_been_applied_is_not_proposed_again(ctx: Context, web: ApplyResponse) -> None:
    proposal = patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Login"), rename("WEB-3", "Paths")))
    patch_sets.apply_proposal(ctx, proposal.id, only=[0])

    with pytest.raises(PatchSetClosed):
        patch_sets.rebase_patch_set(ctx, proposal.id)


def test_what_has_been_closed_is_not_proposed_again(ctx: Context, web: ApplyResponse) -> None:
    rejected = patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Login")))
    patch_sets.reject_patch_set(ctx, rejected.id)
    older = patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Sign-in")))
    newer = patch_sets.rebase_patch_set(ctx, older.id)

    for closed, why in ((rejected, "was rejected by local"), (older, f"is superseded by {newer.id}")):
        with pytest.raises(PatchSetClosed, match=why):
            patch_sets.rebase_patch_set(ctx, closed.id)

    assert patch_sets.list_patch_sets(ctx, PatchSetQuery(state=["proposed"])).total == 1


def test_only_an_open_proposal_can_be_superseded(ctx: Context, web: ApplyResponse) -> None:
    older = patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Login")))
    patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Sign-in")), supersedes=older.id, dry_run=True)
    assert patch_sets.get_patch_set(ctx, older.id).proposal.state is ProposalState.PROPOSED, "a dry run closes nothing"
    patch_sets.reject_patch_set(ctx, older.id, reason="not now")

    for dry_run in (True, False):
        with pytest.raises(PatchSetClosed, match="rejected already by local: not now"):
            patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Sign-in")), supersedes=older.id, dry_run=dry_run)


def test_what_is_closed_says_what_became_of_it(ctx: Context, web: ApplyResponse) -> None:
    older, rejected, applied = (patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", title))) for title in ("A", "B", "C"))
    newer = patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "D")), supersedes=older.id)
    patch_sets.reject_patch_set(ctx, rejected.id)
    patch_sets.apply_proposal(ctx, applied.id)

    said = {
        older.id: f"superseded by {newer.id} already",
        rejected.id: "rejected already by local",
        applied.id: "applied already by local",
    }
    for closed, what in said.items():
        with pytest.raises(PatchSetClosed) as refused:
            patch_sets.reject_patch_set(ctx, closed, reason="another")
        assert refused.value.message == f"{closed} is {what}"


def test_whoever_may_not_apply_closes_only_own_proposals(orchestrator: Orchestrator, ctx: Context, web: ApplyResponse) -> None:
    scopes = frozenset({Scope.PROJECTS_READ, Scope.PATCHES_PROPOSE})
    guest = orchestrator.context(Principal(subject="guest", workspace="default", scopes=scopes))
    theirs = patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Login")))
    own = patch_sets.propose_patch_set(guest, a_set(rename("WEB-2", "Sign-in")))

    for dry_run in (True, False):
        with pytest.raises(Forbidden):
            patch_sets.reject_patch_set(guest, theirs.id, dry_run=dry_run)
        with pytest.raises(Forbidden):
            patch_sets.rebase_patch_set(guest, theirs.id, dry_run=dry_run)

    assert patch_sets.reject_patch_set(guest, own.id).proposal.state is ProposalState.REJECTED
    assert patch_sets.get_patch_set(ctx, theirs.id).proposal.state is ProposalState.PROPOSED


def test_a_dry_run_of_rejecting_shows_the_closed_proposal_and_leaves_it_open(ctx: Context, web: ApplyResponse) -> None:
    proposal = patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Login")))

    dry = patch_sets.reject_patch_set(ctx, proposal.id, reason="not now", dry_run=True)
    assert patch_sets.get_patch_set(ctx, proposal.id).proposal.state is ProposalState.PROPOSED

    assert dry == patch_sets.reject_patch_set(ctx, proposal.id, reason="not now")


def test_a_rejected_proposal_stays_closed(ctx: Context, web: ApplyResponse) -> None:
    proposal = patch_sets.propose_patch_set(ctx, a_set(rename("WEB-2", "Login")))

    rejected = patch_sets.reject_patch_set(ctx, proposal.id, reason="not now")
    again = patch_sets.reject_patch_set(ctx, proposal.id)

    assert rejected == again
    assert rejected.proposal.reason == "not now"
    with pytest.raises(PatchSetClosed):
        patch_sets.apply_proposal(ctx, proposal.id)


def test_an_unknown_patch_set_is_not_found(ctx: Context) -> None:
    with pytest.raises(NotFound):
        patch_sets.get_patch_set(ctx, ID)


@pytest.mark.parametrize("base", [{"WEB": 99}, {"NOPE": 1}, {"WEB": 0}])
def test_a_base_nobody_can_have_seen_is_refused(ctx: Context, web: ApplyResponse, base: dict[str, int]) -> None:
    with pytest.raises(InvalidPatch) as refusal:
        patch_sets.apply_patch_set(ctx, a_set(rename("WEB-2", "Login"), base_revisions=base))

    assert refusal.value.details[0].path == f"/base_revisions/{next(iter(base))}"


def test_whoever_may_only_propose_cannot_apply(orchestrator: Orchestrator, web: ApplyResponse) -> None:
    scopes = frozenset({Scope.PROJECTS_READ, Scope.PATCHES_PROPOSE})
    guest = orchestrator.context(Principal(subject="guest", workspace="default", scopes=scopes))
    proposal = patch_sets.propose_patch_set(guest, a_set(rename("WEB-2", "Login")))
    patch_sets.apply_patch_set(guest, a_set(rename("WEB-2", "Login")), dry_run=True)

    for attempt in (
        lambda: patch_sets.apply_proposal(guest, proposal.id),
        lambda: patch_sets.apply_patch_set(guest, a_set(rename("WEB-2", "Login"))),
        lambda: tasks.update_task(guest, "WEB-2", TaskUpdate(title="x")),
        lambda: claiming.claim_task(guest, project="WEB"),
    ):
        with pytest.raises(Forbidden):
            attempt()


def test_whoever_may_not_read_sees_no_patch_sets(orchestrator: Orchestrator, ctx: Context, web: ApplyResponse) -> None:
    writer = orchestrator.context(Principal(subject="writer", workspace="default", scopes=frozenset({Scope.PATCHES_APPLY})))
    set_id = web.patch_set_id or ""

    for attempt in (
        lambda: patch_sets.get_patch_set(writer, set_id),
        lambda: patch_sets.list_patch_sets(writer, PatchSetQuery()),
        lambda: patch_sets.validate_patch_set(writer, a_set(rename("WEB-2", "Login"))),
        lambda: patch_sets.propose_patch_set(writer, a_set(rename("WEB-2", "Login"))),
        lambda: patch_sets.reject_patch_set(writer, set_id),
        lambda: history.list_history(writer, "WEB", PatchSetQuery()),
        lambda: history.list_changes(writer, set_id),
        lambda: history.diff_revisions(writer, "WEB", from_revision=1),
    ):
        with pytest.raises(Forbidden):
            attempt()


def test_a_large_set_answers_with_a_first_page_of_changes(ctx: Context, web: ApplyResponse) -> None:
    patches = [{"op": "create_task", "project": "WEB", "fields": {"title": f"T{number}"}} for number in range(450)]

    answer = patch_sets.apply_patch_set(ctx, PatchSet(patches=patches))

    assert (len(answer.changes), answer.changes_total, answer.changes_next_cursor) == (200, 450, "200")
    titles = [change.title for change in answer.changes]
    cursor = answer.changes_next_cursor
    while cursor is not None:
        page = history.list_changes(ctx, answer.patch_set_id or "", cursor=cursor)
        titles += [change.title for change in page.changes]
        cursor = page.next_cursor
    assert titles == [f"T{number}" for number in range(450)]


def test_a_base_of_an_unknown_project_is_named_by_a_json_pointer(ctx: Context, web: ApplyResponse) -> None:
    with pytest.raises(InvalidPatch) as refusal:
        patch_sets.apply_patch_set(ctx, a_set(rename("WEB-2", "Login"), base_revisions={"a/b~c": 1}))

    assert refusal.value.details[0].path == "/base_revisions/a~1b~0c"


def test_a_project_has_one_base(ctx: Context, web: ApplyResponse) -> None:
    with pytest.raises(InvalidPatch) as refusal:
        patch_sets.apply_patch_set(ctx, a_set(rename("WEB-2", "Login"), base_revisions={"WEB": 2, "web": 2}))

    assert [(issue.path, issue.message) for issue in refusal.value.details] == [
        ("/base_revisions/web", "WEB and web are one project")
    ]


def test_a_base_is_named_by_sound_text() -> None:
    with pytest.raises(ValidationError):
        a_set(rename("WEB-2", "Login"), base_revisions={"a\0": 1})


def test_proposing_never_replaces_what_another_call_stored_meanwhile(
    ctx: Context, web: ApplyResponse, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposed = a_set(rename("WEB-2", "Login"), id=ID)
    name = "core.services.patch_sets.validation_answer"

    def overtaken(*arguments: Any) -> ValidationResponse:
        monkeypatch.setattr(name, validation_answer)
        patch_sets.apply_patch_set(ctx, a_set(rename("WEB-2", "Login"), id=ID))
        return validation_answer(*arguments)

    monkeypatch.setattr(name, overtaken)

    assert patch_sets.propose_patch_set(ctx, proposed).proposal.state is ProposalState.APPLIED


def test_a_refused_write_leaves_the_database_as_it_was(ctx: Context, web: ApplyResponse) -> None:
    sets = patch_sets.list_patch_sets(ctx, PatchSetQuery()).total

    with pytest.raises(DomainError):
        patch_sets.apply_patch_set(ctx, a_set(rename("WEB-2", "Login"), {"op": "delete_task", "task": "WEB-77"}))

    assert patch_sets.list_patch_sets(ctx, PatchSetQuery()).total == sets
    assert projects.get_project(ctx, "WEB").revision == 2
