"""A key belongs to one call at a time, and its answer is stored with the effect or not at all."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from core.idempotency import RecordedAnswer
from core.storage.interface import Transaction
from tests.storage.builders import NOW, Database, creation, patiently, project, proposal

DAY = timedelta(hours=24)
FIRST = RecordedAnswer(fingerprint="f", refused=False, answer='{"first":true}')


def take(tx: Transaction, key: str = "k", *, subject: str = "ada", fingerprint: str = "f", at: timedelta = timedelta()) -> object:
    return tx.take_key(subject, key, fingerprint=fingerprint, now=NOW + at, expires_at=NOW + at + DAY)


def call(tx: Transaction, key: str = "k", *, at: timedelta = timedelta()) -> object:
    """Take the key and record the first answer, unless there is one."""
    earlier = take(tx, key, at=at)
    if earlier is None:
        tx.record_answer("ada", key, answer=FIRST.answer or "", refused=FIRST.refused, expires_at=NOW + at + DAY)
    return earlier


def found(database: Database, key: str = "k", *, subject: str = "ada", at: timedelta = timedelta()) -> RecordedAnswer | None:
    return database.read(lambda tx: tx.find_answer(subject, key, now=NOW + at))


def test_a_taken_key_gives_the_answer_that_was_recorded(database: Database, other: Database) -> None:
    assert found(database) is None
    assert database.write(call) is None

    for seen_by in (database, other):
        assert found(seen_by) == FIRST
        assert seen_by.write(lambda tx: take(tx, fingerprint="of another request")) == FIRST


def test_a_refusal_is_recorded_as_one(database: Database) -> None:
    def refuse(tx: Transaction) -> None:
        take(tx)
        tx.record_answer("ada", "k", answer="{}", refused=True, expires_at=NOW + DAY)

    database.write(refuse)

    assert found(database) == RecordedAnswer(fingerprint="f", refused=True, answer="{}")


def test_a_call_that_failed_leaves_its_key_free(database: Database) -> None:
    def fail(tx: Transaction) -> None:
        call(tx)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.write(fail)

    assert found(database) is None
    assert database.write(call) is None


def test_callers_do_not_share_keys(database: Database) -> None:
    database.write(call)

    assert found(database, subject="bob") is None
    assert database.write(lambda tx: take(tx, subject="bob")) is None
    assert found(database) == FIRST


def test_a_key_is_forgotten_after_its_day_and_not_before(database: Database) -> None:
    database.write(call)
    moment = timedelta(microseconds=1)

    assert found(database, at=DAY - moment) == FIRST
    assert database.write(lambda tx: take(tx, at=DAY - moment)) == FIRST
    assert found(database, at=DAY) is None
    assert database.write(lambda tx: call(tx, at=DAY)) is None
    assert found(database, at=2 * DAY - moment) == FIRST


def test_taking_a_key_removes_some_of_the_expired_ones(database: Database) -> None:
    keys = [f"old-{number}" for number in range(150)]
    database.write(lambda tx: [call(tx, key) for key in keys])

    database.write(lambda tx: call(tx, "new", at=DAY))

    assert sum(found(database, key) is not None for key in keys) == 50
    assert found(database, "new", at=DAY) == FIRST


@pytest.mark.parametrize("fails", [False, True], ids=["commits", "fails"])
def test_a_duplicate_waits_for_the_call_that_holds_its_key(database: Database, other: Database, fails: bool) -> None:
    taken = threading.Event()
    results: list[object] = []

    def second() -> None:
        taken.wait()
        results.append(patiently(lambda: other.write(call)))

    def first(tx: Transaction) -> None:
        call(tx)
        taken.set()
        tx.save_plan(proposal(), creation([project()]))
        if fails:
            raise ZeroDivisionError

    duplicate = threading.Thread(target=second)
    duplicate.start()
    try:
        database.write(first)
    except ZeroDivisionError:
        assert fails
    duplicate.join()

    assert results == [None if fails else FIRST]


def test_a_savepoint_undoes_what_was_written_inside_and_nothing_else(database: Database) -> None:
    kept, undone = project("KEPT"), project("GONE")

    def fail(tx: Transaction) -> None:
        with tx.savepoint():
            tx.save_plan(proposal(), creation([undone]))
            raise ZeroDivisionError

    def work(tx: Transaction) -> None:
        tx.save_plan(proposal(), creation([kept]))
        with pytest.raises(ZeroDivisionError):
            fail(tx)

    database.write(work)

    assert database.read(lambda tx: tx.find_project("KEPT")) is not None
    assert database.read(lambda tx: tx.find_project("GONE")) is None


def test_a_late_write_holds_nothing_before_it_begins(database: Database, other: Database) -> None:
    def work(begin: Callable[[], Transaction]) -> str:
        other.create([project("API")])  # SQLite has one writer: this would fail
        begin().save_plan(proposal(), creation([project("WEB")]))
        return "done"

    assert database.storage.write_late(database.workspace, work) == "done"
    assert other.read(lambda tx: tx.find_project("WEB")) is not None


def test_a_late_write_that_fails_leaves_nothing_behind(database: Database) -> None:
    def work(begin: Callable[[], Transaction]) -> None:
        begin().save_plan(proposal(), creation([project("WEB")]))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.storage.write_late(database.workspace, work)

    assert database.read(lambda tx: tx.find_project("WEB")) is None


def test_a_key_is_held_between_transactions_until_its_call_ends_or_its_time_is_over(database: Database, other: Database) -> None:
    minute = timedelta(minutes=1)
    held = RecordedAnswer(fingerprint="f", refused=False, answer=None)

    def hold(tx: Transaction) -> object:
        return tx.take_key("ada", "k", fingerprint="f", now=NOW, expires_at=NOW + minute)

    def record(tx: Transaction) -> bool:
        return tx.record_answer("ada", "k", answer=FIRST.answer or "", refused=False, expires_at=NOW + DAY)

    assert database.write(hold) is None
    assert other.write(hold) == held
    database.write(lambda tx: tx.free_key("ada", "k"))
    assert other.write(hold) is None
    assert database.write(record)
    assert not other.write(record)
    other.write(lambda tx: tx.free_key("ada", "k"))
    assert found(database, at=2 * minute) == FIRST


def test_a_held_key_whose_time_is_over_can_be_taken_and_its_late_end_is_noticed(database: Database) -> None:
    minute = timedelta(minutes=1)
    database.write(lambda tx: tx.take_key("ada", "k", fingerprint="f", now=NOW, expires_at=NOW + minute))

    assert database.write(lambda tx: call(tx, at=2 * minute)) is None
    late = database.write(lambda tx: tx.record_answer("ada", "k", answer="{}", refused=False, expires_at=NOW + DAY))

    assert not late
    assert found(database, at=2 * minute) == FIRST
