"""OrchestratorAgent: what a message of a conversation is about, and an answer in words. It has no ops of its own.

One question decides the route; at most one other agent, or one question for the wording, follows. What was said
before is shown as data: the last messages, and a summary of the older ones that each route renews.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import JsonValue

from core.agents.grounding import data_message, prompt
from core.agents.loop import Asker, Stage, accepted
from core.agents.wire import Problem, closed, shape_problems, text_of
from core.errors import AiGenerationFailed
from core.llm.port import AnswerSchema, Message, Reply, Role, TextSink
from schemas.chat import ChatMessage, Route

TURNS = 12  # messages that are shown as they were said
MAX_SHOWN = 2_000  # characters of each
MAX_SUMMARY = 2_000


class Facts(StrEnum):
    """What an answer is made of."""

    NONE = "none"
    PROJECTS = "projects"
    NEXT = "next"
    OVERDUE = "overdue"
    BLOCKERS = "blockers"
    SHOW = "show"
    PENDING = "pending"


SCHEMA = AnswerSchema(
    "decide",
    closed(
        route={"type": "string", "enum": [route.value for route in Route]},
        target=text_of("id or key of the project or task that is meant; empty for none"),
        look_up={"type": "string", "enum": [facts.value for facts in Facts]},
        instruction=text_of("plan, edit, decompose: the wish in words that need no conversation"),
        reply=text_of("clarify: the question to the user; else empty"),
        summary=text_of("what has been said so far, this message included"),
    ),
)
TARGETED = frozenset({Facts.BLOCKERS, Facts.SHOW})


@dataclass(frozen=True, slots=True)
class Said:
    """A message, what was said before it, and what is known of the plans it may be about."""

    message: str
    history: Sequence[ChatMessage]
    summary: str
    known: dict[str, JsonValue]
    names: dict[str, str] = field(default_factory=dict)  # what a target may be called -> key

    def shown(self, **more: JsonValue) -> Message:
        """Return it as data: the message as the only wish, everything else around it."""
        earlier: list[JsonValue] = [
            {"role": message.role.value, "text": message.text[:MAX_SHOWN]} for message in self.history[-TURNS:]
        ]
        return data_message(**self.known, summary=self.summary, earlier=earlier, message=self.message, **more)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done about a message."""

    route: Route
    target: str | None  # key of a project or a task
    facts: Facts
    instruction: str
    reply: str
    summary: str


class OrchestratorAgent:
    """Decides about one message, and words answers."""

    def __init__(self, said: Said) -> None:
        self._said = said

    async def decide(self, asker: Asker) -> Decision:
        """Return what the message asks for.

        Raises:
            AiGenerationFailed: it declined, or its answer was still wrong after the repairs.
            DomainError: the model could not be asked; see `LanguageModel`.
        """
        messages = [Message(Role.SYSTEM, prompt("orchestrator")), self._said.shown()]
        return await accepted(asker, messages, SCHEMA, self._judge)

    async def answer(self, asker: Asker, facts: str, on_text: TextSink) -> str:
        """Return the answer that `facts` give, after each piece of it was given to `on_text`. Raises as `decide`."""
        messages = [Message(Role.SYSTEM, prompt("answer")), self._said.shown(facts=facts)]
        reply = await asker.model.stream(messages, deadline=asker.deadline, on_text=on_text)
        asker.spending.add(reply)
        if not reply.text.strip():
            raise AiGenerationFailed(message="The model gave no answer.")
        return reply.text

    async def _judge(self, reply: Reply) -> tuple[Stage, list[Problem], Decision]:
        undecided = Decision(Route.CLARIFY, None, Facts.NONE, "", "", "")
        if reply.problem is not None:
            return Stage.FORM, [Problem("", reply.problem)], undecided
        problems = shape_problems(reply.value, SCHEMA)
        if problems or not isinstance(reply.value, dict):
            return Stage.FORM, problems, undecided
        said = {name: str(value).strip() for name, value in reply.value.items()}
        decision = Decision(
            route=Route(said["route"]),
            target=self._said.names.get(said["target"].upper()),
            facts=Facts(said["look_up"]),
            instruction=said["instruction"],
            reply=said["reply"],
            summary=said["summary"][:MAX_SUMMARY],
        )
        return Stage.MEANING, list(self._problems(decision, said["target"])), decision

    def _problems(self, decision: Decision, target: str) -> Sequence[Problem]:
        found = []
        needs_task = decision.route is Route.DECOMPOSE or (decision.route is Route.ANSWER and decision.facts is Facts.BLOCKERS)
        needs_target = needs_task or (decision.route is Route.ANSWER and decision.facts in TARGETED)
        if target and decision.target is None:
            found.append(Problem("target", f"{target!r} is none of the ids and keys you were given; leave it empty, or clarify"))
        elif needs_target and decision.target is None:
            found.append(Problem("target", f"{decision.route} needs the id or key that is meant; if you cannot know it, clarify"))
        elif needs_task and "-" not in (decision.target or ""):
            found.append(Problem("target", f"{target!r} is a project, and a task is needed"))
        if decision.route in (Route.PLAN, Route.EDIT) and not decision.instruction:
            found.append(Problem("instruction", "is empty"))
        if decision.route is Route.CLARIFY and not decision.reply:
            found.append(Problem("reply", "is empty; ask what you have to know"))
        return found
