"""The loop that the README shows on the command line: each command, typed as printed there, answers what is printed there."""

import re
import shutil

from tests.cli.conftest import ROOT, Cli

LOOP = (ROOT / "README.md").read_text("utf-8").partition("## The loop")[2].partition("\n## With your model")[0]
# `$ orchestrator show WL` with what it prints, or the command that the text names before a block.
COMMANDS = re.compile(
    r"^(?:After `orchestrator (?P<silent>[^`]+)`|\$ orchestrator (?P<shown>.+)\n(?P<printed>(?:(?!```|\$ ).*\n)+))", re.MULTILINE
)
PATCH_SET_ID = re.compile(r"ps_[0-9a-z]{16}")


def later(text: str) -> str:
    """Return `text` with its due dates so far ahead that nothing is overdue whenever this runs."""
    return re.sub(r"\b20(?=\d\d-\d\d-\d\d\b)", "21", text)


def without_instants(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "(instant)", text).strip()


def test_the_loop_of_the_readme_goes_as_it_is_printed(cli: Cli) -> None:
    examples = cli.folder / "docs" / "examples"
    shutil.copytree(ROOT / "docs" / "examples", examples)
    for file in examples.iterdir():
        file.write_text(later(file.read_text("utf-8")), "utf-8")
    real: dict[str, str] = {}  # id in the README -> the one of this run

    shown = list(COMMANDS.finditer(LOOP))
    for command in shown:
        typed = PATCH_SET_ID.sub(lambda id_: real[id_.group()], command["silent"] or command["shown"])
        done = cli.run(*typed.split())
        printed = (done.stdout or done.stderr).decode()
        if command["printed"] is None:
            continue
        for ours, theirs in zip(PATCH_SET_ID.findall(command["printed"]), PATCH_SET_ID.findall(printed), strict=True):
            real.setdefault(ours, theirs)
        expected = PATCH_SET_ID.sub(lambda id_: real[id_.group()], later(command["printed"]))
        assert without_instants(printed) == without_instants(expected), typed

    assert len(shown) == LOOP.count("$ orchestrator ") + 1 > 5
