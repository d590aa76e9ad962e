"""What a model reads when a call is refused: the code REST answers, each issue with its place, and the next call."""

from pathlib import Path

import pytest

from tests.mcp_server.clients import ERAS, memory_tools


@pytest.mark.parametrize("era", ERAS)
async def test_every_wrong_argument_is_named_at_once(tmp_path: Path, era: str) -> None:
    async with memory_tools(tmp_path, era=era) as tools:
        refused = await tools.refused("list_tasks", limitt=5, limit=0, status=["open"], ready="perhaps")

    assert refused.code == "VALIDATION_ERROR"
    assert sorted(refused.paths) == ["/limit", "/limitt", "/ready", "/status/0"]
    assert "/limitt: is not an argument of this tool (list_tasks takes: project, status, assignee, ready" in refused.text
    assert "/status/0: must be one of: todo, in_progress, blocked, in_review, completed, cancelled" in refused.text
    assert "/limit: must be at least 1" in refused.text


async def test_missing_and_impossible_arguments_are_named(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        missing = await tools.refused("add_comment", task="WEB-1")
        beyond = await tools.refused("propose_patch_set", patches=[{}], base_revisions={"WEB": 10**20})

    assert (missing.code, missing.paths) == ("VALIDATION_ERROR", ["/body"])
    assert (beyond.code, beyond.paths) == ("VALIDATION_ERROR", ["/base_revisions/WEB"])


async def test_one_value_where_a_list_is_asked_for_is_answered_with_its_form(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        refused = await tools.refused("list_tasks", status="todo")

    assert "/status: must be a list (also when it holds one item: [...])" in refused.text


@pytest.mark.parametrize("era", ERAS)
async def test_an_unknown_tool_is_answered_with_the_nearest_ones(tmp_path: Path, era: str) -> None:
    async with memory_tools(tmp_path, era=era) as tools:
        refused = await tools.refused("list_task")

    assert refused.code == "NOT_FOUND"
    assert "did you mean list_tasks" in refused.text


async def test_an_unknown_key_is_answered_with_the_nearest_ones(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship", "Shop")
        task = await tools.refused("get_task", task="WEB-11")
        project = await tools.refused("get_project", project="WEP")
        patch = await tools.refused("propose_patch_set", patches=[{"op": "delete_task", "task": "WEB-21"}])

    assert (task.code, project.code, patch.code) == ("NOT_FOUND", "NOT_FOUND", "NOT_FOUND")
    assert "WEB-1" in task.error["details"][0]["hint"]
    assert "nearest: WEB" in project.text
    assert patch.paths == ["/patches/0/task"]


@pytest.mark.parametrize("name", ["online shop relaunch", "Relaunch"])
async def test_a_project_that_is_named_as_people_call_it_is_answered_with_its_key(tmp_path: Path, name: str) -> None:
    async with memory_tools(tmp_path) as tools:
        create = {"op": "create_project", "key": "OSR", "fields": {"name": "Online shop relaunch"}}
        await tools.ask("apply_patch_set", patches=[create])
        read = await tools.refused("get_project", project=name)
        planned = await tools.refused(
            "propose_patch_set", patches=[{"op": "create_task", "project": name, "fields": {"title": "API"}}]
        )

    assert "nearest: OSR" in read.text
    assert "/patches/0/project: there is no project" in planned.text
    assert "(nearest: OSR)" in planned.text


async def test_every_issue_of_a_set_comes_at_once_with_its_place(tmp_path: Path) -> None:
    patches = [
        {"op": "update_task", "task": "WEB-1", "fields": {"status": "finished", "colour": "red"}},
        {"op": "explode"},
        {"op": "create_task", "project": "WEB", "fields": {"title": "x" * 300}},
        "not even an object",
    ]

    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship")
        refused = await tools.refused("propose_patch_set", patches=patches)

    assert refused.code == "VALIDATION_ERROR"
    assert refused.paths == [
        "/patches/0/fields/status",
        "/patches/0/fields/colour",
        "/patches/1/op",
        "/patches/2/fields/title",
        "/patches/3",
    ]
    assert "create_project, update_project" in refused.text


async def test_issues_of_different_kinds_each_say_their_code_and_where_they_are(tmp_path: Path) -> None:
    patches = [
        {"op": "update_task", "task": "WEB-9", "fields": {"status": "done"}},
        {"op": "update_task", "task": "WEB-1", "fields": {"status": "open"}},
        {"op": "add_dependency", "task": "WEB-1", "depends_on": "WEB-1"},
    ]

    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship")
        refused = await tools.refused("propose_patch_set", patches=patches)
        tried = await tools.ask("propose_patch_set", patches=patches, dry_run=True)

    assert refused.code == "INVALID_PATCH"
    assert [(issue["patch_index"], issue["path"], issue["code"]) for issue in refused.error["details"]] == [
        (0, "/patches/0/task", "NOT_FOUND"),
        (1, "/patches/1/fields/status", "VALIDATION_ERROR"),
        (2, "/patches/2/depends_on", "DEPENDENCY_CYCLE"),
    ]
    for text in (refused.text, tried):
        assert "- /patches/0/task: NOT_FOUND: there is no task 'WEB-9' (nearest: WEB-1)" in text
        assert "- /patches/1/fields/status: VALIDATION_ERROR: must be one of: todo, in_progress, blocked" in text
        assert "- /patches/2/depends_on: DEPENDENCY_CYCLE: " in text
    assert "Next: correct every issue and send the whole set again" in refused.text


async def test_a_cycle_names_its_chain(tmp_path: Path) -> None:
    chain = [("WEB-1", "WEB-2"), ("WEB-2", "WEB-3"), ("WEB-3", "WEB-1")]
    patches = [{"op": "add_dependency", "task": task, "depends_on": other} for task, other in chain]

    async with memory_tools(tmp_path) as tools:
        await tools.make_project("One", "Two", "Three")
        refused = await tools.refused("apply_patch_set", patches=patches)
        tasks = await tools.facts("list_tasks", project="WEB")

    assert refused.code == "DEPENDENCY_CYCLE"
    assert all(key in refused.text for key in ("WEB-1", "WEB-2", "WEB-3"))
    assert "Next: leave out one dependency of the chain" in refused.text
    assert [task.get("depends_on") for task in tasks["tasks"]] == [None] * 3


async def test_a_stale_set_is_answered_with_all_three_values_and_the_base_to_propose_with(tmp_path: Path) -> None:
    def rename(title: str) -> list[dict[str, object]]:
        return [{"op": "update_task", "task": "WEB-1", "fields": {"title": title}}]

    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship")
        await tools.ask("apply_patch_set", patches=rename("Launch"))
        refused = await tools.refused("propose_patch_set", patches=rename("Release"), base_revisions={"WEB": 1})
        accepted = await tools.facts("propose_patch_set", patches=rename("Release"), base_revisions={"WEB": 2})

    assert refused.code == "CONCURRENT_UPDATE"
    assert refused.error["retryable"] is True
    assert 'WEB-1 title is now "Launch", not "Ship"; proposed is "Release"' in refused.text
    assert 'propose again with base_revisions {"WEB": 2}' in refused.text
    assert accepted["base_revisions"] == {"WEB": 2}


async def test_a_proposal_that_went_stale_is_refused_on_apply_and_can_be_rebased(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship")
        change = [{"op": "update_task", "task": "WEB-1", "fields": {"title": "Release"}}]
        id = (await tools.facts("propose_patch_set", patches=change))["id"]
        await tools.ask("apply_patch_set", patches=[{"op": "update_task", "task": "WEB-1", "fields": {"title": "Launch"}}])
        refused = await tools.refused("apply_patch_set", id=id)
        shown = await tools.ask("get_patch_set", id=id)
        renewed = (await tools.facts("propose_patch_set", rebase=id))["id"]
        await tools.ask("apply_patch_set", id=renewed)
        task = await tools.ask("get_task", task="WEB-1")

    assert refused.code == "CONCURRENT_UPDATE"
    assert f'propose_patch_set(rebase="{id}")' in refused.text
    assert "stale, cannot be applied now" in shown
    assert f'propose_patch_set(rebase="{id}")' in shown
    assert "Release" in task


async def test_a_revert_that_conflicts_names_the_later_set_and_one_with_nothing_to_undo_asks_for_no_correction(
    tmp_path: Path,
) -> None:
    def rename(title: str) -> list[object]:
        return [{"op": "update_task", "task": "WEB-1", "fields": {"title": title}}]

    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship")
        first = (await tools.facts("apply_patch_set", patches=rename("Launch")))["patch_set_id"]
        second = (await tools.facts("apply_patch_set", patches=rename("Release"), summary="Again"))["patch_set_id"]
        conflict = await tools.refused("revert_patch_set", id=first)
        await tools.ask("revert_patch_set", id=second)
        undone = await tools.refused("revert_patch_set", id=second)

    assert conflict.code == "CONCURRENT_UPDATE"
    assert f"revert {second} (Again) first, or bring WEB back to revision 1" in conflict.text
    assert undone.code == "INVALID_PATCH"
    assert "Next:" not in undone.text


async def test_an_expectation_that_does_not_hold_is_not_answered_with_another_base(tmp_path: Path) -> None:
    patch = {"op": "update_task", "task": "WEB-1", "expect": {"status": "blocked"}, "fields": {"title": "Release"}}

    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship")
        refused = await tools.refused("propose_patch_set", patches=[patch])

    assert (refused.code, refused.paths) == ("CONCURRENT_UPDATE", ["/patches/0/expect/status"])
    assert "leave out `expect`, or expect what is current" in refused.text
    assert "base_revisions" not in refused.text


async def test_a_misspelt_id_for_a_new_patch_set_is_named(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship")
        refused = await tools.refused("apply_patch_set", id="mine", patches=[{"op": "delete_task", "task": "WEB-1"}])

    assert (refused.code, refused.paths) == ("VALIDATION_ERROR", ["/id"])


@pytest.mark.parametrize("tool", ["get_patch_set", "apply_patch_set", "revert_patch_set", "reject_patch_set"])
async def test_a_misspelt_patch_set_id_is_not_answered_with_the_advice_to_leave_it_out(tmp_path: Path, tool: str) -> None:
    async with memory_tools(tmp_path) as tools:
        refused = await tools.refused(tool, id="ps_short")

    assert refused.code == "NOT_FOUND"
    assert "ids are ps_ and 16 letters and digits" in refused.text
    assert "leave" not in refused.text


@pytest.mark.parametrize(
    ("tool", "arguments", "path"),
    [
        ("list_projects", {"query": "a\0b"}, "/query"),
        ("list_tasks", {"query": "a\0b"}, "/query"),
        ("list_tasks", {"assignee": "a\0b"}, "/assignee"),
        ("claim_task", {"agent": "a\0b"}, "/agent"),
        ("propose_patch_set", {"patches": [{}], "base_revisions": {"a\0b": 1}}, "/base_revisions/a\0b"),
    ],
)
async def test_text_that_no_database_holds_is_a_wrong_argument_and_not_a_crash(
    tmp_path: Path, tool: str, arguments: dict[str, object], path: str
) -> None:
    async with memory_tools(tmp_path) as tools:
        refused = await tools.refused(tool, **arguments)

    assert (refused.code, refused.paths) == ("VALIDATION_ERROR", [path])


async def test_a_closed_proposal_and_a_deleted_target_say_how_to_go_on(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship")
        id = (await tools.facts("propose_patch_set", patches=[{"op": "delete_task", "task": "WEB-1"}]))["id"]
        await tools.ask("reject_patch_set", id=id)
        closed = await tools.refused("apply_patch_set", id=id)
        await tools.ask("apply_patch_set", patches=[{"op": "delete_task", "task": "WEB-1"}])
        deleted = await tools.refused("get_task", task="WEB-1")

    assert closed.code == "PATCH_SET_CLOSED"
    assert "Next: get_patch_set shows what became of it" in closed.text
    assert deleted.code == "DELETED_RESOURCE"
    assert "restore_task" in deleted.text


async def test_apply_needs_a_proposal_or_patches_and_a_proposal_keeps_its_own_words(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship")
        neither = await tools.refused("apply_patch_set")
        id = (await tools.facts("propose_patch_set", patches=[{"op": "delete_task", "task": "WEB-1"}]))["id"]
        both = await tools.refused("apply_patch_set", id=id, summary="other words")

    assert (neither.code, neither.paths) == ("VALIDATION_ERROR", ["/id"])
    assert "is required, unless there are patches (name the proposal the user has agreed to)" in neither.text
    assert (both.code, both.paths) == ("VALIDATION_ERROR", ["/id"])


async def test_another_agents_claim_is_respected_with_a_way_on(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        await tools.make_project("Ship")
        await tools.ask("claim_task", task="WEB-1", agent="ana")
        refused = await tools.refused("claim_task", task="WEB-1", agent="bob")
        renewed = await tools.facts("claim_task", task="WEB-1", agent="ana")

    assert refused.code == "CONCURRENT_UPDATE"
    assert "WEB-1 is claimed by ana until " in refused.text
    assert "claim_task without a task gives the best" in refused.text
    assert renewed["task"]["claimed_by"] == "ana"


async def test_a_cursor_of_another_list_is_refused(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        await tools.make_project("One", "Two")
        cursor = (await tools.facts("list_tasks", project="WEB", limit=1))["next_cursor"]
        refused = [
            await tools.refused("list_tasks", project="WEB", cursor="nonsense"),
            await tools.refused("list_tasks", query="One", cursor=cursor),
            await tools.refused("get_schedule", project="WEB", cursor="7.1"),
        ]

    assert [error.code for error in refused] == ["INVALID_CURSOR"] * 3


async def test_a_crash_is_logged_and_leaves_no_inner_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr("core.services.projects.list_projects", crash)
    async with memory_tools(tmp_path) as tools:
        refused = await tools.refused("list_projects")

    assert refused.code == "INTERNAL_ERROR"
    assert "secret" not in refused.text
    assert "secret" in caplog.text
