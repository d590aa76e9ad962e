"""The language-model port: messages and a schema in, a value and what it cost out.

An adapter owns retries, fallbacks and the deadline, and raises only refusals of `core.errors`. It never judges
a plan: whether a value is any good is decided by its reader, because a model's wrong answer is no failure of the call.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from pydantic import JsonValue

N = TypeVar("N", int, float)


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of what a model is shown."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class AnswerSchema:
    """The form an answer must have; every strict mode accepts the schemas of `core.agents.wire`."""

    name: str
    schema: dict[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered, and what that cost. None stands for what the provider did not say."""

    text: str
    model: str  # provider/model, as configured
    value: JsonValue = None  # the JSON of an answer with a schema, in whatever shape; None when there is none
    problem: str | None = None  # why there is no value
    refusal: str | None = None  # the model declined; its words
    calls: int = 1  # calls to providers, failed ones included
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None  # US dollars, by the price list of the model library


class Deadline:
    """The moment by which everything that one request asks of models has ended. Made inside a running loop."""

    def __init__(self, seconds: float) -> None:
        self._at = asyncio.get_running_loop().time() + seconds

    def remaining(self) -> float:
        """Return the seconds that are left; never less than 0."""
        return max(0.0, self._at - asyncio.get_running_loop().time())


TextSink = Callable[[str], Awaitable[None]]


class LanguageModel(Protocol):
    """One configured model, with those that answer in its place.

    Both calls raise AiProviderError, AiProviderUnavailable, AiTimeout, AiQuotaExceeded, AiNotConfigured, or
    InvalidAiRequest (what was sent is too long, or against the provider's policy), and nothing else.
    """

    @property
    def name(self) -> str:
        """Return provider/model, as configured."""

    async def complete(self, messages: Sequence[Message], schema: AnswerSchema, *, deadline: Deadline) -> Reply:
        """Return the model's answer in the form of `schema`, or with `problem` why it has none."""

    async def stream(self, messages: Sequence[Message], *, deadline: Deadline, on_text: TextSink) -> Reply:
        """Return the whole text of an answer without a form, after each piece of it was given to `on_text`.

        Nothing is asked again once a piece was given: what was shown cannot be taken back.
        """


class Models(Protocol):
    """The models that a process may ask."""

    def names(self) -> list[str]:
        """Return the configured models as provider/model, the default first; empty without any."""

    def choose(self, *, provider: str | None = None, model: str | None = None) -> LanguageModel:
        """Return the first configured model that fits, the default one when nothing is asked for.

        Raises:
            AiNotConfigured: there is none at all, or a setting of it is missing; the setting is named.
            ValidationFailed: none of the configured ones fits.
        """

    def warm(self) -> None:
        """Make ready in the background what the first question would wait for."""


@dataclass(slots=True)
class Spending:
    """What one request has used so far, failed attempts included; read it also after a refusal."""

    model: str | None = None  # that answered last
    turns: int = 0  # answers of models
    calls: int = 0  # calls to providers
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None

    def add(self, reply: Reply) -> None:
        """Count a reply. What one reply does not say makes the sum a lower bound, and not unknown."""
        self.model = reply.model
        self.turns += 1
        self.calls += reply.calls
        self.input_tokens = _sum(self.input_tokens, reply.input_tokens)
        self.output_tokens = _sum(self.output_tokens, reply.output_tokens)
        self.cost = _sum(self.cost, reply.cost)

    @property
    def tokens(self) -> int:
        """Return what counts against a budget."""
        return (self.input_tokens or 0) + (self.output_tokens or 0)


def _sum(known: N | None, more: N | None) -> N | None:
    return more if known is None else known if more is None else known + more
