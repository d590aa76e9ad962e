"""Tools that refuse unknown arguments and answer every refusal in the product's own shape.

The SDK ignores unknown arguments and hides the text of every exception but its own; both would
leave a model guessing. `Tool` is importable but half internal, so this module alone builds on it.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool, ToolManager
from mcp.types import CallToolResult
from pydantic import ValidationError

from core.errors import DomainError
from mcp_server.errors import internal_error, invalid_arguments, refusal

log = logging.getLogger(__name__)


class StrictTool(Tool):
    """A tool whose arguments are closed and whose failures are `ErrorDetail`s."""

    @classmethod
    def from_function(cls, *args: Any, **options: Any) -> "StrictTool":
        tool = super().from_function(*args, **options)
        assert isinstance(tool, StrictTool)
        tool.parameters = published(tool.parameters) | {"additionalProperties": False}
        return tool

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:
        known = self.fn_metadata.arg_model.model_fields
        if unknown := [name for name in arguments if name not in known]:
            return self._refuse_arguments(arguments, unknown)
        # Models often send null for what they leave out; to no argument of ours does it mean anything else.
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            return await super().run(given, context, convert_result)
        except UnexpectedToolError as crash:  # a subclass of ToolError
            if isinstance(crash.__cause__, DomainError):
                return refusal(crash.__cause__.detail())
            log.exception("%s failed on request %s", self.name, context.request_id)
            return refusal(internal_error(context.request_id))
        except ToolError as rejected:
            if isinstance(rejected.__cause__, ValidationError):
                return self._refuse_arguments(given, [])
            raise

    def _refuse_arguments(self, arguments: dict[str, Any], unknown: list[str]) -> CallToolResult:
        """Return one refusal that names every wrong argument; the model class itself would let unknown ones pass."""
        wrong: list[Any] = []
        try:
            self.fn_metadata.validate_arguments({name: value for name, value in arguments.items() if value is not None})
        except ValidationError as error:
            wrong = list(error.errors(include_url=False, include_input=False))
        return refusal(invalid_arguments(self.name, list(self.parameters["properties"]), unknown, wrong))


def offer(server: MCPServer[Any], tools: Sequence[StrictTool], no_such_tool: Callable[[str, Sequence[str]], DomainError]) -> None:
    """Let `server` serve these tools and no others; `no_such_tool` makes the refusal of a name that is not among the offered."""
    server._tool_manager = _StrictTools(tools, no_such_tool)


class _StrictTools(ToolManager):
    def __init__(self, tools: Sequence[StrictTool], no_such_tool: Callable[[str, Sequence[str]], DomainError]) -> None:
        super().__init__(tools=list(tools))
        self._no_such_tool = no_such_tool

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> Any:
        if name not in self._tools:
            return refusal(self._no_such_tool(name, list(self._tools)).detail(), step="call one that tools/list shows.")
        return await super().call_tool(name, arguments, context, convert_result)


def published(schema: dict[str, Any]) -> dict[str, Any]:
    """Return an argument schema as tools/list shows it: definitions inlined, generated titles and null alternatives gone."""
    definitions: dict[str, Any] = schema.pop("$defs", {})

    def short(node: Any) -> Any:
        if isinstance(node, list):
            return [short(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return short(definitions[node["$ref"].removeprefix("#/$defs/")] | {k: v for k, v in node.items() if k != "$ref"})
        if {"type": "null"} in node.get("anyOf", ()):
            [value] = [arm for arm in node["anyOf"] if arm != {"type": "null"}]
            return short(value | {k: v for k, v in node.items() if k not in ("anyOf", "default")})
        return {name: short(value) for name, value in node.items() if not _is_noise(name, value)}

    return {"type": "object", "properties": {}, **short(schema)}


def _is_noise(name: str, value: Any) -> bool:
    """Return whether a keyword adds nothing; a property of that name is an object, and stays."""
    return (name == "title" and isinstance(value, str)) or (name == "default" and value in ("", [], {}))
