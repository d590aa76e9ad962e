"""Ask a model through litellm, one call at a time: what goes onto the wire, and what is read from it.

The library neither retries nor falls back here, and its timeout (which is per read) is not relied on; `asking` does
all three. It takes wrong, cut and refused answers for successes, so everything is read with suspicion.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from core.llm.json_text import NotJson, parse_json
from core.llm.library import load_library
from core.llm.port import AnswerSchema, Message, Reply, Role, TextSink
from core.llm.providers import Endpoint, Structured

NO_KEY = "none"  # the library wants one, also for servers that do not
IN_WORDS = frozenset({Structured.JSON_OBJECT, Structured.PROMPT})  # ways that do not carry the schema themselves


class BrokenAnswer(Exception):
    """The provider's success is none: it has no choices, or ended before its end."""


async def complete(
    endpoint: Endpoint, way: Structured, messages: Sequence[Message], schema: AnswerSchema, timeout: float
) -> Reply:
    """Return the answer to one call that asks for a form in this way."""
    shown = [*messages, Message(Role.USER, _form_text(schema))] if way in IN_WORDS else messages
    answer = await _call(endpoint, shown, timeout, **_form_options(way, schema))
    if not answer.choices:
        raise BrokenAnswer
    message = answer.choices[0].message
    called = _tool_text(message) if way is Structured.TOOL else None
    reply = _reply(endpoint, message.content or "" if called is None else called, answer, refusal=_refusal(message))
    try:
        return replace(reply, value=parse_json(reply.text))
    except NotJson as problem:
        return replace(reply, problem=str(problem))


async def stream(endpoint: Endpoint, messages: Sequence[Message], timeout: float, on_text: TextSink) -> Reply:
    """Return the whole text of a streamed answer, each piece given to `on_text` as it comes."""
    answer = await _call(endpoint, messages, timeout, stream=True, stream_options={"include_usage": True})
    pieces: list[str] = []
    last: Any = None
    async with aclosing(answer):
        async for chunk in answer:
            last = chunk if getattr(chunk, "usage", None) else last
            piece = (chunk.choices[0].delta.content if chunk.choices else None) or ""
            if piece:
                pieces.append(piece)
                await on_text(piece)
    if answer.received_finish_reason is None:
        raise BrokenAnswer
    return _reply(endpoint, "".join(pieces), last)


async def _call(endpoint: Endpoint, messages: Sequence[Message], timeout: float, **options: Any) -> Any:
    library = await asyncio.to_thread(load_library)
    return await library.acompletion(
        model=f"{endpoint.prefix}/{endpoint.model}",
        messages=[{"role": message.role.value, "content": message.text} for message in messages],
        api_key=endpoint.key.get_secret_value() if endpoint.key else NO_KEY,
        api_base=endpoint.base,
        timeout=timeout,
        max_retries=0,
        num_retries=0,
        **options,
    )


def _form_options(way: Structured, schema: AnswerSchema) -> dict[str, Any]:
    match way:
        case Structured.JSON_SCHEMA:
            strict = {"name": schema.name, "strict": True, "schema": schema.schema}
            return {"response_format": {"type": "json_schema", "json_schema": strict}}
        case Structured.TOOL:
            function = {"name": schema.name, "description": "Give the answer.", "parameters": schema.schema}
            choice = {"type": "function", "function": {"name": schema.name}}
            return {"tools": [{"type": "function", "function": function}], "tool_choice": choice}
        case Structured.JSON_OBJECT:
            return {"response_format": {"type": "json_object"}}
        case Structured.PROMPT:
            return {}


def _form_text(schema: AnswerSchema) -> str:
    return f"Answer with one JSON object that fits this JSON Schema, and with nothing else:\n{json.dumps(schema.schema)}"


def _tool_text(message: Any) -> str | None:
    """Return the arguments of the first tool call; None without one."""
    calls = getattr(message, "tool_calls", None)
    return (calls[0].function.arguments or "") if calls else None


def _refusal(message: Any) -> str | None:
    """Return the words of a model that declined; where they are depends on the library's version."""
    more = getattr(message, "provider_specific_fields", None) or {}
    refusal = getattr(message, "refusal", None) or more.get("refusal")
    return refusal if isinstance(refusal, str) and refusal else None


def _reply(endpoint: Endpoint, text: str, answer: Any, *, refusal: str | None = None) -> Reply:
    usage = getattr(answer, "usage", None)
    if not getattr(usage, "total_tokens", 0):  # a provider that tells nothing seems to have used nothing
        usage = None
    hidden = getattr(answer, "_hidden_params", None) or {}
    cost = hidden.get("response_cost") if usage else None
    return Reply(
        text=text,
        model=endpoint.name,
        refusal=refusal,
        input_tokens=usage.prompt_tokens if usage else None,
        output_tokens=usage.completion_tokens if usage else None,
        cost=cost if isinstance(cost, float) else None,
    )
