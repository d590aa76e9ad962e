"""Who confirms an apply or a revert: the host, the user through elicitation, or nobody over MCP.

The question shows totals and diff of a dry run, so that what is approved is what would happen. In
the stateless era the client repeats the call with the answer, and the SDK accepts it only for the
very question it was given to: a plan that has changed in between is asked about again.
"""

from dataclasses import replace
from typing import Annotated

from mcp.server.mcpserver import AcceptedElicitation, Elicit, ElicitationResult, Resolve
from pydantic import BaseModel, Field

from core.context import Context
from core.errors import Forbidden
from core.settings import Approval
from mcp_server.calls import CallContext, patch_sets, reverting, services_context
from mcp_server.rendering import totals_text
from mcp_server.tools.arguments import BaseRevisions, Patches
from mcp_server.tools.sets import Only, patch_set_of
from schemas.changes import ApplyResponse
from schemas.patches import ApprovalMeans

QUESTION_LINES = 20
ELSEWHERE = "a person can do it over REST (POST /api/v1/patch-sets/{id}/apply or /revert) or with `orchestrator apply ps_...`"


class Confirm(BaseModel):
    approve: bool = Field(description="true: go ahead")


async def ask_to_apply(
    ctx: CallContext, id: str | None, patches: Patches | None, summary: str, base_revisions: BaseRevisions | None, only: Only
) -> Confirm | Elicit[Confirm]:
    """Ask whether to apply, showing what would change, where the setting APPROVAL wants that."""
    if not must_ask(ctx):
        return Confirm(approve=True)
    core = await services_context(ctx)
    if patches:
        inline = patch_set_of(patches, id=id, summary=summary, base_revisions=base_revisions)
        return _question("Apply this patch set?", await core.run(patch_sets.apply_patch_set, inline, only=only, dry_run=True))
    if id is None:
        return Confirm(approve=True)  # the tool itself refuses the missing argument
    effect = await core.run(patch_sets.apply_proposal, id, only=only, dry_run=True)
    return _question(f"Apply patch set {id}?", effect)


async def ask_to_revert(
    ctx: CallContext, id: str | None, project: str | None, to_revision: int | None
) -> Confirm | Elicit[Confirm]:
    """Ask whether to revert, showing what would change, where the setting APPROVAL wants that."""
    if not must_ask(ctx):
        return Confirm(approve=True)
    core = await services_context(ctx)
    if id is not None:
        return _question(f"Revert patch set {id}?", await core.run(reverting.revert_patch_set, id, dry_run=True))
    if project is None or to_revision is None:
        return Confirm(approve=True)  # the tool itself refuses the missing argument
    effect = await core.run(reverting.revert_to_revision, project, to_revision, dry_run=True)
    return _question(f"Bring {project} back to revision {to_revision}?", effect)


ApplyApproval = Annotated[ElicitationResult[Confirm], Resolve(ask_to_apply)]
RevertApproval = Annotated[ElicitationResult[Confirm], Resolve(ask_to_revert)]


def must_ask(ctx: CallContext) -> bool:
    """Return whether the user must be asked.

    Raises:
        Forbidden: approval is given elsewhere, or this client cannot ask its user.
    """
    match ctx.request_context.lifespan_context.settings.approval:
        case Approval.HOST:
            return False
        case Approval.EXTERNAL:
            raise Forbidden("This server does not apply or revert over MCP (APPROVAL=external).", hint=ELSEWHERE)
        case Approval.ELICIT:
            elicitation = ctx.client_capabilities.elicitation if ctx.client_capabilities else None
            if elicitation is None or (elicitation.form is None and elicitation.url is not None):
                raise Forbidden("The user must be asked (APPROVAL=elicit), and this client cannot ask.", hint=ELSEWHERE)
            return True


async def approved_context(ctx: CallContext, outcome: ElicitationResult[Confirm]) -> Context:
    """Return the context of the services, which records how the user agreed.

    Raises:
        Forbidden: the user did not.
    """
    if not (isinstance(outcome, AcceptedElicitation) and outcome.data.approve):
        raise Forbidden("The user did not approve; nothing was changed.", hint="ask what should be different, then propose again")
    was_asked = ctx.request_context.lifespan_context.settings.approval is Approval.ELICIT
    return replace(await services_context(ctx), approval=ApprovalMeans.MCP_ELICITATION if was_asked else ApprovalMeans.MCP_HOST)


def _question(title: str, effect: ApplyResponse) -> Elicit[Confirm]:
    lines = effect.diff.splitlines()
    shown = lines[:QUESTION_LINES]
    shown += [f"... {len(lines) - QUESTION_LINES:,} more lines"] if len(lines) > QUESTION_LINES else []
    return Elicit("\n".join([f"{title} {totals_text(effect.totals)}", *shown]), Confirm)
