"""What the crash tests share."""

import pytest

from tests.crash.workload import Reference
from tests.storage.conftest import empty_postgres, postgres_server

__all__ = ["empty_postgres", "postgres_server"]


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return Reference(tmp_path_factory.mktemp("reference"))
