"""The storage port on SQLAlchemy Core, for an SQLite file or a PostgreSQL database."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Engine, text

from core.errors import StorageBusy
from core.settings import Settings
from core.storage.interface import Storage, Transaction
from core.storage.sql import engines, upgrade
from core.storage.sql.failures import SerialisationFailure, translated
from core.storage.sql.loading import Loading
from core.storage.sql.projects import ProjectReads
from core.storage.sql.saving import Saving
from core.storage.sql.session import POSTGRESQL, SQLITE
from core.storage.sql.tasks import TaskReads

T = TypeVar("T")
log = logging.getLogger(__name__)

_ATTEMPTS = 6
_PAUSE_SECONDS = 0.02


class SqlTransaction(Loading, Saving, ProjectReads, TaskReads):
    """One transaction on one workspace: everything `core.storage.interface.Transaction` asks for."""


class SqlStorage:
    """A database and its connections. Safe for use from several threads, a connection each."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._writer = engine
        self._reader = engines.reading(engine)
        self._settings = settings
        self._place = engines.place_of(engine.url)
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._codec = SQLITE if self._is_sqlite else POSTGRESQL

    def read(self, workspace: str, work: Callable[[Transaction], T]) -> T:
        """Return `work(tx)` on one consistent state."""
        return self._run(self._reader, workspace, work, locking=False)

    def write(self, workspace: str, work: Callable[[Transaction], T]) -> T:
        """Return `work(tx)` once committed; any exception leaves nothing behind."""
        return self._run(self._writer, workspace, work, locking=not self._is_sqlite)

    def _run(self, engine: Engine, workspace: str, work: Callable[[Transaction], T], *, locking: bool) -> T:
        """Run `work` in a transaction; where another one came first, run it again on the new state."""
        for attempt in range(_ATTEMPTS):
            try:
                with translated(place=self._place), engine.connect() as connection, connection.begin():
                    return work(SqlTransaction(connection, workspace, self._codec, locking=locking))
            except SerialisationFailure:
                log.info("another transaction came first; this one runs again", exc_info=True)
                time.sleep(random.uniform(0, _PAUSE_SECONDS * 2**attempt))  # noqa: S311  # jitter
        raise StorageBusy

    def prepare(self, *, create: bool, migrate: bool) -> None:
        """Open and check the database; create or upgrade it where allowed. Raises DatabaseError with the way out."""
        if self._is_sqlite:
            upgrade.prepare_sqlite(self._writer, self._reader, create=create)
        else:
            upgrade.prepare_postgresql(self._writer, migrate=migrate or self._settings.auto_migrate)

    def ping(self) -> None:
        """Raise unless the database answers."""
        with translated(place=self._place), self._reader.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self._writer.dispose()


def open_store(settings: Settings) -> Storage:
    """Return the storage that `DATABASE_URL` names; nothing is opened before `prepare` or the first call."""
    return SqlStorage(engines.make_engine(settings), settings)
