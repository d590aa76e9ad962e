"""Which models are configured, and how each is reached.

`providers.json` is the one place that names models: for each provider the one that is used unless AI_MODEL says
otherwise. Their names age; a provider that knows the model no longer is answered with AI_MODEL as the way out.
"""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from pydantic import SecretStr

from core.settings import Settings


class Structured(StrEnum):
    """How an answer is made to have a form, from the strictest way to the plainest."""

    JSON_SCHEMA = "json_schema"
    TOOL = "tool"
    JSON_OBJECT = "json_object"
    PROMPT = "prompt"


class _Entry(TypedDict):
    model: str
    prefix: NotRequired[str]  # what the model library calls the provider
    base: NotRequired[str]
    structured: NotRequired[str]  # where to begin, for those that are known to refuse stricter ways
    local: NotRequired[bool]  # runs beside us: needs no key
    needs_base: NotRequired[bool]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One model of one provider, and the way to it. Its key shows in no text made of it."""

    provider: str
    model: str
    prefix: str
    key: SecretStr | None = field(repr=False)
    base: str | None
    structured: Structured
    missing: str | None  # the setting without which it cannot be asked

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"


@cache
def _table() -> dict[str, _Entry]:
    text = Path(__file__).with_name("providers.json").read_text(encoding="utf-8")
    return cast("dict[str, _Entry]", json.loads(text))


def complaint(settings: Settings) -> str | None:
    """Return what is wrong with the settings of models, or None."""
    known = ", ".join(_table())
    if settings.ai_provider is None:
        return "AI_FALLBACKS needs AI_PROVIDER, the one to ask first"
    if settings.ai_provider not in _table():
        return f"AI_PROVIDER must be one of: {known}; for any other server that speaks OpenAI's protocol, openai with AI_API_BASE"
    for setting, names in (("AI_FALLBACKS", settings.ai_fallbacks), ("AI_FALLBACK_KEYS", settings.ai_fallback_keys)):
        for name in names:
            if name.partition("/")[0] not in _table():
                return f"{setting} must name providers of: {known}"
    return None


def configured(settings: Settings) -> list[Endpoint]:
    """Return the models in the order in which they are asked; empty without AI_PROVIDER."""
    if settings.ai_provider is None:
        return []
    endpoints = [_endpoint(settings, settings.ai_provider, settings.ai_model)]
    for fallback in settings.ai_fallbacks:
        provider, _, model = fallback.partition("/")
        endpoints.append(_endpoint(settings, provider, model or None))
    return endpoints


def _endpoint(settings: Settings, provider: str, model: str | None) -> Endpoint:
    entry = _table()[provider]
    first = provider == settings.ai_provider
    key = settings.ai_api_key if first else settings.ai_fallback_keys.get(provider)
    own_base = settings.ai_api_base if first else None
    base = own_base or entry.get("base")
    missing = None
    if key is None and own_base is None and not entry.get("local"):  # a server of one's own may want no key
        missing = "AI_API_KEY" if first else f"AI_FALLBACK_KEYS (for {provider})"
    elif base is None and entry.get("needs_base"):
        missing = "AI_API_BASE"
    return Endpoint(
        provider=provider,
        model=model or entry["model"],
        prefix=entry.get("prefix", provider),
        key=key,
        base=base,
        structured=Structured(entry.get("structured", Structured.JSON_SCHEMA)),
        missing=missing,
    )
