"""What a test needs beside Python: a database server, a browser, a Node package."""

import os
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """End a test that lacks something: it fails with REQUIRE_SERVICES=1, as in CI, and is skipped with the reason elsewhere."""
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)  # a user's machine may have neither server nor browser
