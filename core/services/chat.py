"""One turn of a conversation: what is said is kept, answered, and never applied."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from core.agents.loop import Asker
from core.context import Context, Scope
from core.idempotency import answer_of, once_held
from core.llm.port import Deadline
from core.services.asking import by_rules
from core.services.budget import spending_on
from core.services.conversations import Turn, abandon_turn, begin_turn, end_turn, turn_seconds
from core.services.model_chat import Finish, answer_by_model
from core.services.rule_chat import answer_by_rules
from schemas.chat import ChatRequest, ChatResponse


class Listener(Protocol):
    """Who hears of an answer while it is made."""

    def begin(self, turn: Turn) -> None:
        """The message is stored, and from now on it is answered."""

    async def text(self, piece: str) -> None:
        """The next piece of the answer's text; an answer that is made at once has none."""


class _Nobody:
    def begin(self, turn: Turn) -> None:
        pass

    async def text(self, piece: str) -> None:
        pass


NOBODY: Listener = _Nobody()


async def chat(ctx: Context, request: ChatRequest, listener: Listener = NOBODY) -> ChatResponse:
    """Return the answer to a message of the caller; what it proposes is stored as a proposal.

    Raises:
        TurnInProgress: another message of the conversation is being answered.
        NotFound, DeletedResource: the conversation or the project that the request names.
        Forbidden: the message asks for a proposal, and the caller may not propose.
        AiGenerationFailed: the model's answer was still wrong after its repairs.
        AiNotConfigured, AiProviderError, AiProviderUnavailable, AiTimeout, AiQuotaExceeded: it could not be asked.
    """
    ctx.principal.require(Scope.AGENT_CHAT)
    return await once_held(ctx, lambda held: _turn(held, request, listener), answer_of(end_turn), seconds=turn_seconds(ctx))


async def _turn(ctx: Context, request: ChatRequest, listener: Listener) -> ChatResponse:
    if by_rules(ctx, request):
        return await _answered(ctx, request, listener, _by_rules)
    step = ctx.without_key()
    model = step.models.choose(provider=request.provider, model=request.model)
    async with spending_on(step, request) as spending:

        async def by_model(turn: Turn) -> Finish:
            asker = Asker(model, Deadline(step.settings.ai_deadline_seconds), spending)
            return await answer_by_model(step, turn, asker, listener.text)

        return await _answered(ctx, request, listener, by_model)


async def _by_rules(_: Turn) -> Finish:
    return answer_by_rules


async def _answered(
    ctx: Context, request: ChatRequest, listener: Listener, think: Callable[[Turn], Awaitable[Finish]]
) -> ChatResponse:
    """Keep what is said, and end the turn with what `think` returns; the conversation is let go however that ends."""
    step = ctx.without_key()
    turn = await step.run(begin_turn, request)
    try:
        listener.begin(turn)
        return await ctx.run(end_turn, turn, await think(turn))
    except BaseException:
        await step.run(abandon_turn, turn)
        raise
