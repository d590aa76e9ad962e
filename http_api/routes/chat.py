"""Conversations with the agents: say something, look back, forget."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request, Response

from core.context import Context
from core.services import chat as chatting
from core.services import conversations
from http_api import examples
from http_api.bodies import StrictRoute
from http_api.chat_stream import stream_chat
from http_api.dependencies import RequestContext
from http_api.envelope import Envelope, found, listed, written
from http_api.errors import BODY, MODELS, PAGED, WRITES, refusals
from http_api.idempotency import WriteContext
from http_api.long_calls import ACCEPTED, LongCallContext
from http_api.metrics import count_answer
from schemas.chat import ChatRequest, ChatResponse, Conversation, ConversationDetail, ConversationListResponse
from schemas.errors import ErrorCode
from schemas.paging import PageRequest
from schemas.primitives import ItemName

router = APIRouter(prefix="/agent", tags=["agent"], route_class=StrictRoute)

ConversationName = Annotated[ItemName, Path(description="id of the conversation")]


PARTS = {
    "type": "object",
    "properties": {
        "data": {"type": "string", "description": "a part of a UI message of the Vercel AI SDK, as JSON; at last [DONE]"}
    },
}
STREAM = {"content": {"text/event-stream": {"schema": PARTS}}}


@router.post(
    "/chat",
    operation_id="chat",
    response_model=Envelope[ChatResponse],
    responses=refusals(*BODY, *WRITES, *MODELS) | ACCEPTED | {200: STREAM},
)
async def chat(
    call: LongCallContext,
    ctx: WriteContext,
    http: Request,
    request: Annotated[ChatRequest, Body(openapi_examples=examples.CHAT)],
) -> Response:
    """Answer a message in its conversation; what it proposes is stored as a proposal, and nothing is applied.

    With `Accept: text/event-stream` the answer comes while it is made.
    """
    if "text/event-stream" in http.headers.get("accept", "").lower() and not call.deferred:
        return await stream_chat(lambda listener: _say(ctx, request, listener))

    async def answer(ctx: Context) -> Response:
        return written(ctx, await _say(ctx, request))

    return await call.answer(answer)


async def _say(ctx: Context, request: ChatRequest, listener: chatting.Listener = chatting.NOBODY) -> ChatResponse:
    said = await chatting.chat(ctx, request, listener)
    count_answer(ctx, "chat", said.engine, said.model, said.usage)
    return said


@router.get(
    "/conversations",
    operation_id="list_conversations",
    response_model=Envelope[ConversationListResponse],
    responses=refusals(*PAGED),
)
async def list_conversations(ctx: RequestContext, request: Request, query: Annotated[PageRequest, Query()]) -> Response:
    """List your own conversations, the one that was used last first."""
    return listed(ctx, request, await ctx.run(conversations.list_conversations, query))


@router.get(
    "/conversations/{conversation_id}",
    operation_id="get_conversation",
    response_model=Envelope[ConversationDetail],
    responses=refusals(ErrorCode.NOT_FOUND),
)
async def get_conversation(
    ctx: RequestContext,
    conversation_id: ConversationName,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="only messages before the one of this number")] = None,
) -> Response:
    """Get a conversation of yours with its last messages; go on with it by its id in POST /agent/chat."""
    return found(ctx, await ctx.run(conversations.get_conversation, conversation_id, before=before))


@router.delete(
    "/conversations/{conversation_id}",
    operation_id="delete_conversation",
    response_model=Envelope[Conversation],
    responses=refusals(ErrorCode.NOT_FOUND, ErrorCode.IDEMPOTENCY_KEY_REUSED),
)
async def delete_conversation(ctx: WriteContext, conversation_id: ConversationName) -> Response:
    """Forget a conversation of yours; the proposals made in it stay."""
    return written(ctx, await ctx.run(conversations.delete_conversation, conversation_id))
