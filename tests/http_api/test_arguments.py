"""Arguments are found as FastAPI finds them: every route is asked both ways, and gives the same values and refusals."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi import BackgroundTasks, Cookie, Request
from fastapi.dependencies.utils import get_dependant, solve_dependencies
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts

from core.context import OWNER, Context
from core.settings import Settings
from core.wiring import Orchestrator
from http_api.app import create_app
from http_api.arguments import ABSENT, Arguments
from http_api.bodies import StrictRoute
from http_api.long_calls import LongCall

QUERIES = [
    "",
    "dry_run=true",
    "dry_run=perhaps&cascade=0",
    "page=2&per_page=5&status=todo,blocked&priority=high",
    "page=0&per_page=1000000&status=nonsense&cursor=x",
    "include_tasks=false&revision=3&tasks_cursor=abc&include_subtasks=no",
    "revision=-1&from=1&to=x&limit=0&hours_per_day=25&start_date=never&format=csv",
    "from=1&q=words&project_id=WEB&last_event_id=7&before=5",
    "last_event_id=x&project_id=&q=",
]
HEADERS: list[dict[str, str]] = [
    {},
    {"idempotency-key": "once", "prefer": "return=minimal", "if-match": '"3"', "last-event-id": "9"},
    {"idempotency-key": "", "prefer": "x" * 1_001, "if-match": "*", "last-event-id": "no number"},
]
BODIES: list[Any] = [ABSENT, None, [], {}, {"title": "Title", "project_id": "WEB"}, {"name": "Web", "nonsense": 1}]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp("arguments")
    made = create_app(Settings(_env_file=None, database_url=f"sqlite:///{folder}/never-opened.db"))
    yield made
    orchestrator: Orchestrator = made.state.orchestrator
    orchestrator.close()


def request_to(app: Any, route: StrictRoute, name: str, query: str, headers: dict[str, str]) -> Request:
    scope = {
        "type": "http",
        "method": "GET",
        "path": route.path,
        "path_params": dict.fromkeys(route.param_convertors, name),
        "query_string": query.encode(),
        "headers": [(key.encode(), value.encode()) for key, value in headers.items()],
        "app": app,
        "route": route,
        "state": {"principal": OWNER, "request_id": "r1"},
    }
    return Request(scope)


async def by_fastapi(request: Request, route: StrictRoute, body: Any) -> dict[str, Any] | list[Any]:
    given = {} if body is ABSENT else {"body": body}
    async with AsyncExitStack() as stack:
        request.scope.update(fastapi_inner_astack=stack, fastapi_function_astack=stack)
        solved = await solve_dependencies(
            request=request, dependant=route.dependant, async_exit_stack=stack, embed_body_fields=False, **given
        )
    return solved.errors or solved.values


async def by_us(request: Request, route: StrictRoute, body: Any) -> dict[str, Any] | list[Any]:
    try:
        return await Arguments(route.dependant).find(request, body, {})
    except RequestValidationError as refused:
        return list(refused.errors())


def bodies_for(route: StrictRoute) -> list[Any]:
    """Return what may come as far as the arguments: a body that is needed and missing is refused before."""
    if route.body_field is None:
        return [ABSENT]
    return BODIES[1:] if route.body_field.field_info.is_required() else BODIES


def comparable(found: dict[str, Any] | list[Any]) -> Any:
    """Contexts are made for each request, and hold the moment: what matters is that there is one."""
    if isinstance(found, list):
        return found
    return {name: type(value) if isinstance(value, Context | LongCall | Request) else value for name, value in found.items()}


async def answered(way: Any, request: Request, route: StrictRoute, body: Any) -> Any:
    try:
        return comparable(await way(request, route, body))
    except Exception as refused:  # noqa: BLE001  # any failure must be the same both ways, whatever it is
        return type(refused), str(refused)


async def test_every_route_gets_what_fastapi_would_give_it(app: Any) -> None:
    routes = [found.original_route for found in iter_route_contexts(app.routes)]
    refused = given = 0
    for route in routes:
        if not isinstance(route, StrictRoute):
            continue
        for query in QUERIES:
            for headers in HEADERS:
                for body in bodies_for(route):
                    for name in ("WEB-1", "no name at all"):
                        asked = (route, name, query, headers)
                        ours = await answered(by_us, request_to(app, *asked), route, body)
                        theirs = await answered(by_fastapi, request_to(app, *asked), route, body)
                        assert ours == theirs, (route.path, route.methods, query, headers, body, name)
                        refused, given = refused + isinstance(ours, list), given + isinstance(ours, dict)

    assert min(refused, given) > 100  # both were compared


def test_a_route_that_asks_for_something_else_is_refused_when_it_is_declared() -> None:
    async def cookie(seen: str = Cookie()) -> str:
        return seen

    async def tasks(later: BackgroundTasks) -> None:
        later.add_task(print)

    def blocking() -> None:
        """Would run on the event loop."""

    for asked in (cookie, tasks, blocking):
        with pytest.raises(TypeError, match=asked.__name__):
            Arguments(get_dependant(path="/", call=asked))
