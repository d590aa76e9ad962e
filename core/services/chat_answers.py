"""Answers of the chat that rules and models have in common: a proposal and how it is applied, and what stands in the way."""

from core.context import Context
from core.errors import DomainError
from core.idempotency import FINAL
from core.services.conversations import Answered, Turn
from core.services.patch_sets import get_patch_set
from core.services.planning import deletions
from schemas.chat import Route
from schemas.errors import ErrorCode
from schemas.patches import PatchSetDetail, ProposalState

DIFF_LINES = 40
# Refusals that other words can mend: they are an answer. Everything else is one of the call.
ANSWERED = FINAL | {ErrorCode.INVALID_AI_REQUEST, ErrorCode.AI_NOT_CONFIGURED}


def pending(ctx: Context, turn: Turn) -> Answered:
    """Point at the last proposal of the conversation that is still open; applying is a call of its own."""
    for message in reversed(turn.history):
        if message.patch_set_id is None:
            continue
        proposal = get_patch_set(ctx, message.patch_set_id)
        if proposal.proposal.state is ProposalState.PROPOSED:
            return Answered(shown(proposal, []), Route.ANSWER, proposal)
    return Answered("No proposal of this conversation is pending, so there is nothing to apply.", Route.CLARIFY)


def shown(proposal: PatchSetDetail, points: list[str]) -> str:
    """Say what is proposed, how to apply it, and what was left out."""
    preview = proposal.preview
    lines = [] if preview is None else preview.diff.splitlines()
    diff = [*lines[:DIFF_LINES], *([f"... {len(lines) - DIFF_LINES} more lines"] if len(lines) > DIFF_LINES else [])]
    how = f"Nothing is applied: apply_patch_set {proposal.id} (POST /api/v1/patch-sets/{proposal.id}/apply) does that."
    said = [
        f"{proposal.id}: {proposal.summary}",
        "```",
        *diff,
        "```",
        *(f"Take care: {deleted}." for deleted in deletions(proposal)),
        how,
    ]
    if preview is not None and not preview.valid:
        said.append("It cannot be applied as it is; rebase it first:")
        said += [f"- {issue.message}" for issue in preview.issues]
    if points:
        said += ["Not understood, or left to you:", *(f"- {point}" for point in points)]
    return "\n".join(said)


def refused(refusal: DomainError) -> Answered:
    """Return a refusal of ANSWERED as an answer."""
    points = [f"{issue.message} ({issue.hint})" if issue.hint else issue.message for issue in refusal.details]
    return Answered(refusal.message, Route.CLARIFY, questions=points)
