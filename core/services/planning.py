"""Turn written plans and commands into proposals; nothing here applies anything."""

from dataclasses import dataclass
from typing import Any

from core.agents.scope import outside
from core.agents.wire import Lowered
from core.context import Context, Scope
from core.errors import InvalidAiRequest
from core.patches.text import show_count, show_listed
from core.rules.commands import HELP
from core.rules.plan import parse_plan
from core.services.commanding import read_commands
from core.services.patch_sets import propose_patch_set
from core.services.projects import live_project
from core.services.views import look
from schemas.errors import ErrorCode, Issue, Severity
from schemas.patches import PatchSet, PatchSetDetail
from schemas.planning import ImportRequest, PlanConstraints, PlannerRequest, PlannerResponse, RefineRequest, UnparsedLine
from schemas.projects import Project
from schemas.usage import Usage

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
        format=request.format,
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


def generate_plan(ctx: Context, request: PlannerRequest, *, dry_run: bool = False) -> PlannerResponse:
    """Propose a new project from a description, by the rules of `import_outline`: nothing is invented."""
    made = import_outline(ctx, ImportRequest(content=request.description, name=request.name), dry_run=dry_run)
    if request.constraints == PlanConstraints():
        return made
    unread = "The constraints were not looked at: only a model reads them, and this was read by rules."
    return made.model_copy(update={"questions": [*made.questions, unread]})


@dataclass(frozen=True, slots=True)
class Refined:
    """A proposal made of what was understood, and a warning for everything that was not."""

    proposal: PatchSetDetail
    warnings: list[Issue]


def deletions(proposal: PatchSetDetail) -> list[str]:
    """Return a warning if the proposal deletes tasks, those below others included; nothing if it does not."""
    deleted = 0 if proposal.preview is None else proposal.preview.totals.deleted
    keys = [patch["task"] for patch in proposal.patches if patch["op"] == "delete_task"]
    return [f"it deletes {show_listed(keys)}: {show_count(deleted, 'task')} with what is below"] if deleted else []


def refine_plan(ctx: Context, request: RefineRequest, *, dry_run: bool = False) -> Refined:
    """Propose the changes that commands ask for (no model), in one project; whatever is not understood is said.

    Raises:
        InvalidAiRequest: nothing was understood, or help was asked for; the hint lists the commands.
        NotFound, DeletedResource: the project.
        InvalidPatch: what was asked for breaks a rule.
    """
    ctx.principal.require(Scope.PATCHES_PROPOSE)
    project = ctx.read(lambda tx: live_project(tx, request.project_id))
    parsed = read_commands(ctx, request.feedback, project=project.key, elsewhere=False)
    notes = [_not_understood(line) for line in parsed.unparsed]
    if not parsed.patches:
        asked = Issue(path="/feedback", code=ErrorCode.INVALID_AI_REQUEST, message="these commands are understood", hint=HELP)
        raise InvalidAiRequest(details=[*notes, asked])
    if request.task_id is not None:
        _require_inside(ctx, project, request.task_id, parsed.patches)
    summary = request.feedback.strip().partition("\n")[0][:500]
    proposal = propose_patch_set(ctx, PatchSet(summary=summary, patches=parsed.patches), engine="rules", dry_run=dry_run)
    notes[:0] = [Issue(path="/patches", code=ErrorCode.INVALID_AI_REQUEST, message=deleted) for deleted in deletions(proposal)]
    return Refined(proposal, [note.model_copy(update={"severity": Severity.WARNING}) for note in notes])


def _require_inside(ctx: Context, project: Project, task: str, patches: list[dict[str, Any]]) -> None:
    """Raise InvalidAiRequest for commands that reach beyond a task and what is below it."""
    view, focus = look(ctx, project.id, task)
    everything = Lowered(patches=patches, places=[None] * len(patches))
    if problems := outside(everything, view, focus):
        message = f"{len(problems)} of {len(patches)} changes are outside of {focus.key if focus else project.key}"
        issue = Issue(path="/feedback", code=ErrorCode.INVALID_AI_REQUEST, message=message, hint="leave out task_id, or those")
        raise InvalidAiRequest(details=[issue])


def _not_understood(line: UnparsedLine) -> Issue:
    message = f"line {line.line}, {line.text!r}: {line.reason}"
    return Issue(path="/feedback", code=ErrorCode.INVALID_AI_REQUEST, message=message)
