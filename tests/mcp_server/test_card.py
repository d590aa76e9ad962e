"""The review card, in a real browser inside a small host, on a real server process and its database."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError
from mcp.types import CallToolResult

from tests.mcp_server.card_host import CARD, Card, card_html, card_of
from tests.mcp_server.card_proposal import PROPOSAL
from tests.mcp_server.clients import memory_tools, stdio_tools
from tests.mcp_server.website import PLAN
from tests.support.browser import Page, browser_page
from tests.support.services import missing

AXE = Path(__file__).parents[1] / "node" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def page() -> AsyncIterator[Page]:
    """One browser for all tests; each opens a fresh document."""
    async with browser_page() as page:
        yield page


@pytest.fixture
async def card(page: Page, tmp_path: Path) -> AsyncIterator[Card]:
    """The card of a server in this process, on the plan of the website."""
    async with memory_tools(tmp_path) as tools, card_of(tools, page) as card:
        await tools.ask("apply_patch_set", patches=PLAN)
        yield card


@pytest.fixture
async def served_card(page: Page, tmp_path: Path) -> AsyncIterator[Card]:
    """The card of a server process on a database file."""
    async with stdio_tools(tmp_path) as tools, card_of(tools, page) as card:
        await tools.ask("apply_patch_set", patches=PLAN)
        yield card


async def propose(card: Card, *patches: dict[str, Any], **more: Any) -> str:
    """Let the model propose; return the id."""
    return str((await card.answer("propose_patch_set", patches=list(patches), **more))["id"])


def update(task: str, **fields: Any) -> dict[str, Any]:
    return {"op": "update_task", "task": task, "fields": fields}


async def test_the_resource_is_an_app_and_the_tools_that_show_patch_sets_name_it(card: Card) -> None:
    client = card.tools.client
    [listed] = [resource for resource in (await client.list_resources()).resources if resource.uri == CARD]
    [content] = (await client.read_resource(CARD)).contents
    tools = (await client.list_tools()).tools

    assert listed.mime_type == content.mime_type == "text/html;profile=mcp-app"
    assert content.meta == {"ui": {"csp": {}, "prefersBorder": True}}
    assert {tool.name: tool.meta for tool in tools if tool.meta} == {
        name: {"ui": {"resourceUri": CARD}} for name in ("get_patch_set", "propose_patch_set")
    }


async def test_it_speaks_the_protocol_of_apps(card: Card) -> None:
    await propose(card, update("WEB-3", title="API v2"))
    await card.page.run('post({ id: 7, method: "ping" }), post({ id: 8, method: "ui/resource-teardown", params: {} })')
    await card.page.run('post({ id: 9, method: "other" })')
    await card.page.until("log.some(({ id, method }) => id === 9 && !method)")
    height = await card.see("document.documentElement.offsetHeight")
    told = 'log.findLast(({ method }) => method === "ui/notifications/size-changed")'
    await card.page.until(f"{told}?.params.height === {height}")
    log = await card.page.run("log")

    assert log[0]["method"] == "ui/initialize"
    assert log[0]["params"]["protocolVersion"] == "2026-01-26"
    assert log[1] == {"jsonrpc": "2.0", "method": "ui/notifications/initialized", "params": {}}
    answers = {entry["id"]: entry for entry in log if "method" not in entry}
    assert answers[7]["result"] == answers[8]["result"] == {}
    assert answers[9]["error"]["code"] == -32601


async def test_a_proposal_is_shown_as_a_tree_with_before_and_after(card: Card) -> None:
    await propose(card, *PROPOSAL, summary="Load test before the release", rationale="It fell over.")
    text = " ".join((await card.text()).split())

    assert "Proposed by local" in text
    assert "Load test before the release It fell over." in text
    assert "+3 created ~1 updated ↷1 moved \u22122 deleted +2 dependencies added +1 comment" in text
    assert "Critical path of WEB 28h → 36h +8h WEB-11 > WEB-12 > WEB-6" in text
    assert "updated WEB-3API assignee before: ana → after: eve due date before: 2031-03-04 → after: 2031-03-10 patch 3" in text
    assert "moved WEB-7Write the manual parent before: top level → after: WEB-2 patch 5" in text
    assert "comment on WEB-6Release Moved behind the load test" in text
    assert await card.see(
        """[...document.querySelectorAll("#changes > li > ul > li > .row .item")].map(e => e.textContent)"""
    ) == [
        *("Write the scenarios", "Run them against staging"),
        "Screenshots",  # goes with its parent
    ]
    assert "deleted WEB-9Screenshots goes with it" in text


async def test_warnings_are_shown_and_block_nothing(card: Card) -> None:
    await propose(card, {"op": "delete_task", "task": "WEB-8"})
    await card.tools.ask("apply_patch_set", patches=[{"op": "delete_task", "task": "WEB-8"}])
    await card.click("#apply")

    assert (await card.text("#notices")).startswith("1 warning\npatch 0: WEB-8 has been deleted already")
    await card.click("#apply")
    assert await card.state() == "applied"


async def test_dropping_a_patch_drops_what_relies_on_it_and_accepting_brings_back_what_it_relies_on(card: Card) -> None:
    await propose(card, *PROPOSAL)

    await card.click(await card.row("Load test"))
    assert await card.dropped() == ["Load test", "Write the scenarios", "Run them against staging", "Release"]
    assert "Dropped. 3 patches went with it. 4 of 8 patches chosen." in await card.text("#status")
    assert "Went too: $load is created by patch 0, which is not part of this selection" in await card.text("#changes")
    assert await card.text("#apply") == "Apply 4 of 8"

    await card.click(await card.row("Run them against staging"))
    assert await card.dropped() == ["Release"]
    assert "Accepted. 2 patches came back with it. 7 of 8 patches chosen." in await card.text("#status")


async def test_what_is_chosen_is_applied_to_the_database_and_nothing_else(served_card: Card) -> None:
    card = served_card
    id = await propose(card, *PROPOSAL)
    await card.click(await card.row("Write the scenarios"))
    await card.click(await card.row("Documentation"))
    await card.click("#apply")
    outline = await card.tools.ask("get_project", project="WEB")

    assert await card.state() == "applied"
    assert "Applied. WEB is now at revision 2." in await card.text("#status")
    assert card.calls[-2] == {"name": "apply_patch_set", "arguments": {"id": id, "only": [0, 3, 4, 5, 7]}}
    assert "Load test" in outline
    assert "Write the scenarios" not in outline
    assert "Documentation" in outline
    assert await card.told_model() == [f"The user applied {id} in part (patches 0, 3, 4, 5, 7). WEB is now at revision 2."]
    assert await card.see("document.querySelectorAll('button:not([hidden] *, [hidden]), input:not([hidden] *)').length") == 0
    assert await card.focused() == "summary"


async def test_a_second_click_does_nothing_more(card: Card) -> None:
    await propose(card, update("WEB-3", title="API v2"))
    await card.see('document.getElementById("apply").click()')
    await card.click("#apply")

    assert "Applied. WEB is now at revision 2." in await card.text("#status")
    assert [call["name"] for call in card.calls].count("apply_patch_set") == 1


async def test_each_of_several_patches_on_one_item_can_be_dropped_by_itself(card: Card) -> None:
    await propose(card, update("WEB-3", title="API v2"), update("WEB-3", assignee="eve"))
    await card.click(".patches button:last-child")

    assert await card.see("document.querySelector('.row input').indeterminate")
    assert "assignee" not in await card.text("#changes")
    assert "API v2" in await card.text("#changes")
    await card.click("#apply")
    assert "@ana due 2031-03-04 API v2" in await card.tools.ask("get_project", project="WEB")


async def test_a_proposal_is_rejected_with_its_reason(card: Card) -> None:
    id = await propose(card, *PROPOSAL)
    await card.click("#reject")
    assert await card.focused() == "reason"
    await card.see('document.getElementById("reason").value = "too early"')
    await card.click("#refuse")
    record = await card.tools.facts("get_patch_set", id=id)

    assert (record["state"], record["reason"]) == ("rejected", "too early")
    assert await card.state() == "rejected"
    assert "too early" in await card.text("#notices")
    assert "create task WEB" in await card.text("#changes")
    assert await card.told_model() == [f"The user rejected {id}: too early. The plan is unchanged."]


async def test_a_stale_proposal_shows_its_conflicts_when_it_is_applied_and_can_be_rebased(served_card: Card) -> None:
    card = served_card
    id = await propose(card, update("WEB-3", assignee="eve"), update("WEB-4", title="Web pages"))
    await card.tools.ask("apply_patch_set", patches=[update("WEB-3", assignee="bob")])
    await card.click("#apply")

    assert await card.state() == "stale"
    assert " ".join((await card.text("#notices")).split()).startswith(
        "1 conflict with the current plan WEB-3 assignee patch 0 was ana is now bob proposed eve"
    )
    assert not any(call["name"] == "apply_patch_set" for call in card.calls)
    assert await card.see('document.getElementById("apply").getAttribute("aria-disabled")') == "true"

    await card.click("#rebase")
    assert await card.state() == "proposed"
    assert (await card.tools.facts("get_patch_set", id=id))["state"] == "superseded"
    await card.click("#apply")
    assert await card.state() == "applied"
    assert "@eve" in await card.tools.ask("get_task", task="WEB-3")


async def test_without_the_patch_in_conflict_the_rest_of_a_stale_proposal_can_be_applied(card: Card) -> None:
    await propose(card, update("WEB-3", assignee="eve"), update("WEB-4", title="Web pages"))
    await card.tools.ask("apply_patch_set", patches=[update("WEB-3", assignee="bob")])
    await card.click("#apply")
    await card.click(await card.row("API"))
    await card.click("#apply")

    assert await card.state() == "applied"
    assert "@bob" in await card.tools.ask("get_task", task="WEB-3")
    assert "Web pages" in await card.tools.ask("get_task", task="WEB-4")


async def test_what_would_happen_now_is_shown_before_it_is_applied_when_that_has_changed(card: Card) -> None:
    await propose(card, update("WEB-8", tags=["docs"]), update("WEB-3", assignee="eve"))
    await card.click(await card.row("API"))
    await card.tools.ask("apply_patch_set", patches=[update("WEB-8", title="Handbook", tags=["late"])])
    await card.click("#apply")

    assert await card.state() == "proposed"
    assert "look again, then apply" in await card.text("#status")
    assert "Handbook" in await card.text("#changes")
    assert await card.dropped() == ["API"]
    await card.click("#apply")
    assert await card.state() == "applied"


@pytest.mark.parametrize("fate", ["rejected", "superseded", "applied"])
async def test_a_proposal_that_was_closed_elsewhere_is_shown_as_it_is(card: Card, fate: str) -> None:
    id = await propose(card, update("WEB-3", assignee="eve"), update("WEB-4", title="Web pages"))
    if fate == "applied":
        await card.tools.ask("apply_patch_set", id=id)
    elif fate == "superseded":
        await card.tools.ask("propose_patch_set", rebase=id)
    else:
        await card.tools.ask("reject_patch_set", id=id, reason="no")
    await card.click(await card.row("API"))

    assert await card.state() == fate
    assert "not what it was" in await card.text("#status")
    assert not await card.see("document.querySelector('#decide:not([hidden])')")


async def test_text_of_users_is_shown_and_never_read(card: Card) -> None:
    hostile = '<img src=x onerror="hacked=1"><script>hacked=1</script>'
    bidi = "\u202egnp.exe\u200b"
    await card.page.resize(360, 800)
    await propose(
        card,
        {"op": "create_task", "project": "WEB", "fields": {"title": hostile, "description": bidi, "tags": ["<b>"]}},
        update("WEB-3", title="x" * 255, description="long\n" * 2_000, acceptance_criteria=["y" * 500] * 50),
        {"op": "add_comment", "task": "WEB-3", "body": hostile},
        summary=hostile,
        rationale=bidi,
    )

    text = await card.text()
    assert text.count(hostile) == 3
    assert text.count("\\u{202e}gnp.exe\\u{200b}") == 2
    assert await card.see("document.querySelectorAll('img, b:not(.total b), main script').length") == 0
    assert await card.see("typeof hacked") == "undefined"
    assert await card.see("document.documentElement.scrollWidth") == 360
    assert await card.see("document.getElementById('changes').scrollWidth <= document.getElementById('changes').clientWidth")


async def test_values_are_told_from_words_that_scripts_know(card: Card) -> None:
    fields = {"assignee": "constructor", "description": "null", "tags": ["toString", "{}"], "custom": {"__proto__": "x"}}
    await propose(card, update("WEB-4", **fields))

    assert " ".join((await card.text("#changes .fields")).split()).replace("before: ", "").replace("after: ", "") == (
        'description none → null tags toString {} assignee none → constructor custom none → {"__proto__":"x"}'
    )


async def test_a_host_that_names_no_known_place_or_language_changes_nothing_else(card: Card) -> None:
    await card.open(await card_html(card.tools), locale="no such language", timeZone="Nowhere/At_All", theme="dark")
    await propose(card, update("WEB-4", title="Web pages"))

    assert await card.state() == "proposed"
    assert await card.see("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 29)"


async def test_a_set_of_500_patches_stays_usable(card: Card) -> None:
    new = [{"op": "create_task", "project": "WEB", "fields": {"title": f"Task {number}"}} for number in range(500)]
    await propose(card, *new)

    assert await card.text("#diff-title") == "500 changes"
    assert await card.see("document.querySelectorAll('#changes .row').length") == 500
    assert await card.see("document.querySelectorAll('#changes [tabindex=\"0\"]').length") == 1
    assert await card.see("document.documentElement.offsetHeight") < 900
    await card.click(await card.row("Task 250"))
    assert await card.text("#apply") == "Apply 499 of 500"
    await card.click("#apply")
    assert await card.state() == "applied"
    assert (await card.tools.facts("get_project", project="WEB"))["task_count"] == 508


async def test_everything_can_be_done_by_keyboard(card: Card) -> None:
    await propose(card, *PROPOSAL)
    await card.page.run("frame.focus(), 0")

    async def press_until(key: str, selector: str) -> None:
        for _ in range(30):
            if await card.see(f"document.activeElement.matches({json.dumps(selector)})"):
                return
            await card.page.press(key)
        raise AssertionError(f"{key} does not lead to {selector}")

    await press_until("Tab", "#changes input")
    await card.page.press("ArrowDown", "Space")
    await card.settled()
    assert await card.dropped() == ["Write the scenarios", "Run them against staging"]
    assert await card.see("document.activeElement.closest('.row').querySelector('.item').textContent") == "Write the scenarios"
    assert await card.see("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await card.page.press("Space")
    await card.settled()
    assert await card.dropped() == ["Run them against staging"]
    await press_until("Tab", "#reject")
    await card.page.press("Enter")
    assert await card.focused() == "reason"
    await card.page.press("Escape")
    assert await card.focused() == "reject"
    await press_until("Tab", "#apply")
    await card.page.press("Enter")
    await card.settled()

    assert await card.state() == "applied"
    assert await card.focused() == "summary"


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_it_is_accessible_in_every_state(card: Card, theme: str) -> None:
    if not AXE.exists():
        missing("axe-core is not installed: make tests/node/node_modules/.package-lock.json")
    await card.notify("host-context-changed", theme=theme)
    await card.see(AXE.read_text("utf-8") + ";0")
    id = await propose(card, *PROPOSAL, summary="Load test")

    async def violations() -> list[str]:
        found: list[str] = await card.see(
            "axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html, any }) =>"
            " `${id}: ${html.slice(0, 160)} ${any.map(({ message }) => message)}`)))"
        )
        return found

    told = {"proposed": await violations()}
    await card.click(await card.row("Load test"))
    told["dropped"] = await violations()
    await card.click("#reject")
    told["rejecting"] = await violations()
    await card.click("#keep")
    await card.tools.ask("apply_patch_set", patches=[update("WEB-3", assignee="bob")])
    await card.click("#apply")
    told["stale"] = await violations()
    await card.tools.ask("reject_patch_set", id=id, reason="no")
    await card.answer("get_patch_set", id=id)
    told["rejected"] = await violations()
    await propose(card, update("WEB-3", title="API v2"))
    await card.click("#apply")
    told["applied"] = await violations()
    await card.answer("propose_patch_set", patches=[update("WEB-99", title="x")])
    told["refused"] = await violations()

    assert told == {state: [] for state in told}


async def test_it_follows_the_theme_of_its_host_and_else_of_the_reader(card: Card) -> None:
    async def page() -> Any:
        return await card.see("getComputedStyle(document.body).backgroundColor")

    light, dark = "rgb(255, 255, 255)", "rgb(22, 24, 29)"
    await card.page.prefer("light")
    assert await page() == light
    await card.page.prefer("dark")
    assert await page() == dark
    await card.notify("host-context-changed", theme="light")
    assert await page() == light
    await card.notify("host-context-changed", styles={"variables": {"--color-background-primary": "rgb(1, 2, 3)"}})
    assert await page() == "rgb(1, 2, 3)"


async def test_a_server_that_does_not_answer_can_be_tried_again(card: Card) -> None:
    served = card.server

    async def lost(name: str, arguments: dict[str, Any]) -> CallToolResult:
        raise MCPError(-32000, "Connection closed")

    card.server = lost
    await card.answer("propose_patch_set", patches=[update("WEB-3", assignee="eve")])
    assert await card.state() == "error"
    assert "did not get through\n\nConnection closed" in await card.text("#notices")

    card.server = served
    await card.click("#notices button")
    assert await card.state() == "proposed"
    card.server = lost
    await card.click("#apply")
    assert "did not get through" in await card.text("#notices")
    card.server = served
    await card.click("#notices button")
    assert await card.state() == "applied"


async def test_a_refused_proposal_and_a_dry_run_are_shown_without_anything_to_decide(card: Card) -> None:
    await card.answer("propose_patch_set", patches=[update("WEB-99", title="x")])
    assert await card.state() == "error"
    assert "patch 0: there is no task 'WEB-99'" in await card.text("#notices")

    await card.answer("propose_patch_set", patches=[update("WEB-3", title="API v2")], dry_run=True)
    assert await card.text("#state") == "Preview"
    assert await card.text("#notices") == "Only a preview: nothing is stored"
    assert "API v2" in await card.text("#changes")
    assert await card.see("document.querySelectorAll('#changes input').length") == 0


async def test_a_host_that_passes_no_calls_on_gets_what_the_answer_says(card: Card) -> None:
    await card.open(await card_html(card.tools), passes_on=False)
    await propose(card, *PROPOSAL)

    assert await card.state() == "proposed"
    assert "decide in the chat" in await card.text("#notices")
    assert not await card.see("document.querySelector('#decide:not([hidden])')")
    assert await card.dropped() == []
    assert card.calls == []


async def test_a_host_that_leaves_the_structure_out_shows_the_text(card: Card) -> None:
    await card.notify("tool-result", content=[{"type": "text", "text": "Proposed ps_1: 1 created.\n+ <b>API</b>"}])
    await card.settled()

    assert await card.text("#answer") == "Proposed ps_1: 1 created.\n+ <b>API</b>"
    assert not await card.see("document.querySelector('#decide:not([hidden])')")


@pytest.mark.parametrize(
    ("options", "approval", "sentence"),
    [
        ((), "external", "This server does not apply or revert over MCP (APPROVAL=external)."),
        (("--tools", "get_patch_set,propose_patch_set"), "host", "The tool apply_patch_set is switched off on this server."),
    ],
)
async def test_the_rules_of_approval_hold_for_the_card_too(
    page: Page, tmp_path: Path, options: tuple[str, ...], approval: str, sentence: str
) -> None:
    async with stdio_tools(tmp_path, options=options, APPROVAL=approval) as tools, card_of(tools, page) as card:
        await propose(card, {"op": "create_project", "key": "WEB", "fields": {"name": "Website"}})
        await card.click("#apply")

        assert sentence in await card.text("#notices")
        assert await card.text("#status") == ""
        assert await card.state() == "proposed"
