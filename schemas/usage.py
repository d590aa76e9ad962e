"""What an answer took of models."""

from pydantic import Field

from schemas.primitives import Model


class Usage(Model):
    """What an answer took of models; nothing for the rule engine."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int | None = Field(default=None, description="null when the provider does not say; the two above are 0 then")
    cost: float | None = Field(default=None, description="US dollars, by the price list of the model library; null when unknown")
    attempts: int = Field(default=0, description="answers of a model, repairs included")
    calls: int = Field(default=0, description="calls to providers, failed ones included")
    milliseconds: int | None = Field(default=None, description="from the question to the accepted answer")
