"""A snapshot holds what the patch set touches, and nothing else."""

from dataclasses import replace
from typing import Any

from schemas.changes import Action, EntityKind
from tests.storage.builders import NOW, STEP, Database, change, project, revision, task


def test_names_are_ids_or_keys_in_any_case(database: Database) -> None:
    web = project()
    first = task(web)
    database.create([web], [first, task(web)])

    snapshot = database.load(tasks=["web-1", first.id.upper()], projects=["Web", web.id])

    assert snapshot.task_names == {"web-1": first.id, first.id.upper(): first.id}
    assert snapshot.project_names == {"Web": web.id, web.id: web.id}
    assert list(snapshot.tasks) == [first.id]


def test_unknown_names_are_absent_and_get_the_nearest_keys(database: Database) -> None:
    web, api = project("WEB"), project("WEAPI")
    gone: dict[str, Any] = {"deleted_at": NOW, "deletion_id": "d"}
    database.create([web, api], [task(web), task(web), task(web, **gone), task(web)])

    snapshot = database.load(tasks=["WEB-99", "WEBB-2", "nonsense", "01950000-0000-7000-8000-ffffffffffff"], projects=["WEBAPI"])

    assert snapshot.task_names == {}
    assert snapshot.suggestions == {
        "WEB-99": ["WEB-4", "WEB-2", "WEB-1"],
        "WEBB-2": ["WEB-2"],
        "nonsense": [],
        "01950000-0000-7000-8000-ffffffffffff": [],
        "WEBAPI": ["WEAPI", "WEB"],
    }


def test_ancestors_and_projects_of_named_tasks_come_along(database: Database) -> None:
    web = project()
    top = task(web)
    middle = task(web, top)
    leaf, sibling = task(web, middle), task(web, middle)
    database.create([web], [top, middle, leaf, sibling])

    snapshot = database.load(tasks=[leaf.key])

    assert snapshot.tasks == {item.id: item for item in (top, middle, leaf)}
    assert snapshot.projects == {web.id: web}


def test_subtrees_are_loaded_whole_with_deleted_rows(database: Database) -> None:
    web = project()
    top = task(web)
    child, gone = task(web, top), task(web, top, deleted_at=NOW, deletion_id="d")
    below_gone, elsewhere = task(web, gone), task(web)
    database.create([web], [top, child, gone, below_gone, elsewhere])

    snapshot = database.load(subtrees=[top.key])

    assert snapshot.tasks.keys() == {top.id, child.id, gone.id, below_gone.id}


def test_a_whole_project_is_loaded_where_all_of_it_goes(database: Database) -> None:
    web, other = project(), project("OTHER")
    tasks = [task(web) for _ in range(3)]
    database.create([web, other], [*tasks, task(other)])

    assert database.load(whole_projects=["WEB"]).tasks == {item.id: item for item in tasks}


def test_a_restore_loads_what_the_same_deletion_removed(database: Database) -> None:
    web = project()
    first: dict[str, Any] = {"deleted_at": NOW, "deletion_id": "first"}
    second: dict[str, Any] = {"deleted_at": NOW, "deletion_id": "second"}
    root = task(web, **first)
    with_it, gone_before = task(web, root, **first), task(web, root, **second)
    database.create([web], [root, with_it, gone_before])

    assert database.load(deletions=[root.key]).tasks.keys() == {root.id, with_it.id}


def test_restoring_a_project_loads_what_its_deletion_removed(database: Database) -> None:
    web = project(deleted_at=NOW, deletion_id="all")
    with_it, gone_before = task(web, deleted_at=NOW, deletion_id="all"), task(web, deleted_at=NOW, deletion_id="before")
    database.create([web], [with_it, gone_before])

    assert database.load(project_deletions=["WEB"]).tasks.keys() == {with_it.id}


def test_edges_bring_the_tasks_at_their_other_end(database: Database) -> None:
    web = project()
    first, second, third = task(web), task(web, deleted_at=NOW, deletion_id="d"), task(web)
    database.create([web], [first, second, third], new_edges=[(third.id, first.id), (third.id, second.id)])

    snapshot = database.load(edges=[third.key])

    assert snapshot.edges == {third.id: [first.id, second.id]}
    assert snapshot.tasks.keys() == {first.id, second.id, third.id}


def test_anchors_know_the_siblings_beside_them(database: Database) -> None:
    web = project()
    top = [task(web) for _ in range(6)]
    top[2].deleted_at, top[2].deletion_id = NOW, "d"
    nested = [task(web, top[0], position=position) for position in (7 * STEP, 5 * STEP, 5 * STEP)]
    database.create([web], [*top, *nested])

    at_top = database.load(anchors=[top[3].key])
    below = database.load(anchors=[nested[1].key], placements=0)

    assert at_top.siblings == {(web.id, None): [(item.position, item.id) for item in top[2:5]]}
    assert at_top.complete_places == set()
    assert below.complete_places == {(web.id, top[0].id)}, "two siblings share a position: there is no gap"
    assert below.siblings == {(web.id, top[0].id): [(item.position, item.id) for item in (nested[1], nested[2], nested[0])]}


def test_a_gap_that_may_be_exhausted_loads_the_whole_place(database: Database) -> None:
    web = project()
    tasks = [task(web, position=position) for position in (0, 10, STEP, 2 * STEP)]
    database.create([web], tasks)
    everything = [(item.position, item.id) for item in tasks]

    roomy = database.load(anchors=[tasks[1].key], placements=3)
    narrow = database.load(anchors=[tasks[1].key], placements=4)
    many = database.load(anchors=[tasks[3].key], placements=33)

    assert roomy.siblings == {(web.id, None): everything[:3]}
    assert (narrow.siblings, many.siblings) == ({(web.id, None): everything}, {(web.id, None): everything})
    assert narrow.complete_places == many.complete_places == {(web.id, None)}
    assert narrow.tasks.keys() == {item.id for item in tasks}, "renumbering needs the rows"


def test_many_anchors_in_one_place_load_it_whole(database: Database) -> None:
    web = project()
    tasks = [task(web) for _ in range(50)]
    database.create([web], tasks)

    snapshot = database.load(anchors=[item.key for item in tasks[:40]])

    assert snapshot.siblings == {(web.id, None): [(item.position, item.id) for item in tasks]}
    assert snapshot.complete_places == {(web.id, None)}


def test_the_last_position_counts_deleted_rows_and_is_absent_in_empty_places(database: Database) -> None:
    web, empty = project(), project("EMPTY")
    parent, leaf = task(web), task(web)
    database.create([web, empty], [parent, leaf, task(web, parent, position=9 * STEP, deleted_at=NOW, deletion_id="d")])

    snapshot = database.load(append_to_tasks=[parent.key, leaf.key], append_to_projects=["WEB", "EMPTY"])

    assert snapshot.last_position == {(web.id, parent.id): 9 * STEP, (web.id, None): leaf.position}


def test_taken_keys_are_those_that_begin_with_a_wanted_one(database: Database) -> None:
    database.create([project("WEB"), project("WEB2", deleted_at=NOW, deletion_id="d"), project("WEC"), project("WE")])

    assert database.load(key_bases=["WEB", "X"]).taken_keys == {"WEB", "WEB2"}


def test_later_changes_are_those_after_the_base_of_what_is_touched(database: Database) -> None:
    web = project()
    touched, other, untouched = task(web), task(web), task(web)
    database.create([web], [touched, other, untouched])
    entries = [change(touched, title=("Task 1", "Two")), change(web, name=("Project WEB", "N"))]
    database.save(revision(web, entries, changed_tasks=[replace(touched, revision=2)]))
    entries = [change(touched, Action.MOVED, position=(1, 2)), change(untouched, title=("a", "b"))]
    database.save(revision(web, entries, changed_tasks=[replace(touched, revision=3), replace(untouched, revision=3)]))

    later = database.load(tasks=[touched.key, other.key], base_revisions={"web": 1})
    latest = database.load(tasks=[touched.key, other.key], base_revisions={web.id: 2})

    assert later.base == {web.id: 1}
    assert later.later.keys() == {(EntityKind.TASK, touched.id), (EntityKind.PROJECT, web.id)}
    found = later.later[EntityKind.TASK, touched.id]
    assert [(entry.revision, entry.action, entry.fields) for entry in found] == [
        (2, Action.UPDATED, {"title": {"before": "Task 1", "after": "Two"}}),
        (3, Action.MOVED, {"position": {"before": 1, "after": 2}}),
    ]
    assert [entry.revision for entry in latest.later[EntityKind.TASK, touched.id]] == [3]
    assert (EntityKind.PROJECT, web.id) not in latest.later
    assert database.load(tasks=[touched.key]).later == {}


def test_an_unknown_base_is_ignored_but_suggested(database: Database) -> None:
    database.create([project("WEB")])

    snapshot = database.load(base_revisions={"WEBS": 3})

    assert (snapshot.base, snapshot.suggestions) == ({}, {"WEBS": ["WEB"]})


def test_thousands_of_names_are_found(database: Database) -> None:
    web = project()
    tasks = [task(web) for _ in range(2_500)]
    database.create([web], tasks)

    snapshot = database.load(tasks=[item.key for item in tasks], edges=[item.id for item in tasks])

    assert snapshot.tasks == {item.id: item for item in tasks}
    assert len(snapshot.task_names) == 5_000


def test_another_workspace_does_not_exist_here(database: Database) -> None:
    web = project()
    first = task(web)
    database.create([web], [first])

    elsewhere = database.storage.read("elsewhere", lambda tx: tx.find_project(web.id))

    assert elsewhere is None
