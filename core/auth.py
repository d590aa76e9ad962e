"""Who is calling: one resolver from what a caller shows to its Principal, the same for every door.

`AUTH=none` knows only the local owner; `api_key` looks keys up by their id; `jwt` checks signed tokens.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from core.api_keys import StoredKey, id_of
from core.clock import Clock
from core.context import OWNER, Principal, Runner
from core.errors import DomainError, Forbidden, TokenExpired, Unauthorized
from core.settings import Auth, Settings
from schemas.access import ROLE_SCOPES, Scope

if TYPE_CHECKING:
    from core.storage.interface import Storage
    from core.tokens import Claims, TokenVerifier

log = logging.getLogger(__name__)
K = TypeVar("K")
V = TypeVar("V")

CACHE_SECONDS = 5.0  # so long a revoked key, or a member's former role, may still work
CACHED = 1_000
RECHECK_SECONDS = 5.0  # so often whoever reads on without end is looked up again
USE_RECORDED_EVERY = timedelta(minutes=1)
NO_CREDENTIALS = "This server wants to know who is calling."


def bearer(authorization: str | None) -> str | None:
    """Return the key or token of `Authorization: Bearer ...`; other schemes are none of ours."""
    scheme, _, value = (authorization or "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" and value.strip() else None


class Authenticator(Protocol):
    async def authenticate(self, credential: str | None) -> Principal:
        """Return whom `credential` (an API key or a token, None without any) stands for.

        Raises:
            Unauthorized, TokenExpired: nobody, or not any more.
            Forbidden: a known caller whom nothing has been granted.
            DomainError: the database or the key server does not answer.
        """


def make_authenticator(settings: Settings, storage: "Storage", runner: Runner, clock: Clock) -> Authenticator:
    """Return the resolver that the setting AUTH asks for."""
    match settings.auth:
        case Auth.NONE:
            return LocalOwner()
        case Auth.API_KEY:
            return ApiKeys(storage, runner, clock)
        case Auth.JWT:
            from core.tokens import TokenVerifier  # cryptography is loaded only where it is used

            return Tokens(TokenVerifier(settings), storage, runner)


async def access_ended(authenticator: Authenticator, credential: str | None, principal: Principal) -> DomainError:
    """Return, once it is so, why `credential` does not let anybody read as `principal` any more.

    For streams, which are let in once and have no end of their own. A database or key server that does not answer ends none.
    """
    while True:
        await asyncio.sleep(RECHECK_SECONDS)
        try:
            known = await authenticator.authenticate(credential)
            known.require(Scope.PROJECTS_READ)
        except (Unauthorized, TokenExpired, Forbidden) as refused:
            return refused
        except DomainError as unknown:
            log.info("whether %s may read on is not known now: %s", principal.subject, unknown.message)
        else:
            if known.workspace != principal.workspace:
                return Forbidden("These credentials have been moved to another workspace.")


class LocalOwner:
    """Without authentication everybody who reaches the process is its owner: only loopback may be bound."""

    async def authenticate(self, credential: str | None) -> Principal:  # noqa: ARG002  the port's
        return OWNER


class ApiKeys:
    def __init__(self, storage: "Storage", runner: Runner, clock: Clock, timer: Callable[[], float] = time.monotonic) -> None:
        self._storage = storage
        self._runner = runner
        self._clock = clock
        self._known: Cache[str, StoredKey] = Cache(timer)
        self._used: Cache[str, None] = Cache(timer, USE_RECORDED_EVERY.total_seconds())
        self._recording: set[asyncio.Task[None]] = set()

    async def authenticate(self, credential: str | None) -> Principal:
        if credential is None:
            raise Unauthorized(
                NO_CREDENTIALS, hint="send `Authorization: Bearer orc_...`; `orchestrator keys create` makes a key"
            )
        key_id = id_of(credential)
        stored = await self._find(key_id) if key_id is not None else None
        # Unknown, wrong and revoked read the same: whoever has no key learns nothing about keys.
        if stored is None or not stored.fits(credential) or stored.key.revoked_at is not None:
            raise Unauthorized("This API key is not valid.", hint="`orchestrator keys list` shows which keys are")
        key = stored.key
        if key.expires_at is not None and key.expires_at <= self._clock.now():
            raise TokenExpired("This API key has expired.", hint="`orchestrator keys create` makes a new one")
        self._record_use(stored)
        return Principal(subject=key.name, workspace=key.workspace, scopes=frozenset(key.scopes))

    async def _find(self, key_id: str) -> StoredKey | None:
        stored = self._known.get(key_id)
        if stored is None:
            # Ids nobody has are not remembered: a flood of them would push out the ones in use.
            stored = await self._runner.run(lambda: self._storage.read(OWNER.workspace, lambda tx: tx.find_api_key(key_id)))
            if stored is not None:
                self._known.put(key_id, stored)
        return stored

    def _record_use(self, stored: StoredKey) -> None:
        """Store now and then that a key is in use, after the answer and never in its way."""
        key, now = stored.key, self._clock.now()
        if key.id in self._used or (key.last_used_at is not None and now - key.last_used_at < USE_RECORDED_EVERY):
            return
        self._used.put(key.id, None)

        async def record() -> None:
            try:
                await self._runner.run(lambda: self._storage.write(key.workspace, lambda tx: tx.record_key_use(key.id, now)))
            except (DomainError, RuntimeError) as failure:  # RuntimeError: the process is ending
                log.info("the use of key %s was not recorded: %s", key.id, failure)

        task = asyncio.create_task(record())
        self._recording.add(task)  # the loop itself holds tasks only weakly
        task.add_done_callback(self._recording.discard)


class Tokens:
    def __init__(
        self, verifier: "TokenVerifier", storage: "Storage", runner: Runner, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._verifier = verifier
        self._storage = storage
        self._runner = runner
        self._granted: Cache[Claims, frozenset[Scope]] = Cache(timer)

    async def authenticate(self, credential: str | None) -> Principal:
        if credential is None:
            raise Unauthorized(NO_CREDENTIALS, hint="send `Authorization: Bearer TOKEN`")
        claims = await self._verifier.verify(credential)
        scopes = self._granted.get(claims)
        if scopes is None:
            scopes = await self._runner.run(lambda: self._grant(claims))
            self._granted.put(claims, scopes)
        if not scopes:
            raise Forbidden(
                "This token grants nothing here.",
                hint="its scopes must name ours, or `orchestrator members set` must give its subject a role in its workspace",
            )
        return Principal(subject=claims.subject, workspace=claims.workspace, scopes=scopes)

    def _grant(self, claims: "Claims") -> frozenset[Scope]:
        """Return what the token itself grants; one that names none of our scopes gets its subject's role."""
        exists, member = self._storage.read(claims.workspace, lambda tx: (tx.has_workspace(), tx.find_member(claims.subject)))
        if not exists:
            return frozenset()
        return claims.scopes or (ROLE_SCOPES[member.role] if member else frozenset())


class Cache(Generic[K, V]):
    """What was looked up, for a few seconds; the oldest goes first."""

    def __init__(self, timer: Callable[[], float], seconds: float = CACHE_SECONDS, most: int = CACHED) -> None:
        self._timer = timer
        self._seconds = seconds
        self._most = most
        self._items: dict[K, tuple[float, V]] = {}

    def __contains__(self, key: K) -> bool:
        item = self._items.get(key)
        return item is not None and item[0] > self._timer()

    def get(self, key: K) -> V | None:
        return self._items[key][1] if key in self else None

    def put(self, key: K, value: V) -> None:
        self._items.pop(key, None)
        if len(self._items) >= self._most:
            del self._items[next(iter(self._items))]
        self._items[key] = (self._timer() + self._seconds, value)
