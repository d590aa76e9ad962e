"""Routes reach their storage through two dependencies, of reads and of writes: a test can put another behind all of them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from fastapi import Request

from core.context import Context
from core.settings import Settings
from core.wiring import Orchestrator
from http_api.app import create_app
from http_api.dependencies import request_context
from http_api.idempotency import write_context
from schemas.projects import Project
from schemas.tasks import Task
from tests.core.test_schedule import PROJECT, task
from tests.support.http import data

T = TypeVar("T")


class OneProject:
    """A storage and its transaction that know one project, and no database."""

    def read(self, _workspace: str, work: Callable[[Any], T], **_: object) -> T:
        return work(self)

    def find_project(self, _name: str) -> Project:
        return PROJECT

    def outline(self, _project_id: str, **_: object) -> tuple[list[Task], None]:
        return [task(1), task(2, parent=1), task(3, parent=2), task(4)], None


@asynccontextmanager
async def gateway(make: Callable[[Context], Context], folder: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve the application with another context behind its routes."""
    app = create_app(Settings(_env_file=None, database_url=f"sqlite:///{folder}/never-opened.db"))

    async def replaced(request: Request) -> Context:
        return make(await request_context(request))

    app.dependency_overrides |= {request_context: replaced, write_context: replaced}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1") as client:
        yield client
    app.state.orchestrator.close()


async def test_a_hierarchy_is_made_of_whatever_stands_behind_the_storage_port(tmp_path: Path) -> None:
    storage: Any = OneProject()

    async with gateway(lambda ctx: replace(ctx, storage=storage), tmp_path) as client:
        tree = data(await client.get("/api/v1/projects/WEB/hierarchy"))

    def keys(nodes: list[dict[str, Any]]) -> list[Any]:
        return [(node["key"], keys(node["children"])) for node in nodes]

    assert tree["project"]["key"] == "WEB"
    assert keys(tree["tasks"]) == [("WEB-1", [("WEB-2", [("WEB-3", [])])]), ("WEB-4", [])]
    assert not (tmp_path / "never-opened.db").exists()


async def test_creating_with_tasks_and_applying_patches_go_where_the_dependency_leads(tmp_path: Path) -> None:
    other = Orchestrator(Settings(_env_file=None, database_url=f"sqlite:///{tmp_path}/other.db"))
    patch = {"op": "update_task", "task": "WEB-1", "fields": {"title": "Changed"}}
    unknown = {"op": "update_task", "task": "WEB-9", "fields": {"title": "Changed"}}

    async with gateway(lambda ctx: other.context(request_id=ctx.request_id), tmp_path) as client:
        created = data(await client.post("/api/v1/projects", json={"name": "Web", "key": "WEB", "tasks": [{"title": "First"}]}))
        refused = await client.post("/api/v1/planner/apply", json={"patches": [patch, unknown]})
        before = data(await client.get("/api/v1/tasks/WEB-1"))["title"]
        data(await client.post("/api/v1/planner/apply", json={"patches": [patch]}))
        after = data(await client.get("/api/v1/tasks/WEB-1"))["title"]
    other.close()

    assert [item["key"] for item in created["tasks"]] == ["WEB-1"]
    assert (refused.status_code, before, after) == (404, "First", "Changed")
    assert not (tmp_path / "never-opened.db").exists()
