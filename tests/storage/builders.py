"""Small plans made by hand: storage is tested without the planner."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from core.errors import StorageBusy
from core.patches.plan import Effects, Plan
from core.patches.snapshot import CommentRecord, Needs, ProjectRecord, Snapshot, TaskRecord
from core.storage.interface import PatchSetRecord, Storage, Transaction
from schemas.changes import Action, Change, EntityKind, Totals
from schemas.patches import ProposalState

T = TypeVar("T")

NOW = datetime(2026, 3, 2, 9, 30, 15, 123456, tzinfo=UTC)
TODAY = date(2026, 3, 2)
STEP = 2**32
_numbers = itertools.count(1)


def new_id() -> str:
    """Return an id that sorts after all earlier ones."""
    return f"01950000-0000-7000-8000-{next(_numbers):012d}"


def new_patch_set_id() -> str:
    return f"ps_{next(_numbers):016d}"


def project(key: str = "WEB", **fields: Any) -> ProjectRecord:
    defaults: dict[str, Any] = {
        "name": f"Project {key}",
        "created_by": "ada",
        "created_at": NOW,
        "updated_at": NOW,
        "revision": 1,
    }
    return ProjectRecord(id=new_id(), key=key, **defaults | fields)


def task(of: ProjectRecord, parent: TaskRecord | None = None, **fields: Any) -> TaskRecord:
    """Return the next task of the project; counters of `of` and `parent` follow."""
    number = of.next_number
    of.next_number += 1
    of.task_count += 1
    if parent is not None:
        parent.subtask_count += 1
    defaults: dict[str, Any] = {
        "position": number * STEP,
        "title": f"Task {number}",
        "created_by": "ada",
        "created_at": NOW,
        "updated_at": NOW,
        "revision": 1,
    }
    return TaskRecord(
        id=new_id(),
        key=f"{of.key}-{number}",
        number=number,
        project_id=of.id,
        parent_id=parent.id if parent else None,
        depth=parent.depth + 1 if parent else 0,
        **defaults | fields,
    )


def comment(on: TaskRecord, body: str, **fields: Any) -> CommentRecord:
    return CommentRecord(new_id(), on.id, on.project_id, "ada", body, fields.get("created_at", NOW))


def proposal(**fields: Any) -> PatchSetRecord:
    defaults: dict[str, Any] = {
        "id": new_patch_set_id(),
        "summary": "",
        "rationale": "",
        "base_revisions": {},
        "patches": [],
        "hash": "0" * 64,
        "state": ProposalState.PROPOSED,
        "engine": "caller",
        "author": "ada",
        "created_at": NOW,
    }
    return PatchSetRecord(**defaults | fields)


def change(of: ProjectRecord | TaskRecord, action: Action = Action.UPDATED, **fields: tuple[Any, Any]) -> Change:
    """Return a history entry; each field is (before, after)."""
    kind, title = (EntityKind.TASK, of.title) if isinstance(of, TaskRecord) else (EntityKind.PROJECT, of.name)
    return Change(
        kind=kind,
        id=of.id,
        key=of.key,
        title=title,
        action=action,
        fields={name: {"before": before, "after": after} for name, (before, after) in fields.items()},
        patch_indexes=[0],
    )


def creation(projects: Sequence[ProjectRecord], tasks: Sequence[TaskRecord] = (), **effects: Any) -> Plan:
    """Return the plan that creates projects at revision 1 with these tasks."""
    changes = [change(item, Action.CREATED, name=(None, item.name)) for item in projects]
    changes += [change(item, Action.CREATED, title=(None, item.title)) for item in tasks]
    return Plan(
        changes=changes,
        change_projects=[item.id for item in projects] + [item.project_id for item in tasks],
        totals=Totals(created=len(changes)),
        effects=Effects(
            new_projects=list(projects),
            new_tasks=list(tasks),
            revisions={item.id: (0, 1) for item in projects},
            project_keys={item.id: item.key for item in projects},
            **effects,
        ),
    )


def revision(of: ProjectRecord, changes: Sequence[Change] = (), **effects: Any) -> Plan:
    """Return the plan that raises a stored project by one revision; `of` is moved on with it."""
    before, of.revision = of.revision, of.revision + 1
    return Plan(
        changes=list(changes),
        change_projects=[of.id] * len(changes),
        totals=Totals(updated=len(changes)),
        effects=Effects(changed_projects=[of], revisions={of.id: (before, of.revision)}, project_keys={of.id: of.key}, **effects),
    )


@dataclass
class Database:
    """A storage and the workspace that belongs to one test."""

    storage: Storage
    workspace: str
    kind: str
    url: str

    def read(self, work: Callable[[Transaction], T]) -> T:
        return self.storage.read(self.workspace, work)

    def write(self, work: Callable[[Transaction], T]) -> T:
        return self.storage.write(self.workspace, work)

    def save(self, plan: Plan, record: PatchSetRecord | None = None) -> PatchSetRecord:
        """Store a plan in a transaction of its own."""
        return self.write(lambda tx: tx.save_plan(record or proposal(), plan))

    def create(self, projects: Sequence[ProjectRecord], tasks: Sequence[TaskRecord] = (), **effects: Any) -> PatchSetRecord:
        return self.save(creation(projects, tasks, **effects))

    def load(self, **needs: Any) -> Snapshot:
        wanted: dict[str, Any] = {
            name: value if isinstance(value, (int, dict)) else frozenset(value) for name, value in needs.items()
        }
        return self.read(lambda tx: tx.load_snapshot(Needs(**wanted)))


def patiently(work: Callable[[], T]) -> T:
    """Return what `work` returns, run again while SQLite is locked, as the executor does."""
    while True:
        try:
            return work()
        except StorageBusy:
            continue
