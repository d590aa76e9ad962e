"""Serve REST under /api/v1 and MCP under /mcp: one process, one store, one way of knowing callers."""

import argparse
from importlib.metadata import version

from fastapi import FastAPI

from http_api import app
from mcp_server.http import PATH, Endpoint

ENDPOINTS = {PATH: Endpoint}


def main() -> None:
    """Serve until stopped. Exit 2 on bad settings or any option, 1 when the database cannot be used."""
    _parser().parse_args()
    app.main(ENDPOINTS, worker="gateway.__main__:worker")


def worker() -> FastAPI:
    """Return what each process of several serves."""
    return app.worker(ENDPOINTS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="orchestrator-api",
        description="Serve the REST API, and MCP at /mcp. It takes no options: HOST, PORT, DATABASE_URL and all other "
        "settings are environment variables, or lines of a file .env in this folder.",
    )
    parser.add_argument("--version", action="version", version=version("orchestrator"))
    return parser


if __name__ == "__main__":
    main()
