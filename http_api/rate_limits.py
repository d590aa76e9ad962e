"""How often a caller may call: a sliding window per caller and policy, counted by `limits`.

Without REDIS_URL each process counts in its own memory; with it all processes count together. While
Redis does not answer each process counts by itself again: calls are neither refused nor unlimited,
and it is asked again after a few seconds, so that its failure does not slow every call.
"""

import logging
import math
import re
import time
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_network
from typing import TYPE_CHECKING, NamedTuple

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.storage.redis import RedisStorage
from limits.errors import StorageError

from core.settings import RATE_LIMIT_OFF, Settings
from http_api.envelope import API_PREFIX

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool

log = logging.getLogger(__name__)

MODEL_PATHS = re.compile(f"{API_PREFIX}/(planner/(generate|refine)|tasks/[^/]+/decompose|agent/chat)")
REDIS_SECONDS = 0.25  # so long a call waits for Redis
RETRY_SECONDS = 5.0  # so long Redis is not asked again after a failure
SWEEP_SECONDS = 10.0
PREFIX = "orchestrator"


class Policy(NamedTuple):
    """So many calls in so long a window, for the paths the name stands for."""

    name: str
    item: RateLimitItem

    @property
    def quota(self) -> int:
        return self.item.amount

    @property
    def window(self) -> int:
        """Return the length of the window in seconds."""
        return int(self.item.get_expiry())


class Taken(NamedTuple):
    """What became of one call: whether it may go on, and what its caller is told."""

    allowed: bool
    wait: int  # seconds until the window moves on, or until the next call is allowed
    headers: Sequence[tuple[bytes, bytes]]


class Memory(MemoryStorage):
    """The counters of one process.

    The library looks through all keys at each hit for those that have expired, which costs 0.1 ms
    among 1,000 callers; here that happens now and then.
    """

    _swept = 0.0

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        now = time.time()
        if now - self._swept > SWEEP_SECONDS:
            self._swept = now
            for old in [name for name, end in self.expirations.items() if end <= now]:
                del self.expirations[old]
                self.storage.pop(old, None)
        self.storage[key] += amount
        self.expirations.setdefault(key, now + expiry)
        return self.storage[key]


class RateLimits:
    """The limits of one process; used on the event loop only."""

    def __init__(self, settings: Settings) -> None:
        self._model = _policy("model", settings.rate_limit_model)
        self._default = _policy("default", settings.rate_limit_default)
        self._memory = Memory()
        self._redis: RedisStorage | None = None
        self._pool: ConnectionPool | None = None
        self._redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None
        self._ask_redis_at = 0.0

    def policy(self, method: str, path: str) -> Policy | None:
        """Return what a call of `path`, in its canonical form, is counted by; None when that is off."""
        return self._model if method == "POST" and MODEL_PATHS.fullmatch(path) else self._default

    async def take(self, policy: Policy, caller: str) -> Taken:
        """Count one call of `caller`, unless it has used up its quota."""
        key = policy.item.key_for(policy.name, caller)
        storage = self._storage()
        try:
            return await _take(storage, policy, key)
        except StorageError as failure:
            self._ask_redis_at = time.monotonic() + RETRY_SECONDS
            log.warning("Redis does not answer (%s); this process counts calls by itself", type(failure.storage_error).__name__)
            return await _take(self._memory, policy, key)

    def _storage(self) -> MemoryStorage | RedisStorage:
        if self._redis_url is None or time.monotonic() < self._ask_redis_at:
            return self._memory
        if self._redis is None:
            self._redis, self._pool = _open_redis(self._redis_url)
        return self._redis

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._pool is not None:
            await self._pool.aclose()


def _policy(name: str, limit: str) -> Policy | None:
    return None if limit == RATE_LIMIT_OFF else Policy(name, parse(limit))


def _open_redis(url: str) -> "tuple[RedisStorage, ConnectionPool]":
    from redis.asyncio import ConnectionPool  # only where REDIS_URL asks for it
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    pool = ConnectionPool.from_url(
        url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS, retry=Retry(NoBackoff(), 0)
    )
    storage = RedisStorage(
        f"async+{url}",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix=PREFIX,
        connection_pool=pool,  # type: ignore[arg-type]  # its options are typed as texts and numbers
    )
    return storage, pool


async def _take(storage: MemoryStorage | RedisStorage, policy: Policy, key: str) -> Taken:
    quota, window = policy.quota, policy.window
    allowed = await storage.acquire_sliding_window_entry(key, quota, window)
    before, before_ends, now, now_ends = await storage.get_sliding_window(key, window)
    weighted = before * before_ends / window + now  # as the library weighs: the part of the last window that still counts
    window_ends = max(0.0, now_ends - window)
    if allowed:
        wait = math.ceil(window_ends)
    elif now < quota:  # when enough of the last window has passed
        wait = math.floor(before_ends - (quota - now) * window / max(before, 1)) + 1
    else:
        wait = math.floor(window_ends) + 1
    wait = max(1, min(wait, window))
    left = max(0, quota - math.floor(weighted)) if allowed else 0
    headers = (
        (b"ratelimit-policy", f'"{policy.name}";q={quota};w={window}'.encode()),
        (b"ratelimit", f'"{policy.name}";r={left};t={wait}'.encode()),
    )
    return Taken(allowed, wait, headers)


def address_of(client: tuple[str, int] | None) -> str:
    """Return whom an address stands for: an IPv6 caller has a whole /64 to choose from, and counts as one."""
    host = client[0] if client else "unknown"
    if ":" not in host:
        return host
    try:
        return str(ip_network((IPv6Address(host.partition("%")[0]), 64), strict=False))
    except ValueError:
        return host
