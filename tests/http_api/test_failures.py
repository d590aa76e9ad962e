"""When it is not the caller's fault."""

import asyncio
import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from core.context import Context
from core.settings import Settings
from core.wiring import Orchestrator
from http_api.app import create_app
from http_api.routes import health
from tests.support.http import refused


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    """A gateway whose database is in a folder that does not exist."""
    return create_app(Settings(database_url=f"sqlite:///{tmp_path / 'missing' / 'plan.db'}"))


def client(app: FastAPI) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1")


async def test_without_its_database_the_gateway_lives_and_is_not_ready(app: FastAPI) -> None:
    async with client(app) as api:
        live, ready = await api.get("/health/live"), await api.get("/health/ready")

    assert live.json() == {"status": "healthy"}
    error = refused(ready, 503, "DATABASE_ERROR")
    assert error["retryable"] is True
    assert ready.headers["retry-after"] == "1"


async def test_a_schema_of_another_version_is_not_ready(tmp_path: Path) -> None:
    database = Settings(_env_file=None, database_url=f"sqlite:///{tmp_path / 'plan.db'}")
    orchestrator = Orchestrator(database)
    orchestrator.start(create=True)
    orchestrator.close()
    app = create_app(database)
    async with client(app) as api:
        before = await api.get("/health/ready")
        with closing(sqlite3.connect(tmp_path / "plan.db", isolation_level=None)) as other:
            other.execute("UPDATE alembic_version SET version_num = 'from_the_future'")
        after, live = await api.get("/health/ready"), await api.get("/health/live")
    app.state.orchestrator.close()

    assert before.status_code == live.status_code == 200
    refused(after, 503, "DATABASE_ERROR")


async def test_a_store_that_is_stuck_is_not_ready_until_it_serves_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The database would answer, and nobody gets as far as to ask it."""
    app = create_app(Settings(_env_file=None, database_url=f"sqlite:///{tmp_path / 'plan.db'}"))
    orchestrator: Orchestrator = app.state.orchestrator
    orchestrator.start(create=True)
    begun, go_on = threading.Event(), threading.Event()

    def stuck(_: Context) -> None:
        begun.set()
        go_on.wait()

    async with client(app) as api:
        call = asyncio.create_task(orchestrator.context().run(stuck))
        await asyncio.to_thread(begun.wait)
        with monkeypatch.context() as patched:
            patched.setattr(health, "READY_SECONDS", 0.05)
            during, live = await api.get("/health/ready"), await api.get("/health/live")
        go_on.set()
        await call
        after = await api.get("/health/ready")
    orchestrator.close()

    error = refused(during, 503, "STORAGE_BUSY")
    assert (error["retryable"], during.headers["retry-after"]) == (True, "1")
    assert live.status_code == after.status_code == 200
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_bug_is_answered_with_the_request_id_only_and_logged_once(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    app.state.orchestrator = "secret inner text"  # any route that asks for its context fails

    async with client(app) as api:
        answer = await api.get("/api/v1/projects", headers={"X-Request-ID": "bug-1", "Origin": "http://localhost:3000"})

    error = refused(answer, 500, "INTERNAL_ERROR")
    assert "bug-1" in error["message"]
    assert error["details"] == []
    assert "attribute" not in answer.text
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
    failures = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.exc_info is not None for record in failures] == [True]
