"""Tell clients of either era when a resource they watch has changed, whichever process changed it.

The process's feed of applied patch sets is followed while anything is watched, and by one reader for each
workspace, however many clients there are; a client hears only of the workspace that its key or token names.
A notification only says "read it again": it may come once for several changes.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Collection
from typing import Any

from mcp import MCPError
from mcp.server import MCPServer, ServerRequestContext
from mcp.server.connection import Connection
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated, ServerEvent
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    EmptyResult,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)

from core.context import Context
from core.errors import DomainError
from core.events import FeedEnded, Reader
from core.wiring import Orchestrator
from mcp_server.calls import caller_context, credential_of, events
from mcp_server.era import connection_of, serve_subscriptions
from schemas.events import Event

CallContext = ServerRequestContext[Any, Any]

SCHEME = "orchestrator://"
SCHEMA_URI = f"{SCHEME}schemas/patch-set"  # of what is served, the one that never changes
MAX_NAME = 200
STATE = "orchestrator.subscriptions"  # where a connection keeps its client
RETRY_SECONDS = 1.0


def add_subscriptions(server: MCPServer[Any], orchestrator: Orchestrator) -> None:
    """Let clients of `server` watch its resources."""
    subscriptions = Subscriptions(orchestrator)
    serve_subscriptions(
        server, listen=subscriptions.listen, subscribe=subscriptions.subscribe, unsubscribe=subscriptions.unsubscribe
    )


def concerns(event: Event, uri: str) -> bool:
    """Return whether the resource at `uri` may read differently after `event`.

    A task shows its neighbours, so every change of its project counts. The id of a task does not tell its project.
    """
    kind, _, name = uri.removeprefix(SCHEME).partition("/")
    match kind:
        case "patch-sets":
            return name == event.patch_set_id
        case "projects":
            return any(name.upper() == project.key or name.lower() == project.id for project in event.projects)
        case "tasks" if name.count("-") == 1:
            return any(name.upper().partition("-")[0] == project.key for project in event.projects)
        case "tasks":
            return bool(event.projects)
        case _:
            return False


class Subscriptions:
    """What the clients of one server watch, by workspace."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator
        self._workspaces: dict[str, _Workspace] = {}

    async def listen(self, ctx: CallContext, params: SubscriptionsListenRequestParams) -> SubscriptionsListenResult:
        """Answer `subscriptions/listen`: the answer is the stream, and lasts until the client ends it."""
        caller = await _caller(ctx)
        asked = params.notifications.resource_subscriptions or ()
        uris = [
            uri for uri in dict.fromkeys(asked) if await _is_served(caller, uri)
        ]  # what is left is what the client is told of
        honoured = params.notifications.model_copy(update={"resource_subscriptions": uris})
        return await self._of(caller).listen(ctx, caller, params.model_copy(update={"notifications": honoured}))

    async def subscribe(self, ctx: CallContext, params: SubscribeRequestParams) -> EmptyResult:
        """Answer `resources/subscribe`, of the handshake era; it lasts as long as the connection."""
        caller = await _caller(ctx)
        if not await _is_served(caller, params.uri):
            raise MCPError(INVALID_PARAMS, "There is no such resource.", data={"uri": params.uri})
        await self._of(caller).subscribe(ctx, caller, params.uri)
        return EmptyResult()

    async def unsubscribe(self, ctx: CallContext, params: UnsubscribeRequestParams) -> EmptyResult:
        """Answer `resources/unsubscribe`."""
        self._of(await _caller(ctx)).unsubscribe(ctx, params.uri)
        return EmptyResult()

    def _of(self, caller: Context) -> "_Workspace":
        workspace = caller.principal.workspace
        return self._workspaces.setdefault(workspace, _Workspace(self._orchestrator))


async def _caller(ctx: CallContext) -> Context:
    try:
        return await caller_context(ctx)
    except DomainError as refused:
        raise _error(refused) from None


async def _is_served(caller: Context, uri: str) -> bool:
    """Return whether `uri` names something that can be read here, or could be if it were restored."""
    scheme, _, address = uri.partition(SCHEME)
    kind, _, name = address.partition("/")
    parameter = {"projects": "project", "tasks": "task", "patch-sets": "patch_set"}.get(kind)
    if scheme or parameter is None or len(name) > MAX_NAME:
        return uri == SCHEMA_URI
    try:
        known: bool = await caller.run(events.is_known, **{parameter: name})
    except DomainError as refused:
        raise _error(refused) from None
    return known


def _error(refused: DomainError) -> MCPError:
    return MCPError(INTERNAL_ERROR, f"{refused.code}: {refused.message}")


class _Workspace:
    """What is watched in one workspace, and how each client is told."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator
        self._bus = InMemorySubscriptionBus()
        self._listen = ListenHandler(self._bus)
        self._watched: Counter[str] = Counter()
        self._announcing: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    async def listen(
        self, ctx: CallContext, caller: Context, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        uris = params.notifications.resource_subscriptions or []
        await self._watch(caller, uris)
        listening = asyncio.ensure_future(self._listen(ctx, params))
        guard = asyncio.ensure_future(self._access_ended(ctx, caller))
        try:
            await asyncio.wait((listening, guard), return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                return listening.result()
            raise _error(guard.result())
        finally:
            guard.cancel()
            listening.cancel()
            self._unwatch(uris)

    def _access_ended(self, ctx: CallContext, caller: Context) -> Awaitable[DomainError]:
        return self._orchestrator.access_ended(credential_of(ctx), caller.principal)

    async def subscribe(self, ctx: CallContext, caller: Context, uri: str) -> None:
        client = self._client_of(ctx, caller)
        if uri not in client.uris:
            client.uris.add(uri)
            await self._watch(caller, [uri])

    def unsubscribe(self, ctx: CallContext, uri: str) -> None:
        client: _HandshakeClient | None = connection_of(ctx).state.get(STATE)
        if client is not None and uri in client.uris:
            client.uris.remove(uri)
            self._unwatch([uri])

    def _client_of(self, ctx: CallContext, caller: Context) -> "_HandshakeClient":
        connection = connection_of(ctx)
        known: _HandshakeClient | None = connection.state.get(STATE)
        if known is not None:
            return known
        client = connection.state[STATE] = _HandshakeClient(connection, self._bus)
        guard = asyncio.ensure_future(self._access_ended(ctx, caller))

        def leave(_: object = None) -> None:
            guard.cancel()
            if connection.state.get(STATE) is client:  # else it has left already
                del connection.state[STATE]
                client.close()
                self._unwatch(client.uris)

        guard.add_done_callback(leave)
        connection.exit_stack.callback(leave)
        return client

    async def _watch(self, caller: Context, uris: Collection[str]) -> None:
        """Announce changes of `uris` from now on."""
        async with self._starting:
            if uris and self._announcing is None:
                reader = await self._follow(caller)
                self._announcing = asyncio.create_task(self._announce(reader))
                self._announcing.add_done_callback(lambda _: reader.close())
        self._watched.update(uris)

    def _unwatch(self, uris: Collection[str]) -> None:
        """Take back one `_watch`; the feed is left when nothing is watched any more."""
        self._watched -= Counter(uris)
        if not self._watched and self._announcing is not None:
            self._announcing.cancel()
            self._announcing = None

    async def _follow(self, caller: Context) -> Reader:
        try:
            return self._orchestrator.events.subscribe(await caller.run(events.get_place))
        except DomainError as refused:
            raise _error(refused) from None

    async def _announce(self, reader: Reader) -> None:
        try:
            while True:
                for uri in self._changed(await _next(reader)):
                    await self._bus.publish(ResourceUpdated(uri))
        except FeedEnded:  # the process ends: clients are told so, and may come back
            self._announcing = None
            self._listen.close()

    def _changed(self, applied: list[Event]) -> list[str]:
        return [uri for uri in self._watched if any(concerns(event, uri) for event in applied)]


async def _next(reader: Reader) -> list[Event]:
    while True:
        try:
            return await reader.take()
        except DomainError:  # the history cannot be read now
            await asyncio.sleep(RETRY_SECONDS)


class _HandshakeClient:
    """One connection of the handshake era, told by a task of its own, so that a slow client delays nobody else."""

    def __init__(self, connection: Connection, bus: InMemorySubscriptionBus) -> None:
        self.uris: set[str] = set()
        self._connection = connection
        self._changed: dict[str, None] = {}  # in the order of the changes
        self._stirred = asyncio.Event()
        self._leave = bus.subscribe(self._hear)
        self._telling = asyncio.create_task(self._tell())

    def close(self) -> None:
        self._leave()
        self._telling.cancel()

    def _hear(self, event: ServerEvent) -> None:
        if isinstance(event, ResourceUpdated) and event.uri in self.uris:
            self._changed[event.uri] = None
            self._stirred.set()

    async def _tell(self) -> None:
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            while self._changed:
                uri = next(iter(self._changed))
                del self._changed[uri]
                await self._connection.send_resource_updated(uri)
