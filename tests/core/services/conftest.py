"""Services on a database file of their own, with a clock that stands still."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.clock import FixedClock
from core.context import Context
from core.services import patch_sets, projects
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.changes import ApplyResponse
from schemas.patches import PatchSet
from schemas.projects import ProjectCreate

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def orchestrator(tmp_path: Path, clock: FixedClock) -> Iterator[Orchestrator]:
    orchestrator = Orchestrator(Settings(database_url=f"sqlite:///{tmp_path}/plans.db"), clock=clock)
    orchestrator.start(create=True)
    yield orchestrator
    orchestrator.close()


@pytest.fixture
def ctx(orchestrator: Orchestrator) -> Context:
    return orchestrator.context()


@pytest.fixture
def web(ctx: Context) -> ApplyResponse:
    """WEB: 1 API (2 Auth, 3 Routes), 4 Docs, which waits for 1."""
    projects.create_project(ctx, ProjectCreate(name="Website", key="WEB"))
    return patch_sets.apply_patch_set(
        ctx,
        PatchSet(
            summary="Plan",
            patches=[
                {"op": "create_task", "ref": "$api", "project": "WEB", "fields": {"title": "API"}},
                {"op": "create_task", "parent": "$api", "fields": {"title": "Auth", "estimated_minutes": 90}},
                {"op": "create_task", "parent": "$api", "fields": {"title": "Routes", "estimated_minutes": 60}},
                {"op": "create_task", "project": "WEB", "fields": {"title": "Docs"}, "depends_on": ["$api"]},
            ],
        ),
    )
