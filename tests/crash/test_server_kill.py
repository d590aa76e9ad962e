"""kill -9 of the whole server while several clients write.

Calls that wait together share a commit, and none of them may be answered before it.

Size: CRASH_SERVER_KILLS (5). CRASH_SEED (0) chooses the moments.
"""

import os
import random
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.crash.clients import Load
from tests.support.audit import audit
from tests.support.servers import gateway_process

KILLS = int(os.environ.get("CRASH_SERVER_KILLS", "5"))
SEED = os.environ.get("CRASH_SEED", "0")


@pytest.mark.timeout(60 + 10 * KILLS)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_any_client_was_told_survives_the_server(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'plan.db'}" if kind == "sqlite" else request.getfixturevalue("empty_postgres")
    chance = random.Random(SEED)  # noqa: S311  # a repeatable choice
    with ExitStack() as running:
        load: Load | None = None
        for _ in range(KILLS):
            with gateway_process(url, folder=tmp_path, AUTO_MIGRATE="1") as (base, process):
                load = load or running.enter_context(Load(base))
                load.base = base
                load.wait_for_progress(2)
                time.sleep(chance.uniform(0, 0.05))
                process.kill()
            audit(url)
        assert load is not None

        with gateway_process(url, folder=tmp_path) as (base, _):
            load.base = base
            load.wait_for_progress(2)
            load.end()

    assert load.outcomes <= {(200, None), (503, "STORAGE_BUSY")}
    load.assert_each_set_is_there_once(url)
