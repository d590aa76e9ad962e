"""A real workspace on an SQLite file, and patch sets to fill it with."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.context import Context
from core.services.patch_sets import apply_patch_set
from core.services.projects import create_project
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.patches import MAX_PATCHES, PatchSet
from schemas.projects import ProjectCreate

DESCRIPTION = "Some words about what has to be done. " * 3
TASKS_PER_PHASE = 100


@contextmanager
def workspace() -> Iterator[Context]:
    """Open a new database file with default durability; it goes when the block ends."""
    with TemporaryDirectory(prefix="orchestrator-bench-") as folder:
        orchestrator = Orchestrator(Settings(_env_file=None, database_url=database_url(Path(folder))))
        orchestrator.start(create=True)
        try:
            yield orchestrator.context()
        finally:
            orchestrator.close()


def database_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'orchestrator.db'}"


def creates(project: str, count: int) -> PatchSet:
    """Return a set that creates `count` tasks: phases with 99 tasks below each."""
    patches: list[dict[str, Any]] = []
    for number in range(count):
        phase, place = divmod(number, TASKS_PER_PHASE)
        fields = {"title": f"Task number {number}", "description": DESCRIPTION, "assignee": "ada", "estimated_minutes": 60}
        where = {"ref": f"$phase{phase}"} if place == 0 else {"parent": f"$phase{phase}"}
        patches.append({"op": "create_task", "project": project, **where, "fields": fields})
    return PatchSet(summary=f"{count} tasks", patches=patches)


def fill(ctx: Context, project: str, count: int) -> None:
    """Create a project and `count` tasks in it, in sets of the largest allowed size."""
    create_project(ctx, ProjectCreate(name=project, key=project))
    for done in range(0, count, MAX_PATCHES):
        apply_patch_set(ctx, creates(project, min(MAX_PATCHES, count - done)))
