"""Serve REST under /api/v1 and MCP under /mcp: one process, one store, one way of knowing callers."""

from fastapi import FastAPI

from http_api import app
from mcp_server.http import PATH, Endpoint

ENDPOINTS = {PATH: Endpoint}


def main() -> None:
    """Serve until stopped. Exit 2 on bad settings, 1 when the database cannot be used."""
    app.main(ENDPOINTS, worker="gateway.__main__:worker")


def worker() -> FastAPI:
    """Return what each process of several serves."""
    return app.worker(ENDPOINTS)


if __name__ == "__main__":
    main()
