"""Whatever a provider does, a request ends within its deadline.

The promise is half a second. On a machine that is busy with other things no test can hold it against a clock on the
wall and fail only for a fault of ours, so it is shown in two ways that do not depend on the machine:

- in virtual time, where only what the code waits for takes time, and all of that is exact: every behaviour of the model
  library against every deadline, with the number of calls;
- on the real library and a real socket, as the time by which a refusal comes later than the loop's own timer that was
  set for the same moment: how late this machine is falls out, and the best of a few tries counts.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from core.errors import DomainError
from core.llm import litellm_model
from core.llm.models import ConfiguredModels
from core.llm.port import Deadline, LanguageModel
from core.settings import Settings
from schemas.errors import ErrorCode
from tests.core.llm.conftest import FORM, QUESTION
from tests.support.fake_provider import Act, FakeProvider, drip, hang
from tests.support.virtual_time import run_in_virtual_time

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning"),  # the library's own are not ours to mend
    pytest.mark.timeout(300),  # the first test on the real library loads it
]

GRACE_SECONDS = 0.5
DEADLINE_SECONDS = 60.0
SETTINGS: dict[str, Any] = {
    "ai_provider": "openai",
    "ai_api_key": "sk-x",
    "ai_model": "m1",
    "ai_api_base": "http://127.0.0.1:9/v1",
}
Call = Callable[[], Awaitable[Any]]


class ProviderFailure(Exception):
    """What the library raises, as far as it is looked at."""

    def __init__(self, status: int, retry_after: str | None = None) -> None:
        super().__init__("failed")
        self.status_code = status
        self.litellm_response_headers = {"retry-after": retry_after} if retry_after else {}


def after(seconds: float, outcome: Any) -> Call:
    """Answer, or fail, after a while."""

    async def call() -> Any:
        await asyncio.sleep(seconds)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return call


async def never() -> Any:
    """Hang, and pay no heed to the timeout that was given along."""
    await asyncio.get_running_loop().create_future()


async def stubborn() -> Any:
    """Hang, and take a little while to be cancelled, as closing a connection may."""
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await asyncio.sleep(GRACE_SECONDS / 5)


PROSE = SimpleNamespace(choices=[SimpleNamespace(message=SimpleNamespace(content="No."))])
# What each call of the library does, the code it comes to, and how many calls that takes of one model.
BEHAVIOURS: dict[str, tuple[Call, ErrorCode | None, int]] = {
    "hangs": (never, ErrorCode.AI_TIMEOUT, 1),
    "hangs, and is slow to let go": (stubborn, ErrorCode.AI_TIMEOUT, 1),
    "answers too late": (after(61, PROSE), ErrorCode.AI_TIMEOUT, 1),
    "is slow, and then down": (after(25, ProviderFailure(500)), ErrorCode.AI_TIMEOUT, 3),
    "is down at once": (after(0, ProviderFailure(503)), ErrorCode.AI_PROVIDER_UNAVAILABLE, 3),
    "is overloaded for a while": (after(1, ProviderFailure(429, "20")), ErrorCode.AI_PROVIDER_UNAVAILABLE, 3),
    "is overloaded for longer": (after(1, ProviderFailure(429, "50")), ErrorCode.AI_PROVIDER_UNAVAILABLE, 2),
    "is overloaded for too long": (after(1, ProviderFailure(429, "59")), ErrorCode.AI_PROVIDER_UNAVAILABLE, 1),
    "times out by itself": (after(29, ProviderFailure(408)), ErrorCode.AI_TIMEOUT, 2),
    "answers what is no answer": (after(20, SimpleNamespace(choices=[])), ErrorCode.AI_PROVIDER_ERROR, 2),
    "refuses every form": (after(10, ProviderFailure(400)), ErrorCode.AI_PROVIDER_ERROR, 4),
    "refuses every form, slowly": (after(25, ProviderFailure(400)), ErrorCode.AI_TIMEOUT, 3),
    "refuses the key": (after(0, ProviderFailure(401)), ErrorCode.AI_PROVIDER_ERROR, 1),
    "answers in time": (after(59, PROSE), None, 1),
}


class Library:
    """Stands where the model library does, and does one thing over and over."""

    def __init__(self, behaviour: Call) -> None:
        self.calls = 0
        self._behaviour = behaviour

    async def acompletion(self, **_: Any) -> Any:
        self.calls += 1
        return await self._behaviour()


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Callable[[Call], Library]:
    """Put a library in the place of the real one."""

    def put(behaviour: Call) -> Library:
        library = Library(behaviour)
        monkeypatch.setattr(litellm_model, "load_library", lambda: library)
        monkeypatch.setattr(random, "uniform", lambda _, most: most)  # the longest pauses there can be
        return library

    return put


async def outcome(model: LanguageModel, deadline: Deadline) -> ErrorCode | None:
    """Return the code of the refusal that a question comes to, None for an answer."""
    try:
        await model.complete(QUESTION, FORM, deadline=deadline)
    except DomainError as refusal:
        return refusal.code
    return None


@pytest.mark.parametrize("name", BEHAVIOURS)
@pytest.mark.parametrize("fallbacks", ["", "openai/m2", "openai/m2,openai/m3"], ids=["alone", "one fallback", "two fallbacks"])
def test_a_call_ends_within_its_deadline_whatever_the_library_does(
    library: Callable[[Call], Library], name: str, fallbacks: str
) -> None:
    behaviour, code, calls = BEHAVIOURS[name]
    asked = library(behaviour)
    model = ConfiguredModels(Settings(**SETTINGS, ai_fallbacks=fallbacks)).choose()

    async def ask() -> ErrorCode | None:
        return await outcome(model, Deadline(DEADLINE_SECONDS))

    ended, seconds = run_in_virtual_time(ask())

    assert seconds <= DEADLINE_SECONDS + GRACE_SECONDS
    assert asked.calls <= 4 * (1 + fallbacks.count("openai"))
    if not fallbacks:  # with them each has a share of the time, and less of it for pauses
        assert (ended, asked.calls) == (code, calls)


def test_repairs_share_the_deadline_of_the_first_question(library: Callable[[Call], Library]) -> None:
    """Three answers of 25 seconds each would take 75: the last one is not waited for."""
    asked = library(after(25, PROSE))
    model = ConfiguredModels(Settings(**SETTINGS)).choose()

    async def ask_on() -> ErrorCode:
        deadline = Deadline(DEADLINE_SECONDS)
        while (code := await outcome(model, deadline)) is None:
            pass
        return code

    ended, seconds = run_in_virtual_time(ask_on())

    assert (ended, asked.calls) == (ErrorCode.AI_TIMEOUT, 3)
    assert DEADLINE_SECONDS <= seconds <= DEADLINE_SECONDS + GRACE_SECONDS


@pytest.mark.parametrize("act", [hang(), drip(0.05)], ids=["hang", "drip"])
def test_the_real_library_lets_go_when_the_deadline_has_come(
    provider: FakeProvider, models: Callable[..., LanguageModel], act: Act
) -> None:
    assert min(lateness(provider, models(), act) for _ in range(3)) <= GRACE_SECONDS


def lateness(provider: FakeProvider, model: LanguageModel, act: Act, *, seconds: float = 0.5) -> float:
    """Return how many seconds a refusal came after the loop's own timer for the same moment went off."""
    provider.script(act)

    async def measured() -> float:
        loop = asyncio.get_running_loop()
        rung: asyncio.Future[float] = loop.create_future()
        loop.call_later(seconds, lambda: rung.set_result(loop.time()))
        assert await outcome(model, Deadline(seconds)) is ErrorCode.AI_TIMEOUT
        return loop.time() - await rung

    return asyncio.run(measured())
