"""Take back applied sets, by applying what undoes them as a new set: history only grows.

The inverses were stored when the sets were applied. Going back to a revision plays all of them, newest
first, in one set. That is exact by construction: each inverse meets the very state its set had left,
deletion ids and all, which patches worked out from the difference of two states could not restore.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from core.collector import collector_paused
from core.context import Context
from core.errors import ConcurrentUpdate, InvalidPatch, PatchSetClosed, ValidationFailed
from core.patches.net import net_changes
from core.patches.past import carried_over
from core.services.applying import Draft, apply_in, draft_of, runner
from core.services.history import require_revision
from core.services.names import patch_set_named, project_named
from core.storage.interface import PatchSetRecord, Transaction
from schemas.changes import ApplyResponse, EntityKind
from schemas.errors import ErrorCode, Issue, Severity
from schemas.patches import MAX_PATCHES, HistoryEntry, PatchSet, PatchSetQuery, ProposalState
from schemas.projects import Project

INSTANTS = ("completed_at", "claim_expires_at")


@collector_paused()
def revert_patch_set(ctx: Context, patch_set_id: str, *, dry_run: bool = False) -> ApplyResponse:
    """Apply the inverse of an applied set as a new set.

    Raises:
        ConcurrentUpdate: what it would put back has been changed since.
        PatchSetClosed: the set has not been applied.
        InvalidPatch: nothing in it can be undone (it only commented, or it is taken back already), or others have built on it.
    """
    run = runner(ctx, dry_run)
    record = ctx.read(lambda tx: patch_set_named(tx, patch_set_id))
    if record.state is not ProposalState.APPLIED:
        ways = (
            "apply or reject it"
            if record.state is ProposalState.PROPOSED
            else "it changed nothing, so there is nothing to take back"
        )
        raise PatchSetClosed(f"{record.id} is {record.state}; only an applied patch set can be reverted", hint=ways)
    if not record.inverse:
        raise _nothing_to_undo("this patch set changed nothing that can be undone")
    summary = f"Revert: {record.summary or record.id}"[:500]
    draft = draft_of(PatchSet(summary=summary, base_revisions=record.revisions, patches=record.inverse), reverts=(record.id,))

    def work(tx: Transaction) -> ApplyResponse:
        tx.lock_projects(projects=record.revisions)
        try:
            effect = apply_in(ctx, tx, replace(draft, system=_system_fields(tx, record)), dry_run=dry_run)
        except ConcurrentUpdate as conflict:
            raise _built_on(tx, record, conflict) from None
        if not effect.changes_total:
            raise _taken_back(record)
        return effect

    return run(work)


@collector_paused()
def revert_to_revision(ctx: Context, project: str, to_revision: int, *, dry_run: bool = False) -> ApplyResponse:
    """Bring a project back to an earlier revision: one new set takes back every later one, newest first.

    Comments stay. Of a set that changed several projects only this project's part is taken back; a
    warning names it.

    Raises:
        ValidationFailed: the project has no such earlier revision, or the way back is too long for one set.
        InvalidPatch: nothing has happened since that could be undone.
    """
    run = runner(ctx, dry_run)

    def work(tx: Transaction) -> ApplyResponse:
        tx.lock_projects(projects=[project])
        found = project_named(tx, project)
        require_revision(found, "to_revision", to_revision, last=found.revision - 1)
        changes = tx.changes_between(found.id, after=to_revision, to=found.revision)
        if all(change.kind is EntityKind.COMMENT for change in net_changes(changes)):
            raise _nothing_to_undo(f"{found.key} is as it was at revision {to_revision} already, but for comments")
        return apply_in(ctx, tx, _way_back(tx, found, to_revision), dry_run=dry_run)

    return run(work)


def _way_back(tx: Transaction, project: Project, to_revision: int) -> Draft:
    patches: list[Any] = []
    system: dict[int, dict[str, Any]] = {}
    reverts: list[str] = []
    notes: list[Issue] = []
    for revision, patch_set_id in tx.sets_after(project.id, to_revision):
        record = patch_set_named(tx, patch_set_id)
        own = [index for index, patch in enumerate(record.inverse or []) if _project_of(patch) == project.key]
        if len(patches) + len(own) > MAX_PATCHES:
            raise _too_long(project, to_revision, reached=revision)
        fields = _system_fields(tx, record)
        system |= {len(patches) + place: fields[index] for place, index in enumerate(own) if index in fields}
        patches += [(record.inverse or [])[index] for index in own]
        reverts += [record.id] if own else []
        if others := sorted(record.revisions.keys() - {project.key}):
            notes.append(_other_part(record.id, project.key, others))
    summary = f"Revert {project.key} to revision {to_revision}"
    back = PatchSet(summary=summary, base_revisions={project.key: project.revision}, patches=patches)
    return draft_of(back, reverts=tuple(reverts), system=system, notes=tuple(notes))


def _project_of(patch: Mapping[str, Any]) -> str:
    """Return the key of the project that an inverse patch changes; inverses name items by key."""
    return str(patch.get("project") or patch["task"].rpartition("-")[0])


def _system_fields(tx: Transaction, record: PatchSetRecord) -> dict[int, dict[str, Any]]:
    """Return by patch index what only a revert may set; positions as they count today."""
    fields: dict[int, dict[str, Any]] = {}
    homes: dict[int, str] = {}
    for name, stored in (record.restore or {}).items():
        index, patch = int(name), (record.inverse or [])[int(name)]
        fields[index] = {
            key: datetime.fromisoformat(value) if key in INSTANTS and value is not None else value
            for key, value in stored.items()
        }
        if "position" in stored:
            homes[index] = patch["parent"] or _project_of(patch)
    if homes:
        renumbered = tx.renumberings(set(homes.values()), after=min(record.revisions.values()) - 1)
        for index, home in homes.items():
            since = record.revisions[_project_of((record.inverse or [])[index])]
            later = [numbers for revision, numbers in renumbered.get(home, ()) if revision >= since]
            fields[index]["position"] = carried_over(fields[index]["position"], later)
    return fields


def _other_part(patch_set_id: str, key: str, others: list[str]) -> Issue:
    message = f"{patch_set_id} also changed {', '.join(others)}; only its part in {key} is taken back"
    hint = f"revert {patch_set_id} by itself to take back all of it"
    return Issue(code=ErrorCode.INVALID_PATCH, message=message, hint=hint, severity=Severity.WARNING)


def _too_long(project: Project, to_revision: int, *, reached: int) -> ValidationFailed:
    issue = Issue(
        path="/to_revision",
        code=ErrorCode.VALIDATION_ERROR,
        message=f"the way from revision {project.revision} back to {to_revision} takes more than {MAX_PATCHES:,} patches",
        hint=f"go back in steps: first to {reached}",
    )
    return ValidationFailed(details=[issue])


def _built_on(tx: Transaction, record: PatchSetRecord, refusal: ConcurrentUpdate) -> ConcurrentUpdate:
    """Return the refusal in the words of somebody who takes a set back: which set came later, and the ways out."""
    refusal.message = f"{record.id} cannot be taken back by itself: later sets have changed the same things."
    for number, issue in enumerate(refusal.details):
        later = _last_change(tx, record, issue.conflict.key) if issue.conflict else None
        named = later and (f"{later.id} ({later.summary})" if later.summary else later.id)
        first = f"revert {named} first" if named else "revert the later set first; the history names it"
        before = {key: revision - 1 for key, revision in record.revisions.items()}
        ways = " or ".join(f"bring {key} back to revision {revision}" for key, revision in before.items() if revision)
        hint = f"{first}, or {ways} with everything since" if ways else first
        refusal.details[number] = issue.model_copy(update={"hint": hint})
    return refusal


def _last_change(tx: Transaction, record: PatchSetRecord, key: str) -> HistoryEntry | None:
    """Return the newest set that changed the task `key`, unless that is `record` itself."""
    project = tx.find_project(key.rpartition("-")[0])
    if project is None:
        return None
    newest = tx.list_history(project.id, PatchSetQuery(project=project.key, task=key, per_page=1)).patch_sets
    return newest[0] if newest and newest[0].id != record.id else None


def _taken_back(record: PatchSetRecord) -> InvalidPatch:
    message = f"{record.id} is taken back already: all it changed is as it was before it"
    hint = "to do it again, revert the set that took it back; the project's history names it"
    return InvalidPatch([Issue(code=ErrorCode.INVALID_PATCH, message=message, hint=hint)])


def _nothing_to_undo(message: str) -> InvalidPatch:
    hint = "comments stay, and what a set both creates and deletes is gone already"
    return InvalidPatch([Issue(code=ErrorCode.INVALID_PATCH, message=message, hint=hint)])
