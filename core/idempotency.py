"""Do a keyed call once: repeated with the same key, it gives its first answer again.

The key is taken, the call's effect stored and its answer recorded in one transaction, so no crash can part
them, and a duplicate that comes meanwhile waits for the commit. Services know nothing of it: their writes
join that transaction, and what they return is recorded as JSON and read back by their return type.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from pydantic import TypeAdapter

from core.errors import DomainError, IdempotencyKeyReused
from schemas.errors import ErrorCode, ErrorDetail

if TYPE_CHECKING:
    from core.context import Context
    from core.storage.interface import Storage, Transaction

T = TypeVar("T")

KEPT = timedelta(hours=24)
# Refusals that belong to the request and the state it met. All others may pass by themselves, and are tried again.
FINAL = frozenset(
    {
        ErrorCode.BODY_TOO_LARGE,
        ErrorCode.NOT_FOUND,
        ErrorCode.DELETED_RESOURCE,
        ErrorCode.CONCURRENT_UPDATE,
        ErrorCode.DUPLICATE_RESOURCE,
        ErrorCode.HAS_CHILDREN,
        ErrorCode.PATCH_SET_CLOSED,
        ErrorCode.PRECONDITION_FAILED,
        ErrorCode.VALIDATION_ERROR,
        ErrorCode.INVALID_PATCH,
        ErrorCode.INVALID_HIERARCHY,
        ErrorCode.DEPENDENCY_CYCLE,
        ErrorCode.IDEMPOTENCY_KEY_REUSED,
    }
)


@dataclass(slots=True)
class Attempt:
    """One delivery of a keyed call; `replayed` once it was answered from the record."""

    key: str
    fingerprint: str  # of everything the caller asked for
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """How a keyed call ended: the JSON of what its service returned, or of its refusal."""

    fingerprint: str
    refused: bool
    answer: str


class ReplayedRefusal(DomainError):
    """The first answer of this call was a refusal."""

    def __init__(self, first: ErrorDetail) -> None:
        self.code = first.code
        super().__init__(first.message, details=first.details)


class Joined:
    """The transactions of one service call, made one: the first write begins it, and all that follows is in it."""

    def __init__(self, storage: "Storage", begin: "Callable[[], Transaction]") -> None:
        self._storage = storage
        self._begin = begin
        self._tx: Transaction | None = None

    def begin(self) -> "Transaction":
        if self._tx is None:
            self._tx = self._begin()
        return self._tx

    def read(self, workspace: str, work: "Callable[[Transaction], T]") -> T:
        return self._storage.read(workspace, work) if self._tx is None else work(self._tx)

    def write(self, _workspace: str, work: "Callable[[Transaction], T]") -> T:
        tx = self.begin()
        with tx.savepoint():  # a service may go on after a write that failed, as a claim does
            return work(tx)


class _Earlier(Exception):
    """Another delivery of the call ended while this one waited for its key."""

    def __init__(self, record: RecordedAnswer) -> None:
        self.record = record


def once(ctx: "Context", attempt: Attempt, service: "Callable[[Context], T]", answer: TypeAdapter[T]) -> T:
    """Return `service(ctx)`, or the answer recorded when this call was first made.

    Raises:
        IdempotencyKeyReused: the key belongs to another request of this caller.
        DomainError: what the service raises; a final one is recorded, and raised again on each repetition.
    """
    workspace, key = ctx.principal.workspace, (ctx.principal.subject, attempt.key)

    def take(tx: "Transaction") -> RecordedAnswer | None:
        return tx.take_key(*key, fingerprint=attempt.fingerprint, now=ctx.now, expires_at=ctx.now + KEPT)

    def work(begin: "Callable[[], Transaction]") -> T | RecordedAnswer:
        earlier = ctx.storage.read(workspace, lambda tx: tx.find_answer(*key, now=ctx.now))
        if earlier is not None:
            return earlier

        def begin_with_key() -> "Transaction":
            tx = begin()
            if (earlier := take(tx)) is not None:
                raise _Earlier(earlier)
            return tx

        joined = Joined(ctx.storage, begin_with_key)
        try:
            result = service(replace(ctx, joined=joined))
            joined.begin().record_answer(*key, answer=answer.dump_json(result).decode(), refused=False)
        except _Earlier as found:
            return found.record
        return result

    def refuse(tx: "Transaction") -> RecordedAnswer | None:
        earlier = take(tx)
        if earlier is None:
            tx.record_answer(*key, answer=detail.model_dump_json(), refused=True)
        return earlier

    try:
        ended = ctx.storage.write_late(workspace, work)
    except DomainError as refusal:
        if refusal.code not in FINAL:
            raise
        detail = refusal.detail()
        earlier = ctx.storage.write(workspace, refuse)
        if earlier is None:
            raise
        ended = earlier
    return _replay(attempt, ended, answer) if isinstance(ended, RecordedAnswer) else ended


def _replay(attempt: Attempt, record: RecordedAnswer, answer: TypeAdapter[T]) -> T:
    if record.fingerprint != attempt.fingerprint:
        raise IdempotencyKeyReused(
            "This Idempotency-Key was used for another request.",
            hint="use a new key for each new request; a repetition is sent exactly as the first time",
        )
    attempt.replayed = True
    if record.refused:
        raise ReplayedRefusal(ErrorDetail.model_validate_json(record.answer))
    return answer.validate_json(record.answer)


@lru_cache
def answer_of(service: Callable[..., T]) -> TypeAdapter[T]:
    """Return how the answers of a service are written and read, by its return type."""
    kind: Any = get_type_hints(service)["return"]
    return TypeAdapter(kind)
