"""The process: both eras on one pipe, nothing but protocol on stdout, a quick end, and a light start."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.mcp_server.clients import COMMAND, INITIALIZE, database_url, modern, wire
from tests.support.servers import gateway_environment

HEAVY = ("sqlalchemy", "alembic", "jsonschema", "fastapi", "litellm", "typer", "markdown_it", "core.services", "core.storage.sql")


def test_a_client_that_probes_and_then_shakes_hands_is_served(tmp_path: Path) -> None:
    with wire(tmp_path) as server:
        probe = server.ask(0, "server/discover", modern())
        hello = server.shake_hands()
        tools = server.ask(2, "tools/list", {})

    assert "2026-07-28" in probe["result"]["supportedVersions"]
    assert probe["result"]["instructions"] == hello["result"]["instructions"]
    assert hello["result"]["protocolVersion"] == "2025-11-25"
    assert len(tools["result"]["tools"]) == 14


def test_a_client_that_probes_and_goes_on_without_a_handshake_is_served(tmp_path: Path) -> None:
    with wire(tmp_path) as server:
        server.ask(1, "server/discover", modern())
        tools = server.ask(2, "tools/list", modern())
        again = server.ask(3, "server/discover", modern())
        called = server.ask(4, "tools/call", modern({"name": "list_projects", "arguments": {}}))

    assert len(tools["result"]["tools"]) == 14
    assert "2026-07-28" in again["result"]["supportedVersions"]
    assert called["result"]["structuredContent"] == {"projects": [], "total": 0}


def test_no_era_is_promised_news_of_lists_that_never_change(tmp_path: Path) -> None:
    with wire(tmp_path) as server:
        offers = [server.ask(1, "server/discover", modern())["result"], server.shake_hands()["result"]]

    for offer in offers:
        assert not any(offer["capabilities"][kind].get("listChanged") for kind in ("tools", "prompts", "resources"))
        assert offer["capabilities"]["resources"]["subscribe"] is True


def test_a_probe_for_an_unknown_version_names_the_known_ones_and_a_handshake_may_follow(tmp_path: Path) -> None:
    asked = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2031-01-01"}}

    with wire(tmp_path) as server:
        refused = server.ask(1, "server/discover", asked)
        hello = server.shake_hands()

    assert refused["error"]["code"] == -32022
    assert "2026-07-28" in refused["error"]["data"]["supported"]
    assert hello["result"]["serverInfo"]["name"] == "orchestrator"


def test_the_environment_can_switch_probes_off(tmp_path: Path) -> None:
    with wire(tmp_path, MCP_ERA="legacy") as server:
        refused = server.ask(1, "server/discover", modern())
        hello = server.shake_hands()

    assert refused["error"]["code"] == -32601
    assert hello["result"]["protocolVersion"] == "2025-11-25"


@pytest.mark.parametrize(
    "line",
    ["this is no JSON {", "[]", "{}", '{"jsonrpc": "2.0", "method": 7, "id": 1}', '{"jsonrpc": "2.0", "method": "no/such"}'],
)
def test_a_line_that_is_no_message_does_not_end_the_connection(tmp_path: Path, line: str) -> None:
    with wire(tmp_path) as server:
        server.send(line)
        hello = server.last_answer(1, "initialize", INITIALIZE)
        server.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        server.send(line)
        answer = server.last_answer(2, "tools/list", {})

    assert hello["result"]["serverInfo"]["name"] == "orchestrator"
    assert len(answer["result"]["tools"]) == 14


@pytest.mark.parametrize(
    ("line", "id", "code"),
    [
        ("this is no JSON {", None, -32700),
        ('{"jsonrpc": "2.0", "id": 8, "method": "tools/list", "params": {"a": "\\ud83d"}}', 8, -32700),
        ('{"jsonrpc": "2.0", "id": "\\ud83d", "method": "tools/list"}', None, -32700),
        ('{"jsonrpc": "2.0", "id": 9, "method": 7}', 9, -32600),
        ('{"jsonrpc": "2.0", "id": true, "method": 7}', None, -32600),
        ("[]", None, -32600),
    ],
)
def test_a_line_that_is_no_message_is_answered_so_that_nobody_waits(tmp_path: Path, line: str, id: int | None, code: int) -> None:
    with wire(tmp_path) as server:
        server.shake_hands()
        server.send("")
        server.send(line)
        refused = server.receive()

    assert (refused["id"], refused["error"]["code"]) == (id, code)


def test_a_malformed_probe_is_refused_and_does_not_end_the_connection(tmp_path: Path) -> None:
    with wire(tmp_path) as server:
        refused = server.ask(1, "server/discover", {"_meta": ["nonsense"]})
        hello = server.shake_hands()

    assert refused["error"]["code"] == -32022
    assert hello["result"]["protocolVersion"] == "2025-11-25"


def test_stdout_carries_protocol_only_even_when_everything_is_logged(tmp_path: Path) -> None:
    with wire(tmp_path, LOG_LEVEL="DEBUG") as server:
        server.shake_hands()
        answer = server.ask(2, "tools/call", {"name": "list_projects", "arguments": {}})
        assert server.process.stdin
        server.process.stdin.close()
        assert server.process.stdout
        rest = server.process.stdout.read()
        server.process.stdin = None

    assert answer["id"] == 2
    assert rest == ""


def test_a_huge_message_is_answered_and_does_not_end_the_connection(tmp_path: Path) -> None:
    comment = {"name": "add_comment", "arguments": {"task": "WEB-1", "body": "x" * 8_000_000}}

    with wire(tmp_path) as server:
        server.shake_hands()
        refused = server.ask(2, "tools/call", comment)["result"]
        listed = server.ask(3, "tools/list", {})["result"]

    assert refused["isError"]
    assert "/body: must be at most 10,000 characters" in refused["content"][0]["text"]
    assert len(json.dumps(refused)) < 1_000
    assert len(listed["tools"]) == 14


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_though_stdin_is_open_and_says_nothing_on_stdout(tmp_path: Path, how: signal.Signals) -> None:
    with wire(tmp_path) as server:
        server.shake_hands()
        server.ask(2, "tools/call", {"name": "list_projects", "arguments": {}})
        server.process.send_signal(how)
        server.process.wait(30)
        assert server.process.stdout
        rest = server.process.stdout.read()
        assert server.process.stdin
        server.process.stdin.close()
        server.process.stdin = None

    assert server.process.returncode == -how
    assert rest == ""


def test_the_process_ends_within_two_seconds_of_a_closed_stdin(tmp_path: Path) -> None:
    """The quickest of a few: a busy machine delays any of them, a process that waits for something delays all."""
    took = []
    for _ in range(3):
        with wire(tmp_path) as server:
            server.shake_hands()
            server.ask(2, "tools/call", {"name": "list_projects", "arguments": {}})
            closed = time.monotonic()
            server.process.communicate(timeout=30)
            took.append(time.monotonic() - closed)
            server.process.stdin = None

        assert server.process.returncode == 0
        if took[-1] < 2:
            break

    assert min(took) < 2


def test_the_first_answers_import_no_database_web_or_model_library(tmp_path: Path) -> None:
    report = (
        "import atexit, json, sys\n"
        "from mcp_server.__main__ import main\n"
        f"atexit.register(lambda: print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]), file=sys.stderr))\n"
        "main()\n"
    )

    with wire(tmp_path, [sys.executable, "-c", report]) as server:
        server.shake_hands()
        server.ask(2, "tools/list", {})
        _, errors = server.process.communicate(timeout=10)
        server.process.stdin = None

    assert json.loads(errors.strip().splitlines()[-1]) == []


@pytest.mark.parametrize(
    ("settings", "options", "named"),
    [
        ({"DATABASE_URL": "mysql://somewhere"}, [], "DATABASE_URL"),
        ({"APPROVAL": "perhaps"}, [], "APPROVAL"),
        ({}, ["--tools", "list_tasks,drop_tables"], "drop_tables"),
        ({}, ["--tools", ","], "names no tool"),
        ({}, ["--colour"], "--colour"),
    ],
)
def test_bad_settings_and_options_end_with_exit_2_and_name_the_mistake(
    tmp_path: Path, settings: dict[str, str], options: list[str], named: str
) -> None:
    environment = gateway_environment(database_url(tmp_path)) | settings

    ended = subprocess.run(
        [*COMMAND, *options], env=environment, cwd=tmp_path, input="", capture_output=True, text=True, timeout=30, check=False
    )

    assert ended.returncode == 2
    assert named in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_a_file_that_is_no_database_is_an_answer_and_one_line_of_the_log_each_time(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("just some notes, long enough to be read as a header\n" * 50)

    with wire(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path}/notes.txt") as server:
        server.shake_hands()
        asked = [server.ask(number, "tools/call", {"name": "list_projects", "arguments": {}})["result"] for number in (2, 3)]
        assert server.process.stderr is not None
        logged = [server.process.stderr.readline() for _ in asked]

    assert [refused["structuredContent"]["code"] for refused in asked] == ["DATABASE_ERROR"] * 2
    for line in logged:
        assert "ERROR core.storage.sql.failures The file is not an SQLite database." in line
        assert "notes.txt" in line


def test_a_database_in_a_missing_folder_is_an_answer_with_the_way_out_and_heals_without_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "missing"

    with wire(tmp_path, DATABASE_URL=f"sqlite:///{folder}/orchestrator.db") as server:
        server.shake_hands()
        refused = server.ask(2, "tools/call", {"name": "list_projects", "arguments": {}})["result"]
        folder.mkdir()
        served = server.ask(3, "tools/call", {"name": "list_projects", "arguments": {}})["result"]

    assert refused["isError"]
    assert refused["structuredContent"]["code"] == "DATABASE_ERROR"
    assert "missing" in refused["content"][0]["text"]
    assert served["structuredContent"] == {"projects": [], "total": 0}
