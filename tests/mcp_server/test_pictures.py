"""Pictures in chat: Mermaid that the published Mermaid draws, and text that lines up; none of them lets a title in."""

import json
from pathlib import Path
from typing import Any

from core.patches.text import safe
from mcp_server.rendering import MAX_TEXT
from tests.mcp_server.clients import memory_tools
from tests.mcp_server.website import PLAN
from tests.support.browser import browser_page, chromium
from tests.support.services import missing

MERMAID = Path(__file__).parents[1] / "node" / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
DRAW = """mermaid.render("drawn", %s).then(({svg}) => {
  document.body.innerHTML = svg;
  return [...document.querySelectorAll(".nodeLabel, .taskText, .taskTextOutsideRight, .taskTextOutsideLeft")]
    .map(element => element.textContent.trim());
})"""
HOSTILE = [
    "end",
    '"]; click A "javascript:alert(1)"',
    '%%{init: {"securityLevel": "loose"}}%%',
    "<img src=x onerror=alert(1)>",
    "&lt;b&gt; &#60; #quot; #35;",
    "`**bold** _and_ ~~more~~`",
    "$$x^2$$",
    "two\nlines\\nand a third",
    "subgraph x",
    "[(x)]{y}|z| :::crit, after a, 2d",
    "style A fill:red; classDef default fill:#000",
    "1. a list",
    "http://example.org www.example.org",
    "A@{shape: x} --> B",
    "---\ntitle: x\n---",
    "漢字 ü 🚀 \u202etxt.exe",
]


async def test_a_project_is_drawn_as_a_graph_of_what_waits_for_what(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        await tools.ask("apply_patch_set", patches=PLAN)
        chart = await tools.ask("get_project", project="WEB", format="mermaid")
        page = await tools.ask("get_project", project="WEB", format="mermaid", limit=4)

    lines = chart.splitlines()
    assert lines[0] == "flowchart LR"
    assert lines[2:6] == [
        '    subgraph WEB-2["WEB-2 Build"]',
        '        WEB-3["WEB-3 API"]',
        '        WEB-4["WEB-4 Pages"]',
        "    end",
    ]
    assert lines[-3:] == ["    WEB-3 --> WEB-4", "    WEB-4 --> WEB-6", "    WEB-5 --> WEB-6"]
    assert "    class WEB-5 blocked" in lines
    assert page.splitlines()[-1].startswith('    %% 4 of 9 tasks; continue with cursor="')


async def test_a_project_is_laid_out_as_a_board_of_states(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        await tools.ask("apply_patch_set", patches=PLAN)
        board = await tools.ask("get_project", project="WEB", format="board")
        text = await tools.facts("get_project", project="WEB")
        facts = await tools.facts("get_project", project="WEB", format="board")

    assert board.splitlines()[:6] == [
        "WEB [planning] Website: 1/9 tasks done, 14%, 36h estimated, revision 1",
        "",
        "todo 6                   | in_progress 1            | blocked 1                | completed 1",
        "-------------------------+--------------------------+--------------------------+-------------------------",
        "WEB-2                    | WEB-3 @ana due 2031-03-… | WEB-5                    | WEB-1",
        "  Build                  |   API                    |   Security review        |   Design",
    ]
    assert facts == text


async def test_columns_stay_in_line_below_wide_letters_and_beside_empty_ones(tmp_path: Path) -> None:
    accented = "e\u0301" * 30
    titles = ["漢字" * 20, accented, "🚀 launch", "x" * 255]

    async with memory_tools(tmp_path) as tools:
        await tools.make_project(*titles)
        await tools.ask("apply_patch_set", patches=[{"op": "update_task", "task": "WEB-4", "fields": {"status": "blocked"}}])
        board = await tools.ask("get_project", project="WEB", format="board")
        await tools.make_project(key="NIL")
        empty = await tools.ask("get_project", project="NIL", format="board")

    rows = board.splitlines()[4:]
    assert rows[1] == f"  {'漢字' * 9}…  | {'  ' + 'x' * 37}…"  # 2 places for each wide letter, 40 for a column
    assert rows[3] == f"  {accented}{' ' * 8} |"
    assert rows[5] == f"  🚀 launch{' ' * 29} |"
    assert empty.splitlines()[-1] == "(no tasks)"


async def test_a_schedule_is_shown_as_bars_on_one_scale(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        await tools.ask("apply_patch_set", patches=PLAN)
        bars = await tools.ask("get_schedule", project="WEB", start_date="2031-03-03", format="timeline")
        nothing = await tools.ask("propose_patch_set", patches=[{"op": "create_project", "key": "NIL", "fields": {"name": "N"}}])
        await tools.ask("apply_patch_set", id=nothing.split()[1].rstrip(":"))
        empty = await tools.ask("get_schedule", project="NIL", format="timeline")

    ten = " " * 10
    assert bars.splitlines() == [
        "WEB revision 1: 2031-03-03 to 2031-03-06, 28h of work",
        "# critical, = planned, . may slip",
        f"WEB-3 |{'#' * 20}{ten}{ten}| 2031-03-03..2031-03-04 @ana API",
        f"WEB-4 |{ten}{ten}{'#' * 10}{ten}| 2031-03-05..2031-03-05 Pages",
        f"WEB-5 |{'=' * 10}{'.' * 20}{ten}| 2031-03-03..2031-03-03 Security review",
        f"WEB-6 |{ten}{ten}{ten}{'#' * 10}| 2031-03-06..2031-03-06 Release",
        f"WEB-7 |{'=' * 10}{'.' * 30}| 2031-03-03..2031-03-03 Write the manual",
        f"WEB-9 |{'=' * 10}{'.' * 30}| 2031-03-03..2031-03-03 Screenshots",
    ]
    assert empty == "NIL revision 1: no open tasks to schedule"


async def test_pictures_of_large_plans_are_cut_in_whole_tasks_and_say_so(tmp_path: Path) -> None:
    titles = [f"{number} " + "`long` " * 30 for number in range(100)]
    everything = [
        {"op": "add_dependency", "task": f"WEB-{late}", "depends_on": f"WEB-{early}"}
        for late in range(2, 101)
        for early in range(1, late)
    ]

    async with memory_tools(tmp_path) as tools:
        await tools.make_project(*titles)
        await tools.ask("apply_patch_set", patches=everything)
        chart = await tools.ask("get_project", project="WEB", limit=100, format="mermaid")
        board = await tools.ask("get_project", project="WEB", limit=100, format="board")
        bars = await tools.ask("get_schedule", project="WEB", limit=100, format="timeline")

    assert [len(picture) <= MAX_TEXT for picture in (chart, board, bars)] == [True] * 3
    assert "%% only " in chart
    assert " of these 100 tasks fit; use a smaller limit." in chart
    assert chart.splitlines()[-2].startswith("    %% ... ")
    assert board.endswith("  99 `long` `long` `long` `long` `long`…")  # cards are short: a whole page fits
    assert "cut to stay below 8,000 characters; repeat with limit=" in bars


async def test_titles_are_drawn_as_they_are_by_mermaid_and_never_read_by_it(tmp_path: Path) -> None:
    chromium()  # skips here, and not within the task groups below
    if not MERMAID.exists():
        missing("Mermaid is not installed: make tests/node/node_modules/.package-lock.json")
    plan: list[dict[str, Any]] = [{"op": "create_project", "ref": "$p", "key": "END", "fields": {"name": "<b>"}}]
    for number, title in enumerate(HOSTILE):
        home = {"parent": f"$t{number - 1}"} if number % 3 else {"project": "$p"}
        waits = {"depends_on": [f"$t{number - 3}"]} if number % 3 == 0 and number else {}
        plan.append({"op": "create_task", "ref": f"$t{number}", **home, **waits, "fields": {"title": title}})

    async with memory_tools(tmp_path) as tools, browser_page() as page:
        await tools.ask("apply_patch_set", patches=plan)
        graph = await tools.ask("get_project", project="END", format="mermaid")
        gantt = await tools.ask("get_schedule", project="END", format="mermaid")
        await page.send("Runtime.evaluate", expression=MERMAID.read_text("utf-8"))
        nodes = await page.run(DRAW % json.dumps(graph))
        bars = await page.run(DRAW % json.dumps(gantt))

    drawn = [f"END-{number} {safe(title)}" for number, title in enumerate(HOSTILE, 1)]
    assert sorted(nodes) == sorted(drawn)
    assert set(bars) <= set(drawn)
    assert len(bars) == 6  # the leaves
    assert (page.complaints, page.requests) == ([], [])
