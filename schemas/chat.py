"""Conversations with the agents: what is said, and what came of it. Nothing said here is ever applied."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from schemas.paging import Paging
from schemas.patches import PatchSetDetail
from schemas.planning import ModelChoice
from schemas.primitives import Instant, ItemName, Model, spoken_text
from schemas.usage import Usage

MAX_MESSAGE = 20_000

MessageText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_MESSAGE), AfterValidator(spoken_text)]


class Route(StrEnum):
    """What became of a message."""

    PLAN = "plan"
    DECOMPOSE = "decompose"
    EDIT = "edit"
    ANSWER = "answer"
    CLARIFY = "clarify"


class Speaker(StrEnum):
    USER = "user"
    ASSISTANT = "assistant"


class ChatRequest(ModelChoice):
    """One message; the answer may hold a proposal, and nothing is applied."""

    message: MessageText = Field(
        description="what is wanted; without a model commands, questions about plans, or a plan (`help` lists them)"
    )
    conversation_id: ItemName | None = Field(default=None, description="the conversation to go on with; without it a new one")
    project_id: ItemName | None = Field(
        default=None, description="id or key of the project that is meant; the conversation remembers it"
    )


class ChatResponse(Model):
    """What the agents answer to a message."""

    conversation_id: str
    message_id: str = Field(description="names this answer: the same when it is replayed")
    message: str = Field(description="the answer, as Markdown")
    route: Route
    patch_set: PatchSetDetail | None = Field(description="a stored proposal: new, or the pending one that is meant")
    questions: list[str] = Field(description="what was not understood, or is still to be decided")
    engine: str = Field(description="rules (no AI), or what asks a model")
    model: str | None
    usage: Usage


class ChatMessage(Model):
    """One message of a conversation; what follows `text` is about answers."""

    number: int = Field(description="from 1")
    role: Speaker
    text: str
    created_at: Instant
    route: Route | None = None
    patch_set_id: str | None = None
    questions: list[str] = []
    engine: str | None = None
    model: str | None = None
    usage: Usage | None = None


class Conversation(Model):
    """A conversation of one caller; nobody else sees it."""

    id: str
    title: str = Field(description="how it began")
    project_id: str | None = Field(description="the project it is about")
    message_count: int
    created_at: Instant
    updated_at: Instant


class ConversationDetail(Conversation):
    messages: list[ChatMessage] = Field(description="at most 100, oldest first")


class ConversationListResponse(Paging):
    conversations: list[Conversation]
