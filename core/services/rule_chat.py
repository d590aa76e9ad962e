"""The chat without a model: questions, commands and written plans by rules; what is not understood is said, never guessed."""

from typing import assert_never

from core.context import Context
from core.errors import DomainError
from core.rules import commands, questions
from core.services.answering import look_up
from core.services.chat_answers import ANSWERED, pending, refused, shown
from core.services.commanding import read_commands
from core.services.conversations import Answered, Turn
from core.services.decomposing import decompose_task
from core.services.patch_sets import propose_patch_set
from core.services.planning import Refined, import_outline
from schemas.chat import Route
from schemas.patches import PatchSet, PatchSetDetail
from schemas.planning import DecomposeRequest, ImportRequest, UnparsedLine

HELP = f"I answer by rules, without AI.\n\nCommands\n{commands.HELP}\n\n{questions.HELP}"


def answer_by_rules(ctx: Context, turn: Turn) -> Answered:
    """Return what the rules make of a message: an answer, a stored proposal, or what was not understood."""
    try:
        return _answer(ctx, turn)
    except DomainError as refusal:
        if refusal.code not in ANSWERED:
            raise
        return refused(refusal)


def _answer(ctx: Context, turn: Turn) -> Answered:
    question = questions.read_question(turn.message)
    match question:
        case None:
            return _commands(ctx, turn)
        case questions.Help():
            return Answered(HELP, Route.ANSWER)
        case questions.Apply():
            return pending(ctx, turn)
        case questions.Split(task):
            return _proposed(Route.DECOMPOSE, decompose_task(ctx, task, DecomposeRequest()))
        case questions.Plan(text):
            return _plan(ctx, text)
        case questions.Next(None):
            return Answered(look_up(ctx, questions.Next(turn.project)), Route.ANSWER)
        case questions.Overdue(None):
            return Answered(look_up(ctx, questions.Overdue(turn.project)), Route.ANSWER)
        case questions.Show(None):
            return Answered(look_up(ctx, questions.Show(turn.project)), Route.ANSWER)
        case questions.Projects() | questions.Next() | questions.Overdue() | questions.Blockers() | questions.Show():
            return Answered(look_up(ctx, question), Route.ANSWER)
        case _:
            assert_never(question)


def _commands(ctx: Context, turn: Turn) -> Answered:
    """Propose what the commands of a message ask for, in whatever projects their tasks are."""
    parsed = read_commands(ctx, turn.message, project=turn.project, elsewhere=True)
    points = [*map(_left_out, parsed.unparsed)]
    if not parsed.patches:
        text = "I answer by rules, without AI, and understood nothing of this. Say `help` for what I understand."
        return Answered(text, Route.CLARIFY, questions=points)
    patch_set = PatchSet(summary=turn.message.strip().partition("\n")[0][:500], patches=parsed.patches)
    proposal = propose_patch_set(ctx, patch_set, engine="rules")
    return Answered(shown(proposal, points), Route.EDIT, proposal, points)


def _plan(ctx: Context, text: str) -> Answered:
    """Propose a written plan as a new project."""
    plan = import_outline(ctx, ImportRequest(content=text))
    points = [*plan.questions, *map(_left_out, plan.unparsed)]
    proposal = PatchSetDetail(**plan.patch_set.__dict__ | {"preview": plan.validation})
    return Answered(shown(proposal, points), Route.PLAN, proposal, points)


def _proposed(route: Route, made: Refined) -> Answered:
    notes = [warning.message for warning in made.warnings]
    return Answered(shown(made.proposal, notes), route, made.proposal, notes)


def _left_out(line: UnparsedLine) -> str:
    return f"line {line.line}, {line.text!r}: {line.reason}"
