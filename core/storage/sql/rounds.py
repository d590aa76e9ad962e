"""One transaction for the calls that wait for SQLite's only writer together.

All become durable by one commit, and each can still be refused alone. Plans that only create tasks, which is
what many callers do at the same time, are held back and written together, a statement for each table: until
then the round knows what a next plan of that kind needs, without asking. Whatever else reads or writes has
them written first, so it sees them. A call that writes by itself gets a savepoint, so that a refusal undoes
nothing but itself.

An error of the database itself may have undone the whole transaction, so it ends the round: the other calls
are told to come again, and none of them has been answered.
"""

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from core.errors import StorageBusy
from core.patches.plan import Plan
from core.patches.snapshot import Place, ProjectRecord, TaskRecord
from core.storage.interface import PatchSetRecord

DATABASE_ERRORS = (sqlite3.Error, SQLAlchemyError)
Saved = tuple[PatchSetRecord, Plan]
Save = Callable[[Connection, str, Sequence[Saved]], None]  # writes plans of one workspace, in the order they were made


@dataclass(slots=True)
class Known:
    """What a round knows of one workspace without asking: nobody else writes, and it forgets when it has written itself.

    It knows at least the projects that plans held back have changed.
    """

    projects: dict[str, ProjectRecord] = field(default_factory=dict)  # by id and by key
    last_positions: dict[Place, int | None] = field(default_factory=dict)  # None: no task there yet
    tasks: dict[str, TaskRecord] = field(default_factory=dict)  # by id, new ones that nothing is below or waits for
    seq: int | None = None  # of the last applied set

    def learn(self, plan: Plan) -> None:
        """Follow a plan that only creates tasks."""
        for project in plan.effects.changed_projects:
            self.projects[project.id] = self.projects[project.key] = project
        for task in plan.effects.new_tasks:
            place = (task.project_id, task.parent_id)
            if place in self.last_positions:
                last = self.last_positions[place]
                self.last_positions[place] = task.position if last is None else max(last, task.position)
            if task.parent_id is None and task.subtask_count == 0:
                self.tasks[task.id] = task


class Part:
    """One call's part of a round: a context manager that ends it."""

    def __init__(self, round_: "Round", connection: Connection) -> None:
        self.connection = connection
        self._round = round_
        self._first = len(round_.held)  # of the plans that this part holds back
        self._has_savepoint = False

    def __enter__(self) -> "Part":
        return self

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        try:
            if isinstance(error, DATABASE_ERRORS):
                self._round.broken = True
            elif error is not None:
                self.undo()
            else:
                self.end()
        except DATABASE_ERRORS:
            self._round.broken = True
            raise

    def known(self, workspace: str) -> Known:
        return self._round.known[workspace]

    def hold(self, workspace: str, record: PatchSetRecord, plan: Plan) -> None:
        """Write a plan later, together with others."""
        self._round.held.append((workspace, record, plan))
        self.known(workspace).learn(plan)

    def before_read(self) -> None:
        """Write what is held back."""
        held = self._round.held
        if not held:
            return
        own = held[self._first :]
        del held[self._first :]
        self._round.write_held()
        self._first = 0
        if own:
            self._begin_savepoint()
            held.extend(own)
            self._round.write_held()

    def before_write(self) -> None:
        """Make ready for a write of this part itself, which may change what the round knows."""
        self.before_read()
        self._begin_savepoint()
        self._round.known.clear()

    def _begin_savepoint(self) -> None:
        if not self._has_savepoint:
            self._execute("SAVEPOINT part")
            self._has_savepoint = True

    def undo(self) -> None:
        """Leave nothing of this part."""
        held = self._round.held
        if len(held) > self._first:
            del held[self._first :]
            self._round.known.clear()
            for workspace, _, plan in held:
                self.known(workspace).learn(plan)
        if self._has_savepoint:
            self._execute("ROLLBACK TO part")
            self.end()
            self._round.known.clear()

    def end(self) -> None:
        if self._has_savepoint:
            self._execute("RELEASE part")

    def _execute(self, sql: str) -> None:
        """Run a statement on the driver: SQLAlchemy's savepoints cost as much as what is between."""
        driver: Any = self.connection.connection.driver_connection
        driver.execute(sql)


class Round:
    """The transaction of one round; it begins with the first call that writes."""

    def __init__(self, engine: Engine, save: Save) -> None:
        self._engine = engine
        self._save = save
        self._transaction = ExitStack()
        self._connection: Connection | None = None
        self.broken = False
        self.held: list[tuple[str, PatchSetRecord, Plan]] = []  # with their workspaces
        self.known: defaultdict[str, Known] = defaultdict(Known)  # by workspace

    @property
    def begun(self) -> bool:
        return self._connection is not None

    def part(self) -> Part:
        """Return one call's part; what it writes is undone when it raises.

        Raises StorageBusy once the database has failed in this round.
        """
        if self.broken:
            raise StorageBusy
        try:
            return Part(self, self._begin())
        except DATABASE_ERRORS:
            self.broken = True
            raise

    def _begin(self) -> Connection:
        if self._connection is None:
            connection = self._transaction.enter_context(self._engine.connect())
            self._transaction.enter_context(connection.begin())
            self._connection = connection
        return self._connection

    def write_held(self) -> None:
        """Write the plans that are held back, those of each workspace together."""
        assert self._connection is not None
        together: dict[str, list[Saved]] = defaultdict(list)
        for workspace, record, plan in self.held:
            together[workspace].append((record, plan))
        self.held.clear()
        try:
            for workspace, plans in together.items():
                self._save(self._connection, workspace, plans)
        except BaseException:
            self.broken = True  # other calls' plans were among them
            raise

    @contextmanager
    def committed(self) -> Iterator[None]:
        """Commit at the end of the block; raises StorageBusy, with nothing committed, if the database has failed in it."""
        with self._transaction:
            yield
            if self.broken:
                raise StorageBusy
            if self.held:
                self.write_held()


class Rounds(threading.local):
    """The round that the present thread is in."""

    current: Round | None = None
