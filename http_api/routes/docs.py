"""The page that shows the OpenAPI document; it needs nothing from another server."""

import secrets
from functools import cache
from importlib.resources import files

from fastapi import APIRouter
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


@cache
def _page() -> str:
    return (files("http_api") / "docs.html").read_text("utf-8")
