"""The trash on both databases: each deletion once, with what it took along and what it waits for."""

from typing import Any

import pytest

from core.context import Context
from core.errors import DeletedResource, InvalidPatch, NotFound
from core.services import patch_sets, projects, reverting, tasks, trash
from schemas.patches import PatchSet
from schemas.projects import ProjectCreate
from schemas.tasks import TaskCreate
from schemas.trash import TrashQuery, TrashResponse
from tests.storage.builders import Database
from tests.storage.conftest import process


def listed(ctx: Context, **query: Any) -> TrashResponse:
    return trash.list_trash(ctx, TrashQuery(**query))


def lines(ctx: Context, **query: Any) -> list[str]:
    """Return key, number of tasks that come along, and what is waited for: `WEB-1 +2 <WEB`."""
    return [
        f"{entry.key} +{entry.tasks}" + (f" <{entry.waits_for}" if entry.waits_for else "")
        for entry in listed(ctx, **query).trash
    ]


@pytest.fixture
def web(ctx: Context) -> Context:
    """WEB: 1 Build (2 Home (3 Hero)), 4 Release; API: 1 Routes."""
    for key in ("WEB", "API"):
        projects.create_project(ctx, ProjectCreate(name=f"Project {key}", key=key))
    for title, parent in (("Build", None), ("Home", "WEB-1"), ("Hero", "WEB-2"), ("Release", None)):
        tasks.create_task(ctx, TaskCreate(project_id="WEB", title=title, parent_id=parent))
    tasks.create_task(ctx, TaskCreate(project_id="API", title="Routes"))
    return ctx


def test_a_deletion_is_listed_once_with_all_that_a_restore_needs(web: Context) -> None:
    deleted = tasks.delete_task(web, "WEB-1")

    (entry,) = listed(web).trash

    assert (entry.kind, entry.key, entry.project, entry.title, entry.tasks) == ("task", "WEB-1", "WEB", "Build", 2)
    assert (entry.patch_set_id, entry.deleted_by, entry.deleted_at) == (deleted.patch_set_id, "local", web.now)
    assert entry.restore == {"op": "restore_task", "task": "WEB-1"}
    patch_sets.apply_patch_set(web, PatchSet(patches=[entry.restore]))
    assert listed(web).trash == []
    assert tasks.get_task(web, "WEB-3").depth == 2


def test_the_patch_set_that_deleted_can_be_reverted_instead(web: Context) -> None:
    projects.delete_project(web, "WEB")

    (entry,) = listed(web).trash
    reverting.revert_patch_set(web, entry.patch_set_id)

    assert (entry.kind, entry.key, entry.tasks, entry.restore) == (
        "project",
        "WEB",
        4,
        {"op": "restore_project", "project": "WEB"},
    )
    assert listed(web).trash == []


def test_the_latest_deletion_comes_first_and_says_what_must_be_restored_before(web: Context) -> None:
    tasks.delete_task(web, "WEB-3")
    tasks.delete_task(web, "WEB-1")
    assert lines(web) == ["WEB-3 +0 <WEB-1", "WEB-1 +1"] or lines(web) == ["WEB-1 +1", "WEB-3 +0 <WEB-1"]  # one instant

    projects.delete_project(web, "WEB")
    assert sorted(lines(web)) == ["WEB +1", "WEB-1 +1 <WEB", "WEB-3 +0 <WEB"]
    for name in ("WEB-3", "WEB-1"):
        with pytest.raises((DeletedResource, InvalidPatch)):
            tasks.restore_task(web, name)

    projects.restore_project(web, "WEB")
    tasks.restore_task(web, "WEB-1")
    assert lines(web) == ["WEB-3 +0"]


def test_an_item_deleted_again_names_the_later_set(web: Context) -> None:
    tasks.delete_task(web, "WEB-4")
    tasks.restore_task(web, "WEB-4")
    again = tasks.delete_task(web, "WEB-4")

    assert [entry.patch_set_id for entry in listed(web).trash] == [again.patch_set_id]


def test_a_set_that_does_more_than_deleting_is_named_as_well(web: Context) -> None:
    tasks.delete_task(web, "WEB-3")
    patches = [
        {"op": "create_task", "ref": "$gone", "project": "WEB", "fields": {"title": "Gone"}},
        {"op": "delete_task", "task": "$gone"},
        {"op": "update_task", "task": "WEB-4", "fields": {"title": "Release day"}},
        {"op": "delete_task", "task": "WEB-4"},
        {"op": "restore_task", "task": "WEB-3"},
        {"op": "delete_task", "task": "WEB-3"},
    ]
    applied = patch_sets.apply_patch_set(web, PatchSet(patches=patches))

    assert {entry.title: entry.patch_set_id for entry in listed(web).trash} == dict.fromkeys(
        ["Gone", "Release day", "Hero"], applied.patch_set_id
    )


def test_the_trash_of_a_project_is_its_own(web: Context, database: Database) -> None:
    for name in ("API-1", "WEB-4"):
        tasks.delete_task(web, name)

    assert lines(web, project="api") == ["API-1 +0"]
    projects.delete_project(web, "API")
    assert sorted(lines(web, project="API")) == ["API +0", "API-1 +0 <API"]
    with pytest.raises(NotFound):
        listed(web, project="NOPE")
    with process(database, "elsewhere") as elsewhere:
        assert lines(elsewhere) == []


def test_pages_and_cursors_walk_every_deletion_once(web: Context) -> None:
    for number in range(2, 12):
        tasks.create_task(web, TaskCreate(project_id="API", title=f"Item {number}"))
        tasks.delete_task(web, f"API-{number}")
    whole = lines(web, per_page=100)

    first = listed(web, per_page=6)
    rest = listed(web, per_page=6, cursor=first.next_cursor)

    assert [f"{entry.key} +0" for entry in [*first.trash, *rest.trash]] == whole
    assert (len(set(whole)), first.total, first.has_next, rest.has_next) == (10, 10, True, False)
