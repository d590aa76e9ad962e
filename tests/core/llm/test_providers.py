"""Which models the settings make, and what is said about settings that make none."""

import pytest
from pydantic import ValidationError

from core.errors import AiNotConfigured, ValidationFailed
from core.llm.models import ConfiguredModels
from core.llm.providers import configured
from core.settings import Settings

KEY = "sk-secret-of-the-test"


def settings(**values: object) -> Settings:
    return Settings.model_validate(values)


def test_without_a_provider_there_is_no_model_and_the_settings_are_named() -> None:
    models = ConfiguredModels(settings())

    with pytest.raises(AiNotConfigured) as refusal:
        models.choose()

    assert models.names() == []
    assert "AI_PROVIDER" in str(refusal.value.details[0].hint)


def test_provider_and_key_are_enough_and_a_model_may_be_named() -> None:
    [default] = configured(settings(ai_provider="openai", ai_api_key=KEY))
    [named] = configured(settings(ai_provider="openai", ai_api_key=KEY, ai_model="gpt-test"))

    assert (default.provider, default.missing) == ("openai", None)
    assert named.name == "openai/gpt-test"
    assert KEY not in repr(default)


def test_fallbacks_follow_in_order_each_with_its_own_key() -> None:
    first, second, third = configured(
        settings(
            ai_provider="openai",
            ai_api_key=KEY,
            ai_api_base="http://127.0.0.1:9/v1",
            ai_fallbacks="openai/gpt-small, anthropic",
            ai_fallback_keys="anthropic=sk-other",
        )
    )

    assert (second.name, second.key, second.base) == ("openai/gpt-small", first.key, first.base)
    assert (third.provider, third.base) == ("anthropic", None)
    assert third.key is not None
    assert third.key.get_secret_value() == "sk-other"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"ai_provider": "openai"}, "AI_API_KEY"),
        ({"ai_provider": "databricks", "ai_api_key": KEY}, "AI_API_BASE"),
    ],
)
def test_a_missing_key_or_address_is_named_when_a_model_is_needed(values: dict[str, object], named: str) -> None:
    with pytest.raises(AiNotConfigured, match=named):
        ConfiguredModels(settings(**values)).choose()


@pytest.mark.parametrize("values", [{"ai_provider": "ollama"}, {"ai_provider": "openai", "ai_api_base": "http://127.0.0.1:9/v1"}])
def test_servers_of_ones_own_need_no_key(values: dict[str, object]) -> None:
    [endpoint] = configured(settings(**values))

    assert endpoint.missing is None


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"ai_provider": "skynet"}, "AI_PROVIDER must be one of: anthropic, "),
        ({"ai_provider": "openai", "ai_fallbacks": "skynet/t800"}, "AI_FALLBACKS must name providers"),
        ({"ai_fallbacks": "openai"}, "AI_FALLBACKS needs AI_PROVIDER"),
        ({"ai_provider": "openai", "ai_fallback_keys": "anthropic"}, "comma list of provider=key"),
        ({"ai_provider": "openai", "ai_api_base": "localhost:8080"}, "http://"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(values: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        settings(**values)


def test_an_empty_setting_is_not_set() -> None:
    assert configured(settings(ai_provider="", ai_api_key="", ai_model=" ")) == []


def test_asking_for_a_model_that_is_not_configured_lists_those_that_are() -> None:
    models = ConfiguredModels(settings(ai_provider="openai", ai_api_key=KEY, ai_model="gpt-test"))

    with pytest.raises(ValidationFailed) as refusal:
        models.choose(provider="anthropic")

    assert refusal.value.details[0].path == "/provider"
    assert "openai/gpt-test" in str(refusal.value.details[0].hint)
