"""Ask an agent for a proposal: read what it needs, let it think outside of any transaction, store what it made.

Without a model (or with the provider `rules`) the same calls are answered by rules. An agent is given a view of the plan and
the validator under a caller who may only read and propose; nothing that writes is within its reach.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from core.agents.decomposer import DecomposerAgent
from core.agents.editor import EditorAgent
from core.agents.loop import Asker, Draft
from core.agents.planner import PlannerAgent
from core.agents.view import Check, PlanView
from core.context import Context, Scope
from core.errors import InvalidAiRequest
from core.idempotency import answer_of, once_held
from core.llm.port import Deadline, Spending
from core.services import decomposing, planning
from core.services.budget import spending_on
from core.services.patch_sets import propose_patch_set, validate_patch_set
from core.services.planning import TASKS_IN_ANSWER, Refined, deletions
from core.services.tasks import live_task
from core.services.views import look
from schemas.changes import ValidationResponse
from schemas.errors import ErrorCode, Issue, Severity
from schemas.patches import PatchSet
from schemas.planning import (
    DecomposeRequest,
    ModelChoice,
    PlanConstraints,
    PlannedTask,
    PlannerRequest,
    PlannerResponse,
    RefineRequest,
)
from schemas.tasks import Task
from schemas.usage import Usage

T = TypeVar("T")

RULES = "rules"
MODEL = "model"
GRACE_SECONDS = 30.0  # on top of the agents' deadline, for the database
_HARMLESS = frozenset({Scope.PROJECTS_READ, Scope.PATCHES_PROPOSE})


@dataclass(frozen=True, slots=True)
class Made:
    """An agent's draft, and what it took."""

    draft: Draft
    model: str | None
    usage: Usage


async def generate_plan(ctx: Context, request: PlannerRequest, *, dry_run: bool = False) -> PlannerResponse:
    """Propose a new project from a description.

    Raises:
        InvalidAiRequest: the model has to know more first; `details` are its questions.
        AiGenerationFailed: what the model wrote still broke rules after its repairs.
        AiNotConfigured, AiProviderError, AiProviderUnavailable, AiTimeout, AiQuotaExceeded: it could not be asked.
    """
    ctx.principal.require(Scope.PATCHES_PROPOSE)
    if by_rules(ctx, request):
        return await ctx.run_long(planning.generate_plan, request, dry_run=dry_run)

    async def think(step: Context, asker: Asker) -> Draft:
        return await draft_plan(step, asker, request.description, name=request.name, constraints=request.constraints)

    async def call(held: Context) -> PlannerResponse:
        made = await _ask(held, request, think)
        return await held.run(_store_plan, made, dry_run=dry_run)

    return await _once(ctx, call, _store_plan, dry_run=dry_run)


async def refine_plan(ctx: Context, request: RefineRequest, *, dry_run: bool = False) -> Refined:
    """Propose what feedback asks for, in one project, or with `task_id` in one task and below it.

    Raises as `generate_plan`, and NotFound or DeletedResource for the project or the task.
    """
    ctx.principal.require(Scope.PATCHES_PROPOSE)
    if by_rules(ctx, request):
        return await ctx.run(planning.refine_plan, request, dry_run=dry_run)

    async def think(step: Context, asker: Asker) -> Draft:
        return await draft_changes(step, asker, request.project_id, request.feedback, task=request.task_id)

    async def call(held: Context) -> Refined:
        made = await _ask(held, request, think)
        return await held.run(_store_changes, made, "/feedback", dry_run=dry_run)

    return await _once(ctx, call, _store_changes, dry_run=dry_run)


async def decompose_task(ctx: Context, task: str, request: DecomposeRequest, *, dry_run: bool = False) -> Refined:
    """Propose the subtasks of a task.

    Raises as `generate_plan`, NotFound or DeletedResource for the task, and InvalidPatch with INVALID_HIERARCHY when it is on
    the deepest level.
    """
    ctx.principal.require(Scope.PATCHES_PROPOSE)
    if by_rules(ctx, request):
        return await ctx.run(decomposing.decompose_task, task, request, dry_run=dry_run)

    async def think(step: Context, asker: Asker) -> Draft:
        return await draft_subtasks(step, asker, task, request.instructions)

    async def call(held: Context) -> Refined:
        made = await _ask(held, request, think)
        return await held.run(_store_changes, made, "/instructions", dry_run=dry_run)

    return await _once(ctx, call, _store_changes, dry_run=dry_run)


def by_rules(ctx: Context, choice: ModelChoice) -> bool:
    """Return whether a request is answered without a model: the caller says so, or there is none and none was asked for."""
    return choice.provider == RULES or (not ctx.models.names() and choice.provider is None and choice.model is None)


# -- thinking


async def draft_plan(
    step: Context, asker: Asker, description: str, *, name: str | None = None, constraints: PlanConstraints | None = None
) -> Draft:
    """Return the planner's draft of a new project."""
    agent = PlannerAgent(PlanView(_check(step), today=step.today, max_depth=step.settings.max_task_depth))
    return await agent.propose(asker, description, name=name, constraints=constraints)


async def draft_changes(
    step: Context, asker: Asker, project: str, feedback: str, *, task: str | None = None, earlier: str = ""
) -> Draft:
    """Return the editor's draft of changes to a project, or to a task of it and below; `earlier` is what was said before."""
    view, focus = await step.run_long(look, project, task)
    return await EditorAgent(replace(view, check=_check(step))).propose(asker, feedback, focus=focus, context=earlier)


async def draft_subtasks(step: Context, asker: Asker, task: str, instructions: str) -> Draft:
    """Return the decomposer's draft of the subtasks of a task."""
    view, found = await step.run_long(_look_at_task, task)
    agent = DecomposerAgent(replace(view, check=_check(step)), fewest=decomposing.FEWEST, most=decomposing.MOST)
    return await agent.propose(asker, found, instructions=instructions)


async def _once(
    ctx: Context,
    call: Callable[[Context], Awaitable[T]],
    store: Callable[..., T],
    *,
    dry_run: bool,
) -> T:
    """Run a call under its caller's key, if it has one; a dry run has none."""
    if dry_run:
        return await call(ctx.without_key())
    return await once_held(ctx, call, answer_of(store), seconds=ctx.settings.ai_deadline_seconds + GRACE_SECONDS)


async def _ask(held: Context, choice: ModelChoice, think: Callable[[Context, Asker], Awaitable[Draft]]) -> Made:
    """Let an agent think, within the caller's budget; what it spends counts, however it ends."""
    step = held.without_key()
    model = step.models.choose(provider=choice.provider, model=choice.model)
    async with spending_on(step, choice) as spending:
        began = asyncio.get_running_loop().time()
        draft = await think(step, Asker(model, Deadline(step.settings.ai_deadline_seconds), spending))
        seconds = asyncio.get_running_loop().time() - began
    return Made(draft, spending.model, usage_of(spending, seconds))


def usage_of(spending: Spending, seconds: float) -> Usage:
    """Return what was spent as answers show it."""
    told = spending.input_tokens is not None or spending.output_tokens is not None
    return Usage(
        input_tokens=spending.input_tokens or 0,
        output_tokens=spending.output_tokens or 0,
        total_tokens=spending.tokens if told else None,
        cost=spending.cost,
        attempts=spending.turns,
        calls=spending.calls,
        milliseconds=round(seconds * 1_000),
    )


def _check(step: Context) -> Check:
    """Return the validator, under a caller who may read and propose and nothing else."""
    harmless = replace(step, principal=replace(step.principal, scopes=step.principal.scopes & _HARMLESS))

    async def check(patch_set: PatchSet) -> ValidationResponse:
        return await harmless.run_long(validate_patch_set, patch_set)

    return check


def _look_at_task(ctx: Context, task: str) -> tuple[PlanView, Task]:
    """Return the project of a task that can be split, and the task."""
    found = ctx.read(lambda tx: live_task(ctx, tx, task))
    decomposing.require_room_below(ctx, found)
    view, focus = look(ctx, found.project_id, found.id)
    assert focus is not None
    return view, focus


# -- storing


def _store_plan(ctx: Context, made: Made, *, dry_run: bool = False) -> PlannerResponse:
    patch_set = _patches(made, "/description")
    proposed = propose_patch_set(ctx, patch_set, engine=MODEL, model=made.model, usage=made.usage, dry_run=dry_run)
    validation = proposed.preview
    if validation is None:
        raise AssertionError("a new proposal has a preview")
    creates = [patch for patch in proposed.patches if patch["op"] == "create_task"]
    project = next(patch["ref"] for patch in proposed.patches if patch["op"] == "create_project")
    return PlannerResponse.model_construct(
        patch_set=proposed.model_copy(update={"preview": None}),
        project=validation.refs[project].key,
        tasks=[
            PlannedTask(ref=patch["ref"], parent=patch.get("parent"), title=patch["fields"]["title"])
            for patch in creates[:TASKS_IN_ANSWER]
        ],
        summary=proposed.summary,
        questions=made.draft.questions,
        unparsed=[],
        engine=MODEL,
        model=made.model,
        usage=made.usage,
        validation=validation,
    )


def _store_changes(ctx: Context, made: Made, asked: str, *, dry_run: bool = False) -> Refined:
    patch_set = _patches(made, asked)
    proposal = propose_patch_set(ctx, patch_set, engine=MODEL, model=made.model, usage=made.usage, dry_run=dry_run)
    notes = [_note(asked, question) for question in made.draft.questions]
    notes[:0] = [_note("/patches", deleted) for deleted in deletions(proposal)]
    return Refined(proposal, notes)


def _patches(made: Made, asked: str) -> PatchSet:
    """Return what was drafted, or refuse a draft that only asks."""
    if made.draft.patch_set is None:
        raise InvalidAiRequest(
            "The model has to know more before it can propose anything; `details` are its questions.",
            details=[Issue(path=asked, code=ErrorCode.INVALID_AI_REQUEST, message=question) for question in made.draft.questions],
        )
    return made.draft.patch_set


def _note(path: str, message: str) -> Issue:
    return Issue(path=path, code=ErrorCode.INVALID_AI_REQUEST, message=message, severity=Severity.WARNING)
