"""How the command line behaves on a terminal, in a pipe, and when it only shows its help."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import PLAN, ROOT, Cli

COLOUR = b"\x1b["


def on_a_terminal(cli: Cli, *arguments: str) -> bytes:
    """Return what a command prints when its stdout is a terminal."""
    ours, theirs = os.openpty()
    process = cli.start(*arguments, stdout=theirs)
    os.close(theirs)
    printed = b""
    while True:
        try:
            chunk = os.read(ours, 65_536)
        except OSError:  # Linux: the last user of the other end is gone
            break
        if not chunk:
            break
        printed += chunk
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return printed


@pytest.fixture(scope="module")
def proposed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, str]:
    cli = Cli(tmp_path_factory.mktemp("proposed"))
    patch_set_id: str = cli.propose(PLAN + "\n- [ ] Evil \x1b[2J title\n")["patch_set"]["id"]
    return cli, patch_set_id


def test_a_diff_is_coloured_on_a_terminal_only(proposed: tuple[Cli, str]) -> None:
    cli, patch_set_id = proposed

    assert b"\x1b[32m+\x1b[0m project" in on_a_terminal(cli, "diff", patch_set_id)
    assert COLOUR not in cli.run("diff", patch_set_id).stdout


def test_what_was_found_stands_out_on_a_terminal_and_is_shown_safe(proposed: tuple[Cli, str], tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    shutil.copy(proposed[0].database, cli.database)
    cli.text("apply", proposed[1])

    shown = on_a_terminal(cli, "search", "evil")

    assert b" \x1b[1mEvil\x1b[0m " in shown
    assert b"\x1b[2J" not in shown


def test_no_color_means_no_colour(proposed: tuple[Cli, str]) -> None:
    cli, patch_set_id = proposed

    assert COLOUR not in on_a_terminal(Cli(cli.folder, {"NO_COLOR": "1"}), "diff", patch_set_id)


def test_control_characters_of_a_title_do_not_reach_the_terminal(proposed: tuple[Cli, str]) -> None:
    cli, patch_set_id = proposed

    printed = on_a_terminal(cli, "diff", patch_set_id)

    assert b"\x1b[2J" not in printed
    assert b"Evil \\x1b[2J title" in printed


def test_a_reader_that_goes_away_is_no_error(applied: tuple[Cli, str]) -> None:
    cli, project = applied
    read, write = os.pipe()
    os.close(read)

    process = cli.start("show", project, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    _, stderr = process.communicate(timeout=60)

    assert (process.returncode, stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_an_answer_that_cannot_be_written_is_refused_in_one_line(applied: tuple[Cli, str]) -> None:
    cli, project = applied
    with Path("/dev/full").open("wb") as full:
        process = cli.start("show", project, stdout=full, stderr=subprocess.PIPE)
        _, stderr = process.communicate(timeout=60)

    assert process.returncode == 2
    assert stderr.startswith(b"VALIDATION_ERROR: standard output cannot be written: No space left on device")
    assert stderr.count(b"\n") == 1


def test_a_closed_standard_output_is_no_error(applied: tuple[Cli, str]) -> None:
    cli, project = applied
    command = f"exec {sys.executable} -m core.cli show {project} >&-"

    process = subprocess.Popen(["sh", "-c", command], cwd=cli.folder, env=cli.environment, stderr=subprocess.PIPE)
    _, stderr = process.communicate(timeout=60)

    assert (process.returncode, stderr) == (0, b"")


def test_help_needs_neither_models_nor_storage() -> None:
    program = "import sys, core.cli.commands; print(*sorted({'pydantic', 'sqlalchemy', 'asyncio'} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "\n"


def test_help_names_every_command(cli: Cli) -> None:
    text = cli.text("--help")

    for command in (
        "import",
        "apply",
        "validate",
        "reject",
        "revert",
        "diff",
        "patch-sets",
        "history",
        "list",
        "show",
        "export",
        "migrate",
    ):
        assert f"  {command} " in text
