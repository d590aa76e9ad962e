"""Every route of the interface is run in front of FastAPI, which answers the rest."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.routing import iter_route_contexts
from starlette.types import Receive, Scope, Send

from core.settings import Settings
from http_api.app import create_app
from http_api.bodies import StrictRoute
from http_api.dispatch import Dispatch
from http_api.envelope import API_PREFIX


@pytest.fixture
def gateway(tmp_path: Path) -> FastAPI:
    return create_app(Settings(_env_file=None, database_url=f"sqlite:///{tmp_path}/never-opened.db"))


async def routed(gateway: FastAPI, method: str, path: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, dict[str, str]]:
    """Return the operation that answers, with its path parameters; "fastapi" for what is left to it."""
    seen: list[tuple[str, dict[str, str]]] = []

    async def answer(route: StrictRoute, request: Request) -> Response:
        seen.append((str(route.operation_id), request.path_params))
        return Response()

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(("fastapi", {}))

    async def nothing(*_: Any) -> Any:
        return None

    monkeypatch.setattr(StrictRoute, "answer", answer)
    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    await Dispatch(behind, gateway)(scope, nothing, nothing)
    return seen[0]


async def test_every_declared_route_is_found(gateway: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = [found for found in iter_route_contexts(gateway.routes) if (found.path or "").startswith(API_PREFIX)]

    for found in declared:
        assert isinstance(found.original_route, StrictRoute), f"{found.path} is not strict about what it is sent"
        path = str(found.path).replace("{", "").replace("}", "")
        for method in found.methods or ():
            operation, _ = await routed(gateway, method, path, monkeypatch)
            assert operation == found.original_route.operation_id
    assert len(declared) > 40


@pytest.mark.parametrize(
    ("method", "path", "operation", "parameters"),
    [
        ("GET", "/tasks/next", "list_next_tasks", {}),
        ("POST", "/tasks/next/claim", "claim_task", {"task_id": "next"}),
        ("GET", "/tasks/WEB-1", "get_task", {"task_id": "WEB-1"}),
        ("GET", "/tasks/a b\n", "get_task", {"task_id": "a b\n"}),
        ("GET", "/tasks/next\n", "list_next_tasks", {}),  # as a framework's `$` has it
        ("GET", "/tasks\n", "list_tasks", {}),
        ("POST", "/tasks/WEB-1", "fastapi", {}),  # 405, with what the path answers
        ("GET", "/tasks//comments", "fastapi", {}),
        ("GET", "/nothing", "fastapi", {}),
        ("OPTIONS", "/tasks", "fastapi", {}),
    ],
)
async def test_a_request_goes_to_the_first_route_that_is_declared_for_it(
    gateway: FastAPI, monkeypatch: pytest.MonkeyPatch, method: str, path: str, operation: str, parameters: dict[str, str]
) -> None:
    assert await routed(gateway, method, f"{API_PREFIX}{path}", monkeypatch) == (operation, parameters)
