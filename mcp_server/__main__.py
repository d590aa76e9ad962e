"""The command `orchestrator-mcp`: serve the tools over stdio, or over HTTP with `--http`.

The SDK is imported by `_set_up` and not here: with the garbage collector at rest meanwhile the first
answer leaves a tenth earlier, and `--help` and a bad option answer at once.
"""

import argparse
import gc
import logging
import os
import signal
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from core.collector import collector_paused

if TYPE_CHECKING:
    from core.wiring import Orchestrator
    from mcp_server.server import OrchestratorServer


def main() -> None:
    """Serve until stdin is closed, or over HTTP until stopped. Exit 2 on bad options or settings."""
    options = _parser().parse_args()
    with collector_paused():
        orchestrator, server = _set_up(options)
    gc.freeze()  # modules and tools live to the end; no pass of the collector looks at them again
    try:
        if options.http is None:
            _serve_stdio(server)
        else:
            _serve_http(orchestrator, server, options.http)
    finally:
        orchestrator.close()


def _set_up(options: argparse.Namespace) -> "tuple[Orchestrator, OrchestratorServer]":
    from core.settings import Auth
    from core.wiring import InvalidSettings, Orchestrator, load_settings
    from mcp_server.server import build_server

    try:
        settings = load_settings()
    except InvalidSettings as error:
        sys.exit(_usage_error(str(error)))
    if options.http is None and settings.auth is not Auth.NONE and settings.orchestrator_api_key is None:
        kind = "an API key" if settings.auth is Auth.API_KEY else "a token"
        sys.exit(_usage_error(f"ORCHESTRATOR_API_KEY must hold {kind}, because AUTH={settings.auth}"))
    logging.basicConfig(level=settings.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    orchestrator = Orchestrator(settings)
    try:
        return orchestrator, build_server(orchestrator, read_only=options.read_only, tools=options.tools)
    except ValueError as error:
        sys.exit(_usage_error(str(error)))


def _serve_stdio(server: "OrchestratorServer") -> None:
    import anyio

    from mcp_server.era import serve_stdio

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends at once, as SIGTERM does: an exception would wait for a line on stdin
    anyio.run(lambda: serve_stdio(server, legacy_only=os.environ.get("MCP_ERA") == "legacy"))


def _serve_http(orchestrator: "Orchestrator", server: "OrchestratorServer", address: str) -> None:
    """Serve streamable HTTP at `address`/mcp until the process is stopped. Exit 2 when it cannot be used."""
    from core.settings import Auth
    from mcp_server import http

    try:
        listener, on_loopback = http.listen(address, open_to_all=orchestrator.settings.auth is Auth.NONE)
    except ValueError as error:
        sys.exit(_usage_error(str(error)))
    host, port = listener.getsockname()[:2]
    sys.stderr.write(f"MCP at http://{f'[{host}]' if ':' in host else host}:{port}{http.PATH}\n")
    http.serve(orchestrator, http.Endpoint(orchestrator, lambda _: server), listener, on_loopback=on_loopback)


def _usage_error(message: str) -> int:
    sys.stderr.write(f"orchestrator-mcp: {message}\n")
    return 2


def _names(text: str) -> list[str]:
    if names := [name.strip() for name in text.split(",") if name.strip()]:
        return names
    from mcp_server.catalogue import TOOL_NAMES

    raise argparse.ArgumentTypeError(f"names no tool; there are: {', '.join(TOOL_NAMES)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="orchestrator-mcp", description="Serve projects and tasks over MCP, on stdio unless told otherwise."
    )
    parser.add_argument("--read-only", action="store_true", help="offer only tools that change nothing")
    parser.add_argument("--tools", type=_names, help="offer only these, comma separated")
    parser.add_argument("--http", metavar="HOST:PORT", help="serve streamable HTTP at http://HOST:PORT/mcp instead of stdio")
    parser.add_argument("--version", action="version", version=version("orchestrator"))
    return parser


if __name__ == "__main__":
    main()
