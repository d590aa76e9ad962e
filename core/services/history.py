"""Look back: the sets applied to a project, what they changed, its state at a revision, and what differs between two."""

from datetime import date

from core.collector import collector_paused
from core.context import Context, Scope
from core.errors import DeletedResource, InvalidCursor, ValidationFailed
from core.patches.diff import render_diff
from core.patches.net import Order, count_totals, net_changes, only_renumbered, without_idle_moves
from core.services.answers import CHANGES_IN_ANSWER
from core.services.names import project_named, unknown_patch_set
from core.services.tasks import task_of
from core.storage.interface import Transaction
from schemas.changes import Change, ChangeListResponse, RevisionDiff
from schemas.errors import ErrorCode, Issue
from schemas.patches import HistoryResponse, PatchSetQuery
from schemas.projects import Project
from schemas.tasks import Task


def list_history(ctx: Context, project: str, query: PatchSetQuery) -> HistoryResponse:
    """Return the applied sets that changed a project, newest first; those of one author, or about one task, if asked for."""
    ctx.principal.require(Scope.PROJECTS_READ)

    def work(tx: Transaction) -> HistoryResponse:
        found = project_named(tx, project)
        if query.task is not None:
            task_of(ctx, tx, query.task, found)
        return tx.list_history(found.id, query.model_copy(update={"project": found.key, "state": []}))

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
            raise unknown_patch_set(patch_set_id)
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


@collector_paused()
def diff_revisions(ctx: Context, project: str, *, from_revision: int, to_revision: int | None = None) -> RevisionDiff:
    """Return what differs between two revisions of a project (default: up to the present one); O(changes in between).

    Raises:
        ValidationFailed: the project never had one of the revisions, or they are given newest first.
    """
    ctx.principal.require(Scope.PROJECTS_READ)

    def work(tx: Transaction) -> tuple[Project, int, list[Change]]:
        found = project_named(tx, project)
        last = found.revision if to_revision is None else to_revision
        require_revision(found, "from", from_revision)
        require_revision(found, "to", last)
        if from_revision > last:
            raise _wrong("from", f"must not be after to ({last})", "give the older revision as from")
        changes = net_changes(tx.changes_between(found.id, after=from_revision, to=last))
        if only_renumbered(changes):
            before, after = (_order(tx, found, revision, ctx.today) for revision in (from_revision, last))
            changes = without_idle_moves(changes, before, after)
        return found, last, changes

    found, last, changes = ctx.read(work)
    return RevisionDiff.model_construct(
        project=found.key,
        from_revision=from_revision,
        to_revision=last,
        changes=changes[:CHANGES_IN_ANSWER],
        changes_total=len(changes),
        totals=count_totals(changes),
        diff=render_diff(changes),
    )


def _order(tx: Transaction, project: Project, revision: int, today: date) -> Order:
    _, tasks = tx.project_at(project.id, revision, today=today)
    return {task.id: task.parent_id for task in tasks}


def past_project(tx: Transaction, name: str, revision: int, *, today: date) -> tuple[Project, list[Task]]:
    """Return a project with its live tasks in outline order as they were at `revision`, or raise what forbids it.

    A project that is deleted now shows its past as well. What depends on the calendar is told as of `today`.
    """
    found = project_named(tx, name)
    require_revision(found, "revision", revision)
    project, tasks = tx.project_at(found.id, revision, today=today)
    if project.deleted_at is not None:
        raise DeletedResource(f"{project.key} was deleted at revision {revision}", hint="ask for another revision")
    return project, tasks


def require_revision(project: Project, argument: str, revision: int, *, last: int | None = None) -> None:
    """Raise ValidationFailed unless the project has had `revision` (up to `last`); `argument` is how callers name it."""
    last = project.revision if last is None else last
    if not 1 <= revision <= last:
        allowed = (
            f"{project.key} is at revision {project.revision}; give 1 to {last}" if last else f"{project.key} has no earlier one"
        )
        raise _wrong(argument, f"{project.key} has no revision {revision} to go to", allowed)


def _wrong(argument: str, message: str, hint: str) -> ValidationFailed:
    return ValidationFailed(details=[Issue(path=f"/{argument}", code=ErrorCode.VALIDATION_ERROR, message=message, hint=hint)])
