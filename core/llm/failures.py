"""What a failed call of the model library means, and whether to ask again.

The library's classes say little (a 401 may be a BadRequestError), so status, body and the chain of causes decide.
Its messages echo keys and prompts: nothing of them goes into an answer or a log.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum, auto

from core.errors import (
    AiProviderError,
    AiProviderUnavailable,
    AiQuotaExceeded,
    AiTimeout,
    DomainError,
    InvalidAiRequest,
)
from core.llm.providers import Endpoint

OVERLOADED, TIMEOUTS = 429, frozenset({408, 504})
CUT = frozenset({"JSONDecodeError", "ClientPayloadError", "ContentLengthError", "TransferEncodingError", "IndexError"})
NO_ANSWER = "Empty or invalid response"


class Again(Enum):
    """What may help after a failed call."""

    NEVER = auto()
    ONCE = auto()  # the same call, one more time
    OFTEN = auto()  # the same call after a pause, then the next model
    PLAINER = auto()  # a plainer way to ask for a form


@dataclass(frozen=True, slots=True)
class Failure:
    """The refusal a failed call comes to, unless asking again helps."""

    refusal: DomainError
    again: Again
    wait: float | None = None  # seconds the provider asks to wait
    elsewhere: bool = False  # another model may be asked


class PromptTooLong(InvalidAiRequest):
    """This is more than the model can read at once; ask about less."""


def failure_of(error: Exception, endpoint: Endpoint) -> Failure:
    """Return what `error`, raised by a call of the library, means."""
    kinds = {type(link).__name__ for link in _chain(error)}
    status = getattr(error, "status_code", None)
    if "ContextWindowExceededError" in kinds or _said(error, "context_length_exceeded"):
        return Failure(PromptTooLong(), Again.NEVER)
    if "ContentPolicyViolationError" in kinds or _said(error, "content_policy_violation"):
        return Failure(InvalidAiRequest("The provider's policy does not allow what was asked."), Again.NEVER)
    if status == OVERLOADED:
        return _overloaded(error, endpoint)
    if status in TIMEOUTS or "Timeout" in kinds:
        return Failure(AiTimeout(), Again.ONCE, elsewhere=True)
    if kinds & CUT or NO_ANSWER in str(error):
        return broken(endpoint)
    if status in (401, 403):
        return Failure(AiProviderError(f"{endpoint.provider} refuses the key.", hint=f"check {_key(endpoint)}"), Again.NEVER)
    if status == 404:
        refusal = AiProviderError(f"{endpoint.provider} knows no model {endpoint.model}.", hint="set AI_MODEL to one it has")
        return Failure(refusal, Again.NEVER)
    if status == 400:
        refusal = AiProviderError(
            f"{endpoint.provider} refuses every way of asking for a plan.", hint="set AI_MODEL to another model"
        )
        return Failure(refusal, Again.PLAINER)
    if isinstance(status, int) and status >= 500:  # a refused connection too: the library says 500
        return Failure(_away(endpoint), Again.OFTEN, wait=_retry_after(error), elsewhere=True)
    return Failure(AiProviderError(f"{endpoint.provider} refused the call."), Again.NEVER)


def broken(endpoint: Endpoint, again: Again = Again.ONCE) -> Failure:
    """Return what an answer means that is none: no choices, no JSON, cut off."""
    return Failure(AiProviderError(f"{endpoint.provider} answered something that is no answer, or only a part of one."), again)


def _away(endpoint: Endpoint) -> AiProviderUnavailable:
    return AiProviderUnavailable(f"{endpoint.provider} cannot be reached, or fails; try again later.")


def _key(endpoint: Endpoint) -> str:
    return "AI_API_KEY, and AI_FALLBACK_KEYS for fallbacks" if endpoint.key else "AI_API_KEY: none is set"


def _overloaded(error: Exception, endpoint: Endpoint) -> Failure:
    if _said(error, "insufficient_quota"):
        return Failure(AiQuotaExceeded(f"The budget with {endpoint.provider} is used up.", hint="raise it there"), Again.NEVER)
    refusal = AiProviderUnavailable(f"{endpoint.provider} is overloaded; try again later.")
    return Failure(refusal, Again.OFTEN, wait=_retry_after(error), elsewhere=True)


def _said(error: Exception, what: str) -> bool:
    """Return whether the provider gave this as the kind of its error."""
    body = getattr(error, "body", None)
    return isinstance(body, dict) and what in (body.get("type"), body.get("code"))


def _retry_after(error: Exception) -> float | None:
    """Return the seconds of `retry-after`, which is a number of them or a date (RFC 9110, 10.2.3).

    Where it is found depends on the library's version.
    """
    for headers in (getattr(error, "litellm_response_headers", None), getattr(getattr(error, "response", None), "headers", None)):
        value = headers.get("retry-after") if headers else None
        if isinstance(value, str) and (seconds := _seconds(value.strip())) is not None:
            return seconds
    return None


def _seconds(value: str) -> float | None:
    if value.isascii() and value.isdigit():
        return float(value[:9])  # more than thirty years are for ever
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    for _ in range(20):  # causes may form a circle
        if link is None:
            return
        yield link
        link = link.__cause__ or link.__context__
