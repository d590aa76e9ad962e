"""Runs the routes that FastAPI declares, in front of FastAPI.

FastAPI tries one route after the other, twice for those of an included router, and opens three contexts before it
calls a handler, which then was a third of a small write. What is not found here (another method, no such path, the
pages of the process itself) is FastAPI's to answer.
"""

import re
from collections import defaultdict

from fastapi import FastAPI, Request
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.bodies import StrictRoute


class Dispatch:
    """Finds the route of a request by method and number of slashes, then by the first pattern in order of declaration."""

    def __init__(self, app: ASGIApp, gateway: FastAPI) -> None:
        self.app = app
        self._routes: defaultdict[tuple[str, int], list[tuple[re.Pattern[str], StrictRoute]]] = defaultdict(list)
        for found in iter_route_contexts(gateway.routes):
            route, path = found.original_route, found.path or ""
            if isinstance(route, StrictRoute):
                for method in found.methods or ():
                    self._routes[method, path.count("/")].append((compile_path(path)[0], route))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            for pattern, route in self._routes.get((scope["method"], path.count("/")), ()):
                if found := pattern.match(path):
                    scope["route"], scope["path_params"] = route, found.groupdict()
                    response = await route.answer(Request(scope, receive, send))
                    await response(scope, receive, send)
                    return
        await self.app(scope, receive, send)
