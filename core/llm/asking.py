"""Ask one configured model, and those that answer in its place: retries, fallbacks, and one deadline over all.

One owner of these makes the number of calls a promise: a model is tried at most three times, the next one only after
failures that are the provider's, and the time of all of it together is the caller's deadline.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from core.errors import AiProviderUnavailable, AiTimeout, DomainError
from core.llm import litellm_model
from core.llm.breaker import Breaker
from core.llm.failures import Again, Failure, broken, failure_of
from core.llm.litellm_model import BrokenAnswer
from core.llm.port import AnswerSchema, Deadline, Message, Reply, TextSink
from core.llm.providers import Endpoint, Structured

log = logging.getLogger(__name__)

TRIES = 3
PAUSE_SECONDS = 0.5  # before the second try, at most; twice as much before the third
One = Callable[[Endpoint, Structured, float], Awaitable[Reply]]


class Form:
    """How one model is asked for a form: what has worked, or what is tried next."""

    def __init__(self, way: Structured) -> None:
        self.way = way
        self._proven = False

    def learn(self, way: Structured, reply: Reply) -> None:
        """Keep a way that gave an object; where prose came back, its server ignores that way, and the next is plainer."""
        if reply.value is not None:
            self.way, self._proven = way, True
        elif way is self.way and not self._proven and reply.refusal is None and reply.text.strip() and "{" not in reply.text:
            self.way = plainer(way) or way


def plainer(way: Structured) -> Structured | None:
    ways = list(Structured)
    return ways[ways.index(way) + 1] if way is not ways[-1] else None


class Asked:
    """One model with what its calls have taught: the way to ask it for a form, and whether its provider fails."""

    def __init__(self, endpoint: Endpoint, breaker: Breaker) -> None:
        self.endpoint = endpoint
        self.breaker = breaker
        self.form = Form(endpoint.structured)


class ModelChain:
    """The `LanguageModel` of a model and its fallbacks, in order."""

    def __init__(self, chain: Sequence[Asked]) -> None:
        self._chain = chain

    @property
    def name(self) -> str:
        return self._chain[0].endpoint.name

    async def complete(self, messages: Sequence[Message], schema: AnswerSchema, *, deadline: Deadline) -> Reply:
        async def one(endpoint: Endpoint, way: Structured, seconds: float) -> Reply:
            return await litellm_model.complete(endpoint, way, messages, schema, seconds)

        return await self._ask(one, deadline)

    async def stream(self, messages: Sequence[Message], *, deadline: Deadline, on_text: TextSink) -> Reply:
        shown = False

        async def show(text: str) -> None:
            nonlocal shown
            shown = True
            await on_text(text)

        async def one(endpoint: Endpoint, _: Structured, seconds: float) -> Reply:
            return await litellm_model.stream(endpoint, messages, seconds, show)

        return await self._ask(one, deadline, final=lambda: shown)

    async def _ask(self, one: One, deadline: Deadline, final: Callable[[], bool] = lambda: False) -> Reply:
        """Return the first answer; `final` tells that nothing may be asked again.

        Each model has an equal share of the time that is left, or a hanging one would leave the others none.
        """
        calls = 0
        refusal: DomainError = AiTimeout()
        waits: list[float] = []
        for place, asked in enumerate(self._chain):
            turn = _Turn(asked, one, final)
            try:
                reply = await turn.run(deadline.remaining() / (len(self._chain) - place))
                return replace(reply, calls=calls + turn.calls)
            except _Failed as failed:
                calls += turn.calls
                refusal = failed.failure.refusal
                waits.append(failed.failure.wait or 0.0)
                if final() or not failed.failure.elsewhere:
                    break
        if isinstance(refusal, AiProviderUnavailable):
            refusal.retry_after = min(waits)  # any of them may answer then
        raise refusal


class _Failed(Exception):
    """What a turn came to; at its end `wait` says when its provider may be asked again: its own word, or the breaker's."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure


class _Turn:
    """The tries of one model for one answer."""

    def __init__(self, asked: Asked, one: One, final: Callable[[], bool]) -> None:
        self._asked = asked
        self._one = one
        self._final = final
        self.calls = 0

    async def run(self, seconds: float) -> Reply:
        """Return its answer, or raise _Failed."""
        endpoint, breaker = self._asked.endpoint, self._asked.breaker
        if (wait := breaker.wait()) > 0:
            raise _Failed(_resting(endpoint, wait))
        try:
            async with asyncio.timeout(seconds):
                reply = await self._tries(asyncio.get_running_loop().time() + seconds)
        except TimeoutError:
            failure = Failure(AiTimeout(), Again.NEVER, elsewhere=True)
            _log(endpoint, failure)
            breaker.failed()
            raise _Failed(replace(failure, wait=breaker.left)) from None
        except _Failed as failed:
            failure = failed.failure
            breaker.failed() if failure.elsewhere else breaker.passed()
            raise _Failed(failure if failure.wait is not None else replace(failure, wait=breaker.left)) from None
        breaker.passed()
        return reply

    async def _tries(self, end: float) -> Reply:
        loop = asyncio.get_running_loop()
        way = self._asked.form.way
        tries = 0
        while True:
            self.calls += 1
            try:
                reply = await self._one(self._asked.endpoint, way, end - loop.time())
            except Exception as error:  # noqa: BLE001  # the library's classes say little, so all of them are read
                failure = self._failure(error)
            else:
                self._asked.form.learn(way, reply)
                return reply
            _log(self._asked.endpoint, failure)
            if failure.again is Again.PLAINER and (next_way := plainer(way)) is not None:
                way = next_way
                continue
            tries += 1
            pause = _pause(tries, failure)
            if tries >= _most_tries(failure) or pause >= end - loop.time():
                raise _Failed(failure)
            await asyncio.sleep(pause)

    def _failure(self, error: Exception) -> Failure:
        endpoint = self._asked.endpoint
        if isinstance(error, DomainError):
            return Failure(error, Again.NEVER)
        if self._final() or isinstance(error, BrokenAnswer):
            return broken(endpoint, Again.NEVER if self._final() else Again.ONCE)
        return failure_of(error, endpoint)


def _most_tries(failure: Failure) -> int:
    return {Again.OFTEN: TRIES, Again.ONCE: 2}.get(failure.again, 1)


def _pause(tries: int, failure: Failure) -> float:
    """Return how long to wait: what the provider asks for, else a random part of a span that doubles."""
    if failure.wait is not None:
        return failure.wait
    return random.uniform(0, PAUSE_SECONDS * 2 ** (tries - 1))  # noqa: S311  # full jitter: callers that failed together part


def _resting(endpoint: Endpoint, wait: float) -> Failure:
    message = f"{endpoint.provider} has failed several times in a row, and is asked again in {wait:.0f} seconds."
    return Failure(AiProviderUnavailable(message), Again.NEVER, wait=wait, elsewhere=True)


def _log(endpoint: Endpoint, failure: Failure) -> None:
    log.warning("a call of %s failed: %s", endpoint.name, failure.refusal.code.value)
