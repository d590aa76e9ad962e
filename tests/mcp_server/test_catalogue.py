"""What tools/list promises: names, hints, sizes; any change of it is a reviewed diff of the snapshot."""

import json
from pathlib import Path

import pytest

from mcp_server.catalogue import READ_TOOLS, TOOL_NAMES, catalogue
from mcp_server.server import INSTRUCTIONS
from tests.mcp_server.clients import modern, wire

SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "mcp_tools.json"
TOOLS = {tool["name"]: tool for tool in catalogue()}


def test_the_catalogue_equals_the_committed_snapshot() -> None:
    assert list(TOOLS.values()) == json.loads(SNAPSHOT.read_text("utf-8"))


def test_there_are_the_fourteen_tools_reading_ones_first() -> None:
    assert list(TOOLS) == [
        "list_projects",
        "get_project",
        "list_tasks",
        "get_task",
        "get_schedule",
        "list_history",
        "get_patch_set",
        "propose_patch_set",
        "apply_patch_set",
        "reject_patch_set",
        "revert_patch_set",
        "claim_task",
        "import_outline",
        "add_comment",
    ]
    assert tuple(TOOLS) == TOOL_NAMES
    assert TOOL_NAMES[:7] == READ_TOOLS


@pytest.mark.parametrize("era", ["handshake", "stateless"])
def test_the_whole_list_costs_at_most_14_000_bytes_on_the_wire(tmp_path: Path, era: str) -> None:
    with wire(tmp_path) as server:
        if era == "handshake":
            server.shake_hands()
        answer = server.ask(2, "tools/list", modern() if era == "stateless" else {})

    assert answer["result"]["tools"] == list(TOOLS.values())
    assert len(json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode()) <= 14_000


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_says_what_it_is_in_few_words(name: str) -> None:
    tool = TOOLS[name]

    assert tool["title"]
    assert len(tool["description"]) <= 400
    assert "Example: {" in tool["description"]


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_takes_at_most_seven_flat_arguments_and_no_others(name: str) -> None:
    schema = TOOLS[name]["inputSchema"]

    assert len(schema["properties"]) <= 7
    assert schema["additionalProperties"] is False
    assert not {"$defs", "$ref", "anyOf", "oneOf"} & set(json.dumps(schema).split('"'))


def test_all_four_hints_are_explicit_and_only_apply_and_revert_are_destructive() -> None:
    hints = {name: tool["annotations"] for name, tool in TOOLS.items()}

    assert all(set(hint) == {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"} for hint in hints.values())
    assert {name for name, hint in hints.items() if hint["readOnlyHint"]} == set(READ_TOOLS)
    assert {name for name, hint in hints.items() if hint["destructiveHint"]} == {"apply_patch_set", "revert_patch_set"}
    assert not any(hint["openWorldHint"] for hint in hints.values())


def test_patches_are_one_flat_item_in_propose_and_only_mentioned_in_apply() -> None:
    proposed = TOOLS["propose_patch_set"]["inputSchema"]["properties"]["patches"]["items"]

    assert proposed["required"] == ["op"]
    assert len(proposed["properties"]["op"]["enum"]) == 12
    assert proposed["additionalProperties"] is False
    assert TOOLS["apply_patch_set"]["inputSchema"]["properties"]["patches"]["items"] == {"type": "object"}


def test_the_instructions_are_at_most_600_characters() -> None:
    assert len(INSTRUCTIONS) <= 600
