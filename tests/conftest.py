"""What every test shares: the async backend, and an environment without the developer's own settings."""

import os

import pytest

from core.settings import Settings

# Servers started by tests inherit this: nobody's DATABASE_URL may reach them.
for name in Settings.model_fields:
    os.environ.pop(name.upper(), None)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
