"""Idempotency keys: taken by inserting their row, so that on PostgreSQL a duplicate waits for the first commit.

SQLite has one writer; there the duplicate has waited before its transaction began.
"""

from datetime import datetime

from sqlalchemy import bindparam, delete, select, tuple_, update
from sqlalchemy.dialects import postgresql

from core.idempotency import RecordedAnswer
from core.storage.sql.failures import SerialisationFailure
from core.storage.sql.session import WORKSPACE, Session, Statement
from core.storage.sql.tables import idempotency_keys

REMOVED_AT_ONCE = 100

_K = idempotency_keys.c
_OWN = (_K.workspace_id == WORKSPACE, _K.subject == bindparam("s"), _K.key == bindparam("k"))


def _take() -> postgresql.Insert:
    """Insert a row, or replace one that has expired."""
    statement = postgresql.insert(idempotency_keys).values({column: bindparam(f"v_{column.name}") for column in _K})
    return statement.on_conflict_do_update(
        index_elements=["workspace_id", "subject", "key"],
        set_={name: statement.excluded[name] for name in ("fingerprint", "refused", "answer", "expires_at")},
        where=_K.expires_at <= bindparam("now"),
    )


TAKE = Statement(_take())
FIND = Statement(select(_K.fingerprint, _K.refused, _K.answer).where(*_OWN, _K.expires_at > bindparam("now")))
_HELD = (*_OWN, _K.answer.is_(None))
RECORD = Statement(
    update(idempotency_keys).where(*_HELD).values(answer=bindparam("a"), refused=bindparam("r"), expires_at=bindparam("e"))
)
FREE = Statement(delete(idempotency_keys).where(*_HELD))
REMOVE_EXPIRED = Statement(
    delete(idempotency_keys).where(
        _K.workspace_id == WORKSPACE,
        tuple_(_K.subject, _K.key).in_(
            select(_K.subject, _K.key)
            .where(_K.workspace_id == WORKSPACE, _K.expires_at <= bindparam("now"))
            .order_by(_K.expires_at)
            .limit(bindparam("limit"))
            .with_for_update(skip_locked=True)
        ),
    )
)


class IdempotencyKeys(Session):
    """The part of a transaction that keeps how keyed calls ended."""

    def find_answer(self, subject: str, key: str, *, now: datetime) -> RecordedAnswer | None:
        """Return how the call of this key ended, unless it has expired."""
        row = self.row(FIND, s=subject, k=key, now=self.codec.dump_instant(now))
        return None if row is None else RecordedAnswer(fingerprint=row[0], refused=bool(row[1]), answer=row[2])

    def take_key(self, subject: str, key: str, *, fingerprint: str, now: datetime, expires_at: datetime) -> RecordedAnswer | None:
        """Take a key for this transaction, waiting for another that holds it; return how that one ended."""
        instant = self.codec.dump_instant
        values = {"subject": subject, "key": key, "fingerprint": fingerprint, "expires_at": instant(expires_at)}
        row = {f"v_{name}": value for name, value in values.items()}
        if self.execute(TAKE, v_workspace_id=self.workspace, v_refused=False, v_answer=None, now=instant(now), **row) != 1:
            earlier = self.find_answer(subject, key, now=now)
            if earlier is None:  # it expired just now, and another transaction has removed it
                raise SerialisationFailure
            return earlier
        self.execute(REMOVE_EXPIRED, now=instant(now), limit=REMOVED_AT_ONCE)
        return None

    def record_answer(self, subject: str, key: str, *, answer: str, refused: bool, expires_at: datetime) -> bool:
        """Store how the call of a key that was taken ended; False when it is not held any more."""
        return self.execute(RECORD, s=subject, k=key, a=answer, r=refused, e=self.codec.dump_instant(expires_at)) == 1

    def free_key(self, subject: str, key: str) -> None:
        """Give back a key that was taken, unless its call has ended."""
        self.execute(FREE, s=subject, k=key)
