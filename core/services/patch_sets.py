"""Propose, preview, apply, reject and revert patch sets.

Every write passes through `apply_in`: `projects`, `tasks` and the agents build a patch set and
call it. That is why history, undo and rules are complete without effort.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from core.collector import collector_paused
from core.context import Context, Scope
from core.errors import (
    ConcurrentUpdate,
    IdempotencyKeyReused,
    InvalidCursor,
    InvalidPatch,
    NotFound,
    PatchSetClosed,
    conflict_issue,
)
from core.fingerprint import normalise, patches_hash
from core.patches.needs import needs_of
from core.patches.parse import ParsedPatches, parse_patches
from core.patches.plan import Plan, plan
from core.patches.snapshot import Snapshot
from core.services.answers import applied_answer, apply_answer, as_patch_set, revisions_of, stored_set, validation_answer
from core.storage.interface import PatchSetRecord, Transaction
from schemas.changes import ApplyResponse, ChangeListResponse, ValidationResponse
from schemas.errors import ErrorCode, Issue
from schemas.patches import (
    PatchSet,
    PatchSetDetail,
    PatchSetListResponse,
    PatchSetQuery,
    ProposalState,
    StoredPatchSet,
)
from schemas.violations import pointer

RESTORED_INSTANTS = ("completed_at", "claim_expires_at")

T = TypeVar("T")
System = Mapping[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Written(Generic[T]):
    """The outcome of a write: the item as stored now (None in a dry run), and the effect."""

    item: T | None
    effect: ApplyResponse


@dataclass(frozen=True, slots=True)
class _Draft:
    """A patch set ready to be planned: parsed once, outside any transaction."""

    id: str | None
    summary: str
    rationale: str
    base_revisions: dict[str, int]
    patches: list[Any]  # normalised
    hash: str
    parsed: ParsedPatches
    only: list[int] | None
    engine: str = "caller"
    reverts: tuple[str, ...] = ()
    system: System | None = None

    @property
    def selection(self) -> ParsedPatches:
        return self.parsed if self.only is None else self.parsed.select(self.only, len(self.patches))


def _draft(patch_set: PatchSet, only: Sequence[int] | None = None, **more: Any) -> _Draft:
    parsed = parse_patches(patch_set.patches)
    patches = normalise(parsed, patch_set.patches)
    return _Draft(
        id=patch_set.id,
        summary=patch_set.summary,
        rationale=patch_set.rationale,
        base_revisions=dict(patch_set.base_revisions),
        patches=patches,
        hash=patches_hash(patches) if not parsed.issues else "",
        parsed=parsed,
        only=None if only is None else sorted(set(only)),
        **more,
    )


# -- apply


@collector_paused()
def apply_patch_set(
    ctx: Context, patch_set: PatchSet, *, only: Sequence[int] | None = None, dry_run: bool = False
) -> ApplyResponse:
    """Apply every patch of the set (those in `only`, if given), or none.

    Linear in patches and touched rows, whatever the project's size. `dry_run` computes the same
    answer and stores nothing. The id of a stored proposal with equal patches applies that proposal;
    a set applied before returns its first answer.

    Raises:
        ConcurrentUpdate: something the set touches has changed since `base_revisions`.
        InvalidPatch: at least one rule is broken; `details` lists all of them.
        IdempotencyKeyReused: the id was used for other content.
        PatchSetClosed: the proposal of this id was rejected, superseded, or applied in another selection.
    """
    draft = _draft(patch_set, only)
    return _run(ctx, dry_run)(lambda tx: apply_in(ctx, tx, draft, dry_run=dry_run))


def apply_proposal(ctx: Context, patch_set_id: str, *, only: Sequence[int] | None = None, dry_run: bool = False) -> ApplyResponse:
    """Apply a stored proposal, or the part of it that `only` names; exactly what was shown."""
    record = ctx.read(lambda tx: _find(tx, patch_set_id))
    return apply_patch_set(ctx, as_patch_set(record), only=only, dry_run=dry_run)


def write_patches(
    ctx: Context,
    build: Callable[[Transaction], list[dict[str, Any]]],
    *,
    summary: str,
    result: Callable[[Transaction, ApplyResponse], T],
    dry_run: bool = False,
    system: System | None = None,
) -> Written[T]:
    """Apply the patches that `build` makes inside the transaction, and read the outcome in it."""

    def work(tx: Transaction) -> Written[T]:
        patches = build(tx)
        draft = _draft(PatchSet(summary=summary, patches=patches), system=system)
        effect = apply_in(ctx, tx, draft, dry_run=dry_run)
        return Written(None if dry_run else result(tx, effect), effect)

    return _run(ctx, dry_run)(work)


def _run(ctx: Context, dry_run: bool) -> Callable[[Callable[[Transaction], T]], T]:
    ctx.principal.require(Scope.PATCHES_PROPOSE if dry_run else Scope.PATCHES_APPLY)
    return ctx.read if dry_run else ctx.write


def apply_in(ctx: Context, tx: Transaction, draft: _Draft, *, dry_run: bool) -> ApplyResponse:
    """Plan and store a draft inside a transaction. May be run again, so it has no side effects."""
    stored = tx.find_patch_set(draft.id, lock=not dry_run) if draft.id else None
    if stored is not None:
        if stored.state is ProposalState.APPLIED:
            return _replay(tx, stored, draft)
        draft = _accept(stored, draft)
    snapshot, result = _plan(ctx, tx, draft, preview=dry_run)
    _refuse(result)
    if dry_run:
        return apply_answer(result, patch_set_id=None)
    record = _record(ctx, draft, snapshot, stored)
    record = replace(
        record,
        state=ProposalState.APPLIED,
        closed_at=ctx.now,
        closed_by=ctx.principal.subject,
        only=draft.only,
        inverse=result.inverse,
        restore=result.restore,
        refs=result.refs,
        totals=result.totals,
        changes_total=len(result.changes),
        warnings=result.warnings(),
        revisions=revisions_of(result),
    )
    record = tx.save_plan(record, result)
    return apply_answer(result, patch_set_id=record.id)


def _accept(stored: PatchSetRecord, draft: _Draft) -> _Draft:
    """Return the draft as its stored proposal, or refuse it."""
    if stored.hash != draft.hash:
        raise IdempotencyKeyReused(hint=f"{stored.id} holds other patches; leave the id out, or send them unchanged")
    if stored.state is not ProposalState.PROPOSED:
        raise PatchSetClosed(
            f"{stored.id} is {stored.state}; propose a new one", hint="rebase makes a fresh proposal of the same patches"
        )
    return replace(
        draft,
        summary=stored.summary,
        rationale=stored.rationale,
        base_revisions=stored.base_revisions,
        engine=stored.engine,
        reverts=tuple(stored.reverts),
    )


def _replay(tx: Transaction, stored: PatchSetRecord, draft: _Draft) -> ApplyResponse:
    if stored.hash != draft.hash:
        raise IdempotencyKeyReused(hint=f"{stored.id} was applied with other patches; use a new id")
    if stored.only != draft.only:
        raise PatchSetClosed(
            f"{stored.id} has been applied with another selection of patches", hint="propose the remaining patches anew"
        )
    return applied_answer(tx, stored).model_copy(update={"replayed": True})


def _plan(ctx: Context, tx: Transaction, draft: _Draft, *, preview: bool) -> tuple[Snapshot, Plan]:
    selection = draft.selection
    snapshot = tx.load_snapshot(needs_of(selection, draft.base_revisions))
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
    result.issues[:0] = _base_issues(snapshot, draft.base_revisions)
    return snapshot, result


def _base_issues(snapshot: Snapshot, base_revisions: Mapping[str, int]) -> list[Issue]:
    found = []
    for name, revision in base_revisions.items():
        path = pointer(["base_revisions", name])
        project_id = snapshot.project_names.get(name)
        if project_id is None:
            found.append(Issue(path=path, code=ErrorCode.NOT_FOUND, message=f"there is no project {name!r}"))
        elif revision > snapshot.projects[project_id].revision:
            current = snapshot.projects[project_id].revision
            message = f"{name} is at revision {current}, so {revision} cannot have been seen"
            found.append(Issue(path=path, code=ErrorCode.VALIDATION_ERROR, message=message, hint=f"use {current}"))
    return found


def _refuse(result: Plan) -> None:
    """Raise what blocks a plan; conflicts decide the code only when nothing else is wrong."""
    errors = result.errors()
    if errors:
        refusal = InvalidPatch(errors)
        refusal.details += [conflict_issue(conflict) for conflict in result.conflicts]
        raise refusal
    if result.conflicts:
        raise ConcurrentUpdate(result.conflicts)


# -- propose and close


@collector_paused()
def validate_patch_set(ctx: Context, patch_set: PatchSet, *, only: Sequence[int] | None = None) -> ValidationResponse:
    """Return whether the set would be accepted now, every broken rule, and its exact effect; stores nothing."""
    ctx.principal.require(Scope.PATCHES_PROPOSE)
    draft = _draft(patch_set, only)
    return ctx.read(lambda tx: validation_answer(*_plan(ctx, tx, draft, preview=True)))


@collector_paused()
def propose_patch_set(
    ctx: Context, patch_set: PatchSet, *, supersedes: str | None = None, engine: str = "caller"
) -> PatchSetDetail:
    """Validate and store a proposal, bound to the revisions it was previewed on; changes no data.

    The same id with equal patches returns the stored proposal.

    Raises:
        InvalidPatch, ConcurrentUpdate: as for applying; nothing is stored.
        IdempotencyKeyReused: the id was used for other content.
        PatchSetClosed: the proposal to supersede is not open any more.
    """
    ctx.principal.require(Scope.PATCHES_PROPOSE)
    draft = _draft(patch_set, engine=engine)

    def preview(tx: Transaction) -> tuple[PatchSetRecord | None, Snapshot, Plan]:
        stored = tx.find_patch_set(draft.id) if draft.id else None
        return stored, *_plan(ctx, tx, draft, preview=True)

    stored, snapshot, result = ctx.read(preview)
    if stored is not None:
        return _same_proposal(ctx, stored, draft)
    _refuse(result)
    validation = validation_answer(snapshot, result)
    record = replace(_record(ctx, draft, snapshot, None), supersedes=supersedes, base_revisions=validation.base_revisions)

    def work(tx: Transaction) -> PatchSetRecord | None:
        stored = tx.find_patch_set(record.id, lock=True) if draft.id else None
        if stored is not None:  # another call with this id came between
            return stored
        if supersedes is not None:
            older = _open(tx, supersedes)
            tx.save_proposal(_closed(ctx, older, ProposalState.SUPERSEDED, f"superseded by {record.id}"))
        tx.save_proposal(record)
        return None

    stored = ctx.write(work)
    if stored is not None:
        return _same_proposal(ctx, stored, draft)
    return PatchSetDetail(**stored_set(record).__dict__, preview=validation)


def _same_proposal(ctx: Context, stored: PatchSetRecord, draft: _Draft) -> PatchSetDetail:
    if stored.hash != draft.hash:
        raise IdempotencyKeyReused(hint=f"{stored.id} holds other patches; leave the id out to get a new one")
    return get_patch_set(ctx, stored.id)


def rebase_patch_set(ctx: Context, patch_set_id: str) -> PatchSetDetail:
    """Propose the same patches on today's state, superseding the old proposal.

    Raises:
        PatchSetClosed: it has been applied; proposing it again would do everything twice.
        InvalidPatch: it breaks a rule on today's state.
    """
    record = ctx.read(lambda tx: _find(tx, patch_set_id))
    if record.state is ProposalState.APPLIED:
        raise PatchSetClosed(f"{record.id} has been applied", hint="propose what is still to be done as a new patch set")
    fresh = PatchSet(summary=record.summary, rationale=record.rationale, patches=record.patches)
    open_one = record.id if record.state is ProposalState.PROPOSED else None
    return propose_patch_set(ctx, fresh, supersedes=open_one, engine=record.engine)


def reject_patch_set(ctx: Context, patch_set_id: str, *, reason: str = "") -> StoredPatchSet:
    """Close a proposal without applying it; rejecting twice is the same as once."""
    ctx.principal.require(Scope.PATCHES_PROPOSE)

    def work(tx: Transaction) -> PatchSetRecord:
        record = _find(tx, patch_set_id, lock=True)
        if record.state is ProposalState.REJECTED:
            return record
        closed = _closed(ctx, _still_open(record), ProposalState.REJECTED, reason)
        tx.save_proposal(closed)
        return closed

    return stored_set(ctx.write(work))


@collector_paused()
def revert_patch_set(ctx: Context, patch_set_id: str, *, dry_run: bool = False) -> ApplyResponse:
    """Apply the inverse of an applied set as a new set; history only grows.

    Raises:
        ConcurrentUpdate: what it would put back has been changed since.
        PatchSetClosed: the set has not been applied.
        InvalidPatch: nothing in it can be undone (it only commented), or others have built on it.
    """
    run = _run(ctx, dry_run)
    record = ctx.read(lambda tx: _find(tx, patch_set_id))
    if record.state is not ProposalState.APPLIED:
        raise PatchSetClosed(f"{record.id} is {record.state}; only an applied patch set can be reverted")
    if not record.inverse:
        message = "this patch set changed nothing that can be undone"
        raise InvalidPatch(
            [
                Issue(
                    code=ErrorCode.INVALID_PATCH,
                    message=message,
                    hint="comments stay, and what a set both creates and deletes is gone already",
                )
            ]
        )
    inverse = PatchSet(
        summary=f"Revert: {record.summary or record.id}"[:500], base_revisions=record.revisions, patches=record.inverse
    )
    draft = _draft(inverse, reverts=(record.id,), system=_system_fields(record))
    return run(lambda tx: apply_in(ctx, tx, draft, dry_run=dry_run))


def _system_fields(record: PatchSetRecord) -> System:
    fields: dict[int, dict[str, Any]] = {}
    for index, stored in (record.restore or {}).items():
        fields[int(index)] = {
            name: datetime.fromisoformat(value) if name in RESTORED_INSTANTS and value is not None else value
            for name, value in stored.items()
        }
    return fields


# -- read


@collector_paused()
def get_patch_set(ctx: Context, patch_set_id: str) -> PatchSetDetail:
    """Return a stored set with its preview on today's state (while proposed) or its effect (once applied)."""
    ctx.principal.require(Scope.PROJECTS_READ)

    def work(tx: Transaction) -> PatchSetDetail:
        record = _find(tx, patch_set_id)
        stored = stored_set(record).__dict__
        if record.state is ProposalState.APPLIED:
            return PatchSetDetail(**stored, applied=applied_answer(tx, record))
        if record.state is not ProposalState.PROPOSED:
            return PatchSetDetail(**stored)
        draft = _draft(as_patch_set(record))
        return PatchSetDetail(**stored, preview=validation_answer(*_plan(ctx, tx, draft, preview=True)))

    return ctx.read(work)


def list_patch_sets(ctx: Context, query: PatchSetQuery) -> PatchSetListResponse:
    """Return proposals and applied sets, newest first."""
    ctx.principal.require(Scope.PROJECTS_READ)
    return ctx.read(lambda tx: tx.list_patch_sets(query))


def list_history(ctx: Context, project: str, query: PatchSetQuery) -> PatchSetListResponse:
    """Return the applied sets that touched a project, newest first."""
    ctx.principal.require(Scope.PROJECTS_READ)

    def work(tx: Transaction) -> PatchSetListResponse:
        if tx.find_project(project) is None:
            raise unknown_project(tx, project)
        return tx.list_patch_sets(query.model_copy(update={"project": project, "state": [ProposalState.APPLIED]}))

    return ctx.read(work)


def list_changes(ctx: Context, patch_set_id: str, *, cursor: str | None = None, per_page: int = 100) -> ChangeListResponse:
    """Return the changes of an applied set, in the order its answer shows them."""
    ctx.principal.require(Scope.PROJECTS_READ)
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise InvalidCursor()
    after = int(cursor or 0)

    def work(tx: Transaction) -> ChangeListResponse:
        total = tx.count_changes(patch_set_id)
        if total is None:
            raise _unknown_patch_set(patch_set_id)
        changes = tx.list_changes(patch_set_id, after=after, limit=per_page)
        end = after + len(changes)
        more = end < total
        return ChangeListResponse(
            changes=changes,
            total=total,
            page=None,
            per_page=per_page,
            has_next=more,
            has_prev=after > 0,
            next_cursor=str(end) if more else None,
        )

    return ctx.read(work)


def unknown_project(tx: Transaction, name: str) -> NotFound:
    nearest = tx.suggest_projects(name)
    return NotFound(f"there is no project {name!r}", hint=f"nearest: {', '.join(nearest)}" if nearest else "list the projects")


def _find(tx: Transaction, patch_set_id: str, *, lock: bool = False) -> PatchSetRecord:
    record = tx.find_patch_set(patch_set_id, lock=lock)
    if record is None:
        raise _unknown_patch_set(patch_set_id)
    return record


def _unknown_patch_set(patch_set_id: str) -> NotFound:
    return NotFound(f"there is no patch set {patch_set_id!r}", hint="list the patch sets to see which exist")


def _open(tx: Transaction, patch_set_id: str) -> PatchSetRecord:
    return _still_open(_find(tx, patch_set_id, lock=True))


def _still_open(record: PatchSetRecord) -> PatchSetRecord:
    if record.state is not ProposalState.PROPOSED:
        raise PatchSetClosed(f"{record.id} is {record.state} already", hint="only an open proposal can be closed")
    return record


def _closed(ctx: Context, record: PatchSetRecord, state: ProposalState, reason: str) -> PatchSetRecord:
    return replace(record, state=state, reason=reason, closed_at=ctx.now, closed_by=ctx.principal.subject)


def _record(ctx: Context, draft: _Draft, snapshot: Snapshot, stored: PatchSetRecord | None) -> PatchSetRecord:
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
        author=stored.author if stored else ctx.principal.subject,
        created_at=stored.created_at if stored else ctx.now,
        supersedes=stored.supersedes if stored else None,
        reverts=list(draft.reverts),
    )
