"""What is published starts: the wheel in an environment of its own, and each entry for clients as it is written."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mcp_server.catalogue import TOOL_NAMES
from tests.mcp_server.clients import Wire, database_url
from tests.support.servers import free_port

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
MANIFEST = json.loads((ROOT / "packaging" / "mcpb" / "manifest.json").read_text("utf-8"))
REGISTRY = json.loads((ROOT / "server.json").read_text("utf-8"))
SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the commands of the wheel, built and installed alone; its dependencies are borrowed from this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    source = shutil.copytree(
        ROOT, folder / "source", ignore=shutil.ignore_patterns(".*", "tests", "docs", "__pycache__", "*.lock"), symlinks=True
    )
    environment = os.environ | {"UV_OFFLINE": "1"}
    python = [sys.executable, "-m"]
    make = [
        [*python, "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), str(source)],
        [*python, "venv", "--without-pip", str(folder / "venv")],
        [*python, "uv", "pip", "install", "--quiet", "--no-deps", "--python", str(folder / "venv"), "WHEEL"],
    ]
    for command in make:
        [*wheel] = map(str, folder.glob("*.whl"))
        words = [wheel[0] if word == "WHEEL" else word for word in command]
        subprocess.run(words, check=True, env=environment, cwd=folder)
    (folder / "venv" / SITE / "borrowed.pth").write_text(f"{Path(sys.prefix) / SITE}\n", encoding="utf-8")
    return folder / "venv" / "bin"


@contextmanager
def started(command: list[str], folder: Path, settings: dict[str, str]) -> Iterator[Wire]:
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=settings, cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield Wire(process)
        finally:
            process.communicate(timeout=30)


def tools_and_projects(server: Wire) -> tuple[list[str], Any]:
    server.shake_hands()
    listed = server.ask(2, "tools/list", {})["result"]["tools"]
    called = server.ask(3, "tools/call", {"name": "list_projects", "arguments": {}})["result"]
    return [tool["name"] for tool in listed], called["structuredContent"]


def test_the_wheel_holds_the_packages_and_their_data_and_nothing_else(installed: Path) -> None:
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    site = installed.parent / SITE

    assert {item.name for item in site.iterdir() if item.is_dir() and not item.name.endswith(".dist-info")} == set(packages)
    assert all((site / package / "__init__.py").exists() for package in packages)
    for data in ("schemas/json/patch-set.schema.json", "http_api/docs.html", "core/storage/migrations/script.py.mako"):
        assert (site / data).exists()


def test_every_command_of_the_wheel_starts(installed: Path, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database_url(tmp_path), "PORT": str(free_port())}
    assert sorted(PROJECT["project"]["scripts"]) == ["orchestrator", "orchestrator-api", "orchestrator-mcp"]

    with started([str(installed / "orchestrator-mcp")], tmp_path, settings) as server:
        names, projects = tools_and_projects(server)
        schema = server.ask(4, "resources/read", {"uri": "orchestrator://schemas/patch-set"})["result"]
    listed = subprocess.run(
        [installed / "orchestrator", "list"], env=settings, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    api = subprocess.Popen([installed / "orchestrator-api"], env=settings, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    with api:
        assert api.stdout is not None
        api.stdout.readline()
        health = httpx2.get(f"http://127.0.0.1:{settings['PORT']}/health").json()
        api.terminate()

    assert (tuple(names), projects) == (TOOL_NAMES, {"projects": [], "total": 0})
    assert '"create_task"' in schema["contents"][0]["text"]
    assert "no projects" in listed.stdout
    assert health == {"status": "healthy"}


def test_the_bundle_starts_as_its_manifest_says_and_offers_what_it_lists(installed: Path, tmp_path: Path) -> None:
    config = MANIFEST["server"]["mcp_config"]
    chosen = {name: option.get("default", "") for name, option in MANIFEST["user_config"].items()} | {"folder": str(tmp_path)}
    settings = {
        name: re.sub(r"\$\{user_config\.(\w+)\}", lambda found: chosen[found[1]], text) for name, text in config["env"].items()
    }

    assert [config["command"], *config["args"]] == ["uv", "run", "--no-dev", "--directory", "${__dirname}", "orchestrator-mcp"]
    with started([str(installed / config["args"][-1])], tmp_path, settings) as server:
        names, projects = tools_and_projects(server)

    assert names == [tool["name"] for tool in MANIFEST["tools"]]
    assert projects == {"projects": [], "total": 0}
    assert (tmp_path / "orchestrator.db").exists()
    assert MANIFEST["compatibility"]["runtimes"]["python"] == PROJECT["project"]["requires-python"]
    assert (ROOT / MANIFEST["server"]["entry_point"]).exists()


def test_the_entry_for_the_registry_starts_a_server(installed: Path, tmp_path: Path) -> None:
    [package] = REGISTRY["packages"]
    settings = {item["name"]: item.get("value") or item["default"] for item in package["environmentVariables"]}
    [command] = [argument["value"] for argument in package["packageArguments"]]

    assert settings["DATABASE_URL"].removeprefix("sqlite:////home/orchestrator/") == "orchestrator.db"
    with started([str(installed / command)], tmp_path, settings | {"DATABASE_URL": database_url(tmp_path)}) as server:
        names, _ = tools_and_projects(server)

    assert tuple(names) == TOOL_NAMES
    assert len(REGISTRY["description"]) <= 100
    assert f'io.modelcontextprotocol.server.name="{REGISTRY["name"]}"' in (ROOT / "Dockerfile").read_text("utf-8")


def test_all_say_the_same_version() -> None:
    [package] = REGISTRY["packages"]

    stated = [MANIFEST["version"], REGISTRY["version"], package["identifier"].rpartition(":")[2]]
    assert stated == [PROJECT["project"]["version"]] * 3
