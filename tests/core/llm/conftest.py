"""The real model library, asked in this process, and a provider that does what a script says."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from core.llm.library import load_library
from core.llm.models import ConfiguredModels
from core.llm.port import AnswerSchema, Deadline, LanguageModel, Message, Role
from core.settings import Settings
from tests.support.fake_provider import MODEL, FakeProvider, answer, fake_provider, status, tool

T = TypeVar("T")

KEY = "sk-canary-0123456789"
QUESTION = [Message(Role.USER, "A plan, please")]
FORM = AnswerSchema(
    "propose_patch_set",
    {"type": "object", "properties": {"summary": {"type": "string"}}, "required": ["summary"], "additionalProperties": False},
)
PLAN = {"summary": "Ship it"}


@pytest.fixture(scope="session")
def provider() -> Iterator[FakeProvider]:
    with fake_provider() as provider:
        load_library()
        model = ConfiguredModels(Settings(**settings_of(provider))).choose()
        provider.script(answer(PLAN), status(400, "plainer, please"), tool(PLAN))
        for _ in range(2):  # the first call loads half of the library, and the first one with a tool much of the rest
            run(lambda deadline: model.complete(QUESTION, FORM, deadline=deadline), seconds=100)
        yield provider


@pytest.fixture
def models(provider: FakeProvider) -> Callable[..., LanguageModel]:
    """Make a model that has learnt nothing yet."""

    def make(**settings: Any) -> LanguageModel:
        return ConfiguredModels(Settings(**settings_of(provider) | settings)).choose()

    return make


@pytest.fixture
def model(models: Callable[..., LanguageModel]) -> LanguageModel:
    return models()


def settings_of(provider: FakeProvider) -> dict[str, Any]:
    return {"ai_provider": "openai", "ai_api_key": KEY, "ai_model": MODEL, "ai_api_base": provider.url}


def run(ask: Callable[[Deadline], Coroutine[Any, Any, T]], *, seconds: float = 10) -> T:
    async def main() -> T:
        return await ask(Deadline(seconds))

    return asyncio.run(main())
