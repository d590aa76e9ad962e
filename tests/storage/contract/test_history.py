"""Patch sets: their places in the history, and the lists of them."""

from datetime import timedelta
from typing import Any

import pytest

from core.errors import NotFound, StorageBusy
from schemas.changes import EntityKind
from schemas.patches import PatchSetQuery, ProposalState
from tests.storage.builders import NOW, Database, change, comment, project, proposal, revision, task


def listed(database: Database, **query: Any) -> list[str]:
    return [item.id for item in database.read(lambda tx: tx.list_patch_sets(PatchSetQuery(**query))).patch_sets]


def test_seq_counts_applied_sets_without_gaps(database: Database) -> None:
    web = project()

    seqs = [database.create([web]).seq, *(database.save(revision(web)).seq for _ in range(3))]

    assert seqs == [1, 2, 3, 4]


def test_applied_sets_are_listed_by_seq_others_by_creation(database: Database) -> None:
    web = project()
    database.create([web])
    late = database.save(revision(web), proposal(created_at=NOW + timedelta(days=2)))
    early = database.save(revision(web), proposal(created_at=NOW + timedelta(days=1)))

    assert listed(database, state=["applied"])[:2] == [early.id, late.id]
    assert listed(database)[:2] == [late.id, early.id]


def test_patch_sets_are_filtered(database: Database) -> None:
    web, api = project("WEB"), project("API")
    first, second = task(web), task(api)
    seed = database.create([web, api], [first, second])
    note = comment(first, "hello")
    spoken = change(first).model_copy(update={"kind": EntityKind.COMMENT, "id": note.id})
    noted = database.save(revision(web, [spoken], new_comments=[note]), proposal(author="bob"))
    proposed = proposal(base_revisions={"API": 1}, author="bob")
    database.write(lambda tx: tx.save_proposal(proposed))

    assert listed(database, project="web") == [noted.id, seed.id]
    assert listed(database, project="API") == [proposed.id, seed.id]
    assert listed(database, task="WEB-1") == [noted.id, seed.id]
    assert listed(database, task="api-1") == [seed.id]
    assert listed(database, author="bob", state=["applied", "rejected"]) == [noted.id]
    with pytest.raises(NotFound):
        listed(database, project="NONE")


def test_pages_of_patch_sets_continue_by_cursor(database: Database) -> None:
    web = project()
    ids = [database.create([web]).id, *(database.save(revision(web)).id for _ in range(6))]
    ids.reverse()

    first = database.read(lambda tx: tx.list_patch_sets(PatchSetQuery(state=["applied"], per_page=4)))
    rest = database.read(lambda tx: tx.list_patch_sets(PatchSetQuery(state=["applied"], per_page=4, cursor=first.next_cursor)))

    assert [item.id for item in [*first.patch_sets, *rest.patch_sets]] == ids
    assert (first.total, first.patch_sets[0].revisions, first.patch_sets[0].seq) == (7, {"WEB": 7}, 7)


def test_a_proposal_is_replaced_while_it_is_open(database: Database) -> None:
    web = project()
    database.create([web])
    stored = proposal(base_revisions={"WEB": 1})
    database.write(lambda tx: tx.save_proposal(stored))
    stored.state, stored.reason, stored.closed_at = ProposalState.REJECTED, "no", NOW

    database.write(lambda tx: tx.save_proposal(stored))

    assert database.read(lambda tx: tx.find_patch_set(stored.id)) == stored
    assert listed(database, project="WEB", state=["rejected"]) == [stored.id]


def test_applying_a_stored_proposal_replaces_it(database: Database) -> None:
    web = project()
    database.create([web])
    stored = proposal(base_revisions={"WEB": 1})
    database.write(lambda tx: tx.save_proposal(stored))

    applied = database.save(revision(web), stored)

    assert database.read(lambda tx: tx.find_patch_set(stored.id, lock=True)) == applied
    assert listed(database, project="WEB", state=["proposed"]) == []


def test_an_applied_set_is_never_overwritten(database: Database) -> None:
    web = project()
    applied = database.create([web])

    with pytest.raises(StorageBusy):
        database.write(lambda tx: tx.save_proposal(proposal(id=applied.id)))

    assert database.read(lambda tx: tx.find_patch_set(applied.id)) == applied
