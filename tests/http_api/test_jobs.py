"""`Prefer: respond-async`: the call is answered at once, goes on, and keeps its answer."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from core.clock import FixedClock, SystemClock
from core.context import Context
from core.jobs import Jobs
from core.services import jobs
from core.settings import Settings
from core.wiring import Orchestrator
from http_api.long_calls import LongCall
from tests.support.http import data, refused
from tests.support.servers import running_server

LATER = {"Prefer": "respond-async"}
IDEA = {"description": "Book shop\n\n- [ ] Choose a payment provider\n- [ ] Draft the catalogue"}


def begin(api: httpx2.Client, path: str, body: dict[str, Any], **headers: str) -> str:
    """Return where the job is."""
    answer = api.post(path, json=body, headers={**LATER, **headers})
    job = data(answer)
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async")
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    return f"/jobs/{job['id']}"


def ended(api: httpx2.Client, place: str) -> dict[str, Any]:
    until = time.monotonic() + 30
    while (job := data(api.get(place)))["state"] == "running":
        assert time.monotonic() < until
        time.sleep(0.02)
    return dict(job)


def test_a_job_ends_with_what_the_call_would_have_answered(api: httpx2.Client, task: dict[str, Any]) -> None:
    data(api.patch(f"/tasks/{task['key']}", json={"description": "- [ ] One\n- [ ] Two"}))
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "generate_plan": ("/planner/generate", IDEA),
        "import_outline": ("/planner/import", {"content": "- [ ] One"}),
        "refine_plan": ("/planner/refine", {"project_id": task["project_id"], "feedback": f"done {task['key']}\nmake it nicer"}),
        "decompose_task": (f"/tasks/{task['key']}/decompose", {}),
        "chat": ("/agent/chat", {"message": f"done {task['key']}"}),
    }
    done = {operation: ended(api, begin(api, *call)) for operation, call in calls.items()}

    assert {operation: (job["operation"], job["state"]) for operation, job in done.items()} == {
        operation: (operation, "done") for operation in calls
    }
    for operation, job in done.items():
        proposal = job["result"].get("patch_set", job["result"])
        assert data(api.get(f"/patch-sets/{proposal['id']}"))["proposal"]["state"] == "proposed", operation
    assert done["refine_plan"]["warnings"][0]["message"].startswith("line 2, 'make it nicer'")


def test_a_refusal_is_the_error_of_the_job_and_a_bad_body_is_refused_at_once(api: httpx2.Client, task: dict[str, Any]) -> None:
    failed = ended(api, begin(api, f"/tasks/{task['key']}/decompose", {}))

    assert (failed["state"], failed["error"]["code"], failed["result"]) == ("failed", "AI_NOT_CONFIGURED", None)
    refused(api.post("/planner/generate", json={"description": "shop"}, headers=LATER), 422, "VALIDATION_ERROR")


def test_the_same_key_is_one_job_and_one_proposal(api: httpx2.Client) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    before = data(api.get("/patch-sets"))["total"]

    places = {begin(api, "/planner/generate", IDEA, **key) for _ in range(3)}

    assert len(places) == 1
    ended(api, places.pop())
    assert data(api.get("/patch-sets"))["total"] == before + 1


def test_a_job_that_has_ended_cannot_be_cancelled_and_an_unknown_one_is_not_found(api: httpx2.Client) -> None:
    place = begin(api, "/planner/generate", IDEA)
    done = ended(api, place)

    assert data(api.delete(place)) == done
    for gone in (api.get("/jobs/nope"), api.delete("/jobs/nope")):
        refused(gone, 404, "NOT_FOUND")


def test_jobs_survive_a_restart_and_those_of_a_process_that_died_are_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/plan.db"
    with running_server(url, folder=tmp_path) as base, httpx2.Client(base_url=f"{base}/api/v1", timeout=30) as api:
        place = begin(api, "/planner/generate", IDEA)
        done = ended(api, place)
    an_hour_ago = FixedClock(SystemClock().now() - timedelta(hours=1))
    died = Orchestrator(Settings(_env_file=None, database_url=url), clock=an_hour_ago)
    lost = jobs.begin_job(died.context(), "generate_plan")
    died.close()

    with running_server(url, folder=tmp_path) as base, httpx2.Client(base_url=f"{base}/api/v1", timeout=30) as api:
        assert data(api.get(place)) == done
        told = data(api.get(f"/jobs/{lost.id}"))

    assert (told["state"], told["error"]["code"], told["error"]["retryable"]) == ("failed", "SERVICE_UNAVAILABLE", True)


async def test_a_caller_that_leaves_ends_the_call_it_waited_for(tmp_path: Path) -> None:
    orchestrator = Orchestrator(Settings(_env_file=None, database_url=f"sqlite:///{tmp_path}/plan.db"))
    begun, was_cancelled = asyncio.Event(), asyncio.Event()

    async def receive() -> dict[str, str]:
        await begun.wait()
        return {"type": "http.disconnect"}

    async def make(_: Context) -> Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            was_cancelled.set()
        raise AssertionError

    request = Request({"type": "http", "state": {"deferred": False}}, receive)
    call = LongCall(request, orchestrator.context(), Jobs(orchestrator.context))
    with pytest.raises(ClientDisconnect):
        await call.answer(make)

    assert was_cancelled.is_set()
    orchestrator.close()
