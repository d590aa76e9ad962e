"""Request bodies and query strings, read more strictly than the framework does.

JSON must be JSON (no duplicate keys, no NaN), media type and size are checked before parsing, and
query parameters nobody declared are refused instead of ignored.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, get_origin

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.datastructures import QueryParams

from core.bodies import read_bounded
from core.errors import DomainError, UnsupportedMediaType, ValidationFailed
from core.strict_json import NotJson, read_json
from http_api.arguments import ABSENT, Arguments
from http_api.envelope import API_PREFIX
from schemas.errors import ErrorCode, Issue
from schemas.violations import pointer

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_LARGE_BODY_BYTES = 16 * 1024 * 1024
LARGE_BODIES = frozenset(f"{API_PREFIX}/{path}" for path in ("planner/apply", "planner/import", "agent/validate", "patch-sets"))
# Above this a body is parsed on another thread, so that the event loop keeps answering.
PARSE_ASIDE_BYTES = 256 * 1024


class MalformedBody(DomainError):
    """The body is not valid JSON."""

    code = ErrorCode.MALFORMED_BODY


class StrictRoute(APIRoute):
    """A route that refuses unknown and repeated query parameters, and reads its JSON body strictly.

    Its function returns the response itself, so all that FastAPI does for it is to describe it.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._arguments = Arguments(self.dependant)
        self._known, self._lists = self._query_names()
        self._reads = self.body_field is not None or "POST" in (self.methods or ())

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.answer

    async def answer(self, request: Request) -> Response:
        """Return what the function of this route answers."""
        if request.scope["query_string"]:
            _check_query(request.query_params, self._known, self._lists)
        body = await self._read(request) if self._reads else ABSENT
        arguments = await self._arguments.find(request, body, request.app.dependency_overrides)
        response: Response = await self._arguments.call(**arguments)
        return response

    async def _read(self, request: Request) -> Any:
        """Return the JSON in the body; the body itself is left in the state of the request, for fingerprints."""
        scope = request.scope
        headers = dict(scope["headers"])
        declared = headers.get(b"content-type")
        _check_media_type(declared)
        limit = MAX_LARGE_BODY_BYTES if scope["path"] in LARGE_BODIES else MAX_BODY_BYTES
        content = await read_bounded(request.receive, limit, headers, is_here=scope["state"].get("body_is_here", False))
        scope["state"]["body"] = content
        if content and declared is None:
            raise UnsupportedMediaType
        value = await parse(content) if content else ABSENT
        if self.body_field is None:
            _require_empty(value)
        elif not content and self.body_field.field_info.is_required():
            raise MalformedBody("The body is empty; send a JSON object.")
        return value

    def _query_names(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the parameters that are known, and those of them that may be repeated."""
        kinds: dict[str, Any] = {}
        for parameter in self.dependant.query_params:
            kind = parameter.field_info.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                kinds |= {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
            else:
                kinds[parameter.alias] = kind
        return frozenset(kinds), frozenset(name for name, kind in kinds.items() if get_origin(kind) is list)


def _check_query(query: QueryParams, known: frozenset[str], lists: frozenset[str]) -> None:
    if unknown := query.keys() - known:
        raise _unknown_parameters(unknown, known)
    given = Counter(name for name, _ in query.multi_items())
    if repeated := [name for name, times in given.items() if times > 1 and name not in lists]:
        raise _repeated_parameters(repeated)


def _require_empty(value: Any) -> None:
    """Refuse what was sent to a route that takes no body; an empty object says nothing, and may be sent."""
    if value is ABSENT or value is None or value == {}:
        return
    if not isinstance(value, dict):
        raise ValidationFailed(details=[Issue(code=ErrorCode.VALIDATION_ERROR, message="must be empty, or an empty object")])
    hint = "this route takes no body"
    wrong = [Issue(path=pointer([n]), code=ErrorCode.VALIDATION_ERROR, message="is not a known field", hint=hint) for n in value]
    raise ValidationFailed(details=wrong)


def _repeated_parameters(names: Sequence[str]) -> ValidationFailed:
    message, hint = "is given more than once", "give it once; only lists may be repeated"
    return ValidationFailed(
        details=[Issue(path=pointer([name]), code=ErrorCode.VALIDATION_ERROR, message=message, hint=hint) for name in names]
    )


def _unknown_parameters(unknown: set[str], known: frozenset[str]) -> ValidationFailed:
    hint = "known are: " + ", ".join(sorted(known)) if known else "this route takes none"
    return ValidationFailed(
        details=[
            Issue(path=pointer([name]), code=ErrorCode.VALIDATION_ERROR, message="is not a known query parameter", hint=hint)
            for name in sorted(unknown)
        ]
    )


def _check_media_type(declared: bytes | None) -> None:
    if declared is None:
        return
    media_type = declared.partition(b";")[0].strip().lower()
    if media_type != b"application/json" and not (media_type.startswith(b"application/") and media_type.endswith(b"+json")):
        raise UnsupportedMediaType


async def parse(content: bytes) -> Any:
    """Return the JSON value in `content`, or raise MalformedBody saying where it breaks."""
    if len(content) > PARSE_ASIDE_BYTES:
        return await asyncio.to_thread(parse_json, content)
    return parse_json(content)


def parse_json(content: bytes) -> Any:
    """Parse RFC 8259 JSON in UTF-8: unique keys, finite numbers, sane depth."""
    try:
        return read_json(content.decode())
    except UnicodeDecodeError:
        raise MalformedBody("The body is not UTF-8 text.") from None
    except NotJson as error:
        raise MalformedBody(f"The body {error}.") from None
