"""The chat with a model: the orchestrator decides what a message is about, and at most one other agent does it.

Everything here reads; what an agent drafts is stored as a proposal when the turn ends, in the transaction of its answer.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from pydantic import JsonValue

from core.agents.grounding import SMALL_BUDGET_TOKENS, ground
from core.agents.loop import Asker, Draft
from core.agents.orchestrator import Decision, Facts, OrchestratorAgent, Said
from core.context import Context
from core.errors import DomainError
from core.llm.port import TextSink
from core.rules.questions import Blockers, Next, Overdue, Projects, Show
from core.services.answering import Lookup, look_up
from core.services.asking import MODEL, draft_changes, draft_plan, draft_subtasks, usage_of
from core.services.chat_answers import ANSWERED, pending, refused, shown
from core.services.commanding import tasks_named
from core.services.conversations import Answered, Turn
from core.services.patch_sets import propose_patch_set
from core.services.projects import list_projects
from core.services.views import look
from schemas.chat import Route
from schemas.projects import ProjectQuery
from schemas.usage import Usage

PROJECTS_SHOWN = 50

Finish = Callable[[Context, Turn], Answered]
Made = Callable[[Context, Turn, Usage], Answered]  # the same, before it is known what all of it took


async def answer_by_model(step: Context, turn: Turn, asker: Asker, on_text: TextSink) -> Finish:
    """Return what ends the turn with the model's answer.

    Raises AiGenerationFailed, and what `LanguageModel` raises.
    """
    began = asyncio.get_running_loop().time()
    said = await step.run_long(_said, turn)
    decision = await OrchestratorAgent(said).decide(asker)
    try:
        made = await _carry_out(step, turn, said, decision, asker, on_text)
    except DomainError as refusal:
        if refusal.code not in ANSWERED:
            raise
        made = _ready(refused(refusal))

    usage = usage_of(asker.spending, asyncio.get_running_loop().time() - began)

    def finish(ctx: Context, turn: Turn) -> Answered:
        try:
            answered = made(ctx, turn, usage)
        except DomainError as refusal:  # the plan has changed since it was looked at
            if refusal.code not in ANSWERED:
                raise
            answered = refused(refusal)
        return replace(answered, engine=MODEL, model=asker.spending.model, usage=usage, summary=decision.summary)

    return finish


def _said(ctx: Context, turn: Turn) -> Said:
    """Return the message with what it may be about: the project that is meant, or else which projects there are."""
    projects = list_projects(ctx, ProjectQuery(per_page=PROJECTS_SHOWN)).projects
    listed: list[JsonValue] = [{"key": project.key, "name": project.name} for project in projects]
    known: dict[str, JsonValue] = {"today": ctx.today.isoformat(), "projects": listed}
    names = {project.key: project.key for project in projects}
    names |= {task.key: task.key for task in ctx.read(lambda tx: tasks_named(ctx, tx, turn.message))}
    if turn.project is not None:
        view, _ = look(ctx, turn.project, None)
        grounding = ground(view, budget=SMALL_BUDGET_TOKENS)
        known |= {"plan": grounding.shown}
        names |= {alias: item.key for alias, item in grounding.aliases.items.items()}
        names |= {task.key: task.key for task in view.tasks}
    return Said(turn.message, turn.history, turn.summary, known, names)


async def _carry_out(step: Context, turn: Turn, said: Said, decision: Decision, asker: Asker, on_text: TextSink) -> Made:
    """Do what was decided, as far as that needs a model or takes long; return what is left for the end of the turn."""
    match decision.route:
        case Route.CLARIFY:
            return _ready(Answered(decision.reply, Route.CLARIFY, questions=[decision.reply]))
        case Route.ANSWER:
            if decision.facts is Facts.PENDING:
                return lambda ctx, turn, _usage: pending(ctx, turn)
            facts = await step.run_long(_facts, turn, decision)
            text = await OrchestratorAgent(said).answer(asker, facts, on_text)
            return _ready(Answered(text, Route.ANSWER))
        case Route.PLAN:
            return _proposing(asker, Route.PLAN, await draft_plan(step, asker, decision.instruction))
        case Route.DECOMPOSE:
            assert decision.target is not None
            return _proposing(asker, Route.DECOMPOSE, await draft_subtasks(step, asker, decision.target, decision.instruction))
        case Route.EDIT:
            project = (decision.target or turn.project or "").partition("-")[0]
            if not project:
                text = "Which project is meant? Name it by its key, or one of its tasks."
                return _ready(Answered(text, Route.CLARIFY, questions=[text]))
            return _proposing(
                asker, Route.EDIT, await draft_changes(step, asker, project, decision.instruction, earlier=turn.summary)
            )
        case _:
            assert_never(decision.route)


def _ready(answered: Answered) -> Made:
    return lambda _ctx, _turn, _usage: answered


def _proposing(asker: Asker, route: Route, draft: Draft) -> Made:
    """Return what stores a draft as a proposal; one without patches only asks."""

    def propose(ctx: Context, _turn: Turn, usage: Usage) -> Answered:
        if draft.patch_set is None:
            return Answered("\n".join(draft.questions), Route.CLARIFY, questions=draft.questions)
        proposal = propose_patch_set(ctx, draft.patch_set, engine=MODEL, model=asker.spending.model, usage=usage)
        return Answered(shown(proposal, draft.questions), route, proposal, draft.questions)

    return propose


def _facts(ctx: Context, turn: Turn, decision: Decision) -> str:
    """Return what an answer may be made of; "" when what was shown with the message has to do."""
    question = _lookup(turn, decision)
    return "" if question is None else look_up(ctx, question)


def _lookup(turn: Turn, decision: Decision) -> Lookup | None:
    project = decision.target.partition("-")[0] if decision.target else turn.project
    match decision.facts:
        case Facts.PROJECTS:
            return Projects()
        case Facts.NEXT:
            return Next(project)
        case Facts.OVERDUE:
            return Overdue(project)
        case Facts.BLOCKERS:
            return Blockers(decision.target or "")
        case Facts.SHOW:
            return Show(decision.target or "")
        case Facts.NONE | Facts.PENDING:
            return None
        case _:
            assert_never(decision.facts)
