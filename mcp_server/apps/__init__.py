"""MCP Apps: pages that a client shows beside an answer (extension `io.modelcontextprotocol/ui`, 2026-01-26).

The review card is one HTML document without dependencies. It has no data of its own: it calls the same tools as the model,
through the client, so that approval, `--read-only` and `--tools` hold for it as they do for everybody.
"""

from functools import cache
from importlib.resources import files
from typing import Any

from mcp.server import MCPServer
from mcp.server.apps import APP_MIME_TYPE
from mcp.server.mcpserver.resources import FunctionResource

CARD_URI = "ui://orchestrator/review"
SHOWN_BY_CARD = {"ui": {"resourceUri": CARD_URI}}
PARTS = ("card.css", "host.js", "text.js", "tree.js", "card.js")


def add_apps(server: MCPServer[Any]) -> None:
    """Let `server` serve the card; its empty policy allows no connection, and nothing from elsewhere."""
    server.add_resource(
        FunctionResource(
            uri=CARD_URI,
            name="patch-set-review",
            title="Patch set review",
            description="Shows a patch set with before and after; accept or drop each patch, apply, reject",
            mime_type=APP_MIME_TYPE,
            meta={"ui": {"csp": {}, "prefersBorder": True}},
            fn=card,
        )
    )


@cache
def card() -> str:
    """Return the document, with its style and scripts inside."""
    folder = files(__name__)
    page = (folder / "card.html").read_text(encoding="utf-8")
    for part in PARTS:
        page = page.replace(f"/* {part} */", (folder / part).read_text(encoding="utf-8"))
    return page
