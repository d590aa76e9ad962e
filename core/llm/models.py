"""The models of a process, as its settings say."""

from core.errors import AiNotConfigured, ValidationFailed
from core.llm.port import LanguageModel
from core.llm.providers import Endpoint, configured
from core.settings import Settings
from schemas.errors import ErrorCode, Issue

SET_UP = "set AI_PROVIDER and AI_API_KEY, or import a written plan, which needs no model"


class ConfiguredModels:
    """The `Models` of a process."""

    def __init__(self, settings: Settings) -> None:
        self._endpoints = configured(settings)

    def names(self) -> list[str]:
        return [endpoint.name for endpoint in self._endpoints]

    def choose(self, *, provider: str | None = None, model: str | None = None) -> LanguageModel:
        """Return the first model that fits, with all those behind it in the order of the settings as its fallbacks."""
        if not self._endpoints:
            raise AiNotConfigured(hint=SET_UP)
        chosen = self._fitting(provider, model)
        if chosen.missing is not None:
            raise AiNotConfigured(f"{chosen.name} cannot be asked: {chosen.missing} is not set.", hint=f"set {chosen.missing}")
        raise AiNotConfigured(hint=SET_UP)

    def _fitting(self, provider: str | None, model: str | None) -> Endpoint:
        for endpoint in self._endpoints:
            if provider in (None, endpoint.provider) and model in (None, endpoint.model, endpoint.name):
                return endpoint
        known = ", ".join(self.names())
        path, asked = ("/model", model) if model is not None else ("/provider", provider)
        issue = Issue(
            path=path,
            code=ErrorCode.VALIDATION_ERROR,
            message=f"{asked!r} is not a configured model",
            hint=f"one of: {known}; more are set up by AI_FALLBACKS",
        )
        raise ValidationFailed(details=[issue])
