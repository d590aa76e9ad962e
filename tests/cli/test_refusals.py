"""What the command line refuses: one clear message with the way out, the right exit code, nothing stored."""

import json

import pytest

from tests.cli.conftest import Cli

TITLE_TOO_LONG = {"op": "create_project", "fields": {"name": "x" * 300}}
UNKNOWN_OP = {"op": "explode"}


def test_a_plan_that_is_too_large_is_refused_in_one_line_and_creates_no_database(cli: Cli) -> None:
    refusal = cli.refusal("import", "-", exit_code=2, stdin=b"- [ ] x\n" * 2_000_001)

    assert refusal.startswith("BODY_TOO_LARGE: ")
    assert "split the plan" in refusal
    assert refusal.count("\n") == 1
    assert not cli.database.exists()


@pytest.mark.parametrize(
    "command", [["list"], ["show", "WEB"], ["history", "WEB"], ["apply", "ps_0123456789abcdef"], ["export", "WEB"]]
)
def test_commands_other_than_import_and_migrate_refuse_a_missing_database(cli: Cli, command: list[str]) -> None:
    refusal = cli.refusal(*command, exit_code=1)

    assert refusal.startswith("DATABASE_ERROR: ")
    assert not cli.database.exists()


def test_a_file_that_is_not_json_is_refused_as_bad_input(cli: Cli) -> None:
    refusal = cli.refusal("apply", "-", exit_code=2, stdin=b'{"patches":')

    assert refusal.startswith("MALFORMED_BODY: standard input is not valid JSON: ")


def test_json_that_is_no_patch_set_is_refused_with_the_path(cli: Cli) -> None:
    refusal = cli.refusal("apply", "-", exit_code=1, stdin=b'{"patches": 1}')

    assert refusal.startswith("VALIDATION_ERROR: ")
    assert "/patches: must be a list" in refusal


@pytest.mark.parametrize("content", [b"[]", b"null", b'[{"op": "delete_task", "task": "WEB-1"}]'])
def test_json_that_is_no_object_is_refused_with_the_form_of_a_patch_set(cli: Cli, content: bytes) -> None:
    refusal = cli.refusal("apply", "-", exit_code=2, stdin=content)

    assert refusal.startswith('VALIDATION_ERROR: standard input is no patch set; write an object: {"summary": ')


def test_the_only_issue_of_a_patch_set_is_named_with_its_path(cli: Cli) -> None:
    cli.text("migrate")

    refusal = cli.refusal("apply", "-", exit_code=1, stdin=json.dumps({"patches": [TITLE_TOO_LONG]}).encode())

    assert refusal == "VALIDATION_ERROR: must be at most 255 characters\n  at /patches/0/fields/name\n"


def test_every_issue_of_a_patch_set_is_named_with_its_path(cli: Cli) -> None:
    cli.text("migrate")
    content = json.dumps({"patches": [TITLE_TOO_LONG, UNKNOWN_OP]}).encode()

    refusal = cli.refusal("apply", "-", exit_code=1, stdin=content)

    assert "/patches/0/fields/name: " in refusal
    assert "/patches/1/op: " in refusal
    assert cli.json("list")["projects"] == []


def test_validate_prints_the_issues_to_stdout_and_ends_with_1(cli: Cli) -> None:
    cli.text("migrate")
    content = json.dumps({"patches": [TITLE_TOO_LONG, UNKNOWN_OP]}).encode()

    for_people = cli.run("validate", "-", stdin=content)
    for_programs = cli.run("validate", "-", "--json", stdin=content)

    assert (for_people.returncode, for_programs.returncode) == (1, 1)
    assert for_people.stdout.startswith(b"Not valid: 2 issues.\n")
    assert [issue["patch_index"] for issue in json.loads(for_programs.stdout)["issues"]] == [0, 1]


def test_with_json_a_refusal_is_one_line_of_json_on_stderr(applied: tuple[Cli, str]) -> None:
    cli, _ = applied

    detail = json.loads(cli.refusal("show", "NOPE-1", "--json", exit_code=1))

    assert detail["code"] == "NOT_FOUND"


def test_an_unknown_project_is_refused_with_its_code(applied: tuple[Cli, str]) -> None:
    cli, _ = applied

    assert cli.refusal("show", "NOPE", exit_code=1).startswith("NOT_FOUND: ")


@pytest.mark.parametrize("arguments", [["import"], ["explode"], ["export", "WEB", "--format", "xml"], ["list", "--page", "0"]])
def test_wrong_usage_ends_with_2(cli: Cli, arguments: list[str]) -> None:
    assert cli.run(*arguments).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["revert", "WEB", "--to", "abc"], "'--to': must be a whole number, not 'abc'"),
        (["diff", "WEB", "--from", "1.5"], "'--from': must be a whole number, not '1.5'"),
        (["show", "WEB", "--revision", "9" * 20], "'--revision': must be a whole number, not '"),
        (["list", "--page", "0"], "'--page': must be a whole number from 1 to 1,000,000, not '0'"),
        (["history", "WEB", "--limit", "101"], "'--limit': must be a whole number from 1 to 100, not '101'"),
        (["schedule", "WEB", "--hours-per-day", "25"], "'--hours-per-day': must be a whole number from 1 to 24, not '25'"),
        (["export", "WEB", "--format", "xml"], "'--format': must be one of md, json, csv, not 'xml'"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_with_what_is_allowed(cli: Cli, arguments: list[str], message: str) -> None:
    assert message in cli.refusal(*arguments, exit_code=2)


@pytest.mark.parametrize("command", ["apply", "reject", "rebase", "revert", "diff"])
def test_an_id_that_cannot_be_one_names_no_patch_set(applied: tuple[Cli, str], command: str) -> None:
    cli, _ = applied

    refusal = cli.refusal(command, "ps_short", exit_code=1)

    assert refusal.startswith("NOT_FOUND: there is no patch set 'ps_short'\n  hint: ids are ps_ and 16 letters and digits")


def test_only_that_is_no_list_of_numbers_is_refused_as_wrong_usage(cli: Cli) -> None:
    refusal = cli.refusal("apply", "ps_0123456789abcdef", "--only", "0,x", exit_code=2)

    assert "such as 0,2,5" in refusal


def test_a_bad_setting_is_named(cli: Cli) -> None:
    cli.env["TIME_ZONE"] = "Mars/Olympus"

    refusal = cli.refusal("list", exit_code=2)

    assert "TIME_ZONE" in refusal


def test_a_database_in_a_missing_folder_is_refused_with_its_path(cli: Cli) -> None:
    cli.env["DATABASE_URL"] = f"sqlite:///{cli.folder}/missing/plans.db"

    refusal = cli.refusal("import", "-", exit_code=1, stdin=b"# Plan\n\n- [ ] One\n")

    assert refusal.startswith("DATABASE_ERROR: ")
    assert "missing" in refusal


def test_a_file_that_is_no_database_is_named_without_a_traceback(cli: Cli) -> None:
    cli.database.write_bytes(b"not a database, but long enough to look at" * 10)

    refusal = cli.refusal("list", exit_code=1)

    assert refusal.startswith(f"DATABASE_ERROR: The file is not an SQLite database. ({cli.database})\n")
    assert "Traceback" not in refusal


def test_an_output_file_that_cannot_be_written_is_refused(applied: tuple[Cli, str]) -> None:
    cli, project = applied

    refusal = cli.refusal("export", project, "--output", "missing/plan.md", exit_code=2)

    assert "missing/plan.md cannot be written" in refusal
