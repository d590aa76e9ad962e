"""Serve REST under /api/v1 and MCP under /mcp: one process, one store, one way of knowing callers."""

from http_api import app
from mcp_server.http import Endpoint


def main() -> None:
    """Serve until stopped. Exit 2 on bad settings, 1 when the database cannot be used."""
    app.main({"/mcp": Endpoint})


if __name__ == "__main__":
    main()
