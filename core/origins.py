"""Which requests a page on another site may have made a browser send to this machine.

Only where a loopback address is bound: beyond it callers must show credentials, which no foreign page has.
"""

import re
from collections.abc import Collection

LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE)


def foreign(host: str, origin: str | None, *, scheme: str, allowed: Collection[str]) -> str | None:
    """Return why a request with these headers is refused, or None; `allowed` are the other origins that may call."""
    if not LOOPBACK.fullmatch(host):
        return "The Host header must name this machine: localhost, 127.0.0.1 or [::1]."
    if origin is None or origin in allowed or origin == f"{scheme}://{host}":
        return None
    return "Browsers may not call from this origin; CORS_ORIGINS lists those that may."
