"""The configurations in docs/clients work as printed, once their two placeholders are replaced."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from core.context import Scope
from core.services import access
from core.settings import Settings
from core.wiring import Orchestrator
from mcp_server.catalogue import TOOL_NAMES
from tests.mcp_server.clients import INITIALIZE, database_url, http_server, wire

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "clients").glob("*.md"))
BIN = Path(sys.executable).parent


def servers(page: Path) -> list[dict[str, Any]]:
    blocks = re.findall(r"```json\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    [top] = {key for block in blocks for key in json.loads(block)}
    assert top == ("servers" if page.stem == "vscode" else "mcpServers")
    return [json.loads(block)[top]["orchestrator"] for block in blocks]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_command_of_a_page_starts_a_server_on_the_database_it_names(page: Path, tmp_path: Path) -> None:
    installed, with_uvx, *_ = servers(page)
    command = installed["command"].replace("/path/to/orchestrator/.venv/bin", str(BIN))
    url = installed["env"]["DATABASE_URL"].replace("/path/to/data", str(tmp_path))

    with wire(tmp_path, [command, *installed["args"]], DATABASE_URL=url) as server:
        server.shake_hands()
        answer = server.ask(2, "tools/call", {"name": "list_projects", "arguments": {}})

    assert answer["result"]["structuredContent"] == {"projects": [], "total": 0}
    assert (tmp_path / "orchestrator.db").exists()
    assert (with_uvx["command"], with_uvx["args"]) == ("uvx", ["--from", "/path/to/orchestrator", "orchestrator-mcp"])
    assert with_uvx["env"] == installed["env"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Run a server that wants a key, and give its address and one."""
    folder = tmp_path_factory.mktemp("guarded")
    owner = Orchestrator(Settings(_env_file=None, database_url=database_url(folder)))
    owner.start(create=True)
    key = access.create_api_key(owner.context(), "client", list(Scope)).key
    owner.close()
    with http_server(folder, AUTH="api_key") as (url, _):
        yield url, key


@pytest.mark.parametrize("name", ["claude-code", "cursor", "vscode"])
def test_the_address_of_a_page_reaches_a_running_server(guarded: tuple[str, str], name: str) -> None:
    url, key = guarded
    *_, over_http = servers(DOCS / "clients" / f"{name}.md")
    address = over_http["url"].replace("http://127.0.0.1:8000", url)
    headers = {header: value.replace("YOUR_KEY", key) for header, value in over_http["headers"].items()}
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}

    answered = httpx2.post(address, json=hello, headers=headers | {"Accept": "application/json, text/event-stream"})
    refused = httpx2.post(address, json=hello, headers={"Accept": "application/json, text/event-stream"})

    assert (answered.status_code, refused.status_code) == (200, 401)
    assert '"serverInfo"' in answered.text


def test_there_is_a_page_for_each_client() -> None:
    assert [page.stem for page in PAGES] == ["claude-code", "claude-desktop", "cursor", "vscode"]


def test_the_manual_has_a_row_for_each_tool() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (DOCS / "mcp.md").read_text("utf-8"), re.MULTILINE)

    assert tuple(row for row in rows if row in TOOL_NAMES) == TOOL_NAMES
