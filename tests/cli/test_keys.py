"""`orchestrator keys` and `orchestrator members`, as whoever runs the servers has them."""

from pathlib import Path

import pytest

from tests.cli.conftest import Cli, InProcess


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return InProcess(tmp_path)


def test_a_key_is_shown_once_and_listed_without_its_secret(cli: Cli) -> None:
    made = cli.json("keys", "create", "--name", "ci", "--scopes", "projects:read,patches:propose", "--workspace", "acme")

    assert made["key"].startswith(f"orc_{made['api_key']['id']}_")
    assert made["api_key"]["scopes"] == ["projects:read", "patches:propose"]
    listed = cli.text("keys", "list", "--workspace", "acme")
    assert "ci" in listed
    assert made["api_key"]["id"] in listed
    assert made["key"] not in listed
    assert cli.json("keys", "list") == {"api_keys": []}


def test_a_role_stands_for_its_scopes_and_a_key_can_expire(cli: Cli) -> None:
    made = cli.json("keys", "create", "--name", "ann", "--scopes", "viewer", "--days", "30")["api_key"]

    assert made["scopes"] == ["projects:read"]
    assert made["expires_at"] > made["created_at"]


def test_a_revoked_key_stays_in_the_list(cli: Cli) -> None:
    made = cli.json("keys", "create", "--name", "ci", "--scopes", "owner")["api_key"]

    assert cli.json("keys", "revoke", made["id"])["revoked_at"]
    assert "REVOKED" in cli.text("keys", "list")
    assert "NOT_FOUND" in cli.refusal("keys", "revoke", made["id"], "--workspace", "acme", exit_code=1)


@pytest.mark.parametrize(
    "options",
    [
        ("--name", "a", "--scopes", "projects:write"),
        ("--name", "a", "--scopes", ""),
        ("--name", "", "--scopes", "viewer"),
        ("--name", "a\nb", "--scopes", "viewer"),
        ("--name", "a", "--scopes", "viewer", "--workspace", "../x"),
    ],
)
def test_wrong_options_end_with_2_and_create_nothing(cli: Cli, options: tuple[str, ...]) -> None:
    assert "VALIDATION_ERROR" in cli.refusal("keys", "create", *options, exit_code=2)
    assert not cli.database.exists()


def test_a_name_is_taken_by_a_live_key(cli: Cli) -> None:
    cli.json("keys", "create", "--name", "ci", "--scopes", "viewer")

    assert "DUPLICATE_RESOURCE" in cli.refusal("keys", "create", "--name", "ci", "--scopes", "viewer", exit_code=1)


def test_members_get_and_lose_roles(cli: Cli) -> None:
    cli.text("members", "set", "ann@example.com", "viewer")
    assert cli.json("members", "set", "ann@example.com", "editor")["role"] == "editor"
    assert cli.text("members", "list") == "ann@example.com is editor in default\n"
    cli.text("members", "remove", "ann@example.com")
    assert "NOT_FOUND" in cli.refusal("members", "remove", "ann@example.com", exit_code=1)
    assert "role" in cli.refusal("members", "set", "ann@example.com", "king", exit_code=2)
