"""Patch sets as arguments and as text, shared by the tools that propose, apply and revert."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Annotated, Any

from pydantic import Field, ValidationError

from core.errors import ConcurrentUpdate, DeletedResource, NotFound, ValidationFailed
from core.patches.outlook import critical_path_lines
from core.patches.text import show_count
from mcp_server.calls import CallContext, projects, services_context
from mcp_server.errors import issue_line
from mcp_server.rendering import capped, change_facts, facts, listed, totals_text
from schemas.changes import ApplyResponse, Change, PlanEffect, ValidationResponse
from schemas.errors import Issue
from schemas.patches import PatchSet
from schemas.primitives import Model, PatchIndex
from schemas.violations import issues_of

MAX_CHANGES = 50  # structured changes in one answer; get_patch_set pages through the rest
MAX_REFS = 200
MAX_LINES = 20  # issues and refs in text

Part = Annotated[list[PatchIndex] | None, Field(min_length=1)]
Only = Annotated[Part, Field(description="patch indexes, from 0; others are dropped")]


def patch_set_of(
    patches: Sequence[Any],
    *,
    id: str | None = None,
    summary: str = "",
    rationale: str = "",
    base_revisions: Mapping[str, int] | None,
) -> PatchSet:
    """Return the envelope that services take; its patches are parsed there.

    Raises:
        ValidationFailed: `id` cannot be that of a patch set; all else has been checked as an argument.
    """
    base, parts = dict(base_revisions or {}), list(patches)
    try:
        return PatchSet(id=id, summary=summary, rationale=rationale, base_revisions=base, patches=parts)
    except ValidationError as error:
        raise ValidationFailed(details=issues_of(error.errors(include_url=False, include_input=False))) from None


async def with_way_on(ctx: CallContext, refused: ConcurrentUpdate, *, proposal: str | None = None) -> ConcurrentUpdate:
    """Return the refusal with the next call as hint: to renew the stored `proposal`, or to propose with these revisions."""
    if proposal is not None:
        renew = f'propose_patch_set(rebase="{proposal}") shows the diff on the present state, if your value should still win'
        return _with_hint(refused, renew)
    core = await services_context(ctx)
    base: dict[str, int] = {}
    for key in sorted({conflict.key.rpartition("-")[0] or conflict.key for conflict in refused.conflicts}):
        with suppress(NotFound, DeletedResource):  # a project that is gone has no revision to propose with
            base[key] = (await core.run(projects.get_project, key)).revision
    return _with_hint(refused, f"if your value should still win, propose again with base_revisions {json.dumps(base)}")


def _with_hint(refused: ConcurrentUpdate, hint: str) -> ConcurrentUpdate:
    """Return the refusal with `hint` as the way on from each of its conflicts; what was expected holds on no other base."""
    unmet = "read the item; then leave out `expect`, or expect what is current"
    refused.details = [
        detail.model_copy(update={"hint": unmet if "/expect/" in detail.path else hint}) for detail in refused.details
    ]
    return refused


def effect_text(head: Sequence[str], effect: PlanEffect, foot: Sequence[str], *, narrow: str) -> str:
    """Return what a set does: totals are in `head`, then the diff, the names of new items, and `foot`."""
    named = [f"{ref} = {target.key}" for ref, target in effect.refs.items()]
    refs = [f"refs: {listed(named, MAX_LINES)}"] if named else []
    notes = ["New keys are provisional until applied."] if any(change.provisional for change in effect.changes) else []
    moved = critical_path_lines(effect.critical_paths)
    return capped(head, effect.diff.splitlines(), [*moved, *refs, *notes, *foot], narrow=narrow)


def issue_lines(issues: Sequence[Issue]) -> list[str]:
    """Return the first issues as lines, and how many more there are."""
    more = [f"... {show_count(len(issues) - MAX_LINES, 'more issue')}"] if len(issues) > MAX_LINES else []
    return [*map(issue_line, issues[:MAX_LINES]), *more]


def effect_structure(effect: PlanEffect, changes: Sequence[Change] | None = None) -> dict[str, Any]:
    """Return what a set does as data: the same facts as its diff."""
    shown = effect.changes[:MAX_CHANGES] if changes is None else changes
    return {
        "totals": effect.totals.model_dump(exclude_defaults=True),
        "refs": {ref: target.key for ref, target in islice(effect.refs.items(), MAX_REFS)},
        "changes": [change_facts(change) for change in shown],
        "changes_total": effect.changes_total,
    } | facts(effect, {"critical_paths"})


def ask_then_apply(id: str) -> str:
    """Return the line that says what can be done with an open proposal."""
    choices = f'apply_patch_set(id="{id}"), reject_patch_set, or propose with supersedes="{id}"'
    return f"Next: show this diff to the user; then {choices}."


def applied_lines(verb: str, effect: ApplyResponse) -> tuple[list[str], list[str]]:
    """Return first and last lines of the answer to an effective write."""
    verb_of = "became" if effect.replayed else "is now at"  # others may have written since
    revisions = ", ".join(f"{key} {verb_of} revision {revision}" for key, revision in effect.revisions.items())
    replayed = " (it had been applied before: this is its first answer)" if effect.replayed else ""
    head = [f"{verb} {effect.patch_set_id}{replayed}: {totals_text(effect.totals)}. {revisions}".rstrip()]
    undo = [f'To undo: revert_patch_set(id="{effect.patch_set_id}").'] if effect.totals.can_be_undone else []
    return head, [*issue_lines(effect.warnings), *undo]


def applied_structure(effect: ApplyResponse) -> dict[str, Any]:
    """Return the answer to an effective write as data."""
    head: dict[str, Any] = {"patch_set_id": effect.patch_set_id, "revisions": effect.revisions, "replayed": effect.replayed}
    return head | effect_structure(effect) | _listed("warnings", effect.warnings)


def validation_structure(validation: ValidationResponse, changes: Sequence[Change] | None = None) -> dict[str, Any]:
    """Return a preview as data."""
    head: dict[str, Any] = {"valid": validation.valid, "base_revisions": validation.base_revisions}
    told = _listed("issues", validation.issues) | _listed("conflicts", validation.conflicts)
    return head | told | effect_structure(validation, changes)


def _listed(name: str, items: Sequence[Model]) -> dict[str, Any]:
    shown = {name: [facts(item) for item in items[:MAX_CHANGES]]} if items else {}
    return shown | ({f"{name}_total": len(items)} if len(items) > MAX_CHANGES else {})
