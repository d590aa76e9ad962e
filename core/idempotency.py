"""Do a keyed call once: repeated with the same key, it gives its first answer again.

The key is taken, the call's effect stored and its answer recorded in one transaction, so no crash can part
them, and a duplicate that comes meanwhile waits for the commit. Services know nothing of it: their writes
join that transaction, and what they return is recorded as JSON and read back by their return type.

A call that asks a model takes too long for one transaction: `once_held` takes its key first, for a while, and
its last service stores effect and answer together. A duplicate is told that the call still runs.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from pydantic import TypeAdapter

from core.errors import DomainError, IdempotencyInProgress, IdempotencyKeyReused
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
    held: bool = False  # the key has been taken, by a transaction that is over


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """How a keyed call ended: the JSON of what its service returned, or of its refusal; None while it is held."""

    fingerprint: str
    refused: bool
    answer: str | None


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

    def read(self, workspace: str, work: "Callable[[Transaction], T]", *, snapshot: bool = True) -> T:
        return self._storage.read(workspace, work, snapshot=snapshot) if self._tx is None else work(self._tx)

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
        earlier = None if attempt.held else ctx.storage.read(workspace, lambda tx: tx.find_answer(*key, now=ctx.now))
        if earlier is not None:
            return earlier

        def begin_with_key() -> "Transaction":
            tx = begin()
            if not attempt.held and (earlier := take(tx)) is not None:
                raise _Earlier(earlier)
            return tx

        joined = Joined(ctx.storage, begin_with_key)
        try:
            result = service(replace(ctx, joined=joined))
        except _Earlier as found:
            return found.record
        said = answer.dump_json(result).decode()
        if not joined.begin().record_answer(*key, answer=said, refused=False, expires_at=ctx.now + KEPT):
            raise IdempotencyInProgress("This call took longer than its key was held, and may have been begun again.")
        return result

    def refuse(tx: "Transaction") -> RecordedAnswer | None:
        earlier = take(tx)
        if earlier is None:
            tx.record_answer(*key, answer=detail.model_dump_json(), refused=True, expires_at=ctx.now + KEPT)
        return earlier

    try:
        ended = ctx.storage.write_late(workspace, work)
    except DomainError as refusal:
        if attempt.held or refusal.code not in FINAL:
            raise
        detail = refusal.detail()
        earlier = ctx.storage.write(workspace, refuse)
        if earlier is None:
            raise
        ended = earlier
    return _replay(attempt, ended, answer) if isinstance(ended, RecordedAnswer) else ended


async def once_held(ctx: "Context", service: "Callable[[Context], Awaitable[T]]", answer: TypeAdapter[T], *, seconds: float) -> T:
    """Return `await service(ctx)`, or the answer recorded when this call was first made; its key is held for `seconds`.

    Only the last service that `service` runs may do so with the key; the steps before it run `without_key`.

    Raises:
        IdempotencyInProgress: another delivery of the call still runs.
        IdempotencyKeyReused: the key belongs to another request of this caller.
        DomainError: what `service` raises; a final one is recorded, and raised again on each repetition.
    """
    attempt, free = ctx.attempt, ctx.without_key()
    if attempt is None:
        return await service(ctx)
    key = (ctx.principal.subject, attempt.key)
    until = ctx.now + timedelta(seconds=seconds)
    earlier = await free.run(_take, *key, fingerprint=attempt.fingerprint, until=until)
    if earlier is not None:
        return _replay(attempt, earlier, answer)
    attempt.held = True
    try:
        return await service(ctx)
    except DomainError as refusal:
        await free.run(_give_up, *key, refusal if refusal.code in FINAL else None)
        raise
    except BaseException:  # a failure of ours, or nobody waits any more: the call may be made again at once
        await free.run(_give_up, *key, None)
        raise


def _take(ctx: "Context", subject: str, key: str, *, fingerprint: str, until: datetime) -> RecordedAnswer | None:
    return ctx.write(lambda tx: tx.take_key(subject, key, fingerprint=fingerprint, now=ctx.now, expires_at=until))


def _give_up(ctx: "Context", subject: str, key: str, refusal: DomainError | None) -> None:
    """Record the refusal of a held call, or free its key."""

    def work(tx: "Transaction") -> None:
        if refusal is None:
            tx.free_key(subject, key)
        else:
            said = refusal.detail().model_dump_json()
            tx.record_answer(subject, key, answer=said, refused=True, expires_at=ctx.now + KEPT)

    ctx.write(work)


def _replay(attempt: Attempt, record: RecordedAnswer, answer: TypeAdapter[T]) -> T:
    if record.fingerprint != attempt.fingerprint:
        raise IdempotencyKeyReused(
            "This Idempotency-Key was used for another request.",
            hint="use a new key for each new request; a repetition is sent exactly as the first time",
        )
    if record.answer is None:
        raise IdempotencyInProgress
    attempt.replayed = True
    if record.refused:
        raise ReplayedRefusal(ErrorDetail.model_validate_json(record.answer))
    return answer.validate_json(record.answer)


@lru_cache
def answer_of(service: Callable[..., T]) -> TypeAdapter[T]:
    """Return how the answers of a service are written and read, by its return type."""
    kind: Any = get_type_hints(service)["return"]
    return TypeAdapter(kind)
