"""The models of a process, as its settings say."""

from typing import TYPE_CHECKING

from core.errors import AiNotConfigured, ValidationFailed
from core.settings import Settings
from schemas.errors import ErrorCode, Issue

if TYPE_CHECKING:  # most processes have no model, and start without all this
    from core.llm.asking import Asked
    from core.llm.port import LanguageModel
    from core.llm.providers import Endpoint

SET_UP = "set AI_PROVIDER and AI_API_KEY, or import a written plan, which needs no model"


class ConfiguredModels:
    """The `Models` of a process."""

    def __init__(self, settings: Settings) -> None:
        self._endpoints: list[Endpoint] = []
        if settings.ai_provider is not None:
            from core.llm.providers import configured

            self._endpoints = configured(settings)
        self._asked: list[Asked] = []  # what calls have taught, for as long as the process lives

    def names(self) -> list[str]:
        return [endpoint.name for endpoint in self._endpoints]

    def choose(self, *, provider: str | None = None, model: str | None = None) -> "LanguageModel":
        """Return the first model that fits, with all those behind it in the order of the settings as its fallbacks."""
        if not self._endpoints:
            raise AiNotConfigured(hint=SET_UP)
        place = self._fitting(provider, model)
        chosen = self._endpoints[place]
        if chosen.missing is not None:
            raise AiNotConfigured(f"{chosen.name} cannot be asked: {chosen.missing} is not set.", hint=f"set {chosen.missing}")
        return self._chain(place)

    def _chain(self, place: int) -> "LanguageModel":
        from core.llm.asking import Asked, ModelChain  # most processes never ask
        from core.llm.breaker import Breaker

        if not self._asked:
            breakers: dict[str, Breaker] = {}
            self._asked = [Asked(endpoint, breakers.setdefault(endpoint.provider, Breaker())) for endpoint in self._endpoints]
        return ModelChain([asked for asked in self._asked[place:] if asked.endpoint.missing is None])

    def warm(self) -> None:
        """Load the model library in the background, if there is a model to ask."""
        if self._endpoints:
            from core.llm.library import warm_library

            warm_library()

    def _fitting(self, provider: str | None, model: str | None) -> int:
        for place, endpoint in enumerate(self._endpoints):
            if provider in (None, endpoint.provider) and model in (None, endpoint.model, endpoint.name):
                return place
        known = ", ".join(self.names())
        path, asked = ("/model", model) if model is not None else ("/provider", provider)
        issue = Issue(
            path=path,
            code=ErrorCode.VALIDATION_ERROR,
            message=f"{asked!r} is not a configured model",
            hint=f"one of: {known}; more are set up by AI_FALLBACKS",
        )
        raise ValidationFailed(details=[issue])
