"""Propose, preview, apply and reject patch sets.

Every write passes through `apply_in`: `projects`, `tasks` and the agents build a patch set and
call it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from core.collector import collector_paused
from core.context import Context, Scope
from core.errors import IdempotencyKeyReused, PatchSetClosed
from core.patches.plan import Plan
from core.services.answers import Preview, applied_answer, as_patch_set, receipt, stored_set, validation_answer
from core.services.applying import (
    Draft,
    System,
    apply_in,
    closed_unapplied,
    draft_of,
    draft_of_patches,
    preview_draft,
    record_of,
    refuse,
    runner,
    store_in,
    try_in,
)
from core.services.names import patch_set_named
from core.storage.interface import PatchSetRecord, Transaction
from schemas.changes import ApplyResponse, Receipt, ValidationResponse
from schemas.patches import PatchSet, PatchSetDetail, PatchSetListResponse, PatchSetQuery, ProposalState, StoredPatchSet
from schemas.usage import Usage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Written(Generic[T]):
    """The outcome of a write: the item as stored now, and a receipt; of a dry run no item, but the whole effect."""

    item: T | None
    effect: ApplyResponse | Receipt


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
    draft = draft_of(patch_set, only)
    return runner(ctx, dry_run)(lambda tx: apply_in(ctx, tx, draft, dry_run=dry_run))


def apply_proposal(ctx: Context, patch_set_id: str, *, only: Sequence[int] | None = None, dry_run: bool = False) -> ApplyResponse:
    """Apply a stored proposal, or the part of it that `only` names; exactly what was shown."""
    record = ctx.read(lambda tx: patch_set_named(tx, patch_set_id))
    return apply_patch_set(ctx, as_patch_set(record), only=only, dry_run=dry_run)


def write_patches(
    ctx: Context,
    build: Callable[[Transaction], list[dict[str, Any]]],
    *,
    summary: str,
    result: Callable[[Transaction, Plan], T],
    dry_run: bool = False,
    system: System | None = None,
) -> Written[T]:
    """Apply the patches that `build` makes inside the transaction, and read the outcome in it."""

    def work(tx: Transaction) -> Written[T]:
        draft = draft_of_patches(build(tx), summary, system=system)
        if dry_run:
            return Written(None, try_in(ctx, tx, draft))
        applied, record = store_in(ctx, tx, draft)
        return Written(result(tx, applied), receipt(record))

    return runner(ctx, dry_run)(work)


def apply_patches(
    ctx: Context, build: Callable[[Transaction], list[dict[str, Any]]], *, summary: str, dry_run: bool = False
) -> ApplyResponse:
    """Apply the patches that `build` makes inside the transaction, and return their whole effect."""
    return runner(ctx, dry_run)(lambda tx: apply_in(ctx, tx, draft_of_patches(build(tx), summary), dry_run=dry_run))


def whole_effect(ctx: Context, written: Written[Any]) -> ApplyResponse:
    """Return all that a write did, or would do."""
    effect = written.effect
    if isinstance(effect, ApplyResponse):
        return effect
    return ctx.read(lambda tx: applied_answer(tx, patch_set_named(tx, str(effect.patch_set_id))))


# -- propose and close


@collector_paused()
def validate_patch_set(ctx: Context, patch_set: PatchSet, *, only: Sequence[int] | None = None) -> ValidationResponse:
    """Return whether the set would be accepted now, every broken rule, and its exact effect; stores nothing."""
    ctx.principal.require(Scope.PATCHES_PROPOSE)
    draft = draft_of(patch_set, only)
    return validation_answer(ctx.read(lambda tx: preview_draft(ctx, tx, draft)))


@collector_paused()
def propose_patch_set(
    ctx: Context,
    patch_set: PatchSet,
    *,
    supersedes: str | None = None,
    engine: str = "caller",
    model: str | None = None,
    usage: Usage | None = None,
    dry_run: bool = False,
) -> PatchSetDetail:
    """Validate and store a proposal, bound to the revisions it was previewed on; changes no data.

    `dry_run` answers the proposal it would store, and stores nothing. The same id with equal patches returns the stored proposal.

    Raises:
        InvalidPatch, ConcurrentUpdate: as for applying; nothing is stored.
        IdempotencyKeyReused: the id was used for other content.
        PatchSetClosed: the proposal to supersede is not open any more.
    """
    ctx.principal.require(Scope.PATCHES_PROPOSE)
    draft = draft_of(patch_set, engine=engine, model=model, usage=usage)

    def look(tx: Transaction) -> tuple[PatchSetRecord | None, Preview]:
        stored = tx.find_patch_set(draft.id) if draft.id else None
        return stored, preview_draft(ctx, tx, draft)

    stored, preview = ctx.read(look)
    if stored is not None:
        return _same_proposal(ctx, stored, draft)
    refuse(preview.plan)
    validation = validation_answer(preview)
    record = replace(
        record_of(ctx, draft, preview.snapshot, None), supersedes=supersedes, base_revisions=validation.base_revisions
    )
    if dry_run:
        if supersedes is not None:
            ctx.read(lambda tx: _superseded(ctx, patch_set_named(tx, supersedes), record))
        return PatchSetDetail(**stored_set(record).__dict__, preview=validation)

    def work(tx: Transaction) -> PatchSetRecord | None:
        stored = tx.find_patch_set(record.id, lock=True) if draft.id else None
        if stored is not None:  # another call with this id came between
            return stored
        older = None if supersedes is None else _superseded(ctx, patch_set_named(tx, supersedes, lock=True), record)
        tx.lock_projects(projects=record.base_revisions)  # in the order in which an apply of this id takes its locks
        if older is not None:
            tx.save_proposal(older)
        tx.save_proposal(record)
        return None

    stored = ctx.write(work)
    if stored is not None:
        return _same_proposal(ctx, stored, draft)
    return PatchSetDetail(**stored_set(record).__dict__, preview=validation)


def _same_proposal(ctx: Context, stored: PatchSetRecord, draft: Draft) -> PatchSetDetail:
    if stored.hash != draft.hash:
        raise IdempotencyKeyReused(hint=f"{stored.id} holds other patches; leave the id out to get a new one")
    return _shown(ctx, stored.id)  # whoever may propose may see that proposal again


def rebase_patch_set(ctx: Context, patch_set_id: str, *, dry_run: bool = False) -> PatchSetDetail:
    """Propose the same patches on today's state, superseding the old proposal.

    Raises:
        PatchSetClosed: it is not open any more; proposing it again could do everything twice.
        InvalidPatch: it breaks a rule on today's state.
    """
    record = ctx.read(lambda tx: patch_set_named(tx, patch_set_id))
    if record.state is ProposalState.APPLIED:
        raise PatchSetClosed(f"{record.id} has been applied", hint="propose what is still to be done as a new patch set")
    if record.state is not ProposalState.PROPOSED:
        raise closed_unapplied(record)
    fresh = PatchSet(summary=record.summary, rationale=record.rationale, patches=record.patches)
    return propose_patch_set(ctx, fresh, supersedes=record.id, engine=record.engine, model=record.model, dry_run=dry_run)


def reject_patch_set(ctx: Context, patch_set_id: str, *, reason: str = "", dry_run: bool = False) -> StoredPatchSet:
    """Close a proposal without applying it; rejecting twice is the same as once, unless the reasons differ.

    Raises Forbidden for somebody else's proposal, unless the caller may apply.
    """
    ctx.principal.require(Scope.PATCHES_PROPOSE)

    def work(tx: Transaction) -> PatchSetRecord:
        record = patch_set_named(tx, patch_set_id, lock=not dry_run)
        if record.state is ProposalState.REJECTED and reason in ("", record.reason):
            return record
        closed = _closed(ctx, _still_open(record), ProposalState.REJECTED, reason)
        if not dry_run:
            tx.save_proposal(closed)
        return closed

    return stored_set((ctx.read if dry_run else ctx.write)(work))


# -- read


@collector_paused()
def get_patch_set(ctx: Context, patch_set_id: str, *, only: Sequence[int] | None = None, first_change: int = 0) -> PatchSetDetail:
    """Return a stored set with its preview on today's state (while proposed) or its effect (once applied).

    `only` previews that part of a proposal; its list of changes, of which one answer holds 200, begins at `first_change`.

    Raises:
        PatchSetClosed: a part is asked for of a set that is not open any more.
    """
    ctx.principal.require(Scope.PROJECTS_READ)
    return _shown(ctx, patch_set_id, only, first_change)


def _shown(ctx: Context, patch_set_id: str, only: Sequence[int] | None = None, first_change: int = 0) -> PatchSetDetail:
    def work(tx: Transaction) -> tuple[PatchSetRecord, ApplyResponse | Preview | None]:
        record = patch_set_named(tx, patch_set_id)
        if record.state is ProposalState.APPLIED:
            return record, applied_answer(tx, record)
        if record.state is ProposalState.PROPOSED:
            return record, preview_draft(ctx, tx, draft_of(as_patch_set(record), only))
        return record, None

    record, effect = ctx.read(work)
    if only is not None and record.state is not ProposalState.PROPOSED:
        raise PatchSetClosed(f"{record.id} is {record.state} already", hint="a part can be previewed of an open proposal only")
    stored = stored_set(record)
    if effect is None:
        return PatchSetDetail(**stored.__dict__)
    if isinstance(effect, ApplyResponse):
        return PatchSetDetail(**stored.__dict__, applied=effect)
    preview = validation_answer(effect, first=first_change)
    proposal = stored.proposal.model_copy(update={"stale": only is None and not preview.valid})
    return PatchSetDetail(**stored.__dict__ | {"proposal": proposal}, preview=preview)


def list_patch_sets(ctx: Context, query: PatchSetQuery) -> PatchSetListResponse:
    """Return proposals and applied sets, newest first."""
    ctx.principal.require(Scope.PROJECTS_READ)
    return ctx.read(lambda tx: tx.list_patch_sets(query))


def _superseded(ctx: Context, older: PatchSetRecord, newer: PatchSetRecord) -> PatchSetRecord:
    return _closed(ctx, _still_open(older), ProposalState.SUPERSEDED, f"superseded by {newer.id}")


def _still_open(record: PatchSetRecord) -> PatchSetRecord:
    if record.state is ProposalState.SUPERSEDED:
        raise PatchSetClosed(f"{record.id} is {record.reason} already", hint="go on with the newer proposal")
    if record.state is not ProposalState.PROPOSED:
        why = f": {record.reason}" if record.reason else ""
        message = f"{record.id} is {record.state} already by {record.closed_by}{why}"
        raise PatchSetClosed(message, hint="only an open proposal can be closed")
    return record


def _closed(ctx: Context, record: PatchSetRecord, state: ProposalState, reason: str) -> PatchSetRecord:
    if record.author != ctx.principal.subject:
        ctx.principal.require(Scope.PATCHES_APPLY)
    return replace(record, state=state, reason=reason, closed_at=ctx.now, closed_by=ctx.principal.subject)
