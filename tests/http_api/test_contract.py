"""The served OpenAPI document is kept by a real process: schemathesis, with all its checks and phases.

The document is the only thing it is told. SCHEMATHESIS_EXAMPLES makes a longer run of it, such as 50 at night.

At CI size the coverage phase leaves out the three operations whose body is a patch set: it tries every bound of every
field of twelve operations, 2,284 cases and a quarter of a minute for each of the three (all other operations together
take half a minute), and they read their body by one parser. The other phases visit them at any size, and every rule of a
patch is tried by its own test.
"""

import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from core.context import Scope
from core.services import access
from core.settings import Settings
from core.wiring import Orchestrator
from tests.support.servers import running_server

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES")
FIXED = ["--mode", "all", "--seed", "1", "--generation-database", "none", "--continue-on-failure", "--no-color"]
NO_END = ["stream_events"]  # it answers as long as it is asked; see test_events
AT_NIGHT = ["propose_patch_set", "apply_patch_set", "validate_patch_set"]

pytestmark = pytest.mark.timeout(1_200 if EXAMPLES is None else 36_000)


@pytest.mark.parametrize(
    ("phases", "left_out"),
    [("examples,fuzzing,stateful", NO_END), ("coverage", NO_END if EXAMPLES else NO_END + AT_NIGHT)],
    ids=["examples, fuzzing, stateful", "coverage"],
)
def test_every_operation_keeps_its_contract(tmp_path: Path, phases: str, left_out: list[str]) -> None:
    database = f"sqlite:///{tmp_path}/plan.db"
    orchestrator = Orchestrator(Settings(_env_file=None, database_url=database))
    orchestrator.start(create=True)
    key = access.create_api_key(orchestrator.context(), "contract", list(Scope)).key
    orchestrator.close()

    with running_server(database, folder=tmp_path, AUTH="api_key", LOG_LEVEL="ERROR") as url:
        document = f"{url}/openapi.json"
        assert httpx2.get(document, timeout=120).status_code == 200  # made when it is first asked for
        command = [str(Path(sys.executable).with_name("st")), "--config-file", str(CONFIG), "run", document, "--checks", "all"]
        caller = ["--header", f"Authorization: Bearer {key}", "--request-timeout", "60"]
        size = ["--phases", phases, "--max-examples", EXAMPLES or "2", *([] if EXAMPLES else ["--no-shrink"])]
        excluded = [part for name in left_out for part in ("--exclude-operation-id", name)]
        found = subprocess.run(
            [*command, *FIXED, *caller, *size, *excluded], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    assert found.returncode == 0, found.stdout + found.stderr
    assert (tmp_path / "gateway.log").read_text("utf-8") == ""
