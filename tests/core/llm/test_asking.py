"""Retries, fallbacks, the ladder of forms and the deadline, on the real library; counts are of calls on the wire."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from core.errors import AiNotConfigured, AiProviderUnavailable, DomainError
from core.llm import asking
from core.llm.breaker import FAILURES, PAUSE_SECONDS, Breaker
from core.llm.library import load_library
from core.llm.port import Deadline, LanguageModel, Reply
from schemas.errors import ErrorCode
from tests.core.llm.conftest import FORM, KEY, PLAN, QUESTION, run
from tests.support.fake_provider import Act, FakeProvider, answer, hang, raw, status, stream, tool
from tests.support.servers import ROOT, free_port

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning"),  # the library's own are not ours to mend
    pytest.mark.timeout(300),  # the first test loads it
]

NEXT_CENTURY = datetime(2101, 1, 1, tzinfo=UTC)
Make = Callable[..., LanguageModel]
REFUSED_FORM = status(400, "Invalid schema for response_format")


def ask(model: LanguageModel, *, seconds: float = 10) -> Reply:
    return run(lambda deadline: model.complete(QUESTION, FORM, deadline=deadline), seconds=seconds)


def read(model: LanguageModel, *, seconds: float = 10) -> tuple[Reply | DomainError, list[str]]:
    """Return how a stream ended, and what was shown of it."""
    shown: list[str] = []

    async def show(text: str) -> None:
        shown.append(text)

    async def ask(deadline: Deadline) -> Reply | DomainError:
        try:
            return await model.stream(QUESTION, deadline=deadline, on_text=show)
        except DomainError as refusal:
            return refusal

    return run(ask, seconds=seconds), shown


# -- the ladder


def test_a_refused_form_is_asked_for_in_plainer_ways_and_what_worked_is_kept(
    provider: FakeProvider, model: LanguageModel
) -> None:
    provider.script(REFUSED_FORM, REFUSED_FORM, answer(PLAN), answer(PLAN))

    first, second = ask(model), ask(model)

    assert [asked.form for asked in provider.asked] == ["json_schema", "tool", "json_object", "json_object"]
    assert "JSON Schema" in provider.asked[2].text
    assert (first.value, first.calls, second.calls) == (PLAN, 3, 1)


def test_the_last_way_is_a_prompt_and_after_it_the_call_is_refused(provider: FakeProvider, model: LanguageModel) -> None:
    provider.script(*[REFUSED_FORM] * 4, answer(PLAN))

    with pytest.raises(DomainError) as refusal:
        ask(model)

    assert refusal.value.code is ErrorCode.AI_PROVIDER_ERROR
    assert [asked.form for asked in provider.asked] == ["json_schema", "tool", "json_object", "prompt"]
    ask(model)
    assert provider.asked[-1].form == "json_schema", "a request that no way helped teaches nothing"


def test_prose_in_place_of_an_object_makes_the_next_question_plainer_unless_the_way_has_worked(
    provider: FakeProvider, models: Make
) -> None:
    ignoring, glitching = models(), models()
    provider.script(answer("Sure, I will!"), tool(PLAN), answer(PLAN), answer("Sure, I will!"), answer(PLAN))

    assert ask(ignoring).problem == "the answer is no JSON object"
    assert ask(ignoring).value == PLAN
    assert [ask(glitching).value for _ in range(3)] == [PLAN, None, PLAN]
    assert [asked.form for asked in provider.asked] == ["json_schema", "tool", *["json_schema"] * 3]


# -- retries and fallbacks


def test_an_overloaded_provider_is_asked_again_when_it_says_and_not_when_that_is_too_late(
    provider: FakeProvider, model: LanguageModel
) -> None:
    provider.script(status(429, "slow down", headers={"Retry-After": "1"}), answer(PLAN))
    assert ask(model).calls == 2

    provider.script(status(429, "slow down", headers={"Retry-After": "60"}), answer(PLAN))
    with pytest.raises(AiProviderUnavailable):
        ask(model)
    assert len(provider.asked) == 1


def test_a_provider_that_is_not_there_is_unavailable(provider: FakeProvider, models: Make) -> None:
    with pytest.raises(AiProviderUnavailable, match="cannot be reached"):
        ask(models(ai_api_base=f"http://127.0.0.1:{free_port()}/v1"))


def test_the_next_model_is_asked_when_the_provider_fails(provider: FakeProvider, models: Make) -> None:
    provider.script(*[status(503, "down")] * 3, answer(PLAN))

    reply = ask(models(ai_fallbacks="openai/fake-2"), seconds=20)

    assert (reply.model, reply.calls, reply.value) == ("openai/fake-2", 4, PLAN)
    assert [asked.body["model"] for asked in provider.asked] == [*["fake-1"] * 3, "fake-2"]


def test_a_model_that_hangs_leaves_time_for_the_next_one(provider: FakeProvider, models: Make) -> None:
    provider.script(hang(), answer(PLAN))

    assert ask(models(ai_fallbacks="openai/fake-2"), seconds=4).model == "openai/fake-2"


@pytest.mark.parametrize(
    "act",
    [status(401, f"Incorrect API key: {KEY}"), status(404, "no such model"), status(429, "empty", type="insufficient_quota")],
    ids=["key", "model", "quota"],
)
def test_what_is_wrong_with_the_set_up_is_not_hidden_by_a_fallback(provider: FakeProvider, models: Make, act: Act) -> None:
    provider.script(act, answer(PLAN))

    with pytest.raises(DomainError):
        ask(models(ai_fallbacks="openai/fake-2"))

    assert len(provider.asked) == 1


def test_a_provider_that_fails_again_and_again_is_left_alone_for_a_while(provider: FakeProvider, model: LanguageModel) -> None:
    provider.script(*[status(429, "slow down", headers={"Retry-After": "60"})] * FAILURES, answer(PLAN))
    for _ in range(FAILURES):
        with pytest.raises(AiProviderUnavailable, match="overloaded"):
            ask(model)

    with pytest.raises(AiProviderUnavailable, match="asked again in"):
        ask(model)

    assert len(provider.asked) == FAILURES


@pytest.mark.parametrize(
    ("acts", "calls", "least", "most"),
    [
        ([status(429, "slow down", headers={"Retry-After": "60"})], 1, 60, 60),
        ([status(503, "back soon", headers={"Retry-After": "45"})], 1, 45, 45),
        ([status(429, "slow down", headers={"Retry-After": format_datetime(NEXT_CENTURY, usegmt=True)})], 1, 1e9, 1e10),
        ([status(429, "slow down", headers={"Retry-After": "soon"})] * 3, 3, 0, 0),
        ([status(500, "down")] * 3, 3, 0, 0),
    ],
    ids=["seconds", "of a server that is down", "a date", "nonsense", "nothing"],
)
def test_the_caller_is_told_to_wait_as_long_as_the_provider_says(
    provider: FakeProvider, model: LanguageModel, acts: list[Act], calls: int, least: float, most: float
) -> None:
    provider.script(*acts)

    with pytest.raises(AiProviderUnavailable) as refusal:
        ask(model)

    assert refusal.value.retry_after is not None
    assert least <= refusal.value.retry_after <= most
    assert len(provider.asked) == calls


def test_where_it_says_nothing_the_caller_waits_as_long_as_the_breaker_rests(
    provider: FakeProvider, model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "PAUSE_SECONDS", 0.0)
    waits = []
    for _ in range(FAILURES + 1):
        provider.script(*[status(500, "down")] * 3)
        with pytest.raises(AiProviderUnavailable) as refusal:
            ask(model)
        waits.append(refusal.value.retry_after)

    *closed, opened, resting = waits
    assert closed == [0] * (FAILURES - 1)
    assert opened is not None
    assert resting is not None
    assert 0 < resting < opened <= PAUSE_SECONDS
    assert provider.asked == []


def test_of_a_model_and_its_fallback_the_caller_waits_for_the_first_to_come_back(provider: FakeProvider, models: Make) -> None:
    provider.script(*(status(429, "slow down", headers={"Retry-After": wait}) for wait in ("60", "50")))

    with pytest.raises(AiProviderUnavailable) as refusal:
        ask(models(ai_fallbacks="openai/fake-2"))

    assert refusal.value.retry_after == 50


def test_after_the_pause_one_call_tries_and_its_success_closes_the_breaker() -> None:
    now = [0.0]
    breaker = Breaker(lambda: now[0])
    for _ in range(FAILURES):
        breaker.failed()

    assert breaker.wait() == breaker.left == PAUSE_SECONDS
    now[0] = PAUSE_SECONDS
    assert breaker.left == 0, "looking is no call"
    assert [breaker.wait(), breaker.wait()] == [0.0, PAUSE_SECONDS]
    breaker.passed()
    assert [breaker.wait(), breaker.wait()] == [0.0, 0.0]


# -- streams


def test_a_stream_gives_its_pieces_and_then_the_whole(provider: FakeProvider, model: LanguageModel) -> None:
    provider.script(answer("All is on track."))

    reply, shown = read(model)

    assert isinstance(reply, Reply)
    assert "".join(shown) == reply.text == "All is on track."
    assert len(shown) == 4
    assert (reply.input_tokens, reply.output_tokens) == (100, 20)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("cut", ErrorCode.AI_PROVIDER_ERROR),
        ("garbage", ErrorCode.AI_PROVIDER_ERROR),
        ("error", ErrorCode.AI_PROVIDER_ERROR),
        ("stall", ErrorCode.AI_TIMEOUT),
    ],
)
def test_a_stream_that_breaks_is_never_taken_for_whole_nor_begun_again(
    provider: FakeProvider, models: Make, end: str, code: ErrorCode
) -> None:
    provider.script(stream("All is ", "on", end=end), answer("All is lost."))

    refusal, shown = read(models(ai_fallbacks="openai/fake-2"), seconds=2)

    assert isinstance(refusal, DomainError)
    assert refusal.code is code
    assert shown == ["All is ", "on"]
    assert len(provider.asked) == 1


def test_a_stream_that_fails_before_its_first_piece_is_asked_for_again(provider: FakeProvider, model: LanguageModel) -> None:
    provider.script(status(500, "down"), answer("All is well."))

    reply, shown = read(model)

    assert isinstance(reply, Reply)
    assert "".join(shown) == "All is well."
    assert reply.calls == 2


# -- without the library, and with it


def test_the_library_knows_the_default_model_of_each_provider(provider: FakeProvider) -> None:
    known = load_library().model_cost
    table = json.loads((ROOT / "core" / "llm" / "providers.json").read_text("utf-8"))

    hosted = {name: entry["model"] for name, entry in table.items() if not entry.get("local")}

    assert len(hosted) >= 9
    names = {
        name: {model, f"{name}/{model}", model.partition("/")[2]} for name, model in hosted.items()
    }  # openrouter's: vendor/model
    assert [name for name, possible in names.items() if not possible & known.keys()] == []


def test_without_the_extra_a_model_is_not_configured_and_the_extra_is_named(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "litellm", None)  # as Python marks what cannot be imported

    with pytest.raises(AiNotConfigured) as refusal:
        ask(model)

    assert "orchestrator[ai]" in str(refusal.value.details[0].hint)


# -- secrets


def test_neither_key_nor_the_providers_words_reach_refusals_and_logs(
    provider: FakeProvider, models: Make, caplog: pytest.LogCaptureFixture
) -> None:
    for act in (status(401, f"Incorrect API key: {KEY}"), status(400, KEY), raw(KEY), status(500, KEY)):
        provider.script(*[act] * 4)
        with pytest.raises(DomainError) as refusal:
            ask(models())

        assert KEY[:12] not in refusal.value.detail().model_dump_json()
        assert refusal.value.__cause__ is None or KEY not in str(refusal.value.__cause__)
    assert KEY[:12] not in caplog.text


def test_what_the_provider_does_not_say_about_tokens_is_unknown_and_not_nothing(
    provider: FakeProvider, model: LanguageModel
) -> None:
    provider.script(answer(PLAN), answer(PLAN, usage=False))

    told, untold = ask(model), ask(model)

    assert (told.input_tokens, told.output_tokens, told.cost) == (100, 20, None)
    assert (untold.input_tokens, untold.output_tokens, untold.cost) == (None, None, None)
