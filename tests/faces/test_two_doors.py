"""One file, two processes: the REST gateway and an MCP server over stdio.

What one door writes the other serves at once; the same operation has the same effect and the same
refusal behind both.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.mcp_server.clients import database_url, stdio_tools
from tests.mcp_server.test_approval import User
from tests.support.http import data
from tests.support.servers import gateway_environment, running_server

PLAN = """# Garden shed
## Phase 1: Base
- [x] Level the ground (2h) @ann
- [ ] Pour concrete (1d) !high after Level the ground
## Phase 2: Walls
- [ ] Frame the walls due:2026-12-01 #wood
"""

Patches = list[dict[str, Any]]


def update(task: str, **fields: Any) -> dict[str, Any]:
    return {"op": "update_task", "task": task, "fields": fields}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("two-doors")


@pytest.fixture(scope="module")
def rest(folder: Path) -> Iterator[httpx2.Client]:
    with running_server(database_url(folder), folder=folder) as url, httpx2.Client(base_url=f"{url}/api/v1") as client:
        yield client


@pytest.mark.parametrize("era", ["legacy", "2026-07-28"])
async def test_a_plan_goes_in_through_mcp_and_out_through_rest(rest: httpx2.Client, folder: Path, era: str) -> None:
    async with stdio_tools(folder, era=era) as tools:
        proposal = await tools.facts("import_outline", content=PLAN)
        proposed = data(rest.get(f"/patch-sets/{proposal['id']}"))
        assert proposed["proposal"]["state"] == "proposed"

        applied = await tools.facts("apply_patch_set", id=proposed["id"])
        key = next(iter(applied["revisions"]))
        project = data(rest.get(f"/projects/{key}"))
        assert [(task["title"], task["status"], task["estimated_minutes"]) for task in project["tasks"]] == [
            ("Phase 1: Base", "todo", None),
            ("Level the ground", "completed", 120),
            ("Pour concrete", "todo", 480),
            ("Phase 2: Walls", "todo", None),
            ("Frame the walls", "todo", None),
        ]

        undone = data(rest.post(f"/patch-sets/{proposed['id']}/revert"))
        assert undone["totals"]["deleted"] == 6
        refusal = await tools.refused("get_project", project=key)
        assert refusal.code == "DELETED_RESOURCE"


async def test_a_plan_that_is_too_long_has_one_code_behind_every_door(rest: httpx2.Client, folder: Path) -> None:
    plan = "- [ ] task\n" * 100_000

    over_rest = rest.post("/planner/import", json={"content": plan}).json()["error"]
    async with stdio_tools(folder) as tools:
        over_mcp = await tools.refused("import_outline", content=plan)
    command = [sys.executable, "-m", "core.cli", "import", "-", "--json"]
    environment = gateway_environment(database_url(folder))
    typed = subprocess.run(command, input=plan.encode(), env=environment, cwd=folder, capture_output=True, check=False)
    told = json.loads(typed.stderr)

    assert (over_rest["code"], over_mcp.code, told["code"]) == ("BODY_TOO_LARGE",) * 3
    assert over_rest["message"] == told["message"]


async def test_what_rest_writes_mcp_reads_at_once(rest: httpx2.Client, folder: Path) -> None:
    data(rest.post("/projects", json={"name": "Doors", "key": "DRS"}))
    async with stdio_tools(folder) as tools:
        for number in range(1, 4):
            created = data(rest.post("/tasks", json={"project_id": "DRS", "title": f"Task {number}"}))
            assert f"Task {number}" in await tools.ask("get_task", task=created["key"])
            await tools.ask("apply_patch_set", patches=[update(created["key"], status="done")])
            assert data(rest.get(f"/tasks/{created['key']}"))["status"] == "completed"

    assert data(rest.get("/projects/DRS"))["progress"] == 100


REFUSALS: dict[str, tuple[Patches, dict[str, int]]] = {
    "an unknown operation": ([{"op": "make_coffee"}], {}),
    "a wrong type": ([update("PAR-1", estimated_minutes="many")], {}),
    "a long title": ([update("PAR-1", title="x" * 300)], {}),
    "an unknown field": ([update("PAR-1", colour="red")], {}),
    "an unknown task": ([update("PAR-99", title="x")], {}),
    "a deleted task": ([update("PAR-3", title="x")], {}),
    "a cycle": (
        [
            {"op": "add_dependency", "task": "PAR-1", "depends_on": "PAR-2"},
            {"op": "add_dependency", "task": "PAR-2", "depends_on": "PAR-1"},
        ],
        {},
    ),
    "a ref that is never created": ([{"op": "add_dependency", "task": "PAR-1", "depends_on": "$nobody"}], {}),
    "a ref created twice": (
        [{"op": "create_task", "ref": "$a", "project": "PAR", "fields": {"title": "x"}} for _ in range(2)],
        {},
    ),
    "a taken key": ([{"op": "create_project", "key": "PAR", "fields": {"name": "x"}}], {}),
    "live subtasks": ([{"op": "delete_task", "task": "PAR-4", "cascade": False}], {}),
    "a move below itself": ([{"op": "move_task", "task": "PAR-4", "parent": "PAR-5"}], {}),
    "a stale base": ([update("PAR-2", title="Mine")], {"PAR": 1}),
    "dates in the wrong order": ([update("PAR-1", start_date="2026-05-02", due_date="2026-05-01")], {}),
    "several things at once": ([update("PAR-99", title="x"), update("PAR-1", status="finished"), {"op": 7}], {}),
}


@pytest.fixture(scope="module")
def parity(rest: httpx2.Client) -> None:
    """PAR: 1, 2 (renamed at revision 2), 3 (deleted), 4 with 5 below it."""
    creations = [{"op": "create_task", "project": "$p", "ref": f"$t{n}", "fields": {"title": f"T{n}"}} for n in range(1, 5)]
    below = {"op": "create_task", "parent": "$t4", "fields": {"title": "T5"}}
    project = {"op": "create_project", "ref": "$p", "key": "PAR", "fields": {"name": "Parity"}}
    data(rest.post("/planner/apply", json={"patches": [project, *creations, below]}))
    data(rest.post("/planner/apply", json={"patches": [update("PAR-2", title="Theirs")]}))
    data(rest.post("/planner/apply", json={"patches": [{"op": "delete_task", "task": "PAR-3"}]}))


async def test_both_doors_refuse_alike_and_store_nothing(
    rest: httpx2.Client, folder: Path, parity: None, subtests: pytest.Subtests
) -> None:
    before = data(rest.get("/projects/PAR"))
    async with stdio_tools(folder) as tools:
        for case, (patches, base) in REFUSALS.items():
            with subtests.test(case):
                over_http = rest.post("/planner/apply", json={"patches": patches, "base_revisions": base}).json()["error"]
                over_mcp = (await tools.refused("apply_patch_set", patches=patches, base_revisions=base)).error
                as_text = (await tools.refused("apply_patch_set", patches=json.dumps(patches), base_revisions=base)).error

                assert over_mcp["code"] == over_http["code"]
                assert [issue["path"] for issue in over_mcp["details"]] == [issue["path"] for issue in over_http["details"]]
                assert [issue["message"] for issue in over_mcp["details"]] == [issue["message"] for issue in over_http["details"]]
                assert as_text == over_mcp, "hosts also send the list as a JSON string"
                assert data(rest.get("/projects/PAR")) == before


@pytest.mark.parametrize("case", REFUSALS)
def test_validating_reports_what_applying_refuses(rest: httpx2.Client, parity: None, case: str) -> None:
    patches, base = REFUSALS[case]
    body = {"patches": patches, "base_revisions": base}

    validation = data(rest.post("/agent/validate", json=body))
    refusal = rest.post("/planner/apply", json=body).json()["error"]

    assert validation["valid"] is False
    reported = {issue["path"] for issue in validation["issues"]} | {conflict["path"] for conflict in validation["conflicts"]}
    assert reported == {issue["path"] for issue in refusal["details"]}


async def test_both_doors_have_the_same_effect(rest: httpx2.Client, folder: Path) -> None:
    patches: Patches = [
        {"op": "create_task", "project": "$p", "ref": "$a", "fields": {"title": "A", "tags": ["x"], "due_date": "2026-12-01"}},
        {"op": "create_task", "parent": "$a", "fields": {"title": "B", "estimated_minutes": 30}, "depends_on": ["$c"]},
        {"op": "create_task", "project": "$p", "ref": "$c", "fields": {"title": "C", "status": "review"}},
        {"op": "add_comment", "task": "$a", "body": "hello"},
    ]

    def creating(key: str) -> Patches:
        return [{"op": "create_project", "ref": "$p", "key": key, "fields": {"name": "Same"}}, *patches]

    over_http = data(rest.post("/planner/apply", json={"patches": creating("ONE")}))
    async with stdio_tools(folder) as tools:
        over_mcp = await tools.facts("apply_patch_set", patches=creating("TWO"))

    assert over_mcp["totals"] == {name: count for name, count in over_http["totals"].items() if count}
    own = {"id", "key", "project_id", "parent_id", "parent", "depends_on", "blocks", "created_at", "updated_at"}
    one, two = (data(rest.get(f"/projects/{key}"))["tasks"] for key in ("ONE", "TWO"))
    assert [{k: v for k, v in task.items() if k not in own} for task in one] == [
        {k: v for k, v in task.items() if k not in own} for task in two
    ]


async def test_the_history_of_every_door_tells_who_approved_what_and_how(rest: httpx2.Client, folder: Path) -> None:
    """One project changed at each door: over REST, with the host's consent, with the user's own, by a claim, and by command."""

    data(rest.post("/projects", json={"name": "Who", "key": "WHO"}))
    async with stdio_tools(folder) as tools:
        await tools.ask("apply_patch_set", patches=[{"op": "create_task", "project": "WHO", "fields": {"title": "One"}}])
        await tools.ask("claim_task", task="WHO-1")
    async with stdio_tools(folder, APPROVAL="elicit", user=User("accept")) as tools:
        id = (await tools.facts("propose_patch_set", patches=[update("WHO-1", title="Two")]))["id"]
        await tools.ask("apply_patch_set", id=id)
        await tools.ask("revert_patch_set", id=id)
        listed = await tools.ask("list_history", project="WHO")
        shown = await tools.ask("get_patch_set", id=id)
    patches = json.dumps({"patches": [update("WHO-1", title="Three")]})
    run_command(folder, "apply", "-", given=patches)

    entries = data(rest.get("/projects/WHO/history"))["patch_sets"]
    means = ["command_line", "mcp_elicitation", "mcp_elicitation", "mcp", "mcp_host", "rest"]
    assert [(entry["approval"], entry["closed_by"]) for entry in entries] == [(how, "local") for how in means]
    assert data(rest.get(f"/patch-sets/{id}"))["proposal"]["approval"] == "mcp_elicitation"
    assert [how in line for how, line in zip(means[1:], listed.splitlines(), strict=True)] == [True] * 5
    assert "closed by local via mcp_elicitation at" in shown
    history = run_command(folder, "history", "WHO").splitlines()
    assert [f"local, via {how}: " in line for how, line in zip(means, history, strict=True)] == [True] * 6
    assert "applied by local via mcp_elicitation at" in run_command(folder, "diff", id)


def run_command(folder: Path, *arguments: str, given: str = "") -> str:
    """Return what `orchestrator` prints, on the database of `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "core.cli", *arguments],
        env=gateway_environment(database_url(folder)),
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


async def test_both_doors_look_back_and_go_back_alike(rest: httpx2.Client, folder: Path) -> None:
    for key in ("BKA", "BKB"):
        data(rest.post("/projects", json={"name": "Back", "key": key}))
        data(rest.post("/tasks", json={"project_id": key, "title": "One"}))
        data(rest.patch(f"/tasks/{key}-1", json={"title": "Other"}))

    over_http = data(rest.post("/projects/BKA/revert", json={"to_revision": 2}))
    async with stdio_tools(folder) as tools:
        over_mcp = await tools.facts("revert_patch_set", project="BKB", to_revision=2)
        refused = await tools.refused("revert_patch_set", project="BKB", to_revision=9)
        history = await tools.facts("list_history", project="BKA")
        past = await tools.facts("get_project", project="BKA", revision=3)

    assert over_mcp["totals"] == {name: count for name, count in over_http["totals"].items() if count}
    assert (over_mcp["revisions"], over_http["revisions"]) == ({"BKB": 4}, {"BKA": 4})
    assert refused.code == rest.post("/projects/BKB/revert", json={"to_revision": 9}).json()["error"]["code"]
    listed = data(rest.get("/projects/BKA/history"))["patch_sets"]
    told = (
        "id",
        "author",
        "closed_by",
        "approval",
        "closed_at",
        "engine",
        "summary",
        "revision_before",
        "revision",
        "changes_total",
    )
    assert [{name: entry.get(name) for name in told} for entry in history["patch_sets"]] == [
        {name: entry[name] for name in told} for entry in listed
    ]
    assert [task["title"] for task in past["tasks"]] == ["Other"]
    assert [task["title"] for task in data(rest.get("/projects/BKA?revision=3"))["tasks"]] == ["Other"]
