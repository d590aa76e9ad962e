"""The OpenAPI document, and the page that shows it; that needs nothing from another server."""

import asyncio
import secrets
from functools import cache, lru_cache
from importlib.resources import files

import orjson
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs() -> HTMLResponse:
    """Show every operation, with its parameters, bodies and answers."""
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(_page().replace("NONCE", nonce), headers={"Content-Security-Policy": policy})


@router.get("/openapi.json")
async def openapi_document(request: Request) -> Response:
    """Give the document of this version; making it takes half a second, in which others are answered."""
    return Response(await asyncio.to_thread(_document, request.app), media_type="application/json")


@lru_cache(maxsize=1)
def _document(app: FastAPI) -> bytes:
    return orjson.dumps(app.openapi())


@cache
def _page() -> str:
    return (files("http_api") / "docs.html").read_text("utf-8")
