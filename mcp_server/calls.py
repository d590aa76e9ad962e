"""What every call needs: the context of its services, and the services, imported by the first call.

A client sees the first answer before services and database layer are imported: that import alone
would cost more than the whole budget of the cold start. The database, too, is opened by the first
call, so that one that cannot be used is an answer and not a crash.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import Context as McpContext

from core.context import Context
from core.wiring import Orchestrator

__all__ = ["CallContext", "patch_sets", "planning", "projects", "services_context", "tasks"]


class Later:
    """A service module whose functions import it when they run, on the thread that runs them."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def service(*args: Any, **kwargs: Any) -> Any:
            return getattr(import_module(self._module), name)(*args, **kwargs)

        return service


if TYPE_CHECKING:
    from core.services import patch_sets, planning, projects, tasks
else:
    patch_sets, planning, projects, tasks = map(
        Later, ("core.services.patch_sets", "core.services.planning", "core.services.projects", "core.services.tasks")
    )

CallContext = McpContext[Orchestrator, Any]


def services_context(ctx: CallContext) -> Context:
    """Return the context that services take; each call has its own moment."""
    return ctx.request_context.lifespan_context.context()
