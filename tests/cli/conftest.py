"""The command line on a file database: as its users have it, in real processes, or in this one where that is not the point."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core.cli.commands import app

ROOT = Path(__file__).resolve().parents[2]
PLAN = """\
# Website relaunch

## Design

- [x] Collect examples (90 min) @ann
- [ ] Draw the layout (2h) @bob #ui

## Build

- [ ] Write pages (1 day) after Draw the layout
"""


@dataclass
class Cli:
    """Runs `orchestrator` in `folder`, where its database file is."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        return self.folder / "plans.db"

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "TERM")}
        return {**inherited, "PYTHONPATH": str(ROOT), "DATABASE_URL": f"sqlite:///{self.database}", **self.env}

    def start(self, *arguments: str, **options: Any) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "core.cli", *arguments]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, **options)

    def run(self, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        pipe = subprocess.PIPE
        process = self.start(*arguments, stdin=pipe, stdout=pipe, stderr=pipe)
        stdout, stderr = process.communicate(stdin, timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    def text(self, *arguments: str, stdin: bytes = b"") -> str:
        """Return what a successful command prints."""
        done = self.run(*arguments, stdin=stdin)
        assert (done.returncode, done.stderr) == (0, b""), done
        return done.stdout.decode()

    def json(self, *arguments: str, stdin: bytes = b"") -> Any:
        """Return the one line of JSON that a successful command prints."""
        text = self.text(*arguments, "--json", stdin=stdin)
        assert text.count("\n") == 1
        return json.loads(text)

    def refusal(self, *arguments: str, exit_code: int, stdin: bytes = b"") -> str:
        """Return what a refused command says."""
        done = self.run(*arguments, stdin=stdin)
        assert (done.returncode, done.stdout) == (exit_code, b""), done
        return done.stderr.decode()

    def propose(self, plan: str = PLAN, *options: str) -> Any:
        return self.json("import", "-", *options, stdin=plan.encode())


class InProcess(Cli):
    """Runs the commands in this process, each on connections of its own; much cheaper where the process is not the point."""

    def run(self, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        done = CliRunner().invoke(app, arguments, input=stdin, env={"DATABASE_URL": f"sqlite:///{self.database}", **self.env})
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout_bytes, done.stderr_bytes)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Without a database; a module whose point is not the process has its own."""
    return Cli(tmp_path)


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, dict[str, Any]]:
    """The plan as a proposal; never changed, only copied."""
    cli = Cli(tmp_path_factory.mktemp("imported"))
    return cli, cli.propose()


@pytest.fixture
def proposal(cli: Cli, imported: tuple[Cli, dict[str, Any]]) -> dict[str, Any]:
    """What `import` answered; the proposal is in the database of `cli`."""
    original, response = imported
    shutil.copy(original.database, cli.database)
    return response


@pytest.fixture
def patch_set_id(proposal: dict[str, Any]) -> str:
    return str(proposal["patch_set"]["id"])


@pytest.fixture(scope="session")
def applied(tmp_path_factory: pytest.TempPathFactory, imported: tuple[Cli, dict[str, Any]]) -> tuple[Cli, str]:
    """The plan, applied, and the key of its project; for tests that leave this project as it is."""
    cli = Cli(tmp_path_factory.mktemp("applied"))
    shutil.copy(imported[0].database, cli.database)
    cli.text("apply", imported[1]["patch_set"]["id"])
    return cli, imported[1]["project"]
