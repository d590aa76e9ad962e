"""Serve both protocol eras on stdio, also for clients that probe `server/discover` and then `initialize`.

SDK 2.3 fixes the era at the first request, and a probe counts as one: the `initialize` after it is
refused. Here probes are answered aside until another request has decided. This is the one module
that touches the SDK's low-level server; it goes when the SDK is fixed.
"""

from typing import Any

import anyio
from mcp import Client
from mcp.server import MCPServer
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import METHOD_NOT_FOUND, ErrorData, JSONRPCError, JSONRPCRequest, JSONRPCResponse

UNSUPPORTED_PROTOCOL_VERSION = -32022
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"


async def serve_stdio(server: MCPServer[Any], *, legacy_only: bool = False) -> None:
    """Serve until stdin is closed. `legacy_only` answers probes as a server of the handshake era would."""
    low = server._lowlevel_server
    async with stdio_server() as (incoming, outgoing):
        forward, inbox = anyio.create_memory_object_stream[SessionMessage | Exception](0)

        async def pump() -> None:
            decided = False
            async with forward:
                async for item in incoming:
                    request = item.message if isinstance(item, SessionMessage) else None
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


async def _discovery(server: MCPServer[Any]) -> dict[str, Any]:
    """Return what the server itself answers to a probe; asked in memory, some milliseconds."""
    async with Client(server) as client:
        found = client.session.discover_result
        assert found is not None
        return found.model_dump(by_alias=True, mode="json", exclude_none=True)
