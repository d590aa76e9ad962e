"""Where readers of the live feed begin, and what can be watched."""

from core.context import Context, Scope
from core.errors import ValidationFailed
from core.events import Place
from core.services.names import project_named
from core.storage.interface import Transaction
from schemas.errors import ErrorCode, Issue


def get_place(ctx: Context, *, project: str | None = None, after: int | None = None, argument: str = "after") -> Place:
    """Return the place behind `after`, or behind everything applied so far; with `project`, only of its events.

    `argument` is how callers name `after`.

    Raises:
        NotFound: there is no such project. A deleted one can be followed: it may be restored.
        ValidationFailed: `after` is no place in this history.
    """
    ctx.principal.require(Scope.PROJECTS_READ)

    def work(tx: Transaction) -> Place:
        latest = tx.latest_seq()
        if after is not None and after > latest:
            message = "there is no event of this number in this history"
            hint = f"the last one is {latest}; open the stream without a number, and read the projects anew"
            issue = Issue(path=f"/{argument}", code=ErrorCode.VALIDATION_ERROR, message=message, hint=hint)
            raise ValidationFailed(details=[issue])
        project_id = None if project is None else project_named(tx, project).id
        return Place(ctx.principal.workspace, latest if after is None else after, latest, project_id)

    return ctx.read(work)


def is_known(ctx: Context, *, project: str | None = None, task: str | None = None, patch_set: str | None = None) -> bool:
    """Return whether there is such a project, task or patch set, deleted ones included: what can be watched."""
    ctx.principal.require(Scope.PROJECTS_READ)

    def work(tx: Transaction) -> bool:
        if project is not None:
            return tx.find_project(project) is not None
        if task is not None:
            return tx.find_task(task, today=ctx.today) is not None
        return patch_set is not None and tx.count_changes(patch_set) is not None

    return ctx.read(work)
