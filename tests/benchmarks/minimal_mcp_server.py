"""The least an MCP server can be: the limit that ours is compared with."""

from mcp.server import MCPServer

server = MCPServer("minimal", version="1")


@server.tool()
def echo(text: str) -> str:
    """Return the text."""
    return text


server.run("stdio")
