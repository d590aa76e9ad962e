"""Conversations and their messages. A caller's conversations are read by that caller alone, so every look names the subject."""

from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects import postgresql

from core.storage.interface import ConversationRecord
from core.storage.sql.paging import Sorting, list_page
from core.storage.sql.session import Session
from core.storage.sql.tables import conversations, messages
from schemas.chat import ChatMessage, Conversation, ConversationListResponse
from schemas.paging import PageRequest

_V = conversations.c
_M = messages.c
_SHOWN = (_V.id, _V.title, _V.project_id, _V.message_count, _V.created_at, _V.updated_at)
_KEPT = (_V.subject, _V.summary, _V.summarized, _V.turn, _V.turn_ends_at)
_SAID = ("number", "role", "text", "created_at")  # the rest of a message is `about`


class Conversations(Session):
    """The part of a transaction that keeps what was said."""

    def save_conversation(self, record: ConversationRecord) -> None:
        """Insert a conversation, or replace what is stored of it."""
        shown = record.conversation
        values: dict[str, Any] = {
            **dict(shown),
            "subject": record.subject,
            "summary": record.summary,
            "summarized": record.summarized,
            "turn": record.turn,
            "turn_ends_at": record.turn_ends_at,
        }
        statement = postgresql.insert(conversations).values(workspace_id=self.workspace, **values)
        self.write(statement.on_conflict_do_update(index_elements=["workspace_id", "id"], set_=values))

    def find_conversation(self, subject: str, conversation_id: str, *, lock: bool = False) -> ConversationRecord | None:
        """Return a conversation of `subject`."""
        own = select(*_SHOWN, *_KEPT).where(_V.workspace_id == self.workspace, _V.subject == subject, _V.id == conversation_id)
        found = self.query(own.with_for_update() if lock and self.locking else own)
        return next((_record(row) for row in found), None)

    def list_conversations(self, subject: str, query: PageRequest) -> ConversationListResponse:
        """Return the conversations of `subject`, the one that was used last first."""
        own = [_V.workspace_id == self.workspace, _V.subject == subject]
        page = list_page(self, query, conversations, own, Sorting((_V.updated_at, _V.id), descending=True))
        found = {row[0]: row for row in self.query(select(*_SHOWN).where(*own, _V.id.in_(page.ids)))}
        return ConversationListResponse(conversations=[_shown(found[item]) for item in page.ids], **page.place)

    def delete_conversation(self, subject: str, conversation_id: str) -> bool:
        """Remove a conversation of `subject` with all that was said; False when there is none."""
        own = (_V.workspace_id == self.workspace, _V.subject == subject, _V.id == conversation_id)
        if not self.query(select(_V.id).where(*own)):
            return False
        self.write(delete(messages).where(_M.workspace_id == self.workspace, _M.conversation_id == conversation_id))
        return self.write(delete(conversations).where(*own)) == 1

    def add_message(self, conversation_id: str, message: ChatMessage) -> None:
        """Append what was said to a conversation."""
        about = message.model_dump(mode="json", exclude={*_SAID}, exclude_defaults=True)
        said = {name: getattr(message, name) for name in _SAID}
        self.write(insert(messages).values(workspace_id=self.workspace, conversation_id=conversation_id, about=about, **said))

    def list_messages(self, conversation_id: str, *, before: int | None = None, limit: int = 100) -> list[ChatMessage]:
        """Return the last messages of a conversation (those before number `before`), oldest first."""
        own = [_M.workspace_id == self.workspace, _M.conversation_id == conversation_id]
        if before is not None:
            own.append(_M.number < before)
        newest = select(_M.number, _M.role, _M.text, _M.created_at, _M.about).where(*own).order_by(_M.number.desc()).limit(limit)
        return [_message(row) for row in reversed(self.query(newest))]


def _shown(row: tuple[Any, ...]) -> Conversation:
    return Conversation(**dict(zip((column.name for column in _SHOWN), row, strict=True)))


def _record(row: tuple[Any, ...]) -> ConversationRecord:
    subject, summary, summarized, turn, turn_ends_at = row[len(_SHOWN) :]
    return ConversationRecord(_shown(row[: len(_SHOWN)]), subject, summary, summarized, turn, turn_ends_at)


def _message(row: tuple[Any, ...]) -> ChatMessage:
    *said, about = row
    return ChatMessage(**dict(zip(_SAID, said, strict=True)), **about)
