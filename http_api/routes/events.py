"""The live feed: what is applied, as it is applied."""

import re
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from core.auth import bearer
from core.services import events
from core.wiring import Orchestrator
from http_api.bodies import StrictRoute
from http_api.dependencies import RequestContext
from http_api.errors import refusals
from http_api.event_stream import EventStream
from schemas.errors import ErrorCode
from schemas.primitives import ItemName

router = APIRouter(prefix="/events", tags=["events"], route_class=StrictRoute)

_ID = re.compile(r"[0-9]{1,15}")
DATA = [{"$ref": f"#/components/schemas/{name}"} for name in ("StreamOpened", "Event", "StreamClosed")]
NAMES = ["stream_opened", "patch_set_applied", "stream_closed"]
MESSAGE = {  # one of the stream: before OpenAPI 3.2 that is what `schema` means for this media type
    "type": "object",
    "properties": {
        "event": {"type": "string", "enum": NAMES},  # a heartbeat has neither event nor data
        "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": {"anyOf": DATA}},
        "id": {"type": "string", "description": "what to send back as Last-Event-ID"},
        "retry": {"type": "integer", "minimum": 0},
    },
}
STREAM = {
    "description": f"Messages {', '.join(f'`{name}`' for name in NAMES)}, and heartbeats",
    "content": {"text/event-stream": {"schema": MESSAGE}},
}


def _event_id(value: Any) -> int | None:
    if value is None or value == "":  # browsers that have not had an event yet
        return None
    if not (isinstance(value, str) and _ID.fullmatch(value)):
        raise PydanticCustomError("event_id", "must be the id of an event, a whole number")
    return int(value)


EventId = Annotated[
    Annotated[int, Field(ge=0, lt=10**15)] | None,
    BeforeValidator(_event_id),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{0,15}$", "maxLength": 15}),
]


@router.get(
    "",
    operation_id="stream_events",
    response_class=Response,
    responses={200: STREAM, **refusals(ErrorCode.NOT_FOUND, ErrorCode.SERVICE_UNAVAILABLE)},
)
async def stream_events(
    ctx: RequestContext,
    request: Request,
    project_id: Annotated[ItemName | None, Query(description="only sets that changed this project; id or key")] = None,
    sent: Annotated[
        EventId, Header(alias="Last-Event-ID", description="continue behind this event; without it, from now on")
    ] = None,
    asked: Annotated[
        EventId, Query(alias="last_event_id", description="the same, for pages that cannot set the header; the header wins")
    ] = None,
) -> EventStream:
    """Stream every applied patch set, whichever process applied it, in order and once."""
    after, name = (asked, "last_event_id") if sent is None else (sent, "Last-Event-ID")
    place = await ctx.run(events.get_place, project=project_id, after=after, argument=name)
    orchestrator: Orchestrator = request.app.state.orchestrator
    access_ended = partial(orchestrator.access_ended, bearer(request.headers.get("authorization")), ctx.principal)
    return EventStream(orchestrator.events.subscribe(place), access_ended)
