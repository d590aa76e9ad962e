"""A language model that says what a test wrote down for it."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from core.errors import DomainError
from core.llm.json_text import NotJson, parse_json
from core.llm.port import AnswerSchema, Deadline, Message, Reply, TextSink

Line = str | dict[str, JsonValue] | DomainError | Callable[[Sequence[Message]], "str | dict[str, JsonValue]"]


@dataclass(frozen=True, slots=True)
class Heard:
    """One call, as the model saw it."""

    messages: list[Message]
    schema: AnswerSchema | None


class ScriptedModel:
    """Answers with its lines in order, and remembers what it was asked.

    A line is the answer (text, or an object that becomes JSON), a refusal to raise, or a function of the messages.
    """

    def __init__(self, *lines: Line, name: str = "scripted/model") -> None:
        self._lines = list(lines)
        self._name = name
        self.heard: list[Heard] = []

    def add(self, *lines: Line) -> None:
        """Continue the script."""
        self._lines += lines

    @property
    def name(self) -> str:
        return self._name

    def names(self) -> list[str]:
        return [self._name]

    def choose(self, *, provider: str | None = None, model: str | None = None) -> "ScriptedModel":  # noqa: ARG002  # the port's
        return self

    def warm(self) -> None: ...

    async def complete(self, messages: Sequence[Message], schema: AnswerSchema, *, deadline: Deadline) -> Reply:  # noqa: ARG002
        text = self._next(messages, schema)
        try:
            value, problem = parse_json(text), None
        except NotJson as error:
            value, problem = None, str(error)
        return self._reply(messages, text, value, problem)

    async def stream(self, messages: Sequence[Message], *, deadline: Deadline, on_text: TextSink) -> Reply:  # noqa: ARG002
        text = self._next(messages, None)
        for piece in re.findall(r"\s*\S+\s*$|\s*\S+", text):
            await on_text(piece)
        return self._reply(messages, text, None, None)

    def _next(self, messages: Sequence[Message], schema: AnswerSchema | None) -> str:
        self.heard.append(Heard(list(messages), schema))
        if not self._lines:
            raise AssertionError(f"the script of {self._name} has no answer for call {len(self.heard)}")
        line = self._lines.pop(0)
        if isinstance(line, DomainError):
            raise line
        if callable(line):
            line = line(messages)
        return line if isinstance(line, str) else json.dumps(line)

    def _reply(self, messages: Sequence[Message], text: str, value: JsonValue, problem: str | None) -> Reply:
        asked = sum(len(message.text) for message in messages) // 4
        return Reply(text, self._name, value, problem, input_tokens=asked, output_tokens=len(text) // 4)
