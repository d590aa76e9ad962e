"""One transaction for the calls that wait for SQLite's only writer together.

Each has a savepoint of its own, so that a refusal undoes nothing but itself; all become durable by
one commit. An error of the database itself may have undone the whole transaction, so it ends the
round: the other calls are told to come again, and none of them has been answered.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from core.errors import StorageBusy


class Round:
    """The transaction of one round; it begins with the first call that writes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._transaction = ExitStack()
        self._connection: Connection | None = None
        self._broken = False

    @property
    def begun(self) -> bool:
        return self._connection is not None

    @contextmanager
    def part(self) -> Iterator[Connection]:
        """Give one call the connection; what it writes is undone when it raises.

        Raises StorageBusy once the database has failed in this round.
        """
        if self._broken:
            raise StorageBusy
        connection = self._begin()
        driver: Any = connection.connection.driver_connection  # SQLAlchemy's savepoints cost as much as the writes between them
        try:
            driver.execute("SAVEPOINT part")
            try:
                yield connection
            except (sqlite3.Error, SQLAlchemyError):
                raise
            except BaseException:
                driver.execute("ROLLBACK TO part")
                driver.execute("RELEASE part")
                raise
            driver.execute("RELEASE part")
        except (sqlite3.Error, SQLAlchemyError):
            self._broken = True
            raise

    def _begin(self) -> Connection:
        if self._connection is None:
            connection = self._transaction.enter_context(self._engine.connect())
            self._transaction.enter_context(connection.begin())
            self._connection = connection
        return self._connection

    @contextmanager
    def committed(self) -> Iterator[None]:
        """Commit at the end of the block; raises StorageBusy, with nothing committed, if the database has failed in it."""
        with self._transaction:
            yield
            if self._broken:
                raise StorageBusy


class Rounds(threading.local):
    """The round that the present thread is in."""

    current: Round | None = None
