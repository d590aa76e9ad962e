"""Turn written plans into proposals; nothing here applies anything."""

from core.context import Context, Scope
from core.rules.plan import parse_plan
from core.services.patch_sets import propose_patch_set
from core.services.projects import live_project
from schemas.patches import PatchSet
from schemas.planning import ImportRequest, PlannerResponse, Usage

TASKS_IN_ANSWER = 200


def import_outline(ctx: Context, request: ImportRequest, *, dry_run: bool = False) -> PlannerResponse:
    """Read a plan by rules (no model), store the proposal (unless `dry_run`), and report every line that was not used.

    Raises:
        ValidationFailed: the plan is empty or has too many items.
        BodyTooLarge: the plan is over the size limit.
        NotFound, DeletedResource: the project to add to.
    """
    ctx.principal.require(Scope.PATCHES_PROPOSE)
    project = request.project
    if project is not None:
        project = ctx.read(lambda tx: live_project(tx, request.project or "")).key
    parsed = parse_plan(
        request.content,
        project=project,
        name=request.name,
        sequential=request.sequential,
        today=ctx.today,
        hours_per_day=ctx.settings.hours_per_day,
        days_per_week=ctx.settings.days_per_week,
        max_depth=ctx.settings.max_task_depth,
    )
    proposed = propose_patch_set(ctx, PatchSet(summary=parsed.summary, patches=parsed.patches), engine="rules", dry_run=dry_run)
    validation = proposed.preview
    if validation is None:
        raise AssertionError("a new proposal has a preview")
    return PlannerResponse.model_construct(
        patch_set=proposed.model_copy(update={"preview": None}),
        project=project or validation.refs["$project"].key,
        tasks=parsed.tasks[:TASKS_IN_ANSWER],
        summary=parsed.summary,
        questions=parsed.questions,
        unparsed=parsed.unparsed,
        engine="rules",
        model=None,
        usage=Usage(),
        validation=validation,
    )
