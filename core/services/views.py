"""A plan as agents and rules look at it: one project at one moment."""

from core.agents.view import PlanView
from core.context import Context
from core.errors import InvalidAiRequest
from core.services.projects import live_project
from core.services.tasks import live_task
from core.storage.interface import Transaction
from schemas.changes import ValidationResponse
from schemas.errors import ErrorCode, Issue
from schemas.patches import PatchSet
from schemas.tasks import Task

MOST_TASKS = 5_000  # of a project that is looked at


def look(ctx: Context, project: str, task: str | None) -> tuple[PlanView, Task | None]:
    """Return a project as it is now, and the task of it that is meant.

    Raises:
        NotFound, DeletedResource: the project or the task.
        InvalidAiRequest: the task is in another project.
    """

    def work(tx: Transaction) -> tuple[PlanView, Task | None]:
        found = live_project(tx, project)
        tasks, _ = tx.outline(found.id, today=ctx.today, limit=MOST_TASKS)
        view = PlanView(_unchecked, ctx.today, ctx.settings.max_task_depth, found, tuple(tasks))
        if task is None:
            return view, None
        focus = live_task(ctx, tx, task)
        if focus.project_id != found.id:
            message = f"{focus.key} is not in {found.key}"
            raise InvalidAiRequest(details=[Issue(path="/task_id", code=ErrorCode.INVALID_AI_REQUEST, message=message)])
        return view, focus

    return ctx.read(work)


async def _unchecked(_: PatchSet) -> ValidationResponse:
    raise AssertionError("a view gets its validator before an agent gets the view")
