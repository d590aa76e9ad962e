"""What is stored comes back as it was, on both databases."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from schemas.changes import Action, Change, EntityKind, RefTarget, Totals
from schemas.errors import ErrorCode, Issue, Severity
from schemas.patches import ApprovalMeans, ProposalState
from schemas.primitives import Priority, ProjectStatus, TaskStatus
from tests.storage.builders import NOW, TODAY, Database, change, comment, creation, project, proposal, revision, task

TEXT = "Füße, 東京, \U0001f680, 'quoted' \"twice\" \\ % _ \n end"
JSON: dict[str, Any] = {"nested": {"list": [1, 2.5, None, True, TEXT]}, "big": 2**53 - 1, "small": -(2**53) + 1, "empty": {}}
LATER = datetime(2026, 3, 2, 9, 30, 15, 0, tzinfo=UTC)

FULL_TASK: dict[str, Any] = {
    "description": TEXT,
    "acceptance_criteria": ["first", TEXT],
    "status": TaskStatus.IN_REVIEW,
    "priority": Priority.CRITICAL,
    "tags": ["a", TEXT],
    "assignee": "Åsa",
    "start_date": date(2026, 1, 31),
    "due_date": date(9999, 12, 31),
    "estimated_minutes": 525_600,
    "actual_minutes": 0,
    "links": {"jira": "X-1"},
    "custom": JSON,
    "claimed_by": "agent-7",
    "claim_expires_at": LATER,
    "completed_at": NOW,
    "revision": 2**40,
    "deleted_at": NOW + timedelta(microseconds=1),
    "deletion_id": "some-deletion",
    "subtask_count": 3,
    "leaf_count": 5,
    "leaf_completed": 2,
    "position": -(2**63),
    "title": TEXT,
}


def test_many_tasks_come_back_one_by_one_whatever_each_of_them_fills(database: Database) -> None:
    home = project()
    fillings: list[dict[str, Any]] = [{}, FULL_TASK | {"position": 1}, {"due_date": date(2026, 5, 4)}, {"assignee": "Åsa"}]
    stored = [task(home, **fillings[0 if number < 1_000 else number % 4]) for number in range(1_137)]

    database.create([home], stored)

    loaded = database.load(tasks=[item.id for item in stored]).tasks
    assert [loaded[item.id] for item in stored] == stored


def test_every_field_of_a_project_comes_back(database: Database) -> None:
    stored = project(
        name=TEXT,
        description=TEXT,
        status=ProjectStatus.ON_HOLD,
        priority=Priority.BACKLOG,
        tags=[TEXT],
        start_date=date(1, 1, 1),
        due_date=date(2026, 12, 31),
        links={"github": "o/r"},
        task_schema={"type": "object", "properties": {"x": JSON}},
        revision=7,
        next_number=12,
        task_count=11,
        completed_task_count=4,
        leaf_count=8,
        leaf_completed=3,
        estimated_minutes=2**40,
        deleted_at=LATER,
        deletion_id="gone",
    )

    database.create([stored])

    assert database.load(projects=["WEB"]).projects == {stored.id: stored}


def test_every_field_of_a_task_comes_back(database: Database) -> None:
    web = project()
    plain, full = task(web), task(web, **FULL_TASK)

    database.create([web], [plain, full])

    assert database.load(tasks=[plain.id, full.id]).tasks == {plain.id: plain, full.id: full}


def test_changed_tasks_are_stored_with_every_field_that_may_change(database: Database) -> None:
    web = project()
    plain = task(web)
    database.create([web], [plain])
    parent = task(web)
    changed = replace(plain, **FULL_TASK, parent_id=parent.id, depth=1, updated_at=LATER)

    database.save(revision(web, new_tasks=[parent], changed_tasks=[changed]))

    assert database.load(tasks=[plain.key]).tasks[plain.id] == changed


def test_a_changed_project_keeps_what_never_changes(database: Database) -> None:
    web = project()
    database.create([web])
    changed = replace(
        web, name="New", task_count=9, next_number=10, updated_at=LATER, links={"a": "b"}, deletion_id="d", deleted_at=NOW
    )

    database.save(revision(changed))

    assert database.load(projects=["web"]).projects[web.id] == changed


def test_recounted_tasks_keep_their_fields(database: Database) -> None:
    web = project()
    plain = task(web)
    database.create([web], [plain])
    recounted = replace(plain, position=5, depth=2, subtask_count=1, leaf_count=4, leaf_completed=1)

    database.save(revision(web, recounted_tasks=[replace(recounted, title="not stored")]))

    assert database.load(tasks=[plain.id]).tasks[plain.id] == recounted


def test_instants_come_back_in_utc_whatever_zone_they_were_given_in(database: Database) -> None:
    web = project(created_at=NOW.astimezone(timezone(timedelta(hours=5, minutes=30))))

    database.create([web])

    found = database.load(projects=["WEB"]).projects[web.id]
    assert found.created_at == NOW
    assert found.created_at.utcoffset() == timedelta(0)


def test_edges_are_added_and_removed(database: Database) -> None:
    web = project()
    first, second, third = task(web), task(web), task(web)
    database.create([web], [first, second, third], new_edges=[(third.id, first.id), (third.id, second.id)])

    database.save(revision(web, removed_edges=[(third.id, first.id)]))

    assert database.load(edges=[third.key]).edges == {third.id: [second.id]}


def test_comments_come_back_newest_page_first_and_each_page_oldest_first(database: Database) -> None:
    web = project()
    target, gone = task(web), task(web, deleted_at=NOW, deletion_id="d")
    notes = [comment(target, f"note {number} {TEXT}", created_at=NOW + timedelta(seconds=number)) for number in range(5)]
    database.create([web], [target, gone], new_comments=[*notes, comment(gone, "hidden")])

    first = database.read(lambda tx: tx.list_comments(target.id, page=1, per_page=2))
    last = database.read(lambda tx: tx.list_comments(target.id, page=3, per_page=2))

    assert [note.body for note in first.comments] == [notes[3].body, notes[4].body]
    assert (first.total, first.has_next, first.has_prev) == (5, True, False)
    assert [note.id for note in last.comments] == [notes[0].id]
    assert (last.has_next, last.has_prev) == (False, True)
    assert [note.id for note in database.read(lambda tx: tx.all_comments(web.id))] == [note.id for note in notes]


def test_every_field_of_a_proposal_comes_back(database: Database) -> None:
    web = project()
    database.create([web])
    stored = proposal(
        summary=TEXT,
        rationale=TEXT,
        base_revisions={"WEB": 1},
        patches=[{"op": "update_task", "fields": JSON}],
        state=ProposalState.REJECTED,
        closed_at=NOW,
        closed_by="bob",
        reason=TEXT,
        only=[0, 2],
        supersedes="ps_0000000000000000",
        reverts=["ps_1111111111111111"],
        warnings=[Issue(code=ErrorCode.VALIDATION_ERROR, message="hm", severity=Severity.WARNING, patch_index=0)],
    )

    database.write(lambda tx: tx.save_proposal(stored))

    assert database.read(lambda tx: tx.find_patch_set(stored.id)) == stored


def test_an_applied_set_is_stored_with_what_the_plan_made_of_it(database: Database) -> None:
    web = project()
    first = task(web)
    plan = creation([web], [first])
    plan.inverse, plan.restore = [{"op": "delete_project", "project": web.id}], {"0": {"position": 5}}
    plan.refs = {"$a": RefTarget(id=first.id, key=first.key)}

    applied = database.save(plan, proposal(closed_at=NOW, closed_by="ada", approval=ApprovalMeans.MCP_HOST))

    assert database.read(lambda tx: tx.find_patch_set(applied.id)) == applied
    assert (applied.state, applied.seq, applied.revisions) == (ProposalState.APPLIED, 1, {"WEB": 1})
    assert (applied.inverse, applied.restore, applied.refs) == (plan.inverse, plan.restore, plan.refs)
    assert (applied.totals, applied.changes_total) == (Totals(created=2), 2)


def test_changes_come_back_in_plan_order_and_in_parts(database: Database) -> None:
    web = project()
    items = [task(web) for _ in range(5)]
    plan = creation([web], items)
    plan.changes[2] = Change(
        kind=EntityKind.TASK,
        id=items[1].id,
        key=items[1].key,
        title=TEXT,
        action=Action.DELETED,
        fields={"custom": {"before": JSON, "after": None}},
        patch_indexes=[3, 1],
        cascaded=True,
    )

    applied = database.save(plan)

    assert database.read(lambda tx: tx.list_changes(applied.id)) == plan.changes
    assert database.read(lambda tx: tx.list_changes(applied.id, after=2, limit=3)) == plan.changes[2:5]


def test_the_task_model_shows_the_stored_fields(database: Database) -> None:
    web = project()
    parent = task(web, leaf_count=3, leaf_completed=2)
    child = task(web, parent, due_date=date(2026, 3, 1), links={"a": "b"}, custom=JSON)
    database.create([web], [parent, child])

    shown = database.read(lambda tx: tx.find_task(child.key.lower(), today=TODAY))
    above = database.read(lambda tx: tx.find_task(parent.id, today=TODAY))

    assert shown is not None
    assert above is not None
    assert (shown.parent, shown.custom, shown.links, shown.is_overdue, shown.is_ready) == (
        parent.key,
        JSON,
        {"a": "b"},
        True,
        True,
    )
    assert (above.progress, above.subtask_count, above.is_ready) == (66, 1, False)
    assert type(shown).model_validate(shown.model_dump()) == shown


def test_names_that_do_not_exist_are_not_found(database: Database) -> None:
    assert database.read(lambda tx: tx.find_project("WEB")) is None
    assert database.read(lambda tx: tx.find_task("WEB-1", today=TODAY)) is None
    assert database.read(lambda tx: tx.find_patch_set("ps_0000000000000000")) is None


def test_a_change_of_a_project_is_stored_too(database: Database) -> None:
    web = project()
    database.create([web])

    applied = database.save(revision(web, [change(web, name=("Old", TEXT))]))

    assert database.read(lambda tx: tx.list_changes(applied.id))[0].fields == {"name": {"before": "Old", "after": TEXT}}
