"""Search and trash at the command line: the same answers as over REST, on the same database."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from core.settings import Settings
from http_api.app import create_app
from tests.cli.conftest import Cli, InProcess


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return InProcess(tmp_path)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """WEB: 1 Draw the layout (with a comment) over 2 Colours; 3 Write pages; 4 is deleted."""
    cli = InProcess(tmp_path_factory.mktemp("finding"))
    cli.text("migrate")
    patches: list[dict[str, Any]] = [
        {"op": "create_project", "ref": "$p", "key": "WEB", "fields": {"name": "Relaunch"}},
        {"op": "create_task", "ref": "$layout", "project": "$p", "fields": {"title": "Draw the layout"}},
        {"op": "create_task", "ref": "$colours", "parent": "$layout", "fields": {"title": "Colours"}},
        {"op": "create_task", "project": "$p", "fields": {"title": "Write pages", "description": "Follow the layout of 2025"}},
        {"op": "create_task", "ref": "$party", "project": "$p", "fields": {"title": "Launch\u202e party"}},
        {"op": "add_comment", "task": "$layout", "body": "This layout is fine"},
    ]
    apply(cli, *patches)
    apply(cli, {"op": "delete_task", "task": "WEB-4"})
    return cli


def apply(cli: Cli, *patches: dict[str, Any]) -> None:
    cli.text("apply", "-", stdin=json.dumps({"patches": patches}).encode())


def over_rest(cli: Cli, path: str) -> Any:
    """Return what the gateway answers on the same database."""

    async def ask() -> Any:
        gateway = create_app(Settings(_env_file=None, database_url=f"sqlite:///{cli.database}"))
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=gateway), base_url="http://127.0.0.1") as api:
            answer = await api.get(f"/api/v1{path}")
        gateway.state.orchestrator.close()
        return answer.json()["data"]

    return asyncio.run(ask())


def test_search_finds_what_rest_finds_best_first(plan: Cli) -> None:
    found = plan.json("search", "the", "layo")

    assert found == over_rest(plan, "/search?query=the%20layo")
    assert [hit["key"] for hit in found["hits"]] == ["WEB-1", "WEB-3"]
    assert plan.text("search", "layout").splitlines() == [
        "WEB-1 Draw the layout",
        "WEB-1 Draw the layout (comment)",
        "    body: This layout is fine",
        "WEB-3 Write pages",
        "    description: Follow the layout of 2025",
    ]


def test_search_is_bounded_by_project_and_kinds(plan: Cli) -> None:
    options = ["--project", "web", "--kind", "comment", "--kind", "project"]

    found = plan.json("search", "layout", *options)

    assert found == over_rest(plan, "/search?query=layout&project_id=WEB&kind=comment,project")
    assert [hit["kind"] for hit in found["hits"]] == ["comment"]
    assert plan.text("search", "nothing-of-the-kind") == "nothing found\n"


@pytest.mark.parametrize(
    ("options", "exit_code", "said"),
    [
        (["x", "--project", "NOPE"], 1, "NOT_FOUND: "),
        (["x" * 201], 1, "/query: must be at most 200 characters"),
        (["x", "--kind", "comments"], 1, "/kind/0: must be one of: project, task, comment"),
        (["x", "--page", "0"], 2, "must be a whole number from 1 to 1,000,000"),
    ],
)
def test_what_cannot_be_searched_for_is_refused(plan: Cli, options: list[str], exit_code: int, said: str) -> None:
    assert said in plan.refusal("search", *options, exit_code=exit_code)


def test_the_trash_is_what_rest_lists_and_gives_back(plan: Cli) -> None:
    apply(plan, {"op": "delete_task", "task": "WEB-1"})
    listed = plan.json("trash", "list")
    rest = over_rest(plan, "/trash")
    shown = plan.text("trash", "list", "--project", "WEB").splitlines()
    dry = plan.text("trash", "restore", "WEB-1", "--dry-run")

    restored = plan.json("trash", "restore", "web-1")

    assert listed == rest
    assert shown[0].startswith("WEB-1 Draw the layout  deleted ")
    assert shown[0].endswith(" by local with 1 task")
    assert shown[1] == "    orchestrator trash restore WEB-1"
    assert "\u202e" not in "".join(shown)
    assert dry.startswith("Dry run: nothing is stored.")
    assert restored["totals"]["restored"] == 2
    assert [entry["key"] for entry in plan.json("trash", "list")["trash"]] == ["WEB-4"]


def test_a_project_comes_back_by_its_key_and_a_task_by_its_id(cli: Cli) -> None:
    cli.text("migrate")
    apply(cli, {"op": "create_project", "ref": "$p", "key": "WEB", "fields": {"name": "Web"}})
    apply(cli, {"op": "create_task", "project": "WEB", "fields": {"title": "Gone"}})
    task = cli.json("show", "WEB-1")["id"]
    apply(cli, {"op": "delete_task", "task": "WEB-1"})
    apply(cli, {"op": "delete_project", "project": "WEB"})
    assert cli.text("trash", "list").splitlines()[-1] == "    after WEB: orchestrator trash restore WEB-1"

    early = cli.refusal("trash", "restore", task, exit_code=1)
    cli.text("trash", "restore", "WEB")
    cli.text("trash", "restore", task)

    assert early.startswith("DELETED_RESOURCE: ")
    assert cli.text("trash", "list") == "nothing in the trash\n"
    assert cli.refusal("trash", "restore", "NOPE-1", exit_code=1).startswith("NOT_FOUND: ")
