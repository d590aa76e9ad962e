"""The storage port on SQLAlchemy Core, for an SQLite file or a PostgreSQL database."""

import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine

from core.errors import DatabaseError, DomainError, StorageBusy, TooLong
from core.meter import UNCOUNTED, Meter, Outcome
from core.settings import Settings
from core.storage.interface import Storage, Transaction, Watch
from core.storage.sql import engines, upgrade
from core.storage.sql.access import AccessRecords
from core.storage.sql.checkpoints import Checkpoints
from core.storage.sql.claiming import ClaimReads
from core.storage.sql.conversations import Conversations
from core.storage.sql.events import EventReads
from core.storage.sql.failures import ReadOnlyConnection, SerialisationFailure, translated
from core.storage.sql.idempotency import IdempotencyKeys
from core.storage.sql.jobs import Jobs
from core.storage.sql.loading import Loading
from core.storage.sql.past import PastReads
from core.storage.sql.presence import Presence
from core.storage.sql.projects import ProjectReads
from core.storage.sql.rounds import Round, Rounds, Saved
from core.storage.sql.saving import Saving
from core.storage.sql.search import Search
from core.storage.sql.session import POSTGRESQL, SQLITE
from core.storage.sql.trash import Trash
from core.storage.sql.watching import DatabaseWatch, watch_database

T = TypeVar("T")
log = logging.getLogger(__name__)

_ATTEMPTS = 6
_READ_WITHIN = 0.25  # seconds for which reads believe that their file is in its place
_PAUSE_SECONDS = 0.02
_OUTCOMES: dict[type[DomainError], Outcome] = {StorageBusy: Outcome.BUSY, DatabaseError: Outcome.FAILED}


class SqlTransaction(
    Loading,
    Saving,
    ProjectReads,
    ClaimReads,
    PastReads,
    EventReads,
    IdempotencyKeys,
    AccessRecords,
    Conversations,
    Jobs,
    Search,
    Trash,
):
    """One transaction on one workspace: everything `core.storage.interface.Transaction` asks for."""


class SqlStorage:
    """A database and its connections. Safe for use from several threads, a connection each."""

    def __init__(self, engine: Engine, settings: Settings, meter: Meter) -> None:
        self._writer = engine
        self._meter = meter
        self._reader = engines.reading(engine)
        self._glancer = engines.glancing(engine)
        self._settings = settings
        self._place = engines.place_of(engine.url)
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._codec = SQLITE if self._is_sqlite else POSTGRESQL
        self._watches: list[DatabaseWatch] = []
        self._rounds = Rounds()
        self._checkpoints = Checkpoints(engines.sqlite_path(engine.url)) if self._is_sqlite else None
        self._presence = Presence(engines.sqlite_path(engine.url)) if self._is_sqlite else None

    def read(self, workspace: str, work: Callable[[Transaction], T], *, snapshot: bool = True) -> T:
        """Return `work(tx)` on one consistent state, or without `snapshot` on the latest one for each statement."""
        return self._run(self._reader if snapshot else self._glancer, workspace, lambda begin: work(begin()), locking=False)

    def write(self, workspace: str, work: Callable[[Transaction], T]) -> T:
        """Return `work(tx)` once committed; any exception leaves nothing behind."""
        return self.write_late(workspace, lambda begin: work(begin()))

    def write_late(self, workspace: str, work: Callable[[Callable[[], Transaction]], T]) -> T:
        """Like `write`, with a transaction that begins when `work` calls its argument, once."""
        result = self._run(self._writer, workspace, work, locking=not self._is_sqlite)
        if self._rounds.current is None:
            self._stir()
        return result

    @contextmanager
    def together(self) -> Iterator[None]:
        """Commit all that this thread writes in the block at its end, as one transaction; see `core.storage.sql.rounds`."""
        round_ = self._rounds.current = Round(self._writer, self._save)
        try:
            with translated(place=self._place), round_.committed():
                yield
                if self._presence is not None and round_.begun:
                    self._presence.require()
        finally:
            self._rounds.current = None
        if round_.begun:
            self._stir()

    def _run(self, engine: Engine, workspace: str, work: Callable[[Callable[[], Transaction]], T], *, locking: bool) -> T:
        """Run `work` in a transaction; where another one came first, run it again on the new state."""
        for attempt in range(_ATTEMPTS):
            outcome = Outcome.FAILED
            try:
                with translated(place=self._place), ExitStack() as transaction:

                    def begin() -> SqlTransaction:
                        return self._begin(engine, transaction, workspace, locking=locking)

                    result = work(begin)
                outcome = Outcome.DONE
                return result
            except ReadOnlyConnection as refusal:
                # One made while the file could not be written stays so when it can. The pool itself is kept: what is
                # in use just now comes back to it and goes the next time, where a replaced pool would leave it open.
                engine.pool.dispose()
                if attempt:
                    log.error("%s %s", refusal.message, self._place)  # noqa: TRY400  # where it comes from is known
                    raise
            except DomainError as refusal:
                outcome = _OUTCOMES.get(type(refusal), Outcome.REFUSED)
                raise
            except TooLong:
                outcome = Outcome.DONE  # all it did was to find out
                raise
            except SerialisationFailure:
                outcome = Outcome.CONFLICT
                log.info("another transaction came first; this one runs again", exc_info=True)
                time.sleep(random.uniform(0, _PAUSE_SECONDS * 2**attempt))  # noqa: S311  # jitter
            finally:
                self._meter.transaction(outcome, writes=engine is self._writer)
        raise StorageBusy

    def _begin(self, engine: Engine, transaction: ExitStack, workspace: str, *, locking: bool) -> SqlTransaction:
        round_ = self._rounds.current
        if self._presence is not None and not (round_ is not None and round_.begun):  # which looks again before its commit
            self._presence.require(within=0.0 if engine is self._writer else _READ_WITHIN)
        if round_ is not None and (round_.begun or engine is self._writer):
            part = transaction.enter_context(round_.part())
            return SqlTransaction(part.connection, workspace, self._codec, locking=locking, part=part)
        connection = transaction.enter_context(engine.connect())
        transaction.enter_context(connection.begin())
        return SqlTransaction(connection, workspace, self._codec, locking=locking)

    def _save(self, connection: Connection, workspace: str, plans: Sequence[Saved]) -> None:
        SqlTransaction(connection, workspace, self._codec, locking=False).write_plans(plans)

    def prepare(self, *, create: bool, migrate: bool) -> None:
        """Open and check the database; create or upgrade it where allowed. Raises DatabaseError with the way out."""
        if self._presence is not None:
            upgrade.prepare_sqlite(self._writer, self._reader, create=create)
            self._presence.remember()
        else:
            upgrade.prepare_postgresql(self._writer, migrate=migrate or self._settings.auto_migrate)

    def check(self) -> None:
        """Raise DatabaseError unless the database answers and its schema is the one this program knows."""
        if self._presence is not None:
            self._presence.require()
        with translated(place=self._place), self._reader.connect() as connection:
            upgrade.require_current(connection, self._place)

    def watch(self, notify: Callable[[], None]) -> Watch:
        """Call `notify` from a thread of its own: once now, and whenever any process may have applied a set."""
        watch = watch_database(self._writer.url, notify)
        self._watches = [*(one for one in self._watches if one.alive), watch]
        return watch

    def _stir(self) -> None:
        """Tell those who work beside the commits that there was one."""
        for watch in self._watches:
            watch.stir()
        if self._checkpoints is not None:
            self._checkpoints.stir()

    def close(self) -> None:
        for watch in self._watches:
            watch.close()
            watch.join()
        if self._checkpoints is not None:
            self._checkpoints.close()
        self._writer.dispose()


def open_store(settings: Settings, meter: Meter = UNCOUNTED) -> Storage:
    """Return the storage that `DATABASE_URL` names; nothing is opened before `prepare` or the first call."""
    return SqlStorage(engines.make_engine(settings), settings, meter)
