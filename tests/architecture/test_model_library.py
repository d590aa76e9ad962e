"""The model library takes seconds and 160 MB: no start waits for it, and only the gateway with a model ever loads it.

Python tells each import on standard error, so these are the real commands.
"""

import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from tests.support.servers import free_port, gateway_environment, running_server

TELL_IMPORTS = {"PYTHONPROFILEIMPORTTIME": "1"}
MODEL = {"AI_PROVIDER": "openai", "AI_API_KEY": "sk-canary-0123456789"}
READY = "Application startup complete"


def imports(told: str) -> set[str]:
    """Return the packages of what Python told."""
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in told.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("module", ["core.cli", "mcp_server.server"])
def test_the_command_line_and_the_mcp_server_never_load_it_even_with_a_model_set_up(module: str, tmp_path: Path) -> None:
    environment = gateway_environment(f"sqlite:///{tmp_path / 'plan.db'}", **TELL_IMPORTS, **MODEL)
    command = [sys.executable, "-m", module, *(["history", "WEB"] if module == "core.cli" else [])]

    ended = subprocess.run(
        command, env=environment, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )

    assert "core" in imports(ended.stderr)
    assert "litellm" not in imports(ended.stderr)


@pytest.mark.parametrize("settings", [{}, MODEL], ids=["rules", "model"])
def test_the_gateway_loads_it_once_it_is_ready_and_without_a_model_never(settings: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"

    with running_server(f"sqlite:///{tmp_path / 'plan.db'}", folder=tmp_path, **TELL_IMPORTS, **settings) as url:
        assert httpx2.get(f"{url}/health/ready", timeout=60).status_code == 200
        if settings:
            _until_loaded(log)

    before, after = log.read_text("utf-8").split(READY)
    assert "litellm" not in imports(before)
    assert ("litellm" in imports(after)) is bool(settings)


def _until_loaded(log: Path) -> None:
    end = time.monotonic() + 60
    while "litellm" not in imports(log.read_text("utf-8")) and time.monotonic() < end:
        time.sleep(0.1)


def test_no_pass_of_the_collector_looks_at_it_again() -> None:
    program = (
        "import gc; from core.llm.library import load_library; load_library()\n"
        "print(gc.get_freeze_count()); load_library(); print(gc.get_freeze_count(), len(gc.get_objects()))"
    )

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    frozen, still_frozen, left = map(int, ended.stdout.split())

    assert frozen == still_frozen > 50_000
    assert left < frozen / 10


def test_the_first_lines_name_the_models_and_never_a_key(tmp_path: Path) -> None:
    for settings, told in (
        ({}, "rules, no AI"),
        ({**MODEL, "AI_FALLBACKS": "anthropic"}, "openai/gpt-5.2, then anthropic/claude-sonnet-4-6 (AI_FALLBACK_KEYS"),
    ):
        environment = gateway_environment(f"sqlite:///{tmp_path / 'plan.db'}", PORT=str(free_port()), **settings)
        with subprocess.Popen(
            [sys.executable, "-m", "gateway"],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout is not None
            first = "".join(process.stdout.readline() for _ in range(6))
            process.terminate()

        assert told in first
        assert MODEL["AI_API_KEY"] not in first
