"""Looking back and going back at the command line."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli, InProcess


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return InProcess(tmp_path)


@pytest.fixture
def project(cli: Cli, proposal: dict[str, Any]) -> str:
    """The plan, applied, then renamed and cut in two more sets: revision 3."""
    cli.text("apply", proposal["patch_set"]["id"])
    key = str(proposal["project"])
    rename = {"op": "update_task", "task": f"{key}-3", "fields": {"title": "Paint"}}
    apply(cli, {"summary": "Paint instead", "rationale": "The layout stays.\nReally.", "patches": [rename]})
    apply(cli, {"summary": "Less", "patches": [{"op": "delete_task", "task": f"{key}-4"}]})
    return key


def test_a_revision_is_one_of_a_project_and_not_of_a_task(cli: Cli, project: str) -> None:
    refusal = cli.refusal("show", f"{project}-3", "--revision", "1", exit_code=2)

    assert (
        refusal == f"VALIDATION_ERROR: --revision is for whole projects; name {project}, or ask for the history of {project}-3\n"
    )


def test_a_page_behind_the_last_one_says_how_much_there_is(cli: Cli, project: str) -> None:
    assert cli.text("list", "--page", "2") == "no projects on page 2; there are 1 in all\n"
    assert cli.text("patch-sets", "--page", "2") == "no patch sets on page 2; there are 3 in all\n"


def apply(cli: Cli, patch_set: dict[str, Any]) -> None:
    cli.text("apply", "-", stdin=json.dumps(patch_set).encode())


def test_history_shows_revisions_who_why_and_how_much(cli: Cli, project: str) -> None:
    lines = cli.text("history", project).splitlines()

    assert re.fullmatch(r"2 -> 3  .* UTC  ps_\w{16}  local, via command_line: Less  \(2 deleted\)", lines[0])
    assert lines[1].endswith("local, via command_line: Paint instead  (1 updated)")
    assert lines[2:4] == ["  The layout stays.", "  Really."]
    assert ", rules, via command_line: " in lines[4]


def test_undoing_is_offered_only_for_what_can_be_undone(cli: Cli, project: str) -> None:
    comment = json.dumps({"patches": [{"op": "add_comment", "task": f"{project}-3", "body": "Blue?"}]}).encode()

    assert "Undo it:" not in cli.text("apply", "-", stdin=comment)
    assert "Undo it:" not in cli.text("diff", cli.json("history", project)["patch_sets"][0]["id"])
    assert "Undo it:" in cli.text("diff", cli.json("history", project)["patch_sets"][1]["id"])


def test_a_first_answer_given_again_does_not_say_where_the_project_is_now(
    cli: Cli, project: str, proposal: dict[str, Any]
) -> None:
    again = cli.text("apply", proposal["patch_set"]["id"])

    assert f"{project} became revision 1\n" in again


def test_history_is_filtered_and_continued(cli: Cli, project: str) -> None:
    first = cli.json("history", project, "--limit", "1")
    second = cli.json("history", project, "--limit", "1", "--cursor", first["next_cursor"])

    assert [page["patch_sets"][0]["revision"] for page in (first, second)] == [3, 2]
    assert f"next: --cursor {first['next_cursor']}" in cli.text("history", project, "--limit", "1")
    assert [entry["revision"] for entry in cli.json("history", f"{project}-3")["patch_sets"]] == [2, 1]
    assert cli.text("history", project, "--author", "nobody") == "no patch sets\n"


def test_show_and_export_tell_the_past(cli: Cli, project: str) -> None:
    assert "Paint" not in cli.text("show", project, "--revision", "1")
    assert "Paint" in cli.text("show", project, "--revision", "2")
    assert "Write pages" in cli.text("export", project, "--revision", "2")
    assert "Write pages" not in cli.text("export", project)


def test_diff_compares_two_revisions(cli: Cli, project: str) -> None:
    text = cli.text("diff", project, "--from", "1", "--to", "2")

    assert text.startswith(f"{project} from revision 1 to 2\n\n~ {project}-3 Paint\n")
    assert text.endswith("\n\n1 updated\n")
    assert cli.json("diff", project, "--from", "1")["to_revision"] == 3


def test_revert_to_a_revision_takes_back_all_later_sets_at_once(cli: Cli, project: str) -> None:
    before = cli.json("show", project, "--revision", "1")["tasks"]
    dry = cli.text("revert", project, "--to", "1", "--dry-run")

    back = cli.json("revert", project, "--to", "1")

    assert dry.startswith("Dry run: nothing is stored.")
    assert len(cli.json("history", project)["patch_sets"]) == 4
    hidden = {"revision", "updated_at", "children"}
    shown = cli.json("show", project)["tasks"]
    assert [{k: v for k, v in task.items() if k not in hidden} for task in shown] == [
        {k: v for k, v in task.items() if k not in hidden} for task in before
    ]
    cli.text("revert", back["patch_set_id"])
    assert "Paint" in cli.text("show", project)


@pytest.mark.parametrize("command", [["revert", "WEB"], ["diff", "WEB"], ["diff", "WEB", "--to", "2"]])
def test_a_project_without_a_revision_is_wrong_usage(cli: Cli, command: list[str]) -> None:
    refusal = cli.refusal(*command, exit_code=2)

    assert refusal.startswith("VALIDATION_ERROR: name a patch set (ps_...), or give --")


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (["show", "--revision", "9"], "/revision"),
        (["export", "--revision", "0"], "/revision"),
        (["diff", "--from", "3", "--to", "1"], "/from"),
        (["revert", "--to", "3"], "/to_revision"),
    ],
)
def test_a_revision_that_cannot_be_is_refused(cli: Cli, project: str, command: list[str], path: str) -> None:
    name, *options = command

    assert f"  {path}: " in cli.refusal(name, project, *options, exit_code=1)
