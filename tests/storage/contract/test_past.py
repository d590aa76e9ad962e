"""Looking back, on both databases: everything a project has been is read exactly as it was."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from core.clock import FixedClock
from core.context import Context, Principal, Scope
from core.services import history, patch_sets, projects, reverting
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.patches import PatchSet, PatchSetQuery
from tests.storage.builders import NOW, Database


class Desk:
    """Calls services on a database, each a minute after the one before."""

    def __init__(self, orchestrator: Orchestrator, clock: FixedClock, principal: Principal) -> None:
        self._orchestrator = orchestrator
        self._clock = clock
        self._principal = principal

    @property
    def ctx(self) -> Context:
        self._clock.instant += timedelta(minutes=1)
        return self._orchestrator.context(self._principal)

    def apply(self, *patches: dict[str, Any]) -> str:
        answer = patch_sets.apply_patch_set(self.ctx, PatchSet(patches=list(patches)))
        return str(answer.patch_set_id)

    def seen(self, revision: int | None = None) -> Any:
        return projects.export_project(self.ctx, "WEB", revision=revision).model_dump(mode="json", exclude={"exported_at"})


@pytest.fixture
def desk(database: Database) -> Iterator[Desk]:
    clock = FixedClock(NOW)
    orchestrator = Orchestrator(Settings(database_url=database.url, pool_size=2), clock=clock)
    orchestrator.start(create=False)
    yield Desk(orchestrator, clock, Principal(subject="ada", workspace=database.workspace, scopes=frozenset(Scope)))
    orchestrator.close()


def task(title: str, **more: Any) -> dict[str, Any]:
    return {"op": "create_task", "project": "WEB", "fields": {"title": title}, **more}


def update(key: str, **fields: Any) -> dict[str, Any]:
    return {"op": "update_task", "task": key, "fields": fields}


STEPS: list[list[dict[str, Any]]] = [
    [{"op": "create_project", "key": "WEB", "fields": {"name": "Web", "due_date": "2026-06-01"}}, task("API")],
    [task("Auth", parent="WEB-1"), task("Docs")],
    [update("WEB-2", status="done", tags=["x"], links={"gh": "1"}, custom={"p": {"q": 1}}, due_date="2026-05-01")],
    [{"op": "add_comment", "task": "WEB-2", "body": "hello"}, {"op": "add_dependency", "task": "WEB-3", "depends_on": "WEB-1"}],
    [{"op": "move_task", "task": "WEB-2", "parent": None, "before": "WEB-1"}, update("WEB-2", status="todo", links={"gh": None})],
    [{"op": "delete_task", "task": "WEB-1"}, {"op": "update_project", "project": "WEB", "fields": {"name": "W"}}],
    [{"op": "restore_task", "task": "WEB-1"}, {"op": "remove_dependency", "task": "WEB-3", "depends_on": "WEB-1"}],
    [{"op": "update_project", "project": "WEB", "fields": {"due_date": None, "task_schema": {"type": "object"}}}],
    [{"op": "delete_project", "project": "WEB"}],
    [{"op": "restore_project", "project": "WEB"}],
]


def test_each_revision_is_read_as_it_was(desk: Desk) -> None:
    seen: dict[int, Any] = {}
    for revision, patches in enumerate(STEPS, 1):
        desk.apply(*patches)
        if patches[0]["op"] != "delete_project":
            seen[revision] = desk.seen()
    for _ in range(40):  # halves one gap until the place is renumbered
        desk.apply(task("x", after="WEB-2"))
    seen[len(STEPS) + 40] = desk.seen()

    assert {revision: desk.seen(revision) for revision in seen} == seen


def test_going_back_over_a_renumbering_gives_back_the_order(desk: Desk) -> None:
    for patches in STEPS[:3]:
        desk.apply(*patches)
    desk.apply({"op": "move_task", "task": "WEB-3", "before": "WEB-1"})
    before = desk.seen(3)
    for _ in range(40):
        desk.apply(task("x", after="WEB-3"))

    reverting.revert_to_revision(desk.ctx, "WEB", 3)

    assert [one["key"] for one in desk.seen()["tasks"]] == [one["key"] for one in before["tasks"]]
    assert [one["key"] for one in desk.seen(3)["tasks"]] == [one["key"] for one in before["tasks"]]


def test_a_diff_tells_each_item_once(desk: Desk) -> None:
    for patches in STEPS:
        desk.apply(*patches)

    diff = history.diff_revisions(desk.ctx, "WEB", from_revision=2, to_revision=len(STEPS))

    assert [(change.kind.value, change.key, change.action.value) for change in diff.changes] == [
        ("task", "WEB-2", "moved"),
        ("comment", "WEB-2", "created"),
        ("project", "WEB", "updated"),
    ]
    assert diff.changes[0].fields["parent"] == {"before": "WEB-1", "after": None}


def test_a_renumbering_shows_in_no_answer(desk: Desk) -> None:
    desk.apply(*STEPS[0])
    desk.apply(task("Docs"))
    ids = [desk.apply(task("x", after="WEB-1")) for _ in range(40)]

    for patch_set_id in ids:
        page = history.list_changes(desk.ctx, patch_set_id)
        assert (page.total, [change.title for change in page.changes]) == (1, ["x"])


def test_the_history_names_the_revisions_of_its_own_project(desk: Desk) -> None:
    desk.apply(*STEPS[0])
    desk.apply({"op": "create_project", "key": "API", "fields": {"name": "Api"}}, update("WEB-1", title="Both"))
    desk.apply({"op": "update_project", "project": "API", "fields": {"name": "Alone"}})

    web = history.list_history(desk.ctx, "WEB", PatchSetQuery()).patch_sets
    api = history.list_history(desk.ctx, "API", PatchSetQuery(per_page=1))

    assert [(entry.revision_before, entry.revision) for entry in web] == [(1, 2), (0, 1)]
    assert [(entry.revision_before, entry.revision) for entry in api.patch_sets] == [(1, 2)]
    rest = history.list_history(desk.ctx, "API", PatchSetQuery(per_page=1, cursor=api.next_cursor))
    assert [(entry.id, entry.revision) for entry in rest.patch_sets] == [(web[0].id, 1)]
