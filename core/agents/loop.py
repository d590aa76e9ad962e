"""From a question to a draft that the real validator accepts, or to a refusal: never to a part of a draft.

Each answer is read, checked against its form, lowered, looked at by its agent and dry-run by the validator. Everything that is
wrong goes back to the model at once, at most twice, and no longer than the number of faults falls.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeVar

from core.agents.grounding import BUDGET_TOKENS, SMALL_BUDGET_TOKENS
from core.agents.view import Check
from core.agents.wire import Aliases, Lowered, Problem, lower
from core.errors import AiGenerationFailed
from core.llm.failures import PromptTooLong
from core.llm.port import AnswerSchema, Deadline, LanguageModel, Message, Reply, Role, Spending
from schemas.errors import ErrorCode, Issue, Severity
from schemas.patches import PatchSet

T = TypeVar("T")

REPAIRS = 2
FED_BACK = 20  # problems in one answer to the model
NOTHING = Problem("ops", "give at least one op, or ask what you need to know in questions")

Review = Callable[[Lowered], list[Problem]]


@dataclass(frozen=True, slots=True)
class Asker:
    """The model of one request, its deadline, and what was spent on it so far."""

    model: LanguageModel
    deadline: Deadline
    spending: Spending


@dataclass(frozen=True, slots=True)
class Brief:
    """What an agent wants of a model, and how it judges the answer beyond what every answer must hold."""

    messages: Sequence[Message]
    schema: AnswerSchema
    aliases: Aliases
    review: Review
    base_revisions: dict[str, int] = field(default_factory=dict)
    refs: frozenset[str] = frozenset()  # tasks that the answer may name, and that `assemble` brings along
    project: str | None = None  # the same of the project
    assemble: Callable[[Lowered], Lowered] = lambda lowered: lowered  # makes the whole set of what the answer holds


@dataclass(frozen=True, slots=True)
class Draft:
    """An accepted answer. Without patches it only asks questions."""

    patch_set: PatchSet | None
    questions: list[str]


class Stage(IntEnum):
    """How far an answer came; that counts for more than how many problems it has there."""

    FORM = 0
    MEANING = 1
    PLAN = 2


Judge = Callable[[Reply], Awaitable[tuple[Stage, list[Problem], T]]]


async def accepted(asker: Asker, messages: Sequence[Message], schema: AnswerSchema, judge: Judge[T]) -> T:
    """Return the answer in which `judge` finds nothing wrong.

    Raises:
        AiGenerationFailed: it declined, or its answer was still wrong after the repairs; with draft and problems.
        DomainError: the model could not be asked; see `LanguageModel`.
    """
    asked = messages
    before: tuple[int, int] | None = None
    turns = 0
    while True:
        reply = await asker.model.complete(asked, schema, deadline=asker.deadline)
        asker.spending.add(reply)
        if reply.refusal is not None:
            raise AiGenerationFailed([_issue(Problem("", reply.refusal[:1_000]))], message="The model declined to answer.")
        stage, problems, answer = await judge(reply)
        if not problems:
            return answer
        turns += 1
        now = (-stage, len(problems))
        if turns > REPAIRS or (before is not None and now >= before):
            raise AiGenerationFailed([_issue(problem) for problem in problems], draft=reply.text)
        before = now
        asked = [*messages, Message(Role.ASSISTANT, reply.text), Message(Role.USER, _feedback(problems))]


async def draft(asker: Asker, brief: Brief, check: Check) -> Draft:
    """Return a draft that `check` accepts. Raises as `accepted`."""
    lowered = await accepted(asker, brief.messages, brief.schema, lambda reply: _judge(reply, brief, check))
    return Draft(_patch_set(lowered, brief) if lowered.patches else None, lowered.questions)


async def draft_within(asker: Asker, brief: Callable[[int], Brief], check: Check) -> Draft:
    """Return a draft on a brief of the usual budget of tokens, or of a small one where that was too long."""
    try:
        return await draft(asker, brief(BUDGET_TOKENS), check)
    except PromptTooLong:
        return await draft(asker, brief(SMALL_BUDGET_TOKENS), check)


async def _judge(reply: Reply, brief: Brief, check: Check) -> tuple[Stage, list[Problem], Lowered]:
    if reply.problem is not None:
        return Stage.FORM, [Problem("", reply.problem)], Lowered()
    lowered = lower(reply.value, brief.schema, brief.aliases, refs=brief.refs, project=brief.project)
    if lowered.problems:
        return Stage.MEANING, lowered.problems, lowered
    if not lowered.patches:
        return Stage.MEANING, [] if lowered.questions else [NOTHING], lowered
    lowered = brief.assemble(lowered)
    problems = brief.review(lowered)
    validation = await check(_patch_set(lowered, brief))
    problems += [_problem(issue, lowered, brief.aliases) for issue in validation.issues if issue.severity is Severity.ERROR]
    return Stage.PLAN, problems, lowered


def _patch_set(lowered: Lowered, brief: Brief) -> PatchSet:
    why = [f"- {_about(lowered.patches[index])}: {reason}" for index, reason in lowered.reasons.items()]
    return PatchSet(
        summary=lowered.summary,
        rationale="\n".join(why)[:10_000],
        base_revisions=brief.base_revisions,
        patches=lowered.patches,
    )


def _about(patch: dict[str, object]) -> str:
    """Return what a patch is about, for a person: its key, or the title of something new."""
    fields = patch.get("fields")
    new = fields.get("title") or fields.get("name") if isinstance(fields, dict) else None
    return str(patch.get("task") or patch.get("project") if "ref" not in patch else new)


def _problem(issue: Issue, lowered: Lowered, aliases: Aliases) -> Problem:
    """Return an issue of the validator in terms of the op that the model wrote."""
    path, message = "", issue.message + (f" ({issue.hint})" if issue.hint else "")
    place = None if issue.patch_index is None else lowered.places[issue.patch_index]
    if place is not None:
        rest = issue.path.removeprefix(f"/patches/{issue.patch_index}").removeprefix("/fields").strip("/").replace("/", ".")
        path = f"ops[{place}]" + (f".{rest}" if rest else "")
    return Problem(path, aliases.spoken(message))


def _feedback(problems: Sequence[Problem]) -> str:
    lines = [f"- {problem}" for problem in problems[:FED_BACK]]
    if len(problems) > FED_BACK:
        lines.append(f"- and {len(problems) - FED_BACK} more")
    return "\n".join(["This was not accepted. Correct every point, and give the whole answer again:", *lines])


def _issue(problem: Problem) -> Issue:
    pointer = "".join(f"/{part}" for part in re.findall(r"[^.\[\]]+", problem.path))
    return Issue(path=pointer, code=ErrorCode.AI_GENERATION_FAILED, message=problem.message)
