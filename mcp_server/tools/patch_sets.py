"""Tools for patch sets: import, propose, read, apply, reject, revert."""

from typing import Annotated, Any

from mcp.types import CallToolResult
from pydantic import Field

from core.errors import ConcurrentUpdate, ValidationFailed, conflict_issue
from core.patches.text import safe, show_count
from mcp_server.approval import ApplyApproval, RevertApproval, approved_context
from mcp_server.calls import CallContext, history, patch_sets, planning, reverting, services_context
from mcp_server.errors import issue_line
from mcp_server.rendering import answer, capped, facts, patch_set_link, totals_text
from mcp_server.tools.arguments import BaseRevisions, Cursor, Limit, Patches, SamePatches, SetId
from mcp_server.tools.records import offset_of, record_answer
from mcp_server.tools.sets import (
    Only,
    Part,
    applied_lines,
    applied_structure,
    ask_then_apply,
    effect_text,
    issue_lines,
    patch_set_of,
    validation_structure,
    with_way_on,
)
from schemas.changes import ApplyResponse, ValidationResponse
from schemas.errors import ErrorCode, Issue
from schemas.patches import PatchSetDetail
from schemas.planning import ImportRequest, OutlineText
from schemas.primitives import Description, ItemName, Name, Summary


async def get_patch_set(ctx: CallContext, id: SetId, only: Part = None, limit: Limit = 50, cursor: Cursor = "") -> CallToolResult:
    """Read one patch set: state, author and its changes with before and after; for a proposal, what applying it now (or
    `only` a part) would do and whether it still can. Use it before apply or revert. Example: {"id": "ps_..."}"""
    first = offset_of(cursor)
    found = await (await services_context(ctx)).run(patch_sets.get_patch_set, id, only=only, first_change=first)
    result = await _page_of(ctx, found, limit, cursor)
    while limit > 1 and "cut" in (result.structured_content or {}):  # a shorter page, so that its cursor skips nothing
        limit //= 2
        result = await _page_of(ctx, found, limit, cursor)
    return result


async def _page_of(ctx: CallContext, found: PatchSetDetail, limit: int, cursor: str) -> CallToolResult:
    if found.applied is not None:
        page = await (await services_context(ctx)).run(history.list_changes, found.id, cursor=cursor or None, per_page=limit)
        return record_answer(found, page.changes, page.next_cursor)
    if found.preview is None:
        return record_answer(found, [], None)
    shown = found.preview.changes[:limit]
    end = offset_of(cursor) + len(shown)
    return record_answer(found, shown, str(end) if end < found.preview.changes_total else None)


async def propose_patch_set(
    ctx: CallContext,
    patches: Patches | None = None,
    summary: Summary = "",
    rationale: Description = "",
    base_revisions: BaseRevisions | None = None,
    dry_run: Annotated[bool, Field(description="only validate; store nothing")] = False,
    rebase: Annotated[SetId | None, Field(description="instead of patches: proposal to renew")] = None,
    supersedes: Annotated[SetId | None, Field(description="proposal this replaces")] = None,
) -> CallToolResult:
    """Store changes as a proposal and show their exact diff; the plan changes only with apply_patch_set. Use it for every
    change, related ones in one set. Returns id and diff, or every issue at once. Example: {"summary": "API", "patches": [
    {"op": "create_task", "ref": "$api", "project": "WEB", "fields": {"title": "API"}}, {"op": "add_dependency",
    "task": "WEB-7", "depends_on": "$api"}]}"""
    core = await services_context(ctx)
    if rebase is not None:
        if patches or supersedes or dry_run:
            raise _wrong_arguments("/rebase", "stands alone", "leave out patches, supersedes and dry_run")
        return _proposed(await core.run(patch_sets.rebase_patch_set, rebase))
    patch_set = patch_set_of(_some(patches), summary=summary, rationale=rationale, base_revisions=base_revisions)
    if dry_run:
        return _validated(await core.run(patch_sets.validate_patch_set, patch_set))
    try:
        return _proposed(await core.run(patch_sets.propose_patch_set, patch_set, supersedes=supersedes))
    except ConcurrentUpdate as stale:
        raise await with_way_on(ctx, stale) from None


async def apply_patch_set(
    ctx: CallContext,
    approval: ApplyApproval,
    id: Annotated[SetId | None, Field(description="a proposal; with patches: their own id, for a safe retry")] = None,
    patches: SamePatches | None = None,
    summary: Summary = "",
    base_revisions: BaseRevisions | None = None,
    only: Only = None,
) -> CallToolResult:
    """Apply a proposal the user has agreed to, whole or not at all; or patches inline, for small changes the user
    spelled out. Do not use it before the diff was shown. Safe to repeat by id. Returns the new revision, the diff and
    how to undo.
    Example: {"id": "ps_...", "only": [0, 2]}"""
    core = await approved_context(ctx, approval)
    try:
        if patches:
            inline = patch_set_of(patches, id=id, summary=summary, base_revisions=base_revisions)
            return _applied("Applied", await core.run(patch_sets.apply_patch_set, inline, only=only))
        if id is None:
            raise _wrong_arguments("/id", "is required, unless there are patches", "name the proposal the user has agreed to")
        if summary or base_revisions:
            raise _wrong_arguments("/id", "names a stored proposal", "it has its own summary and base_revisions: leave them out")
        return _applied("Applied", await core.run(patch_sets.apply_proposal, id, only=only))
    except ConcurrentUpdate as stale:
        raise await with_way_on(ctx, stale, proposal=None if patches else id) from None


async def reject_patch_set(ctx: CallContext, id: SetId, reason: Summary = "") -> CallToolResult:
    """Close a proposal without applying it, with the reason for the record. Use it when the user does not want it; to
    replace it, propose with supersedes instead. Returns its state. Example: {"id": "ps_...", "reason": "too early"}"""
    core = await services_context(ctx)
    closed = await core.run(patch_sets.reject_patch_set, id, reason=reason)
    text = f"{closed.id} is {closed.proposal.state}; the plan is unchanged."
    structured = {"id": closed.id, "state": str(closed.proposal.state), "reason": closed.proposal.reason}
    return answer(text, structured, links=[patch_set_link(closed.id)])


async def revert_patch_set(
    ctx: CallContext,
    approval: RevertApproval,
    id: SetId | None = None,
    project: Annotated[ItemName | None, Field(description="instead of id, with to_revision")] = None,
    to_revision: Annotated[int | None, Field(strict=True)] = None,
) -> CallToolResult:
    """Undo an applied patch set by applying its inverse as a new set (or all sets after a project's revision at once);
    history is kept, and reverting a revert is redo. Refused if later changes conflict. Find ids with list_history. Returns
    the new set's id and diff. Example: {"id": "ps_..."}"""
    core = await approved_context(ctx, approval)
    if project is not None and to_revision is not None and id is None:
        effect = await core.run(reverting.revert_to_revision, project, to_revision)
        return _applied(f"Brought {project} back to revision {to_revision} by", effect)
    if id is None or project is not None or to_revision is not None:
        raise _wrong_arguments("/id", "stands alone, or project and to_revision together", "name one set, or one revision")
    return _applied(f"Reverted {id} by", await core.run(reverting.revert_patch_set, id))


async def import_outline(
    ctx: CallContext,
    content: OutlineText,
    project: Annotated[ItemName | None, Field(description="add to it; default: a new project")] = None,
    name: Annotated[Name | None, Field(description="of a new project without a heading")] = None,
    sequential: Annotated[bool, Field(description="numbered items wait for the one before")] = False,
) -> CallToolResult:
    """Turn a written plan (Markdown with bullets, checkboxes, estimates, @owners, dates, "after X"; or CSV, OPML, TaskPaper,
    todo.txt, an export) into a proposal, by rules; nothing is applied. Use it for long plans,
    propose_patch_set for short ones. Returns id, diff and unused lines.
    Example: {"content": "# Launch\\n- [ ] API (2h) @ana"}"""
    core = await services_context(ctx)
    request = ImportRequest(content=content, project=project, name=name, sequential=sequential)
    planned = await core.run_long(planning.import_outline, request)
    totals = totals_text(planned.validation.totals)
    head = [f"Proposed {planned.patch_set.id} for {planned.project}: {totals}. Nothing is changed yet."]
    head += [safe(planned.summary)] if planned.summary else []
    unused = [f"line {line.line} not used ({line.reason}): {safe(line.text[:120])}" for line in planned.unparsed[:20]]
    unused += [f"... {len(planned.unparsed) - 20:,} more unused lines"] if len(planned.unparsed) > 20 else []
    questions = [f"question: {safe(question)}" for question in planned.questions[:10]]
    foot = [*unused, *questions, ask_then_apply(planned.patch_set.id)]
    text = effect_text(head, planned.validation, foot, narrow=_page(planned.patch_set.id))
    structured: dict[str, Any] = {"id": planned.patch_set.id, "project": planned.project, "engine": planned.engine}
    structured |= validation_structure(planned.validation)
    structured |= {"unparsed": [facts(line) for line in planned.unparsed[:50]], "unparsed_total": len(planned.unparsed)}
    return answer(text, structured, links=[patch_set_link(planned.patch_set.id)])


def _some(patches: list[object] | None) -> list[object]:
    if not patches:
        example = '[{"op": "create_task", "project": "WEB", "fields": {"title": "API"}}]'
        raise _wrong_arguments("/patches", "is required", f"for example {example}")
    return patches


def _wrong_arguments(path: str, message: str, hint: str) -> ValidationFailed:
    return ValidationFailed(details=[Issue(path=path, code=ErrorCode.VALIDATION_ERROR, message=message, hint=hint)])


def _proposed(stored: PatchSetDetail) -> CallToolResult:
    assert stored.preview is not None  # a proposal always has one
    base = ", ".join(f"{key} revision {revision}" for key, revision in stored.preview.base_revisions.items())
    based = f", based on {base}" if base else ""
    instead = f" instead of {stored.proposal.supersedes}" if stored.proposal.supersedes else ""
    head = [f"Proposed {stored.id}{instead}: {totals_text(stored.preview.totals)}{based}. Nothing is changed yet."]
    foot = [*issue_lines(stored.preview.issues), ask_then_apply(stored.id)]
    text = effect_text(head, stored.preview, foot, narrow=_page(stored.id))
    structured = {"id": stored.id, "state": str(stored.proposal.state)} | facts(stored.proposal, {"supersedes"})
    structured |= validation_structure(stored.preview)
    return answer(text, structured, links=[patch_set_link(stored.id)])


def _validated(validation: ValidationResponse) -> CallToolResult:
    if validation.valid:
        head = [f"Valid: {totals_text(validation.totals)}. Nothing was stored."]
        foot = [*issue_lines(validation.issues), "Next: the same call without dry_run stores it as a proposal."]
        text = effect_text(head, validation, foot, narrow="once stored, get_patch_set pages through it.")
        return answer(text, validation_structure(validation))
    found = len(validation.issues) + len(validation.conflicts)
    lines = [issue_line(issue) for issue in [*validation.issues, *map(conflict_issue, validation.conflicts)]]
    head = [f"Not valid: {show_count(found, 'issue')}. Nothing was stored."]
    text = capped(head, lines, ["Next: correct all of them and try again."], narrow="correct these first.")
    return answer(text, validation_structure(validation))


def _applied(verb: str, effect: ApplyResponse) -> CallToolResult:
    head, foot = applied_lines(verb, effect)
    text = effect_text(head, effect, foot, narrow=_page(effect.patch_set_id))
    links = [patch_set_link(effect.patch_set_id)] if effect.patch_set_id else []
    return answer(text, applied_structure(effect), links=links)


def _page(id: str | None) -> str:
    return f'get_patch_set(id="{id}") pages through all changes.'
