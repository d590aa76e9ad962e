"""Calls that share a commit end as they do one after the other, though the tasks they create are written together."""

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from core.clock import FixedClock
from core.context import Context
from core.errors import DatabaseError, DomainError, InvalidPatch, StorageBusy
from core.idempotency import Attempt
from core.ids import RandomIds
from core.services import patch_sets, projects, tasks
from core.services.patch_sets import Written
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.patches import PatchSet
from schemas.projects import ProjectCreate, ProjectUpdate
from schemas.tasks import Task, TaskCreate, TaskUpdate
from tests.core.services.conftest import NOON

Call = Callable[[Context], Any]


class CountedIds(RandomIds):
    """Gives two databases the same ids."""

    def __init__(self, count: int) -> None:
        self._count = count

    def new_id(self) -> str:
        self._count += 1
        return f"01950000-0000-7000-8000-{self._count:012d}"

    def new_patch_set_id(self) -> str:
        self._count += 1
        return f"ps_{self._count:016d}"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the projects WEB and APP, and a task WEB-1 with a subtask, to be copied."""
    path = tmp_path_factory.mktemp("rounds") / "template.db"
    with opened(path, CountedIds(0)) as ctx:
        for key in ("WEB", "APP"):
            projects.create_project(ctx, ProjectCreate(name=key, key=key))
        create(ctx, "Below", parent_id=create(ctx, "First").key)
    return path


@contextmanager
def opened(path: Path, ids: CountedIds) -> Iterator[Context]:
    settings = Settings(database_url=f"sqlite:///{path}", sqlite_synchronous="NORMAL")
    orchestrator = Orchestrator(settings, clock=FixedClock(NOON), ids=ids)
    orchestrator.start(create=True)
    yield orchestrator.context(request_id="r")
    orchestrator.close()


@contextmanager
def copied(template: Path, path: Path) -> Iterator[Context]:
    shutil.copy(template, path)
    with opened(path, CountedIds(1_000)) as ctx:
        yield ctx


@pytest.fixture
def ctx(template: Path, tmp_path: Path) -> Iterator[Context]:
    with copied(template, tmp_path / "plans.db") as ctx:
        yield ctx


def create(ctx: Context, title: str, project: str = "WEB", **fields: Any) -> Task:
    created = tasks.create_task(ctx, TaskCreate(project_id=project, title=title, **fields)).item
    assert created is not None
    return created


def rename(ctx: Context, task: str, title: str) -> Written[Task]:
    return tasks.update_task(ctx, task, TaskUpdate(title=title))


def watch_statements(ctx: Context) -> list[str]:
    """Return a list that grows with what this thread's round sends to SQLite from now on."""
    seen: list[str] = []

    def watch(tx: Any) -> None:  # the port has no connection; the storage behind it does
        tx.connection.connection.driver_connection.set_trace_callback(seen.append)

    ctx.write(watch)
    return seen


def test_tasks_that_are_created_together_are_written_together(ctx: Context) -> None:
    with ctx.storage.together():
        seen = watch_statements(ctx)
        for number in range(20):
            create(ctx, f"Task {number}")

    assert len([sql for sql in seen if sql.startswith("INSERT INTO tasks")]) == 20
    assert len([sql for sql in seen if sql.startswith("UPDATE projects")]) == 1
    assert len([sql for sql in seen if sql.startswith(("SELECT", "SAVEPOINT"))]) < 5


def test_tasks_of_several_projects_are_written_together(ctx: Context) -> None:
    with ctx.storage.together():
        seen = watch_statements(ctx)
        created = [create(ctx, f"Task {number}", project=("WEB", "APP")[number % 2]) for number in range(6)]

    assert [task.key for task in created] == ["WEB-3", "APP-1", "WEB-4", "APP-2", "WEB-5", "APP-3"]
    assert len([sql for sql in seen if sql.startswith("UPDATE projects")]) == 2


def test_a_created_task_is_answered_as_it_is_stored(ctx: Context) -> None:
    fields: dict[str, Any] = {
        "description": "Größe",
        "tags": ["a", "b"],
        "custom": {"n": 1.5, "l": [None]},
        "due_date": "2026-03-01",
    }
    with ctx.storage.together():
        created = [create(ctx, "Plain"), create(ctx, "Full", status="done", links={"x": "y"}, estimated_minutes=5, **fields)]

    assert [tasks.get_task(ctx, task.id).model_dump(include=set(Task.model_fields)) for task in created] == [
        task.model_dump() for task in created
    ]


def test_a_refusal_leaves_what_others_create(ctx: Context) -> None:
    with ctx.storage.together():
        before = create(ctx, "Before")
        with pytest.raises(InvalidPatch):
            create(ctx, "Wrong", start_date="2026-03-02", due_date="2026-03-01")
        with pytest.raises(InvalidPatch):
            create(ctx, "Astray", project="NOSUCH")
        after = create(ctx, "After")

    assert (before.key, after.key) == ("WEB-3", "WEB-4")
    assert after.revision == before.revision + 1


def test_a_call_that_fails_after_it_created_leaves_nothing(ctx: Context) -> None:
    creation = {"op": "create_task", "project": "WEB", "fields": {"title": "Gone"}}

    def fail(*_: object) -> None:
        raise KeyError

    with ctx.storage.together():
        create(ctx, "Before")
        with pytest.raises(KeyError):
            patch_sets.write_patches(ctx, lambda _: [creation], summary="", result=fail)
        kept = create(ctx, "After")

    assert kept.key == "WEB-4"
    assert [task.title for task in projects.get_hierarchy(ctx, "WEB").tasks] == ["First", "Before", "After"]


@pytest.mark.parametrize("read_first", [False, True])
def test_what_the_database_refuses_undoes_the_round_and_says_so(ctx: Context, tmp_path: Path, read_first: bool) -> None:
    with closing(sqlite3.connect(tmp_path / "plans.db")) as other:
        other.execute("CREATE TRIGGER bad BEFORE INSERT ON tasks WHEN new.title = 'Bad' BEGIN SELECT RAISE(ABORT, 'bad'); END")
    revision = projects.get_project(ctx, "WEB").revision

    with ExitStack() as stack:
        stack.enter_context(pytest.raises((StorageBusy, DatabaseError)))
        stack.enter_context(ctx.storage.together())
        create(ctx, "Good")
        create(ctx, "Bad")
        if read_first:
            with pytest.raises(DatabaseError):
                projects.get_hierarchy(ctx, "WEB")
            with pytest.raises(StorageBusy):
                create(ctx, "Late")

    assert projects.get_project(ctx, "WEB").revision == revision
    assert create(ctx, "Good").key == "WEB-3"


# -- the law


def calls(dice: random.Random) -> list[Call]:
    """Return a random crowd: mostly creations, and all else that could meet them."""

    def name(project: str | None = None) -> str:
        return f"{project or dice.choice(('WEB', 'APP'))}-{dice.randrange(1, 9)}"

    def one(number: int) -> Call:
        project = dice.choice(("WEB", "WEB", "APP"))
        task, other, title = name(project), name(project), f"Task {number}"
        patches = [{"op": "create_task", "ref": "$p", "project": project, "fields": {"title": title, "tags": ["t"]}}]
        patches.append({"op": "create_task", "parent": "$p", "fields": {"title": "Below"}})
        several = PatchSet(summary="", patches=patches, id=dice.choice([None, "ps_00000000000000ab"]))
        attempt = Attempt(f"k{dice.randrange(2)}", "same")
        kinds: list[Call] = [
            *[lambda ctx: tasks.create_task(ctx, TaskCreate(project_id=project, title=title, tags=["a"]))] * 8,
            lambda ctx: tasks.create_task(
                ctx, TaskCreate(project_id=project, title=title, due_date=NOON.date(), start_date="2027-01-01")
            ),
            lambda ctx: tasks.create_task(ctx, TaskCreate(project_id="NOSUCH", title=title)),
            lambda ctx: tasks.create_task(ctx, TaskCreate(project_id=project, title=title, parent_id=task)),
            lambda ctx: tasks.create_task(ctx, TaskCreate(project_id=project, title=title, before=task)),
            lambda ctx: tasks.create_task(ctx, TaskCreate(project_id=project, title=title, depends_on=[task])),
            lambda ctx: tasks.create_task(ctx, TaskCreate(project_id=project, title=title), dry_run=True),
            lambda ctx: replace(ctx, attempt=attempt)._call(tasks.create_task, TaskCreate(project_id=project, title="Once"))(),
            lambda ctx: patch_sets.apply_patch_set(ctx, several),
            lambda ctx: rename(ctx, task, title),
            lambda ctx: tasks.update_task(ctx, task, TaskUpdate(parent_id=other)),
            lambda ctx: tasks.update_task(ctx, task, TaskUpdate(tags=["b"], status="done")),
            lambda ctx: tasks.delete_task(ctx, task),
            lambda ctx: tasks.restore_task(ctx, task),
            lambda ctx: tasks.add_comment(ctx, task, "Hm"),
            lambda ctx: tasks.get_task(ctx, task),
            lambda ctx: projects.update_project(ctx, project, ProjectUpdate(name=title, tags=["p"])),
            lambda ctx: projects.delete_project(ctx, "APP"),
            lambda ctx: projects.restore_project(ctx, "APP"),
            lambda ctx: projects.get_project(ctx, project, include_tasks=True),
            lambda ctx: projects.create_project(ctx, ProjectCreate(name=title, key=dice.choice(("NEW", None)))),
        ]
        return dice.choice(kinds)

    return [one(number) for number in range(dice.randrange(2, 30))]


def outcome(ctx: Context, call: Call) -> Any:
    try:
        result = call(ctx)
    except DomainError as refusal:
        return refusal.code, refusal.message, refusal.details
    return [result.item, result.effect] if isinstance(result, Written) else result


def everything(ctx: Context) -> list[BaseModel | Any]:
    """Return all there is to see."""
    with closing(sqlite3.connect(ctx.settings.database_url.removeprefix("sqlite:///"))) as connection:
        tables = ("projects", "tasks", "item_tags", "dependencies", "patch_sets", "patch_set_projects", "patch_set_changes")
        return [sorted(connection.execute(f"SELECT * FROM {table}"), key=str) for table in tables]  # noqa: S608  # our own names


@pytest.mark.parametrize("seed", range(40))
def test_a_round_ends_as_its_calls_do_one_by_one(template: Path, tmp_path: Path, seed: int) -> None:
    seen = []
    for kind in ("round", "single"):
        crowd = calls(random.Random(seed))  # noqa: S311  # a fixed sequence
        with copied(template, tmp_path / f"{kind}.db") as ctx:
            with ctx.storage.together() if kind == "round" else nullcontext():
                outcomes = [outcome(ctx, call) for call in crowd]
            seen.append((outcomes, everything(ctx)))

    assert seen[0] == seen[1]
