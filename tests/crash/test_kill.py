"""kill -9 while patch sets are applied: at random moments, at every named point, and inside statements.

After each death the database holds the sets 0 to n whole and nothing else, where n is the last acknowledged set or the
one after it; and the next process, which begins with the set that was not acknowledged, gets its first answer.

Sizes: CRASH_KILLS on SQLite (500), CRASH_KILLS_POSTGRESQL (50), each in batches of 25 on one database. CRASH_SEED (0)
chooses the points and delays.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from core.wiring import Orchestrator
from tests.crash.child import POINTS, SQLITE_STEPS, Order, create, live, started
from tests.crash.workload import Reference, apply, contents, opened, set_id
from tests.support.audit import audit

BATCH = 25
KILLS = int(os.environ.get("CRASH_KILLS", "500"))
KILLS_POSTGRESQL = int(os.environ.get("CRASH_KILLS_POSTGRESQL", "50"))
SEED = os.environ.get("CRASH_SEED", "0")
LIFE_SECONDS = 0.02  # at most, after its last sign of life; a set takes some 5 ms
STEPS_OF_A_SET = 9_000  # virtual machine instructions, about


@dataclass
class Victim:
    """A database whose writers are killed, one after another."""

    url: str
    reference: Reference
    acknowledged: int = 0
    stored: int | None = 0  # None: not looked at since the last kill
    counts: Counter[str] = field(default_factory=Counter)

    def kill(self, order: Order) -> None:
        """Let a child live and die as ordered."""
        with started(live, order) as child:
            self._note(order, child.ends())

    def kill_at_some_moment(self, order: Order, chance: random.Random) -> None:
        """Kill a child while it opens the database, or soon after it has opened it or acknowledged a set."""
        with started(live, order) as child:
            heard = [child.report() for _ in range(chance.choice([0, 1, 1, 2, 2, 2]))]
            time.sleep(chance.uniform(0, LIFE_SECONDS))
            child.process.kill()
            self._note(order, heard[1:] + child.ends())

    def _note(self, order: Order, reports: list[tuple[int, bool]]) -> None:
        assert [number for number, _ in reports] == list(range(order.first, order.first + len(reports)))
        if reports:
            _, replayed = reports[0]
            if self.stored is not None:
                assert replayed is (self.stored >= order.first), "a retry gets the first answer, or applies the set now"
            assert not any(replayed for _, replayed in reports[1:])
            self.acknowledged = reports[-1][0]
        self.stored = None
        self.counts["kills"] += 1
        self.counts["acknowledged"] += len(reports)

    def check(self) -> None:
        """Look from outside: the state is that after a whole number of sets, and it is the right one."""
        audit(self.url)
        found = contents(self.url)
        self.stored = len(found["sets"]) - 1
        assert [item["id"] for item in found["sets"]] == [set_id(number) for number in range(self.stored + 1)]
        assert self.stored in (self.acknowledged, self.acknowledged + 1)
        assert found == self.reference.after(self.stored)
        self.counts["stored, not acknowledged"] += self.stored - self.acknowledged

    def report(self, record_property: Callable[[str, object], None]) -> None:
        """Put on record what was counted, for those who write down how much was tried (`--junitxml`)."""
        assert self.counts["acknowledged"] > 0
        for name, count in self.counts.items():
            record_property(name, count)

    def converge(self) -> None:
        """Send again what was not acknowledged; it is there once."""
        orchestrator = opened(self.url)
        answer = apply(orchestrator, self.acknowledged + 1)
        orchestrator.close()
        assert answer.replayed is (self.stored == self.acknowledged + 1)
        self.acknowledged += 1
        self.check()
        assert self.stored == self.acknowledged


def begin(url: str) -> None:
    """Make the database, with set 0."""
    orchestrator = opened(url, create=True)
    apply(orchestrator, 0)
    orchestrator.close()


def reading(url: str) -> Orchestrator:
    """Return a living process's connections, used once."""
    orchestrator = opened(url)
    assert orchestrator.context().read(lambda tx: tx.find_project("WEB")) is not None
    return orchestrator


def wait_for_the_dead(url: str) -> None:
    """Return when the server has noticed that its clients are gone: only then is what they left final."""
    with psycopg.connect(url, autocommit=True) as connection:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        deadline = time.monotonic() + 30
        while connection.execute(others).fetchone() != (0,):
            assert time.monotonic() < deadline, "the sessions of killed processes live on"
            time.sleep(0.005)


@pytest.mark.parametrize("batch", range(max(1, KILLS // BATCH)))
def test_what_was_acknowledged_survives_any_kill_on_sqlite(
    batch: int, tmp_path: Path, reference: Reference, record_property: Callable[[str, object], None]
) -> None:
    chance = random.Random(f"{SEED}/{batch}")  # noqa: S311  # a repeatable choice
    victim = Victim(f"sqlite:///{tmp_path / 'victim.db'}", reference)
    begin(victim.url)
    with ExitStack() as beside:
        if batch % 2:  # the log is then never recovered nor emptied by who comes next
            beside.callback(reading(victim.url).close)
        for _ in range(BATCH):
            order = Order(victim.url, victim.acknowledged + 1, checkpoint_pages=chance.choice([None, 10, 40]))
            match chance.choice(["moment", "moment", "moment", "statement", "point"]):
                case "moment":
                    victim.kill_at_some_moment(order, chance)
                case "statement":
                    order.steps = chance.randrange(STEPS_OF_A_SET // SQLITE_STEPS)
                    victim.kill(order)
                case "point":
                    order.point = chance.choice(list(POINTS))
                    victim.kill(order)
            if chance.random() < 0.9:  # otherwise the next process is the first to see what is left
                victim.check()
    victim.check()
    victim.converge()

    victim.report(record_property)


@pytest.mark.parametrize("batch", range(max(1, KILLS_POSTGRESQL // BATCH)))
def test_what_was_acknowledged_survives_any_kill_on_postgresql(
    batch: int, empty_postgres: str, reference: Reference, record_property: Callable[[str, object], None]
) -> None:
    chance = random.Random(f"{SEED}/{batch}")  # noqa: S311  # a repeatable choice
    victim = Victim(empty_postgres, reference)
    begin(victim.url)
    for _ in range(BATCH):
        order = Order(victim.url, victim.acknowledged + 1)
        if chance.random() < 0.75:
            victim.kill_at_some_moment(order, chance)
        else:
            order.point = chance.choice(list(POINTS))
            victim.kill(order)
        if chance.random() < 0.9:
            wait_for_the_dead(victim.url)
            victim.check()
    wait_for_the_dead(victim.url)
    victim.check()
    victim.converge()

    victim.report(record_property)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_process_may_die_at_every_named_point(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, reference: Reference
) -> None:
    url = f"sqlite:///{tmp_path / 'victim.db'}" if kind == "sqlite" else request.getfixturevalue("empty_postgres")
    begin(url)
    victim = Victim(url, reference)

    for point in POINTS:
        first = victim.acknowledged + 1
        victim.kill(Order(url, first, point=point))
        if kind == "postgresql":
            wait_for_the_dead(url)
        victim.check()

        assert victim.acknowledged == first, "it died in its second set"
        assert victim.stored == first + (point == "after_commit_before_acknowledging"), point
    victim.converge()


def test_a_process_may_die_while_it_makes_the_database(tmp_path: Path) -> None:
    died, statement = 0, 1
    alive = False
    while not alive:
        url = f"sqlite:///{tmp_path / f'{statement}.db'}"
        with started(create, url, statement) as child:
            try:
                alive = child.report() == ("ready",)
            except EOFError:
                child.ends()
                died += 1
        begin(url)
        audit(url)
        statement += 9
    assert died >= 5
