"""A stored patch set as an answer: what it is, what it does, what can be done with it."""

from collections.abc import Sequence
from typing import Any

from mcp.types import CallToolResult

from core.errors import InvalidCursor, conflict_issue
from core.patches.diff import render_diff
from core.patches.text import safe, safe_title
from mcp_server.rendering import answer, capped, compact_json, facts, next_page, patch_set_link, totals_text
from mcp_server.tools.sets import ask_then_apply, effect_structure, issue_lines, validation_structure
from schemas.changes import Change
from schemas.patches import PatchSetDetail, ProposalState


def record_answer(found: PatchSetDetail, changes: Sequence[Change], cursor: str | None) -> CallToolResult:
    """Return the answer that shows `found` and one page of its changes."""
    rows = render_diff(changes).splitlines() if changes else _patches(found)
    narrow = "use a smaller limit." if changes else f"orchestrator://patch-sets/{found.id} is the whole of it."
    foot = _page_lines(found, len(changes), cursor) + _next_steps(found)
    structured = _structure(found, changes) | next_page(cursor)
    return answer(capped(_lines(found), rows, foot, narrow=narrow), structured, links=[patch_set_link(found.id)])


def _patches(found: PatchSetDetail) -> list[str]:
    """Return the patches of a set that was closed without effect: it has no changes to show, but may be wanted again."""
    if found.preview is not None or found.applied is not None:
        return []
    return [f"patch {number}: {safe(compact_json(patch))}" for number, patch in enumerate(found.patches)]


def offset_of(cursor: str) -> int:
    """Return where the changes of a preview continue."""
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise InvalidCursor()
    return int(cursor or 0)


def _lines(found: PatchSetDetail) -> list[str]:
    told = found.proposal
    summary = safe_title(found.summary) or "no summary"
    lines = [f"{found.id} [{told.state}] by {told.author} at {told.created_at:%Y-%m-%d %H:%M}: {summary}"]
    lines += [f"rationale: {safe(found.rationale[:1_000])}"] if found.rationale else []
    if told.closed_at is not None:
        reason = f": {safe(told.reason)}" if told.reason else ""
        how = f" via {told.approval}" if told.approval else ""
        lines.append(f"closed by {told.closed_by}{how} at {told.closed_at:%Y-%m-%d %H:%M}{reason}")
    lines += [f"reverts {', '.join(told.reverts)}"] if told.reverts else []
    lines += [f"supersedes {told.supersedes}"] if told.supersedes else []
    lines += [f"only patches {told.applied_indexes} were applied"] if told.applied_indexes is not None else []
    lines += [f"made {', '.join(f'{key} revision {now}' for key, now in told.revisions.items())}"] if told.revisions else []
    if found.preview is not None:
        outlook = "would do" if found.preview.valid else "cannot be applied now"
        lines.append(f"{'stale, ' * told.stale}{outlook}: {totals_text(found.preview.totals)}")
        lines += issue_lines([*found.preview.issues, *map(conflict_issue, found.preview.conflicts)])
    elif found.applied is not None:
        lines.append(f"did: {totals_text(found.applied.totals)}")
    return lines


def _structure(found: PatchSetDetail, changes: Sequence[Change]) -> dict[str, Any]:
    structured = {"id": found.id} | facts(found, {"summary", "rationale", "base_revisions"})
    structured |= {name: value for name, value in facts(found.proposal).items() if name not in ("hash", "seq")}
    structured["patch_count"] = len(found.patches)
    if found.preview is not None:
        structured |= validation_structure(found.preview, changes)
    elif found.applied is not None:
        structured |= effect_structure(found.applied, changes)
    else:
        structured["patches"] = found.patches
    return structured


def _page_lines(found: PatchSetDetail, shown: int, cursor: str | None) -> list[str]:
    effect = found.preview or found.applied
    if effect is None or (cursor is None and shown == effect.changes_total):
        return []
    count = f"{shown:,} of {effect.changes_total:,} changes"
    return [count if cursor is None else f'{count}; continue with get_patch_set(id="{found.id}", cursor="{cursor}")']


def _next_steps(found: PatchSetDetail) -> list[str]:
    match found.proposal.state:
        case ProposalState.PROPOSED if found.preview is not None and not found.preview.valid:
            return [f'Next: propose_patch_set(rebase="{found.id}"), or propose a corrected set with supersedes="{found.id}".']
        case ProposalState.PROPOSED:
            return [ask_then_apply(found.id)]
        case ProposalState.APPLIED if found.applied is not None and found.applied.totals.can_be_undone:
            return [f'To undo: revert_patch_set(id="{found.id}").']
        case _:
            return []
