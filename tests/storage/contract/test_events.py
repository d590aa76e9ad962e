"""The history as readers of events take it, and the signal that it has grown."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from core.patches.plan import Plan
from core.storage.interface import PatchSetRecord, Transaction
from core.storage.sql import watching
from schemas.changes import Totals
from schemas.events import Event, EventProject
from tests.storage.builders import NOW, Database, creation, project, proposal, revision

PATIENCE = 20


def done() -> PatchSetRecord:
    """Return the record of a set that is applied at once."""
    return proposal(closed_by="ada", closed_at=NOW)


def events(database: Database, after: int = 0, limit: int = 200) -> list[Event]:
    return database.read(lambda tx: tx.list_events(after, limit=limit))


@contextmanager
def watched(database: Database) -> Iterator[threading.Semaphore]:
    """Give what is released at each signal; the first signal, which every watch begins with, has come."""
    signals = threading.Semaphore(0)
    watch = database.storage.watch(signals.release)
    assert signals.acquire(timeout=PATIENCE)
    yield signals
    watch.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks without a signal."""
    monkeypatch.setattr(watching, "NET_SECONDS", 600.0)


def test_an_event_says_what_was_applied_by_whom_and_where(database: Database) -> None:
    web, api = project("WEB"), project("API")
    applied = proposal(summary="Plan", author="ada", closed_by="bob", closed_at=NOW, engine="rules", reverts=["ps_1"])

    database.save(creation([web, api]), applied)

    assert events(database) == [
        Event(
            seq=1,
            patch_set_id=applied.id,
            summary="Plan",
            engine="rules",
            author="ada",
            applied_by="bob",
            applied_at=NOW,
            reverts=["ps_1"],
            projects=[
                EventProject(id=api.id, key="API", revision_before=0, revision=1),
                EventProject(id=web.id, key="WEB", revision_before=0, revision=1),
            ],
            totals=Totals(created=2),
        )
    ]


def test_events_are_pages_of_the_history_and_proposals_are_none(database: Database) -> None:
    web = project()
    assert database.read(lambda tx: tx.latest_seq()) == 0
    database.save(creation([web]), done())
    database.write(lambda tx: tx.save_proposal(proposal(base_revisions={"WEB": 1})))
    for _ in range(4):
        database.save(revision(web), done())

    assert database.read(lambda tx: tx.latest_seq()) == 5
    assert [event.seq for event in events(database)] == [1, 2, 3, 4, 5]
    assert [event.seq for event in events(database, after=1, limit=2)] == [2, 3]
    assert events(database, after=5) == []


def test_a_set_that_changed_nothing_is_an_event_without_projects(database: Database) -> None:
    database.save(Plan(), done())

    (event,) = events(database)

    assert (event.seq, event.projects) == (1, [])


@pytest.mark.usefixtures("patient")
def test_what_another_connection_commits_is_signalled(database: Database, other: Database) -> None:
    web = project()
    with watched(database) as signals:
        other.create([web])
        first = signals.acquire(timeout=PATIENCE)
        other.save(revision(web))
        second = signals.acquire(timeout=PATIENCE)

    assert first
    assert second


@pytest.mark.usefixtures("patient")
def test_what_this_storage_commits_is_signalled_without_waiting_for_a_poll(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.kind == "sqlite":  # PostgreSQL tells at once; there the poll only asks whether the watch is closed
        monkeypatch.setattr(watching, "POLL_SECONDS", 600.0)

    with watched(database) as signals:
        database.create([project()])
        signalled = signals.acquire(timeout=PATIENCE)

    assert signalled


@pytest.mark.usefixtures("patient")
def test_what_is_rolled_back_is_no_event(database: Database, other: Database) -> None:
    def work(tx: Transaction) -> None:
        tx.save_plan(proposal(), creation([project()]))
        raise ZeroDivisionError

    with watched(database) as signals:
        with pytest.raises(ZeroDivisionError):
            other.write(work)
        other.save(creation([project("API")]), done())
        assert signals.acquire(timeout=PATIENCE)

    assert [event.seq for event in events(database)] == [1]


def test_a_closed_watch_signals_no_more(database: Database) -> None:
    signals = threading.Semaphore(0)
    watch = database.storage.watch(signals.release)
    assert signals.acquire(timeout=PATIENCE)

    watch.close()
    database.storage.close()  # waits for the thread
    database.create([project()])

    assert not signals.acquire(blocking=False)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_a_place_is_taken_by_the_one_that_commits_first(database: Database, other: Database) -> None:
    """Whoever has seen a place has seen all before it: a slow transaction cannot appear there later."""
    web, api = project("WEB"), project("API")
    database.save(creation([web, api]), done())
    saved, may_commit = threading.Event(), threading.Event()

    def slowly(tx: Transaction) -> None:
        tx.save_plan(done(), revision(web))
        saved.set()
        assert may_commit.wait(PATIENCE)

    slow = threading.Thread(target=lambda: database.write(slowly))
    quick = threading.Thread(target=lambda: other.save(revision(api), done()))
    slow.start()
    assert saved.wait(PATIENCE)
    quick.start()
    wait_for_the_place(database)
    before = [event.seq for event in events(other, after=1)]
    may_commit.set()
    slow.join(PATIENCE)
    quick.join(PATIENCE)

    assert before == []
    assert [[p.key for p in event.projects] for event in events(other, after=1)] == [["WEB"], ["API"]]


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite's watch has no connection that can be lost
def test_a_lost_connection_is_made_anew_and_what_was_missed_is_looked_for(
    database: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "RETRY_SECONDS", 0.01)

    with watched(database) as signals:
        end_listening_connections(database)
        looked_again = signals.acquire(timeout=PATIENCE)
        other.create([project()])
        signalled = signals.acquire(timeout=PATIENCE)

    assert looked_again
    assert signalled


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_without_any_signal_the_history_is_looked_at_now_and_then(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "NET_SECONDS", 0.01)

    with watched(database) as signals:
        looked = signals.acquire(timeout=PATIENCE)

    assert looked


def end_listening_connections(database: Database) -> None:
    listening = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = %s AND datname = current_database()"
    with psycopg.connect(database.url, autocommit=True) as admin:
        assert admin.execute(listening, [f"LISTEN {watching.CHANNEL}"]).fetchall()


def wait_for_the_place(database: Database) -> None:
    """Return once a transaction waits for the next place in the history."""
    waiting = "SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = database WHERE locktype = 'advisory' AND NOT granted"
    deadline = time.monotonic() + PATIENCE
    with psycopg.connect(database.url, autocommit=True) as admin:
        while not admin.execute(f"{waiting} AND datname = current_database()".encode()).fetchall():
            assert time.monotonic() < deadline
