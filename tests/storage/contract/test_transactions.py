"""All or nothing, one consistent state, and no lost update."""

import threading
from dataclasses import replace

import pytest

from core.errors import DatabaseError, StorageBusy
from core.patches.plan import Plan
from core.patches.snapshot import Needs
from core.storage.interface import Transaction
from schemas.tasks import TaskQuery
from tests.storage.builders import TODAY, Database, change, comment, creation, project, proposal, revision, task


def test_an_exception_leaves_nothing_behind(database: Database, other: Database) -> None:
    web = project()
    first, second = task(web), task(web)
    plan = creation([web], [first, second], new_edges=[(second.id, first.id)], new_comments=[comment(first, "hi")])
    record = proposal()

    def work(tx: Transaction) -> None:
        tx.save_plan(record, plan)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.write(work)

    for seen_by in (database, other):
        assert seen_by.read(lambda tx: tx.find_project(web.id)) is None
        assert seen_by.read(lambda tx: tx.list_tasks(TaskQuery(), today=TODAY)).total == 0
        assert seen_by.read(lambda tx: tx.find_patch_set(record.id)) is None
    assert database.create([web], [first, second]).seq == 1


def test_a_row_that_breaks_a_key_is_a_database_error_and_nothing_is_stored(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    web = project()
    stray = replace(task(web), project_id="no such project")

    with pytest.raises(DatabaseError) as refusal:
        database.create([web], [stray])

    assert database.read(lambda tx: tx.find_project(web.id)) is None
    assert "INSERT" not in refusal.value.message
    assert [line.levelname for line in caplog.records] == ["ERROR"]


def test_parents_may_be_stored_after_their_children(database: Database) -> None:
    web = project()
    parent = task(web)
    child = task(web, parent)

    database.create([web], [child, parent])

    assert database.load(tasks=[child.key]).tasks.keys() == {child.id, parent.id}


def test_what_one_connection_commits_the_other_sees_at_once(database: Database, other: Database) -> None:
    web = project()
    database.create([web])
    assert other.read(lambda tx: tx.find_project("WEB")) is not None

    other.save(revision(web))

    found = database.read(lambda tx: tx.find_project("WEB"))
    assert found is not None
    assert found.revision == 2


def test_a_read_sees_one_state_while_another_connection_writes(database: Database, other: Database) -> None:
    web = project()
    database.create([web])

    def work(tx: Transaction) -> list[int]:
        seen = []
        for _ in range(2):
            found = tx.find_project("WEB")
            assert found is not None
            seen += [found.revision, tx.list_tasks(TaskQuery(), today=TODAY).total]
            other.save(revision(web, new_tasks=[task(web)]))
        return seen

    assert database.read(work) == [1, 0, 1, 0]
    assert database.load(projects=["WEB"]).projects[web.id].revision == 3


def test_a_plan_made_on_an_older_revision_runs_again(database: Database) -> None:
    web = project()
    database.create([web])
    calls = []

    def work(tx: Transaction) -> None:
        stored = tx.load_snapshot(Needs(projects=frozenset(["WEB"]))).projects[web.id]
        calls.append(stored.revision)
        stale = len(calls) == 1
        tx.save_plan(proposal(), revision(replace(stored, revision=stored.revision - stale)))

    database.write(work)

    assert calls == [1, 1], "the second call began from the stored state again"
    assert database.load(projects=["WEB"]).projects[web.id].revision == 2


def test_a_plan_that_never_fits_is_busy_in_the_end(database: Database) -> None:
    web = project()
    database.create([web])

    with pytest.raises(StorageBusy):
        database.write(lambda tx: tx.save_plan(proposal(), revision(replace(web, revision=9))))

    assert database.load(projects=["WEB"]).projects[web.id] == web


def test_writers_at_once_lose_no_update(database: Database, other: Database) -> None:
    web, api = project("WEB"), project("API")
    database.create([web, api])
    failures: list[BaseException] = []

    def count_up(tx: Transaction) -> None:
        snapshot = tx.load_snapshot(Needs(projects=frozenset(["API", "WEB"])))
        before = snapshot.projects[web.id]
        plan: Plan = revision(replace(before, task_count=before.task_count + 1), [change(before)])
        tx.save_plan(proposal(), plan)

    def write_ten(through: Database) -> None:
        done = 0
        while done < 10:
            try:
                through.write(count_up)
                done += 1
            except StorageBusy:  # the executor would queue it again
                continue
            except BaseException as failure:  # noqa: BLE001  # shown by the test's own thread
                failures.append(failure)
                return

    threads = [threading.Thread(target=write_ten, args=(through,)) for through in (database, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    stored = database.load(projects=["WEB"]).projects[web.id]
    assert (stored.task_count, stored.revision) == (20, 21)
    history = database.load(projects=["WEB"], base_revisions={"WEB": 0}).later
    assert [entry.revision for entries in history.values() for entry in entries] == list(range(1, 22))


def test_the_database_answers(database: Database) -> None:
    database.storage.check()
