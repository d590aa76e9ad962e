"""Twelve jobs done as a model does them: it knows what the user says, tools/list, and the answers.

`Model` holds the jobs to that: an argument must fit the tool's published schema, and a key or an id must have been read
before it is sent. What each job costs is recorded in docs/mcp.md; dearer ones are a failure.
"""

import json
import re
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.mcp_server.clients import ERAS, Tools, memory_tools, text_of
from tests.mcp_server.website import PLAN

MANUAL = Path(__file__).parents[2] / "docs" / "mcp.md"
KEY = re.compile(r"\b[A-Z][A-Z0-9]{1,9}-\d+\b|\bps_\w{16}\b")
ROW = re.compile(r"^\| (.+?) \| (\d+) \| ([\d,]+) \|$", re.MULTILINE)


class Model:
    """Whoever knows nothing but what was said and answered; counts what it costs."""

    def __init__(self, tools: Tools, schemas: dict[str, Any], said: str) -> None:
        self.calls = 0
        self.bytes = 0
        self._tools = tools
        self._schemas = schemas
        self._read = said

    async def call(self, tool: str, /, **arguments: Any) -> str:
        """Return the text of an accepted call."""
        Draft202012Validator(self._schemas[tool]).validate(arguments)
        text, is_error = await self._send(tool, arguments)
        assert not is_error, text
        return text

    async def stumble(self, tool: str, /, **arguments: Any) -> str:
        """Return the text of a call that is refused."""
        text, is_error = await self._send(tool, arguments)
        assert is_error, text
        return text

    async def _send(self, tool: str, arguments: dict[str, Any]) -> tuple[str, bool]:
        sent = json.dumps(arguments, separators=(",", ":"))
        assert [key for key in KEY.findall(sent) if key not in self._read] == [], "sent before it was read"
        result = await self._tools.call(tool, **arguments)
        text = text_of(result)
        self.calls += 1
        self.bytes += len(sent.encode()) + len(text.encode())
        self._read += f"\n{text}\n{sent}"
        return text, bool(result.is_error)


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, text
    return match[1]


def line_of(title: str, text: str) -> str:
    """Return the key of the task with this title in a list or an outline."""
    return found(rf"(?m)^ *([A-Z]+-\d+) \[.*\b{title}\b", text)


def proposal_in(text: str) -> str:
    return found(r'apply_patch_set\(id="(ps_\w+)"\)', text)


async def plan_from_an_outline(model: Model) -> None:
    """The user pastes a plan and agrees to what it becomes."""
    outline = "# Garden shed\n## Base\n- [x] Level the ground (2h) @ann\n- [ ] Pour concrete (1d) after Level the ground\n"
    shown = await model.call("import_outline", content=outline)
    assert "Pour concrete" in shown
    applied = await model.call("apply_patch_set", id=proposal_in(shown))
    project = await model.call("get_project", project=found(r"(\w+) is now at revision", applied))
    assert "[todo] Pour concrete (8h" in project


async def decompose_a_task(model: Model) -> None:
    """Break the release of WEB into steps that follow one another."""
    release = line_of("Release", await model.call("list_tasks", project="WEB", query="release"))
    revision = found(r"revision (\d+), updated", await model.call("get_task", task=release))
    steps = ["Freeze", "Tag", "Announce"]
    refs = [f"$s{number}" for number in range(3)]
    creates = [
        {"op": "create_task", "ref": ref, "parent": release, "fields": {"title": step, "estimated_minutes": 60}}
        for ref, step in zip(refs, steps, strict=True)
    ]
    order = [{"op": "add_dependency", "task": later, "depends_on": earlier} for earlier, later in pairwise(refs)]
    base = {"WEB": int(revision)}
    shown = await model.call("propose_patch_set", summary="Steps", base_revisions=base, patches=[*creates, *order])
    assert "3 created, 2 dependencies added" in shown
    await model.call("apply_patch_set", id=proposal_in(shown))
    assert "Announce" in await model.call("list_tasks", project=release)


async def replan_after_a_slip(model: Model) -> None:
    """The API of WEB takes until 2031-03-10: move what follows, and say when the release is now."""
    schedule = await model.call("get_schedule", project="WEB", start_date="2031-03-03")
    api, pages, release = (line for line in found(r"critical path: (.+)", schedule).split(" > "))
    revision = int(found(r"revision (\d+)", schedule))
    days = {api: "2031-03-10", pages: "2031-03-11", release: "2031-03-12"}
    patches = [{"op": "update_task", "task": key, "fields": {"due_date": day}} for key, day in days.items()]
    shown = await model.call("propose_patch_set", summary="Slip", base_revisions={"WEB": revision}, patches=patches)
    assert "due_date: 2031-03-06 -> 2031-03-12" in shown
    await model.call("apply_patch_set", id=proposal_in(shown))


async def merge_two_tasks(model: Model) -> None:
    """The manual and the documentation of WEB are one task: keep the manual, lose nothing."""
    outline = await model.call("get_project", project="WEB")
    kept, other = line_of("Write the manual", outline), line_of("Documentation", outline)
    first, second = await model.call("get_task", task=kept), await model.call("get_task", task=other)
    shown = await model.call(
        "propose_patch_set",
        summary="One manual",
        base_revisions={"WEB": int(found(r"revision (\d+)", outline))},
        patches=[
            {
                "op": "update_task",
                "task": kept,
                "fields": {
                    "description": found(r"description:\n  \| (.+)", second),
                    "estimated_minutes": 60 * sum(int(found(r"\((\d+)h", text)) for text in (first, second)),
                },
            },
            {"op": "move_task", "task": line_of("Screenshots", second), "parent": kept},
            {"op": "delete_task", "task": other, "cascade": False},
        ],
    )
    await model.call("apply_patch_set", id=proposal_in(shown))
    merged = await model.call("get_task", task=kept)
    assert all(words in merged for words in ("Cover upgrades.", "Install", "Screenshots", "12h"))


async def find_what_blocks_the_release(model: Model) -> None:
    """Why can the release of WEB not begin, and whom should the user ask?"""
    waiting = [line_of("Release", await model.call("list_tasks", project="WEB", query="release"))]
    reasons = []
    for key in waiting:  # which grows while it is followed
        reasons.append(await model.call("get_task", task=key))
        ahead = re.search(r"waits for ([^,)]+(?:, [A-Z]+-\d+)*)", reasons[-1])
        waiting += ahead[1].split(", ") if ahead else []
    assert any("[in_progress] @ana due 2031-03-04 API" in reason for reason in reasons)
    assert any("The auditor has not answered." in reason for reason in reasons)


async def hand_out_work_to_two_agents(model: Model) -> None:
    """Two agents, bob and eve, work on WEB; bob finishes the first of his tasks and takes another."""
    first = await model.call("claim_task", project="WEB", agent="bob")
    second = await model.call("claim_task", project="WEB", agent="eve")
    mine, theirs = (found(r"(?m)^([A-Z]+-\d+) \[", text) for text in (first, second))
    assert mine != theirs
    await model.call(
        "apply_patch_set", summary="Done", patches=[{"op": "update_task", "task": mine, "fields": {"status": "completed"}}]
    )
    assert "Nothing is ready" in await model.call("claim_task", project="WEB", agent="bob")


async def undo(model: Model) -> None:
    """Take back the last change of WEB."""
    last = found(r"(ps_\w+)", await model.call("list_history", project="WEB", limit=1))
    undone = await model.call("revert_patch_set", id=last)
    assert f"Reverted {last}" in undone
    assert found(r"To undo: revert_patch_set\(id=\"(ps_\w+)\"", undone) != last


async def recover_from_a_wrong_call(model: Model) -> None:
    """What is ready in WEB? The tool, an argument and a value are misremembered."""
    refused = await model.stumble("search_tasks", project="WEB", state="open")
    tool = found(r"(list_tasks)", refused)
    refused = await model.stumble(tool, project="WEB", state="open")
    assert "state" not in found(r"takes: ([\w, ]+)", refused)
    refused = await model.stumble(tool, project="WEB", status=["open"])
    status = found(r"/status/0: must be one of: (\w+)", refused)
    assert "Documentation" not in await model.call(tool, project="WEB", status=[status], ready=True)


async def recover_from_a_wrong_set(model: Model) -> None:
    """Let the pages of WEB wait for the release, mark WEB-33 urgent and the manual half done: nothing of it is possible."""
    patches: list[dict[str, Any]] = [
        {"op": "add_dependency", "task": "WEB-4", "depends_on": "WEB-6"},
        {"op": "update_task", "task": "WEB-33", "fields": {"priority": "high"}},
        {"op": "update_task", "task": "WEB-7", "fields": {"status": "half done"}},
    ]
    outline = await model.call("get_project", project="WEB")
    assert (line_of("Pages", outline), line_of("Release", outline)) == ("WEB-4", "WEB-6")
    refused = await model.stumble("propose_patch_set", patches=patches)
    patches[1]["task"] = found(r"/patches/1/task: .*nearest: (WEB-\d+)", refused)
    patches[2]["fields"]["status"] = found(r"/patches/2/fields/status: VALIDATION_ERROR: must be one of: \w+, (\w+)", refused)
    refused = await model.stumble("propose_patch_set", patches=patches)
    assert "leave out one dependency of the chain" in refused
    shown = await model.call("propose_patch_set", patches=patches[1:])
    await model.call("apply_patch_set", id=proposal_in(shown))


async def recover_from_a_stale_view(model: Model) -> None:
    """Give the manual of WEB another title, as seen at revision 1; somebody else has done so since."""
    manual = line_of("guide", await model.call("list_tasks", project="WEB"))
    patches = [{"op": "update_task", "task": manual, "fields": {"title": "Write the handbook"}}]
    refused = await model.stumble("propose_patch_set", patches=patches, base_revisions={"WEB": 1})
    assert "Write a guide" in refused
    base = json.loads(found(r"propose again with base_revisions (\{.*?\})", refused))
    shown = await model.call("propose_patch_set", patches=patches, base_revisions=base)
    await model.call("apply_patch_set", id=proposal_in(shown))


async def recover_from_a_closed_proposal_and_a_deleted_task(model: Model) -> None:
    """Apply the proposal for WEB that waits for review after all; the task it changes has been deleted as well."""
    waiting = found(r"(ps_\w+)", await model.call("list_history", project="WEB", state="rejected"))
    refused = await model.stumble("apply_patch_set", id=waiting)
    assert "get_patch_set shows what became of it, and its patches" in refused
    record = await model.call("get_patch_set", id=waiting)
    patches = [json.loads(found(r"(?m)^patch 0: (.+)$", record))]
    refused = await model.stumble("propose_patch_set", patches=patches)
    assert "restore_task" in refused
    patches.insert(0, {"op": "restore_task", "task": found(r"(WEB-\d+)", refused)})
    shown = await model.call("propose_patch_set", patches=patches)
    await model.call("apply_patch_set", id=proposal_in(shown))


async def recover_from_a_missing_permission(model: Model) -> None:
    """Delete the screenshots of WEB, on a server where only people apply."""
    key = line_of("Screenshots", await model.call("list_tasks", project="WEB", query="screenshots"))
    refused = await model.stumble("apply_patch_set", patches=[{"op": "delete_task", "task": key}])
    assert "orchestrator apply" in refused
    shown = await model.call("propose_patch_set", patches=[{"op": "delete_task", "task": key}])
    assert "Nothing is changed yet" in shown


async def somebody_renames_the_manual(tools: Tools) -> None:
    await tools.ask("apply_patch_set", patches=[{"op": "update_task", "task": "WEB-7", "fields": {"title": "Write a guide"}}])


async def somebody_rejects_and_deletes(tools: Tools) -> None:
    patches = [{"op": "update_task", "task": "WEB-9", "fields": {"assignee": "bob"}}]
    id = (await tools.facts("propose_patch_set", patches=patches))["id"]
    await tools.ask("reject_patch_set", id=id)
    await tools.ask("apply_patch_set", patches=[{"op": "delete_task", "task": "WEB-9"}])


Job = Callable[[Model], Awaitable[None]]
JOBS: dict[Job, Callable[[Tools], Awaitable[None]] | None] = {
    plan_from_an_outline: None,
    decompose_a_task: None,
    replan_after_a_slip: None,
    merge_two_tasks: None,
    find_what_blocks_the_release: None,
    hand_out_work_to_two_agents: None,
    undo: somebody_renames_the_manual,
    recover_from_a_wrong_call: None,
    recover_from_a_wrong_set: None,
    recover_from_a_stale_view: somebody_renames_the_manual,
    recover_from_a_closed_proposal_and_a_deleted_task: somebody_rejects_and_deletes,
    recover_from_a_missing_permission: None,
}


def title_of(job: Job) -> str:
    return job.__name__.replace("_", " ")


@pytest.fixture(scope="module")
def recorded() -> dict[str, tuple[int, int]]:
    """Return what the manual says each job costs: calls and bytes."""
    return {name: (int(calls), int(size.replace(",", ""))) for name, calls, size in ROW.findall(MANUAL.read_text("utf-8"))}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("job", JOBS, ids=title_of)
async def test_a_job_is_done_by_the_tools_alone_and_costs_no_more_than_recorded(
    tmp_path: Path, recorded: dict[str, tuple[int, int]], job: Job, era: str
) -> None:
    async with memory_tools(tmp_path) as tools:
        await tools.ask("apply_patch_set", patches=PLAN)
        if (before := JOBS[job]) is not None:
            await before(tools)

    approval = "external" if job is recover_from_a_missing_permission else "host"
    async with memory_tools(tmp_path, era=era, approval=approval) as tools:
        schemas = {tool.name: tool.input_schema for tool in (await tools.client.list_tools()).tools}
        model = Model(tools, schemas, said=job.__doc__ or "")
        await job(model)

    calls, size = recorded[title_of(job)]
    row = f"| {title_of(job)} | {model.calls} | {model.bytes:,} |"
    assert model.calls == calls, f"docs/mcp.md should say: {row}"
    assert 0.9 * size <= model.bytes <= size, f"docs/mcp.md should say: {row}"


def test_the_manual_records_every_job_and_no_other(recorded: dict[str, tuple[int, int]]) -> None:
    assert list(recorded) == [title_of(job) for job in JOBS]
