"""The protocol's own tools: the official conformance suite and the inspector against real servers, and the bundle's packer.

They need Node 22 and are installed by `make conformance`, which names this file; `make test` does not collect it. Of the
suite's scenarios most call tools by fixed names, which `tests.mcp_server.conformance_fixtures` adds to the real server.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.mcp_server.clients import COMMAND, database_url, http_server
from tests.support.servers import ROOT, gateway_environment, running_server

HERE = Path(__file__).parent
COMMANDS = HERE / "node_modules" / ".bin"
HANDSHAKE, STATELESS = "2025-11-25", "2026-07-28"
FIXTURES = [sys.executable, "-m", "tests.mcp_server.conformance_fixtures"]
SECONDS = 100
NAME = re.compile(r"server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z")  # of a folder with the results of one scenario

# What a server of our own purpose can be asked, by the revision of the protocol.
GENERIC = {
    HANDSHAKE: ["server-initialize", "server-session-lifecycle", "ping"],
    STATELESS: [
        "sep-2164-resource-not-found",
        "caching",
        "http-header-validation",
        "input-required-result-unsupported-methods",
        "input-required-result-ignore-extra-params",
    ],
}
IN_BOTH = [
    "tools-list",
    "resources-list",
    "prompts-list",
    "completion-complete",
    "dns-rebinding-protection",
    "server-sse-multiple-streams",
]


def run(command: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run one of the installed tools with the Node that is installed beside it."""
    environment = os.environ | {"PATH": f"{COMMANDS}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [COMMANDS / command, *arguments], env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("conformance")


@pytest.fixture(scope="module")
def gateway(folder: Path) -> Iterator[str]:
    with running_server(database_url(folder), folder=folder) as url:
        yield url


@pytest.fixture(scope="module")
def with_fixtures(folder: Path) -> Iterator[str]:
    with http_server(folder, command=FIXTURES, LOG_LEVEL="ERROR") as (url, _):
        yield url


@pytest.fixture(scope="module")
def failures(gateway: str, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[str]]:
    """Return the failed checks of every scenario that was run on the gateway, by revision and scenario."""
    found: dict[tuple[str, str], list[str]] = {}
    for revision in (HANDSHAKE, STATELESS):
        results = tmp_path_factory.mktemp(revision)
        address = ("--url", f"{gateway}/mcp", "--spec-version", revision)
        run("conformance", "server", *address, "--suite", "all", "--output-dir", str(results))
        for file in results.glob("*/checks.json"):
            checks = json.loads(file.read_text("utf-8"))
            scenario = NAME.fullmatch(file.parent.name)
            assert scenario is not None
            found[revision, scenario[1]] = [
                f"{check['id']}: {check.get('errorMessage')}" for check in checks if check["status"] == "FAILURE"
            ]
    return found


@pytest.mark.parametrize(
    ("revision", "scenario"),
    [(revision, scenario) for revision, own in GENERIC.items() for scenario in [*IN_BOTH, *own]],
)
def test_the_gateway_passes_what_any_server_can_be_asked(
    failures: dict[tuple[str, str], list[str]], revision: str, scenario: str
) -> None:
    assert failures[revision, scenario] == []


@pytest.mark.parametrize("revision", [STATELESS, HANDSHAKE])
def test_every_scenario_that_a_revision_requires_passes_but_for_its_baseline(with_fixtures: str, revision: str) -> None:
    baseline = HERE / f"{revision}.yml"

    done = run(
        *("conformance", "server", "--url", f"{with_fixtures}/mcp"),
        *("--requirements", revision, "--expected-failures", str(baseline)),
    )

    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr


@pytest.fixture(params=["stdio", "http"])
def target(request: pytest.FixtureRequest, gateway: str, folder: Path) -> list[str]:
    """Return the arguments by which the inspector reaches a server: as a process of its own, or in the gateway."""
    if request.param == "http":
        return [f"{gateway}/mcp", "--transport", "http"]
    settings = gateway_environment(database_url(folder))
    wanted = [text for name in ("DATABASE_URL", "PYTHONPATH") for text in ("-e", f"{name}={settings[name]}")]
    return [*COMMAND, *wanted]


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_inspector_calls_a_tool(target: list[str], era: str) -> None:
    arguments = json.dumps({"limit": 5})

    done = run(
        *("inspector", "--cli", *target, "--protocol-era", era, "--format", "json", "-q"),
        *("--method", "tools/call", "--tool-name", "list_projects", "--tool-args-json", arguments),
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["structuredContent"] == {"projects": [], "total": 0}


def test_the_inspector_finds_no_error_in_the_schemas_of_the_tools(target: list[str]) -> None:
    done = run("inspector", "--cli", *target, "--format", "json", "--method", "tools/list", "--strict")

    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["result"]["tools"]) == 14


def test_the_inspector_finds_the_app_that_shows_proposals(target: list[str]) -> None:
    done = run("inspector", "--cli", *target, "--method", "tools/list", "--app-info", "-q")

    assert done.returncode == 0, done.stderr
    apps = {app["toolName"]: app for app in map(json.loads, done.stdout.splitlines()) if app["hasApp"]}
    assert set(apps) == {"get_patch_set", "propose_patch_set"}
    assert apps["propose_patch_set"]["resourceMimeType"] == "text/html;profile=mcp-app"


def test_the_bundle_is_valid_and_holds_the_server(tmp_path: Path) -> None:
    bundle = tmp_path / "orchestrator.mcpb"

    done = subprocess.run(
        [sys.executable, "-m", "scripts.bundle", str(bundle)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    with ZipFile(bundle) as packed:
        names = packed.namelist()
    assert {"manifest.json", "pyproject.toml", "mcp_server/__main__.py", "schemas/json/patch-set.schema.json"} <= set(names)
    assert not any(name.startswith(("tests/", ".")) or name.endswith(".pyc") for name in names)
