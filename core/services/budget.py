"""What callers use of models in a day, and how much they may.

What a request will take is not known before it has been asked, and requests come at the same time, to any process.
So each counts an estimate in the database before its first question, and puts what was really used in its place when
it ends. A process that dies in between leaves the estimate counted for that day. A provider that does not say what it
took counts for nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.context import Context
from core.errors import AiQuotaExceeded, DomainError
from core.llm.port import Spending
from schemas.primitives import Model

ANSWER_TOKENS = 4_000  # for the plan that is shown beside the request, and the answer
CHARACTERS_PER_TOKEN = 4


def estimated_tokens(request: Model) -> int:
    """Return about how many tokens answering `request` takes, questions and answers together."""
    return ANSWER_TOKENS + len(request.model_dump_json()) // CHARACTERS_PER_TOKEN


@asynccontextmanager
async def spending_on(step: Context, request: Model) -> AsyncIterator[Spending]:
    """Give what a request spends on models, within its caller's budget; it is counted however the block ends.

    Raises AiQuotaExceeded when the tokens of this day are used, or reserved by requests that still run.
    """
    reserving = asyncio.ensure_future(step.run(_reserve, estimated_tokens(request)))
    spending = Spending()
    try:
        await asyncio.shield(reserving)  # a caller who leaves meanwhile leaves nothing reserved
        yield spending
    finally:
        await asyncio.shield(asyncio.ensure_future(_settled(step, spending, reserving)))


async def _settled(step: Context, spending: Spending, reserving: "asyncio.Future[int]") -> None:
    try:
        reserved = await reserving
    except DomainError:
        return
    if reserved or spending.tokens:
        await step.run(_settle, spending, reserved)


def _reserve(ctx: Context, tokens: int) -> int:
    """Return how many tokens were reserved, or raise AiQuotaExceeded."""
    limit = ctx.settings.ai_daily_tokens
    if limit is None:
        return 0
    subject, day = ctx.principal.subject, ctx.today
    if ctx.write(lambda tx: tx.reserve_usage(subject, day, tokens=tokens, limit=limit)):
        return tokens
    used = ctx.read(lambda tx: tx.used_tokens(subject, day))
    raise AiQuotaExceeded(
        f"You have used {used:,} tokens today, of {limit:,}; requests that still run count as estimated.",
        hint=f"go on tomorrow ({ctx.settings.time_zone}), or import a written plan, which needs no model",
    )


def _settle(ctx: Context, spending: Spending, reserved: int) -> None:
    tokens = {"input_tokens": spending.input_tokens or 0, "output_tokens": spending.output_tokens or 0}
    ctx.write(lambda tx: tx.add_usage(ctx.principal.subject, ctx.today, **tokens, reserved=reserved))
