"""What a person configures is in the README, complete and true, and what is deployed names what exists."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from core.settings import Settings
from core.wiring import InvalidSettings, load_settings

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "README.md").read_text("utf-8").partition("## Configuration")[2].partition("\n## ")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines() if line.startswith("| `")]


def test_the_table_names_every_setting_once_and_nothing_else() -> None:
    named = [name for first, *_ in ROWS for name in re.findall(r"`([A-Z_]+)`", first)]

    assert sorted(named) == sorted(name.upper() for name in Settings.model_fields)


def test_the_defaults_of_the_table_are_the_real_ones() -> None:
    for first, shown, *_ in ROWS:
        names, values = re.findall(r"`([A-Z_]+)`", first), re.findall(r"`([^`]*)`", shown)
        for name, value in zip(names, values, strict=False):
            default = Settings.model_fields[name.lower()].default
            assert default is not PydanticUndefined
            real = (
                ",".join(default) if isinstance(default, list) else f"{default:g}" if isinstance(default, float) else str(default)
            )
            assert value.lower() == real.lower(), name


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


WRONG = {
    "database_url": "oracle://x",
    "port": "99999",
    "workers": "0",
    "rate_limit_default": "300 per minute",
    "rate_limit_model": "many",
    "redis_url": "http://127.0.0.1",
    "trusted_proxies": "my-proxy",
    "api_sunset": "soon",
    "auth": "password",
    "jwt_algorithm": "none",
    "max_task_depth": "-1",
    "sqlite_synchronous": "OFF",
    "pool_size": "0",
    "time_zone": "Mars/Olympus",
    "approval": "later",
    "mcp_shared_secret": "short",
    "auto_migrate": "perhaps",
    "hours_per_day": "25",
    "days_per_week": "8",
    "log_level": "loud",
    "cors_origins": "*",
    "ai_deadline_seconds": "-1",
    "ai_daily_tokens": "-1",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_value_that_cannot_be_used_is_named_in_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name.upper(), WRONG[name])

    with pytest.raises(InvalidSettings) as refusal:
        load_settings()

    message = str(refusal.value)
    assert message.startswith(f"{name.upper()} must "), message
    assert "\n" not in message


@pytest.mark.parametrize(
    "origin", ["*", "localhost:3000", "http://*.example.com", "https://example.com/app", "null", "https://me@a.com"]
)
def test_an_origin_that_no_browser_sends_is_refused(origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", f"http://localhost:3000,{origin}")

    with pytest.raises(InvalidSettings, match=r"^CORS_ORIGINS must name each origin as browsers do, such as https://"):
        load_settings()


def test_origins_are_read_as_browsers_send_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", " https://Plan.Example.com/, http://[::1]:3000 ,app://-,")

    assert load_settings().cors_origins == ["https://plan.example.com", "http://[::1]:3000", "app://-"]


def test_several_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "0")
    monkeypatch.setenv("LOG_LEVEL", "loud")

    with pytest.raises(InvalidSettings, match=r"PORT must .*; LOG_LEVEL must "):
        load_settings()


def test_a_file_of_settings_that_is_no_text_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_bytes("HOST=café".encode("latin-1"))
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InvalidSettings, match=r"^the file \.env must be UTF-8 text$"):
        load_settings()


def test_a_file_of_settings_that_is_closed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").symlink_to("/proc/self/mem")  # opened by its owner, and read by nobody
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InvalidSettings, match=r"^the file \.env cannot be read: "):
        load_settings()


def test_requirements_pin_what_the_server_imports() -> None:
    """`pip install --require-hashes -r requirements.txt` asks for versions that are installed here, and so exist."""
    assert (ROOT / "requirements.txt").read_text("utf-8").splitlines()[-1] == "-r requirements.lock"
    report = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--no-index", "--quiet", "-r", "requirements.txt"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert (report.returncode, report.stderr) == (0, "")


def test_the_composition_sets_what_exists() -> None:
    composition = (ROOT / "compose.yaml").read_text("utf-8")
    services = dict(re.findall(r"^  (\w+):\n((?:    .*\n)+)", composition, re.MULTILINE))
    environment = dict(re.findall(r"^      ([A-Z_]+): \"?([^\"\n]+)\"?$", services["api"], re.MULTILINE))

    settings = Settings.model_validate({name.lower(): value for name, value in environment.items()})

    assert {name.lower() for name in environment} <= Settings.model_fields.keys()
    assert {"database", "redis"} <= services.keys()
    assert settings.redis_url is not None
    assert ("@database/" in settings.database_url, "//redis:" in settings.redis_url.get_secret_value()) == (True, True)


def test_the_image_copies_every_package_and_runs_as_nobody() -> None:
    image = (ROOT / "Dockerfile").read_text("utf-8")
    distribution = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

    copied = sorted(re.findall(r"^COPY (\w+) \1$", image, re.MULTILINE))
    assert copied == distribution["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert "\nUSER orchestrator\n" in image
    assert "/health/ready" in image
    for name in re.findall(r"^COPY ([^\n]+) \./$", image, re.MULTILINE):
        assert all((ROOT / file).exists() for file in name.split())
