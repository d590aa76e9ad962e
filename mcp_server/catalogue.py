"""The catalogue of tools, in the order clients see it: from it come tools/list, `/agent/capabilities` and the docs."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from mcp.server import MCPServer
from mcp.types import Tool as WireTool
from mcp.types import ToolAnnotations

from core.errors import DomainError, Forbidden, NotFound
from mcp_server.apps import SHOWN_BY_CARD
from mcp_server.strict import StrictTool, offer
from mcp_server.tools import patch_sets, projects, tasks


def _hints(*, read: bool = False, destructive: bool = False, idempotent: bool = False) -> ToolAnnotations:
    return ToolAnnotations(read_only_hint=read, destructive_hint=destructive, idempotent_hint=idempotent, open_world_hint=False)


READ = _hints(read=True, idempotent=True)
PROPOSE = _hints(idempotent=True)
WRITE = _hints(destructive=True, idempotent=True)
APPEND = _hints()

TOOLS: tuple[tuple[Callable[..., Any], str, ToolAnnotations], ...] = (
    (projects.list_projects, "List projects", READ),
    (projects.get_project, "Read a project", READ),
    (tasks.list_tasks, "Find tasks", READ),
    (tasks.get_task, "Read a task", READ),
    (projects.get_schedule, "Compute the schedule", READ),
    (projects.list_history, "List history", READ),
    (patch_sets.get_patch_set, "Read a patch set", READ),
    (patch_sets.propose_patch_set, "Propose changes", PROPOSE),
    (patch_sets.apply_patch_set, "Apply changes", WRITE),
    (patch_sets.reject_patch_set, "Reject a proposal", PROPOSE),
    (patch_sets.revert_patch_set, "Undo applied changes", WRITE),
    (tasks.claim_task, "Claim a task", APPEND),
    (patch_sets.import_outline, "Import a written plan", APPEND),
    (tasks.add_comment, "Comment on a task", APPEND),
)
CARDS = (patch_sets.get_patch_set, patch_sets.propose_patch_set)  # whose answers the review card shows
TOOL_NAMES = tuple(function.__name__ for function, _, _ in TOOLS)
READ_TOOLS = tuple(function.__name__ for function, _, hints in TOOLS if hints is READ)


@cache
def declared_tools() -> dict[str, StrictTool]:
    """Return every tool of the catalogue; the descriptions are the functions' docstrings."""
    return {
        function.__name__: StrictTool.from_function(
            function,
            title=title,
            description=" ".join((function.__doc__ or "").split()),
            annotations=hints,
            meta=SHOWN_BY_CARD if function in CARDS else None,
            structured_output=False,
        )
        for function, title, hints in TOOLS
    }


def add_tools(server: MCPServer[Any], *, read_only: bool, tools: Sequence[str] | None) -> None:
    """Let `server` offer the tools: of `tools` where given, and with `read_only` those that change nothing.

    Raises:
        ValueError: `tools` names one that does not exist.
    """
    if unknown := sorted(set(tools or ()) - set(TOOL_NAMES)):
        raise ValueError(f"unknown tools: {', '.join(unknown)}; there are: {', '.join(TOOL_NAMES)}")
    kept = [name for name in TOOL_NAMES if (tools is None or name in tools) and (name in READ_TOOLS or not read_only)]
    offer(server, [declared_tools()[name] for name in kept], no_such_tool)


def no_such_tool(name: str, offered: Sequence[str]) -> DomainError:
    """Return the refusal of a call to `name`, which does not exist or is not among the tools that are offered."""
    these = f"the tools are: {', '.join(offered)}"
    if name in TOOL_NAMES:
        return Forbidden(f"The tool {name} is switched off on this server.", hint=these)
    near = get_close_matches(name[:100], offered, n=3)
    return NotFound("There is no tool of this name.", hint=f"did you mean {' or '.join(near)}?" if near else these)


def catalogue() -> list[dict[str, Any]]:
    """Return the tools as tools/list answers them."""
    tools = [
        WireTool(
            name=tool.name,
            title=tool.title,
            description=tool.description,
            input_schema=tool.parameters,
            annotations=tool.annotations,
            meta=tool.meta,
        )
        for tool in declared_tools().values()
    ]
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
