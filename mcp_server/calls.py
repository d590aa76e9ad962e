"""What every call needs: the context of its services, and the services, imported by the first call.

A client sees the first answer before services and database layer are imported: that import alone
would cost more than the whole budget of the cold start. The database, too, is opened by the first
call, so that one that cannot be used is an answer and not a crash.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mcp.server import ServerRequestContext
from mcp.server.mcpserver import Context as McpContext

from core.auth import bearer
from core.context import Context
from core.wiring import Orchestrator
from schemas.patches import ApprovalMeans

__all__ = [
    "CallContext",
    "caller_context",
    "claiming",
    "events",
    "history",
    "patch_sets",
    "planning",
    "projects",
    "reverting",
    "services_context",
    "tasks",
]


class Later:
    """A service module whose functions import it when they run, on the thread that runs them."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def service(*args: Any, **kwargs: Any) -> Any:
            return getattr(import_module(self._module), name)(*args, **kwargs)

        return service


if TYPE_CHECKING:
    from core.services import claiming, events, history, patch_sets, planning, projects, reverting, tasks
else:
    claiming, events, history, patch_sets, planning, projects, reverting, tasks = (
        Later(f"core.services.{name}")
        for name in ("claiming", "events", "history", "patch_sets", "planning", "projects", "reverting", "tasks")
    )

CallContext = McpContext[Orchestrator, Any]


async def services_context(ctx: CallContext) -> Context:
    """Return the context that services take; each call has its own moment, and its caller is looked up again."""
    return await caller_context(ctx.request_context)


async def caller_context(request: ServerRequestContext[Orchestrator, Any]) -> Context:
    """Return the context of whoever sent a request: over HTTP the one its edge knows, over stdio who started the process.

    Raises:
        Unauthorized, TokenExpired, Forbidden: ORCHESTRATOR_API_KEY does not let it in, or not any more.
    """
    orchestrator = request.lifespan_context
    if request.request is not None:  # HTTP; see `mcp_server.http`
        return orchestrator.context(request.request.state.principal, approval=ApprovalMeans.MCP)
    return orchestrator.context(await orchestrator.authenticate(credential_of(request)), approval=ApprovalMeans.MCP)


def credential_of(request: ServerRequestContext[Orchestrator, Any]) -> str | None:
    """Return the key or token that a request came with, over stdio the one the process was started with."""
    if request.request is not None:
        return bearer(request.request.headers.get("authorization"))
    key = request.lifespan_context.settings.orchestrator_api_key
    return key.get_secret_value() if key else None
