"""What the services answer about patch sets: from a plan just made, or from what is stored."""

from dataclasses import dataclass
from typing import Any

from core.patches.diff import render_diff
from core.patches.outlook import critical_path_change
from core.patches.plan import Plan
from core.patches.ranking import LightProject
from core.patches.schedule import MAX_TASKS
from core.patches.snapshot import Snapshot
from core.storage.interface import PatchSetRecord, Transaction
from schemas.changes import ApplyResponse, CriticalPathChange, PlanEffect, Receipt, ValidationResponse
from schemas.errors import ErrorCode, Issue, Severity
from schemas.patches import PatchSet, Proposal, StoredPatchSet

CHANGES_IN_ANSWER = 200


@dataclass(frozen=True, slots=True)
class Preview:
    """A plan that is not stored, and what its critical paths are computed from, once the transaction is over."""

    snapshot: Snapshot
    plan: Plan
    stored: dict[str, LightProject | None]  # by id, the projects whose critical path may change; None: too large to look at

    def critical_paths(self) -> dict[str, CriticalPathChange | None]:
        keys, effects = self.plan.effects.project_keys, self.plan.effects
        return {
            keys[project_id]: None if stored is None else critical_path_change(project_id, stored, effects)
            for project_id, stored in self.stored.items()
        }

    def warnings(self) -> list[Issue]:
        keys = [self.plan.effects.project_keys[project_id] for project_id, stored in self.stored.items() if stored is None]
        return [_unseen_path(key) for key in keys]


def _unseen_path(key: str) -> Issue:
    message = f"{key} has more than {MAX_TASKS:,} tasks, so what becomes of its critical path is not shown"
    hint = "once the set is applied, the project's schedule shows its critical path"
    return Issue(code=ErrorCode.INVALID_PATCH, message=message, hint=hint, severity=Severity.WARNING)


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
            model=record.model,
            usage=record.usage,
            author=record.author,
            created_at=record.created_at,
            closed_at=record.closed_at,
            closed_by=record.closed_by,
            approval=record.approval,
            reason=record.reason,
            seq=record.seq,
            applied_indexes=record.only,
            supersedes=record.supersedes,
            reverts=record.reverts,
            revisions=record.revisions,
        ),
    )


def _effect(
    result: Plan,
    *,
    first: int = 0,
    following: str | None = None,
    critical_paths: dict[str, CriticalPathChange | None] | None = None,
) -> dict[str, Any]:
    """Return the fields of `PlanEffect`, in its order."""
    return {
        "refs": result.refs,
        "changes": result.changes[first : first + CHANGES_IN_ANSWER],
        "changes_total": len(result.changes),
        "changes_next_cursor": following,
        "totals": result.totals,
        "diff": render_diff(result.changes),
        "critical_paths": critical_paths or {},
    }


def _next_cursor(total: int) -> str | None:
    return str(CHANGES_IN_ANSWER) if total > CHANGES_IN_ANSWER else None


def apply_answer(result: Plan, record: PatchSetRecord) -> ApplyResponse:
    """Return the answer of a set that was applied just now."""
    effect = _effect(result, following=_next_cursor(record.changes_total))
    return ApplyResponse.trusted(**effect, **receipt(record).__dict__)


def receipt(record: PatchSetRecord) -> Receipt:
    return Receipt.trusted(patch_set_id=record.id, revisions=record.revisions, warnings=record.warnings, replayed=False)


def applied_answer(tx: Transaction, record: PatchSetRecord) -> ApplyResponse:
    """Return the first answer of an applied set, rebuilt from its history."""
    changes = tx.list_changes(record.id, limit=max(record.changes_total, 1))
    effect = PlanEffect.trusted(
        refs=record.refs,
        changes=changes[:CHANGES_IN_ANSWER],
        changes_total=record.changes_total,
        changes_next_cursor=_next_cursor(record.changes_total),
        totals=record.totals,
        diff=render_diff(changes),
        critical_paths={},
    )
    return ApplyResponse.trusted(**effect.__dict__, **receipt(record).__dict__)


def validation_answer(preview: Preview, *, first: int = 0) -> ValidationResponse:
    """Return a preview with its changes from the place `first` on."""
    snapshot, result = preview.snapshot, preview.plan
    # of every project that is named, changed or not: what would change nothing today might undo something tomorrow
    bases = {project.key: snapshot.base.get(project_id, project.revision) for project_id, project in snapshot.projects.items()}
    return ValidationResponse.trusted(
        **_effect(result, first=first, critical_paths=preview.critical_paths()),
        valid=not result.errors() and not result.conflicts,
        issues=result.issues + preview.warnings(),
        conflicts=result.conflicts,
        base_revisions=bases,
    )


def dry_run_answer(preview: Preview) -> ApplyResponse:
    result = preview.plan
    return ApplyResponse.trusted(
        **_effect(result, critical_paths=preview.critical_paths()),
        patch_set_id=None,
        revisions=result.effects.revisions_by_key(),
        warnings=result.warnings() + preview.warnings(),
        replayed=False,
    )
