"""The arguments of a route, found as FastAPI finds them, and sooner.

FastAPI works out anew for each request what a route declares: kinds of parameters, aliases, defaults, dependencies.
Here that is done once. A request that gives none of the optional parameters, as most do, gets their defaults;
whatever is given is read and refused by FastAPI's own functions. See docs/decisions/023.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from inspect import iscoroutinefunction
from operator import attrgetter
from typing import Any

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant, request_params_to_args
from fastapi.exceptions import RequestValidationError

Overrides = Mapping[Callable[..., Any], Callable[..., Any]]  # what tests put in the place of dependencies
Values = dict[str, Any]
Errors = list[Any]

ABSENT = object()
_CONSTANTS = (str, int, type(None))
# What a function can ask FastAPI for, and no route of ours does.
_NOT_KNOWN = (
    *("cookie_params", "response_param_name", "background_tasks_param_name", "security_scopes_param_name"),
    *("http_connection_param_name", "websocket_param_name"),
)


class Arguments:
    """What one function asks for: parameters, the body, the request, and what other functions return."""

    def __init__(self, dependant: Dependant) -> None:
        asked = [name for name in _NOT_KNOWN if getattr(dependant, name)]
        if dependant.call is None or not iscoroutinefunction(dependant.call) or len(dependant.body_params) > 1 or asked:
            raise TypeError(f"{dependant.call} must be async, and ask for parameters, one body and the request only, not {asked}")
        self.call: Callable[..., Any] = dependant.call
        self._inner = [(inner.name, Arguments(inner)) for inner in dependant.dependencies]
        self._path = [(field.name, field.alias, field) for field in dependant.path_params]
        self._query = _Given(dependant.query_params, attrgetter("query_params")) if dependant.query_params else None
        self._headers = _Given(dependant.header_params, attrgetter("headers")) if dependant.header_params else None
        self._header_names = frozenset(field.alias.lower().encode() for field in dependant.header_params)
        self._body = dependant.body_params[0] if dependant.body_params else None
        self._request_name = dependant.request_param_name

    async def find(self, request: Request, body: Any, overrides: Overrides) -> Values:
        """Return the arguments by name; `body` is the parsed one, or ABSENT.

        Raises:
            RequestValidationError: with everything that is wrong, as FastAPI tells it.
        """
        values, errors = await self._find(request, body, overrides, {}, dict(request.scope["headers"]).keys())
        if errors:
            raise RequestValidationError(errors)
        return values

    async def _find(
        self, request: Request, body: Any, overrides: Overrides, solved: dict[Callable[..., Any], Any], sent: Set[bytes]
    ) -> tuple[Values, Errors]:
        values: Values = {}
        errors: Errors = []
        for name, inner in self._inner:
            if inner.call not in solved:
                asked = inner if inner.call not in overrides else Arguments(get_dependant(path="", call=overrides[inner.call]))
                inner_values, inner_errors = await asked._find(request, body, overrides, solved, sent)
                if inner_errors:
                    errors += inner_errors
                    continue
                solved[inner.call] = await asked.call(**inner_values)
            if name is not None:
                values[name] = solved[inner.call]
        for name, alias, field in self._path:
            values[name], wrong = field.validate(request.path_params[alias], {}, loc=("path", alias))
            errors += wrong
        if self._query is not None:
            errors += self._query.read(request, values, given=bool(request.scope["query_string"]))
        if self._headers is not None:
            errors += self._headers.read(request, values, given=not self._header_names.isdisjoint(sent))
        if self._body is not None:
            if body is ABSENT:
                values[self._body.name] = self._body.get_default()
            else:
                values[self._body.name], wrong = self._body.validate(body, {}, loc=("body",))
                errors += wrong
        if self._request_name is not None:
            values[self._request_name] = request
        return values, errors


class _Given:
    """The parameters of one kind that a function declares, query or headers."""

    def __init__(self, fields: Sequence[Any], received: Callable[[Request], Mapping[str, str]]) -> None:
        self._fields = fields
        self._received = received
        defaults = {field.name: field.get_default() for field in fields}
        self._defaults = defaults if all(isinstance(value, _CONSTANTS) for value in defaults.values()) else None

    def read(self, request: Request, values: Values, *, given: bool) -> Errors:
        """Add them to `values` and return what is wrong; unless `given`, the request has none of them."""
        if self._defaults is not None and not given:
            values.update(self._defaults)
            return []
        found, errors = request_params_to_args(self._fields, self._received(request))
        values.update(found)
        return errors
