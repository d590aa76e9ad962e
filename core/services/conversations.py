"""Conversations: one turn at a time, each of two transactions with the thinking between them.

The first keeps what the user said, and holds the conversation; the second keeps the answer with its proposal and what it
cost. A turn whose process died holds its conversation until its time is over.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from core.context import Context, Scope
from core.errors import NotFound, TurnInProgress
from core.services.projects import live_project
from core.storage.interface import ConversationRecord, Transaction
from schemas.chat import (
    ChatMessage,
    ChatRequest,
    ChatResponse,
    Conversation,
    ConversationDetail,
    ConversationListResponse,
    Route,
    Speaker,
)
from schemas.paging import PageRequest
from schemas.patches import PatchSetDetail
from schemas.usage import Usage

TITLE = 80
HISTORY = 100  # messages of a conversation that a turn can look back on
GRACE_SECONDS = 30.0  # on top of the agents' deadline


@dataclass(frozen=True, slots=True)
class Turn:
    """A message that is being answered, and what was said before it."""

    id: str
    conversation_id: str
    message: str
    project: str | None  # key of the project that is meant
    history: list[ChatMessage]  # the last ones before the message, oldest first
    summary: str  # of what was said before `history`


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer before it is stored; its proposal is stored in the same transaction."""

    text: str
    route: Route
    patch_set: PatchSetDetail | None = None
    questions: list[str] = field(default_factory=list)
    engine: str = "rules"
    model: str | None = None
    usage: Usage = field(default_factory=Usage)
    summary: str | None = None  # of the conversation so far; None keeps the one there is


def turn_seconds(ctx: Context) -> float:
    """Return how long a turn may hold its conversation."""
    return ctx.settings.ai_deadline_seconds + GRACE_SECONDS


def begin_turn(ctx: Context, request: ChatRequest) -> Turn:
    """Store what the user said, in a new conversation or the named one, and hold it.

    Raises:
        TurnInProgress: another message of the conversation is being answered.
        NotFound, DeletedResource: the conversation of this caller, or the project.
    """
    ctx.principal.require(Scope.AGENT_CHAT)
    turn = ctx.ids.new_id()

    def work(tx: Transaction) -> Turn:
        named = live_project(tx, request.project_id) if request.project_id is not None else None
        record = _named(ctx, tx, request.conversation_id) if request.conversation_id else _new(ctx, request.message)
        if record.turn is not None and record.turn_ends_at is not None and record.turn_ends_at > ctx.now:
            raise TurnInProgress
        history = tx.list_messages(record.conversation.id, limit=HISTORY)
        project = named or (tx.find_project(record.conversation.project_id) if record.conversation.project_id else None)
        record.turn, record.turn_ends_at = turn, ctx.now + timedelta(seconds=turn_seconds(ctx))
        _append(ctx, tx, record, Speaker.USER, request.message, project_id=None if project is None else project.id)
        key = None if project is None or project.deleted_at is not None else project.key
        return Turn(turn, record.conversation.id, request.message, key, history, record.summary)

    return ctx.write(work)


def end_turn(ctx: Context, turn: Turn, answer: Callable[[Context, Turn], Answered]) -> ChatResponse:
    """Store the answer that `answer` makes, with what it stores itself, and let the conversation go.

    Raises:
        NotFound: the conversation has been deleted meanwhile.
        TurnInProgress: the turn took too long, and another one has begun.
        DomainError: what `answer` raises; nothing is stored.
    """

    def work(joined: Context) -> ChatResponse:
        answered = answer(joined, turn)
        joined.write(lambda tx: _keep(ctx, tx, turn, answered))
        return ChatResponse(
            conversation_id=turn.conversation_id,
            message_id=turn.id,
            message=answered.text,
            route=answered.route,
            patch_set=answered.patch_set,
            questions=answered.questions,
            engine=answered.engine,
            model=answered.model,
            usage=answered.usage,
        )

    return ctx.together(work)


def abandon_turn(ctx: Context, turn: Turn) -> bool:
    """Let the conversation go without an answer; False when the turn has ended already."""

    def work(tx: Transaction) -> bool:
        record = tx.find_conversation(ctx.principal.subject, turn.conversation_id, lock=True)
        if record is None or record.turn != turn.id:
            return False
        record.turn = record.turn_ends_at = None
        tx.save_conversation(record)
        return True

    return ctx.write(work)


def list_conversations(ctx: Context, query: PageRequest) -> ConversationListResponse:
    """Return the caller's own conversations, the one that was used last first."""
    ctx.principal.require(Scope.AGENT_CHAT)
    return ctx.read(lambda tx: tx.list_conversations(ctx.principal.subject, query))


def get_conversation(ctx: Context, conversation_id: str, *, before: int | None = None) -> ConversationDetail:
    """Return a conversation of the caller with its last messages, those before the one of number `before` if given."""
    ctx.principal.require(Scope.AGENT_CHAT)

    def work(tx: Transaction) -> ConversationDetail:
        record = _named(ctx, tx, conversation_id)
        messages = tx.list_messages(record.conversation.id, before=before, limit=HISTORY)
        return ConversationDetail(**dict(record.conversation), messages=messages)

    return ctx.read(work)


def delete_conversation(ctx: Context, conversation_id: str) -> Conversation:
    """Remove a conversation of the caller with all that was said; proposals made in it stay."""
    ctx.principal.require(Scope.AGENT_CHAT)

    def work(tx: Transaction) -> Conversation:
        record = _named(ctx, tx, conversation_id)
        tx.delete_conversation(ctx.principal.subject, record.conversation.id)
        return record.conversation

    return ctx.write(work)


def _named(ctx: Context, tx: Transaction, conversation_id: str) -> ConversationRecord:
    record = tx.find_conversation(ctx.principal.subject, conversation_id, lock=True)
    if record is None:
        raise NotFound("You have no such conversation.", hint="list your conversations, or leave out the id to begin one")
    return record


def _new(ctx: Context, message: str) -> ConversationRecord:
    line = " ".join(message.split())
    title = line if len(line) <= TITLE else line[: TITLE - 1] + "…"
    shown = Conversation(
        id=ctx.ids.new_id(), title=title, project_id=None, message_count=0, created_at=ctx.now, updated_at=ctx.now
    )
    return ConversationRecord(shown, ctx.principal.subject)


def _append(
    ctx: Context,
    tx: Transaction,
    record: ConversationRecord,
    role: Speaker,
    text: str,
    *,
    project_id: str | None,
    **about: object,
) -> None:
    """Store a message and the conversation that it belongs to."""
    shown = record.conversation
    number = shown.message_count + 1
    record.conversation = shown.model_copy(
        update={"message_count": number, "updated_at": max(ctx.now, shown.updated_at), "project_id": project_id}
    )
    tx.save_conversation(record)
    tx.add_message(shown.id, ChatMessage(number=number, role=role, text=text, created_at=ctx.now, **about))


def _keep(ctx: Context, tx: Transaction, turn: Turn, answered: Answered) -> None:
    record = _named(ctx, tx, turn.conversation_id)
    if record.turn != turn.id:
        raise TurnInProgress("This answer took too long, and the conversation has gone on without it.")
    record.turn = record.turn_ends_at = None
    if answered.summary is not None:
        record.summary, record.summarized = answered.summary, record.conversation.message_count
    _append(
        ctx,
        tx,
        record,
        Speaker.ASSISTANT,
        answered.text,
        project_id=record.conversation.project_id,
        route=answered.route,
        patch_set_id=None if answered.patch_set is None else answered.patch_set.id,
        questions=answered.questions,
        engine=answered.engine,
        model=answered.model,
        usage=answered.usage,
    )
