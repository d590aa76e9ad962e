"""Serve both protocol eras on stdio, also for clients that probe `server/discover` and then `initialize`.

SDK 2.3 fixes the era at the first request, and a probe counts as one: the `initialize` after it is
refused. Here probes are answered aside until another request has decided. This is the one module
that touches what the SDK keeps to itself: its low-level server, and the connection of a request.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
from mcp import Client
from mcp.server import MCPServer, ServerRequestContext
from mcp.server.connection import Connection
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import (
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    CompleteRequestParams,
    CompleteResult,
    CompletionsCapability,
    EmptyResult,
    ErrorData,
    JSONRPCError,
    JSONRPCRequest,
    JSONRPCResponse,
    ServerCapabilities,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)
from pydantic import ValidationError

P = TypeVar("P")
R = TypeVar("R")
Handler = Callable[[ServerRequestContext[Any, Any], P], Awaitable[R]]

UNSUPPORTED_PROTOCOL_VERSION = -32022
APPS = "io.modelcontextprotocol/ui"  # of `mcp.server.apps`, whose import would be a hundredth of a cold start
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"


def promise(server: MCPServer[Any]) -> None:
    """Make the greeting tell of apps, and of what `serve_completions` and `serve_subscriptions` serve, before they are added."""
    low = server._lowlevel_server
    of_handlers = low.get_capabilities

    def promised(*args: Any, **options: Any) -> ServerCapabilities:
        found = of_handlers(*args, **options)
        found.completions = CompletionsCapability()
        found.extensions = {**(found.extensions or {}), APPS: {}}
        for lists in (found.tools, found.prompts, found.resources):
            if lists is not None:
                lists.list_changed = False  # ours never change, though whoever serves `subscriptions/listen` promises news
        if found.resources is not None:
            found.resources.subscribe = True
        return found

    low.get_capabilities = promised  # type: ignore[method-assign]  # the SDK has no setting for it in the stateless era


def serve_subscriptions(
    server: MCPServer[Any],
    *,
    listen: Handler[SubscriptionsListenRequestParams, SubscriptionsListenResult],
    subscribe: Handler[SubscribeRequestParams, EmptyResult],
    unsubscribe: Handler[UnsubscribeRequestParams, EmptyResult],
) -> None:
    """Answer what clients of 2026-07-28 (`listen`) and of the handshake era send to watch resources."""
    low = server._lowlevel_server
    low.add_request_handler("subscriptions/listen", SubscriptionsListenRequestParams, listen)
    low.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, unsubscribe)


def serve_completions(server: MCPServer[Any], complete: Handler[CompleteRequestParams, CompleteResult]) -> None:
    """Answer `completion/complete`; the SDK's own way does not say who asks."""
    server._lowlevel_server.add_request_handler("completion/complete", CompleteRequestParams, complete)


def connection_of(ctx: ServerRequestContext[Any, Any]) -> Connection:
    """Return the connection a request came by, which outlives it."""
    return ctx.session._connection


async def serve_stdio(server: MCPServer[Any], *, legacy_only: bool = False) -> None:
    """Serve until stdin is closed. `legacy_only` answers probes as a server of the handshake era would."""
    low = server._lowlevel_server
    async with stdio_server() as (incoming, outgoing):
        forward, inbox = anyio.create_memory_object_stream[SessionMessage | Exception](0)

        async def pump() -> None:
            decided = False
            async with forward:
                async for item in incoming:
                    if isinstance(item, Exception):
                        if (refused := _unreadable(item)) is not None:
                            await outgoing.send(SessionMessage(refused))
                        continue
                    request = item.message
                    if isinstance(request, JSONRPCRequest):
                        if not decided and request.method == "server/discover":
                            await outgoing.send(SessionMessage(await _answer(server, request, legacy_only)))
                            continue
                        decided = True
                    await forward.send(item)

        async with anyio.create_task_group() as group:
            group.start_soon(pump)
            await low.run(inbox, outgoing, low.create_initialization_options())
            group.cancel_scope.cancel()


async def _answer(server: MCPServer[Any], request: JSONRPCRequest, legacy_only: bool) -> JSONRPCResponse | JSONRPCError:
    if legacy_only:
        error = ErrorData(code=METHOD_NOT_FOUND, message="Method not found")
        return JSONRPCError(jsonrpc="2.0", id=request.id, error=error)
    answer = await _discovery(server)
    meta = (request.params or {}).get("_meta")
    asked = meta.get(VERSION_KEY) if isinstance(meta, dict) else None
    if asked in answer["supportedVersions"]:
        return JSONRPCResponse(jsonrpc="2.0", id=request.id, result=answer)
    data = {"supported": answer["supportedVersions"], "requested": asked}
    error = ErrorData(code=UNSUPPORTED_PROTOCOL_VERSION, message="Unsupported protocol version", data=data)
    return JSONRPCError(jsonrpc="2.0", id=request.id, error=error)


def _unreadable(error: Exception) -> JSONRPCError | None:
    """Return the answer to a line that is no message, with its id where it has one; the SDK would let its sender wait."""
    if not isinstance(error, ValidationError):
        return None
    found = error.errors(include_url=False)
    lines = [issue for issue in found if issue["type"] == "json_invalid"]
    if not lines:
        messages = [issue["input"] for issue in found if isinstance(issue["input"], dict) and "jsonrpc" in issue["input"]]
        data = ErrorData(code=INVALID_REQUEST, message="The line is not a JSON-RPC message")
        return JSONRPCError(jsonrpc="2.0", id=_id_of(messages[0] if messages else None), error=data)
    line = lines[0]["input"]
    if not line.strip():
        return None
    try:
        message = json.loads(line)  # reads more than JSON allows, such as half of a surrogate pair
    except (ValueError, RecursionError):
        message = None
    return JSONRPCError(jsonrpc="2.0", id=_id_of(message), error=ErrorData(code=PARSE_ERROR, message=lines[0]["msg"]))


def _id_of(message: Any) -> str | int | None:
    id = message.get("id") if isinstance(message, dict) else None
    return id if type(id) is int or (isinstance(id, str) and id.isascii()) else None


async def _discovery(server: MCPServer[Any]) -> dict[str, Any]:
    """Return what the server itself answers to a probe; asked in memory, some milliseconds."""
    async with Client(server) as client:
        found = client.session.discover_result
        assert found is not None
        return found.model_dump(by_alias=True, mode="json", exclude_none=True)
