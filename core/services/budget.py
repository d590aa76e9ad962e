"""What callers use of models in a day, and how much they may.

It is looked at before a question and counted after it, so questions at the same time can pass the limit together,
by what they take. A provider that does not say what it took counts for nothing.
"""

from core.context import Context
from core.errors import AiQuotaExceeded
from core.llm.port import Spending


def check_budget(ctx: Context) -> None:
    """Raise AiQuotaExceeded when the caller has used the tokens of this day."""
    limit = ctx.settings.ai_daily_tokens
    if limit is None:
        return
    used = ctx.read(lambda tx: tx.used_tokens(ctx.principal.subject, ctx.today))
    if used >= limit:
        raise AiQuotaExceeded(
            f"You have used {used:,} tokens today, of {limit:,}.",
            hint=f"go on tomorrow ({ctx.settings.time_zone}), or import a written plan, which needs no model",
        )


def count_usage(ctx: Context, spending: Spending) -> None:
    """Store what was spent for the caller."""
    tokens = {"input_tokens": spending.input_tokens or 0, "output_tokens": spending.output_tokens or 0}
    if any(tokens.values()):
        ctx.write(lambda tx: tx.add_usage(ctx.principal.subject, ctx.today, **tokens))
