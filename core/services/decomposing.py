"""Split a task into subtasks, as a proposal; nothing here applies anything."""

from core.context import Context, Scope
from core.errors import AiNotConfigured, InvalidAiRequest, InvalidPatch
from core.rules.checklist import Checklist, find_checklist
from core.services.patch_sets import propose_patch_set
from core.services.planning import Refined
from core.services.projects import live_project
from core.services.tasks import live_task
from core.storage.interface import Transaction
from schemas.errors import ErrorCode, Issue, Severity
from schemas.patches import PatchSet
from schemas.planning import DecomposeRequest
from schemas.projects import Project
from schemas.tasks import Task

FEWEST, MOST = 2, 20  # subtasks directly below the task


def decompose_task(ctx: Context, task: str, request: DecomposeRequest, *, dry_run: bool = False) -> Refined:
    """Propose the list in the task's own description as its subtasks (no model); only creates, all below the task.

    Raises:
        AiNotConfigured: the description has no list, so that only a model could split the task.
        InvalidAiRequest: the list has too few items, too many, or only such as are subtasks already.
        InvalidPatch: with INVALID_HIERARCHY, the task is on the deepest level.
        NotFound, DeletedResource: the task.
    """
    ctx.principal.require(Scope.PATCHES_PROPOSE)

    def work(tx: Transaction) -> tuple[Task, Project, list[Task]]:
        found = live_task(ctx, tx, task)
        return found, live_project(tx, found.project_id), tx.list_subtasks(found.id, today=ctx.today)

    found, project, subtasks = ctx.read(work)
    require_room_below(ctx, found)
    settings = ctx.settings
    checklist = find_checklist(
        found,
        project.key,
        today=ctx.today,
        hours_per_day=settings.hours_per_day,
        days_per_week=settings.days_per_week,
        max_depth=settings.max_task_depth,
    )
    if checklist is None:
        raise AiNotConfigured(
            f"{found.key} has no list in its description to split it by, and no model is set up to think of one.",
            hint="write its parts as `- [ ] part` lines into the description, or set AI_PROVIDER and AI_API_KEY",
        )
    _check(found, checklist, {subtask.title for subtask in subtasks})
    summary = f"Split {found.key} {found.title}"[:500]
    proposal = propose_patch_set(ctx, PatchSet(summary=summary, patches=checklist.patches), engine="rules", dry_run=dry_run)
    notes = [_warning("/description", question) for question in checklist.questions]
    if request.instructions.strip():
        notes.append(_warning("/instructions", "only a model reads instructions; the list was split as it is written"))
    return Refined(proposal, notes)


def require_room_below(ctx: Context, task: Task) -> None:
    """Raise InvalidPatch when a task is on the deepest level."""
    if task.depth >= ctx.settings.max_task_depth:
        raise InvalidPatch([_too_deep(task, ctx.settings.max_task_depth)])


def _too_deep(task: Task, max_depth: int) -> Issue:
    message = f"{task.key} is on level {task.depth}, the deepest one allowed, so nothing can be below it"
    hint = f"split its parent, or move {task.key} up first (MAX_TASK_DEPTH is {max_depth})"
    return Issue(code=ErrorCode.INVALID_HIERARCHY, message=message, hint=hint)


def _check(task: Task, checklist: Checklist, existing: set[str]) -> None:
    """Refuse what would make a bad split."""
    count = len(checklist.titles)
    if not FEWEST <= count <= MOST:
        raise InvalidAiRequest(
            f"The list in the description of {task.key} has {count} items; a task is split into {FEWEST} to {MOST}.",
            hint="add parts to the list" if count < FEWEST else "group them below fewer items, or split the task first",
        )
    if known := [title for title in checklist.titles if title in existing]:
        raise InvalidAiRequest(
            f"{task.key} has been split by its list already: {known[0]!r} is a subtask of it.",
            hint="leave out of the list what is a subtask already, or add the rest as tasks",
        )


def _warning(path: str, message: str) -> Issue:
    return Issue(path=path, code=ErrorCode.INVALID_AI_REQUEST, message=message, severity=Severity.WARNING)
