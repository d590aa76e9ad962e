"""What the services answer about patch sets: from a plan just made, or from what is stored."""

from typing import Any

from core.patches.diff import render_diff
from core.patches.plan import Plan
from core.patches.snapshot import Snapshot
from core.storage.interface import PatchSetRecord, Transaction
from schemas.changes import ApplyResponse, PlanEffect, ValidationResponse
from schemas.patches import PatchSet, Proposal, StoredPatchSet

CHANGES_IN_ANSWER = 200


def as_patch_set(record: PatchSetRecord) -> PatchSet:
    return PatchSet(
        id=record.id,
        summary=record.summary,
        rationale=record.rationale,
        base_revisions=record.base_revisions,
        patches=record.patches,
    )


def stored_set(record: PatchSetRecord) -> StoredPatchSet:
    return StoredPatchSet(
        id=record.id,
        summary=record.summary,
        rationale=record.rationale,
        base_revisions=record.base_revisions,
        patches=record.patches,
        proposal=Proposal(
            state=record.state,
            hash=record.hash,
            engine=record.engine,
            author=record.author,
            created_at=record.created_at,
            closed_at=record.closed_at,
            closed_by=record.closed_by,
            reason=record.reason,
            seq=record.seq,
            applied_indexes=record.only,
            supersedes=record.supersedes,
            reverts=record.reverts,
            revisions=record.revisions,
        ),
    )


def revisions_of(result: Plan) -> dict[str, int]:
    effects = result.effects
    return {effects.project_keys[project_id]: after for project_id, (_, after) in effects.revisions.items()}


def _effect(result: Plan) -> dict[str, Any]:
    total = len(result.changes)
    return {
        "refs": result.refs,
        "changes": result.changes[:CHANGES_IN_ANSWER],
        "changes_total": total,
        "totals": result.totals,
        "diff": render_diff(result.changes),
    }


def _next_cursor(total: int) -> str | None:
    return str(CHANGES_IN_ANSWER) if total > CHANGES_IN_ANSWER else None


def apply_answer(result: Plan, *, patch_set_id: str | None) -> ApplyResponse:
    return ApplyResponse.model_construct(
        **_effect(result),
        changes_next_cursor=_next_cursor(len(result.changes)) if patch_set_id else None,
        patch_set_id=patch_set_id,
        revisions=revisions_of(result),
        warnings=result.warnings(),
        replayed=False,
    )


def applied_answer(tx: Transaction, record: PatchSetRecord) -> ApplyResponse:
    """Return the first answer of an applied set, rebuilt from its history."""
    changes = tx.list_changes(record.id, limit=max(record.changes_total, 1))
    effect = PlanEffect.model_construct(
        refs=record.refs,
        changes=changes[:CHANGES_IN_ANSWER],
        changes_total=record.changes_total,
        changes_next_cursor=_next_cursor(record.changes_total),
        totals=record.totals,
        diff=render_diff(changes),
    )
    return ApplyResponse.model_construct(
        **effect.__dict__, patch_set_id=record.id, revisions=record.revisions, warnings=record.warnings, replayed=False
    )


def validation_answer(snapshot: Snapshot, result: Plan) -> ValidationResponse:
    # of every project that is named, changed or not: what would change nothing today might undo something tomorrow
    bases = {project.key: snapshot.base.get(project_id, project.revision) for project_id, project in snapshot.projects.items()}
    return ValidationResponse.model_construct(
        **_effect(result),
        changes_next_cursor=None,
        valid=not result.errors() and not result.conflicts,
        issues=result.issues,
        conflicts=result.conflicts,
        base_revisions=bases,
    )
