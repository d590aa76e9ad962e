"""Put one process together: settings, storage, executor, clock and ids.

Storage is opened on first use, on the thread that uses it: its libraries take longer to import
than the first answer of an MCP server may.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from core.auth import Authenticator, access_ended, make_authenticator
from core.clock import Clock, SystemClock
from core.context import OWNER, Context, Principal
from core.errors import DomainError
from core.events import EventFeed
from core.executor import StoreExecutor
from core.ids import IdSource, RandomIds
from core.llm.models import ConfiguredModels
from core.meter import UNCOUNTED, Meter
from core.settings import Settings

if TYPE_CHECKING:
    from core.llm.port import Models
    from core.storage.interface import Storage, Transaction, Watch
    from schemas.patches import ApprovalMeans

T = TypeVar("T")


class InvalidSettings(Exception):
    """The environment holds a setting that cannot be used; the message names it."""


def load_settings() -> Settings:
    """Return the settings of this process, or raise InvalidSettings with one line per bad setting."""
    try:
        return Settings()
    except ValidationError as error:
        from schemas.violations import issues_of  # needed only when something is wrong

        found = error.errors(include_url=False)
        whole = [item["msg"] for item in found if not item["loc"]]  # of settings that do not fit together
        each = [f"{issue.path[1:].upper()} {issue.message}" for issue in issues_of(found) if issue.path]
        raise InvalidSettings("; ".join(each + whole)) from error
    except UnicodeDecodeError as error:
        raise InvalidSettings("the file .env must be UTF-8 text") from error
    except OSError as error:
        raise InvalidSettings(f"the file .env cannot be read: {error.strerror}") from error


class _LazyStorage:
    """The process's storage, opened by the first call."""

    def __init__(self, settings: Settings, meter: Meter) -> None:
        self._settings = settings
        self._meter = meter
        self._lock = threading.Lock()
        self._opened: Storage | None = None
        self._create = True

    def start(self, *, create: bool) -> None:
        self._create = create
        self._open()

    def migrate(self) -> None:
        from core.storage.sql.store import open_store

        store = open_store(self._settings)
        try:
            store.prepare(create=True, migrate=True)
        finally:
            store.close()

    def read(self, workspace: str, work: "Callable[[Transaction], T]", *, snapshot: bool = True) -> T:
        return self._open().read(workspace, work, snapshot=snapshot)

    def write(self, workspace: str, work: "Callable[[Transaction], T]") -> T:
        return self._open().write(workspace, work)

    def write_late(self, workspace: str, work: "Callable[[Callable[[], Transaction]], T]") -> T:
        return self._open().write_late(workspace, work)

    def together(self) -> AbstractContextManager[None]:
        return self._open().together()

    def prepare(self, *, create: bool, migrate: bool) -> None:
        self._open().prepare(create=create, migrate=migrate)

    def check(self) -> None:
        self._open().check()

    def watch(self, notify: Callable[[], None]) -> "Watch":
        return self._open().watch(notify)

    def close(self) -> None:
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _open(self) -> "Storage":
        opened = self._opened
        if opened is not None:
            return opened
        with self._lock:
            if self._opened is None:
                from core.storage.sql.store import open_store

                store = open_store(self._settings, self._meter)
                store.prepare(create=self._create, migrate=self._settings.auto_migrate)
                self._opened = store
            return self._opened


class Orchestrator:
    """One process of the product; every door makes its contexts here."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        ids: IdSource | None = None,
        models: "Models | None" = None,
        meter: Meter = UNCOUNTED,
    ) -> None:
        self.settings = settings
        self._clock = clock or SystemClock()
        self._ids = ids or RandomIds()
        self.models: Models = models or ConfiguredModels(settings)
        self._zone = ZoneInfo(settings.time_zone)
        self._storage = _LazyStorage(settings, meter)
        kind: Literal["sqlite", "postgresql"] = "sqlite" if settings.database_url.startswith("sqlite") else "postgresql"
        self._executor = StoreExecutor(kind, pool_size=settings.pool_size, together=self._storage.together, meter=meter)
        self.events = EventFeed(self._storage, self._executor)
        self._authenticator: Authenticator = make_authenticator(settings, self._storage, self._executor, self._clock)

    def start(self, *, create: bool) -> None:
        """Open the database, and bring it up to date where that is allowed.

        Raises DatabaseError, with the way out, when it cannot be used. A missing SQLite file is
        made only with `create`.
        """
        self._storage.start(create=create)

    def migrate(self) -> None:
        """Create or upgrade the schema, on either database."""
        self._storage.migrate()

    async def authenticate(self, credential: str | None) -> Principal:
        """Return whom an API key or a token stands for; see `core.auth.Authenticator`."""
        return await self._authenticator.authenticate(credential)

    async def access_ended(self, credential: str | None, principal: Principal) -> DomainError:
        """Return, once it is so, why `credential` does not let its bearer read as `principal` any more."""
        return await access_ended(self._authenticator, credential, principal)

    def context(
        self, principal: Principal | None = None, request_id: str | None = None, *, approval: "ApprovalMeans | None" = None
    ) -> Context:
        """Return the context of one request; without a principal, that of the local owner."""
        now = self._clock.now()
        return Context(
            principal=principal or OWNER,
            storage=self._storage,
            runner=self._executor,
            ids=self._ids,
            models=self.models,
            settings=self.settings,
            now=now,
            today=now.astimezone(self._zone).date(),
            request_id=request_id or self._ids.new_id(),
            approval=approval,
        )

    def close(self) -> None:
        """End the readers of events, the store's threads and its connections."""
        self.events.close()
        self._executor.close()
        self._storage.close()
