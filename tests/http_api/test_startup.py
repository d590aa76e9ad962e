"""`orchestrator-api` starts with what a person needs to know, or ends with one clear line."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import make_url

from tests.support.servers import ROOT, free_port, gateway_command, gateway_environment, running_server


def refused_start(folder: Path, database_url: str, **settings: str) -> tuple[int, str]:
    """Return exit code and message of a gateway that does not start."""
    environment = gateway_environment(database_url, **{"PORT": str(free_port()), **settings})
    ended = subprocess.run(
        gateway_command(), env=environment, cwd=folder, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stderr


def test_the_first_lines_say_where_everything_is(tmp_path: Path) -> None:
    folder = tmp_path / "50% done?"  # no part of a URL as it is
    folder.mkdir()
    port = free_port()
    environment = gateway_environment("sqlite:///./plan.db", PORT=str(port))

    with subprocess.Popen(
        gateway_command(), env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        while lines[-1] not in ("}\n", ""):
            lines.append(process.stdout.readline())
        health = httpx2.get(f"http://127.0.0.1:{port}/health/ready")
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0

    welcome = "".join(lines)
    assert health.json() == {"status": "healthy"}
    for path in ("/api/v1", "/docs", "/health"):
        assert f"http://127.0.0.1:{port}{path}" in welcome
    snippet = json.loads(welcome[welcome.index("{") :])["mcpServers"]["orchestrator"]
    assert Path(snippet["command"]).is_absolute()
    assert make_url(snippet["env"]["DATABASE_URL"]).database == str(folder / "plan.db")
    assert (folder / "plan.db").exists()


def test_options_are_refused_and_help_says_where_settings_are(tmp_path: Path) -> None:
    environment = gateway_environment(f"sqlite:///{tmp_path / 'plan.db'}")

    def ended(option: str) -> "subprocess.CompletedProcess[str]":
        command = [*gateway_command(), option]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)

    assert (ended("--port=9000").returncode, ended("--help").returncode) == (2, 0)
    assert "HOST, PORT, DATABASE_URL" in " ".join(ended("--help").stdout.split())
    assert not (tmp_path / "plan.db").exists()


def test_a_used_port_names_the_setting(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        status, message = refused_start(tmp_path, f"sqlite:///{tmp_path / 'plan.db'}", PORT=str(port))

    assert status == 2
    assert "PORT" in message
    assert str(port) in message
    assert not (tmp_path / "plan.db").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.7", "::", "example.com"])  # noqa: S104  it must be refused
def test_a_bind_beyond_loopback_without_authentication_is_refused(tmp_path: Path, host: str) -> None:
    status, message = refused_start(tmp_path, f"sqlite:///{tmp_path / 'plan.db'}", HOST=host)

    assert status == 2
    assert "HOST" in message
    assert "AUTH" in message


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("PORT", "many"),
        ("PORT", "0"),
        ("TIME_ZONE", "Mars/Olympus"),
        ("CORS_ORIGINS", "*"),
        ("DATABASE_URL", "mysql://x"),
        ("APPROVAL", "later"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(tmp_path: Path, setting: str, value: str) -> None:
    status, message = refused_start(tmp_path, **{"database_url": f"sqlite:///{tmp_path / 'plan.db'}", setting: value})

    assert status == 2
    assert f"{setting} must " in message


def test_a_missing_folder_for_the_database_is_one_clear_message(tmp_path: Path) -> None:
    status, message = refused_start(tmp_path, f"sqlite:///{tmp_path / 'missing' / 'plan.db'}")

    assert status == 1
    assert "missing" in message
    assert len(message.strip().splitlines()) == 1


def test_a_file_that_is_no_database_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "plan.db").write_bytes(b"this is not a database, only some text in a file" * 50)

    status, message = refused_start(tmp_path, f"sqlite:///{tmp_path / 'plan.db'}")

    assert status == 1
    assert "plan.db" in message


def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'plan.db'}"
    with running_server(url, folder=tmp_path) as base:
        key = httpx2.post(f"{base}/api/v1/projects", json={"name": "Durable"}).json()["data"]["key"]

    with running_server(url, folder=tmp_path) as base:
        answer = httpx2.get(f"{base}/api/v1/projects/{key}")

    assert answer.json()["data"]["name"] == "Durable"


def test_making_the_application_touches_no_database_and_loads_no_model_library(tmp_path: Path) -> None:
    code = (
        "import sys; from core.settings import Settings; from http_api.app import create_app; create_app(Settings());"
        "print([name for name in ('litellm', 'typer', 'sqlalchemy', 'alembic', 'uvicorn', 'mcp') if name in sys.modules])"
    )
    made = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=gateway_environment("sqlite:///./plan.db"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert made.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []
    assert ROOT.exists()
