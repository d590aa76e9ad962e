"""Plan a draft and store it, inside one transaction: the way every write takes.

That is why history, undo and rules are complete without effort.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from core.context import Context, Scope
from core.errors import ConcurrentUpdate, IdempotencyKeyReused, InvalidPatch, PatchSetClosed, conflict_issue
from core.fingerprint import normalise, patches_hash
from core.patches.needs import needs_of
from core.patches.outlook import rescheduled_projects
from core.patches.parse import ParsedPatches, parse_patches
from core.patches.plan import Plan, plan
from core.patches.ranking import LightProject
from core.patches.schedule import MAX_TASKS
from core.patches.snapshot import Snapshot
from core.services.answers import Preview, applied_answer, apply_answer, dry_run_answer
from core.services.places import tell_places_of_today, with_named_places
from core.storage.interface import PatchSetRecord, Transaction
from schemas.changes import ApplyResponse
from schemas.errors import ErrorCode, Issue
from schemas.patches import PatchSet, ProposalState
from schemas.usage import Usage
from schemas.violations import pointer

T = TypeVar("T")
System = Mapping[int, dict[str, Any]]  # by patch index: fields that only a revert or a claim may set


@dataclass(slots=True)  # not frozen: that would take three times as long, for each write
class Draft:
    """A patch set ready to be planned: parsed once, outside any transaction."""

    patches: list[Any]  # normalised
    hash: str
    parsed: ParsedPatches
    summary: str
    id: str | None = None
    rationale: str = ""
    base_revisions: Mapping[str, int] = field(default_factory=dict)
    only: list[int] | None = None
    engine: str = "caller"
    model: str | None = None
    usage: Usage | None = None
    reverts: tuple[str, ...] = ()
    system: System | None = None
    notes: tuple[Issue, ...] = ()  # warnings about the set as a whole

    @property
    def selection(self) -> ParsedPatches:
        return self.parsed if self.only is None else self.parsed.select(self.only, len(self.patches))

    @property
    def left_out(self) -> list[Issue]:
        """What is wrong with the form of patches that are not selected: the set is stored, and known, by all of them."""
        if self.only is None:
            return []
        return [issue for issue in self.parsed.issues if issue.patch_index not in self.only]


def draft_of(patch_set: PatchSet, only: Sequence[int] | None = None, **more: Any) -> Draft:
    return draft_of_patches(
        patch_set.patches,
        patch_set.summary,
        id=patch_set.id,
        rationale=patch_set.rationale,
        base_revisions=patch_set.base_revisions,
        only=None if only is None else sorted(set(only)),
        **more,
    )


def draft_of_patches(raw: Sequence[Any], summary: str, **more: Any) -> Draft:
    parsed = parse_patches(raw)
    patches = normalise(parsed, raw)
    return Draft(patches, patches_hash(patches) if not parsed.issues else "", parsed, summary, **more)


def runner(ctx: Context, dry_run: bool) -> Callable[[Callable[[Transaction], T]], T]:
    ctx.principal.require(Scope.PATCHES_PROPOSE if dry_run else Scope.PATCHES_APPLY)
    return ctx.read if dry_run else ctx.write


def apply_in(ctx: Context, tx: Transaction, draft: Draft, *, dry_run: bool) -> ApplyResponse:
    """Plan and store a draft inside a transaction. May be run again, so it has no side effects."""
    stored = tx.find_patch_set(draft.id, lock=not dry_run) if draft.id else None
    if stored is not None:
        if stored.state is ProposalState.APPLIED:
            return _replay(tx, stored, draft)
        draft = _accept(stored, draft)
    if dry_run:
        return try_in(ctx, tx, draft, stored)
    return apply_answer(*store_in(ctx, tx, draft, stored))


def try_in(ctx: Context, tx: Transaction, draft: Draft, proposal: PatchSetRecord | None = None) -> ApplyResponse:
    """Return what `apply_in` would answer, and store nothing."""
    preview = preview_draft(ctx, tx, draft)
    refuse(preview.plan, proposal=proposal)
    return dry_run_answer(preview)


def store_in(ctx: Context, tx: Transaction, draft: Draft, proposal: PatchSetRecord | None = None) -> tuple[Plan, PatchSetRecord]:
    """Plan a draft, that of a stored proposal perhaps, and store it."""
    snapshot, result = plan_draft(ctx, tx, draft, preview=False)
    refuse(result, proposal=proposal)
    record = record_of(ctx, draft, snapshot, proposal)
    record.closed_at, record.closed_by, record.approval = ctx.now, ctx.principal.subject, ctx.approval
    record.only, record.warnings = draft.only, result.warnings()
    return result, tx.save_plan(record, result)


def _accept(stored: PatchSetRecord, draft: Draft) -> Draft:
    """Return the draft as its stored proposal, or refuse it."""
    if stored.hash != draft.hash:
        raise IdempotencyKeyReused(hint=f"{stored.id} holds other patches; leave the id out, or send them unchanged")
    if stored.state is not ProposalState.PROPOSED:
        raise closed_unapplied(stored)
    return replace(
        draft,
        summary=stored.summary,
        rationale=stored.rationale,
        base_revisions=stored.base_revisions,
        engine=stored.engine,
        model=stored.model,
        usage=stored.usage,
        reverts=tuple(stored.reverts),
    )


def closed_unapplied(record: PatchSetRecord) -> PatchSetClosed:
    """Return the refusal of what needs an open proposal, for one that was rejected or superseded."""
    if record.state is ProposalState.SUPERSEDED:
        return PatchSetClosed(f"{record.id} is {record.reason}", hint="go on with the newer proposal")
    return PatchSetClosed(f"{record.id} was rejected by {record.closed_by}", hint="propose its patches as a new patch set")


def _replay(tx: Transaction, stored: PatchSetRecord, draft: Draft) -> ApplyResponse:
    if stored.hash != draft.hash:
        raise IdempotencyKeyReused(hint=f"{stored.id} was applied with other patches; use a new id")
    if stored.only != draft.only:
        raise PatchSetClosed(
            f"{stored.id} has been applied with another selection of patches", hint="propose the remaining patches anew"
        )
    return applied_answer(tx, stored).model_copy(update={"replayed": True})


def preview_draft(ctx: Context, tx: Transaction, draft: Draft) -> Preview:
    """Plan a draft, and look at the projects whose critical path it may change, as far as their size allows."""
    ctx.expect_rows(len(draft.patches))
    snapshot, result = plan_draft(ctx, tx, draft, preview=True)
    stored: dict[str, LightProject | None] = {}
    for project in [] if result.conflicts else rescheduled_projects(result):
        before = snapshot.projects.get(project.id)
        if max(project.task_count, before.task_count if before else 0) > MAX_TASKS:
            stored[project.id] = None
        elif before is None:
            stored[project.id] = LightProject([], [])
        else:
            ctx.expect_rows(before.task_count)
            stored[project.id] = tx.light_project(project.id)
    return Preview(snapshot, result, stored)


def plan_draft(ctx: Context, tx: Transaction, draft: Draft, *, preview: bool) -> tuple[Snapshot, Plan]:
    selection = draft.selection
    snapshot = tx.load_snapshot(needs_of(selection, draft.base_revisions))
    tell_places_of_today(tx, snapshot)
    result = plan(
        snapshot,
        selection,
        ids=ctx.ids,
        now=ctx.now,
        author=ctx.principal.subject,
        max_depth=ctx.settings.max_task_depth,
        preview=preview,
        system=draft.system,
    )
    wrong_bases = _base_issues(snapshot, draft.base_revisions) if draft.base_revisions else []
    result.issues = wrong_bases + draft.left_out + result.issues + list(draft.notes)
    result.conflicts = [  # with what nobody has seen nothing can be compared
        with_named_places(tx, snapshot, conflict) if conflict.field == "position" else conflict
        for conflict in ([] if wrong_bases else result.conflicts)
    ]
    return snapshot, result


def _base_issues(snapshot: Snapshot, base_revisions: Mapping[str, int]) -> list[Issue]:
    found: list[Issue] = []
    named: dict[str, str] = {}  # project id -> the name it was given by

    def wrong(name: str, message: str, hint: str, code: ErrorCode = ErrorCode.VALIDATION_ERROR) -> None:
        found.append(Issue(path=pointer(["base_revisions", name]), code=code, message=message, hint=hint))

    for name, revision in base_revisions.items():
        project_id = snapshot.project_names.get(name)
        if project_id is None:
            wrong(name, f"there is no project {name!r}", "name a project by its key or id", ErrorCode.NOT_FOUND)
            continue
        current = snapshot.projects[project_id].revision
        if project_id in named:
            wrong(name, f"{named[project_id]} and {name} are one project", "give its revision once")
        elif revision < 1:
            wrong(name, f"{revision} is no revision; the first is 1", f"{name} is at revision {current}")
        elif revision > current:
            wrong(name, f"{name} is at revision {current}, so {revision} cannot have been seen", f"use {current}")
        named.setdefault(project_id, name)
    return found


def refuse(result: Plan, *, proposal: PatchSetRecord | None = None) -> None:
    """Raise what blocks a plan; conflicts decide the code only when nothing else is wrong."""
    errors = result.errors()
    if errors:
        refusal = InvalidPatch(errors)
        refusal.details += [conflict_issue(conflict) for conflict in result.conflicts]
        raise refusal
    if result.conflicts:
        raise ConcurrentUpdate(result.conflicts, proposal=proposal.id if proposal else None)


def record_of(ctx: Context, draft: Draft, snapshot: Snapshot, stored: PatchSetRecord | None) -> PatchSetRecord:
    """Return the row of a draft; a stored proposal keeps its author and its time."""
    return PatchSetRecord(
        id=draft.id or ctx.ids.new_patch_set_id(),
        summary=draft.summary,
        rationale=draft.rationale,
        base_revisions={snapshot.projects[project_id].key: revision for project_id, revision in snapshot.base.items()},
        patches=draft.patches,
        hash=draft.hash,
        state=ProposalState.PROPOSED,
        engine=draft.engine,
        model=draft.model,
        usage=draft.usage,
        author=stored.author if stored else ctx.principal.subject,
        created_at=stored.created_at if stored else ctx.now,
        supersedes=stored.supersedes if stored else None,
        reverts=list(draft.reverts),
    )
