"""Commands: each form gives its patches, and what is not understood is said."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from core.rules.commands import HELP, ParsedCommands, mentioned_keys, parse_commands
from schemas.patches import Patch
from tests.rules.plans import TODAY

PATCH: TypeAdapter[Any] = TypeAdapter(Patch)
TAGS = {f"WEB-{number}": ["old"] if number == 3 else [] for number in range(1, 10)}


def commands(text: str, project: str | None = "WEB") -> ParsedCommands:
    return parse_commands(text, tags=TAGS, project=project, today=TODAY, hours_per_day=8, days_per_week=5)


def update(task: str, **fields: Any) -> dict[str, Any]:
    return {"op": "update_task", "task": task, "fields": fields}


@pytest.mark.parametrize(
    ("text", "patch"),
    [
        ("done WEB-3", update("WEB-3", status="completed")),
        ("web-3 is done.", update("WEB-3", status="completed")),
        ("Mark web-3 as in progress", update("WEB-3", status="in_progress")),
        ("please start WEB-3", update("WEB-3", status="in_progress")),
        ("block WEB-3", update("WEB-3", status="blocked")),
        ("reopen WEB-3", update("WEB-3", status="todo")),
        ("open WEB-3", update("WEB-3", status="todo")),
        ("cancel WEB-3!", update("WEB-3", status="cancelled")),
        ("assign WEB-3 to @ana", update("WEB-3", assignee="ana")),
        ("assign WEB-3 to Ana Lopez", update("WEB-3", assignee="Ana Lopez")),
        ("reassign WEB-3 to ana", update("WEB-3", assignee="ana")),
        ("WEB-3 takes 3h", update("WEB-3", estimated_minutes=180)),
        ('rename WEB-3 "New; title"', update("WEB-3", title="New; title")),
        ("block WEB-3 by WEB-2", {"op": "add_dependency", "task": "WEB-3", "depends_on": "WEB-2"}),
        ('assign WEB-3 to "Docs, and more"', update("WEB-3", assignee="Docs, and more")),
        ("unassign WEB-3", update("WEB-3", assignee=None)),
        ("due WEB-3 2026-12-01", update("WEB-3", due_date="2026-12-01")),
        ("WEB-3 due friday", update("WEB-3", due_date="2026-11-27")),
        ("due WEB-3 none", update("WEB-3", due_date=None)),
        ("WEB-3 starts tomorrow", update("WEB-3", start_date="2026-11-24")),
        ("estimate WEB-3 1.5d", update("WEB-3", estimated_minutes=720)),
        ("WEB-3 ~2h", update("WEB-3", estimated_minutes=120)),
        ("priority WEB-3 high", update("WEB-3", priority="high")),
        ("WEB-3 priority: p1", update("WEB-3", priority="critical")),
        ("tag WEB-3 #api #ui", update("WEB-3", tags=["old", "api", "ui"])),
        ("untag WEB-3 old", update("WEB-3", tags=[])),
        ("rename WEB-3 to Ship v1.0", update("WEB-3", title="Ship v1.0")),
        ('rename WEB-3 to "Ship it. done WEB-4"', update("WEB-3", title="Ship it. done WEB-4")),
        ("WEB-3 after WEB-2", {"op": "add_dependency", "task": "WEB-3", "depends_on": "WEB-2"}),
        ("WEB-3 depends on WEB-2", {"op": "add_dependency", "task": "WEB-3", "depends_on": "WEB-2"}),
        ("WEB-3 not after WEB-2", {"op": "remove_dependency", "task": "WEB-3", "depends_on": "WEB-2"}),
        ("move WEB-9 under WEB-2", {"op": "move_task", "task": "WEB-9", "parent": "WEB-2"}),
        ("move WEB-9 under WEB-2 after WEB-4", {"op": "move_task", "task": "WEB-9", "parent": "WEB-2", "after": "WEB-4"}),
        ("move WEB-9 before WEB-4", {"op": "move_task", "task": "WEB-9", "before": "WEB-4"}),
        ("move WEB-9 to the top level", {"op": "move_task", "task": "WEB-9", "parent": None}),
        ("delete WEB-3", {"op": "delete_task", "task": "WEB-3"}),
        ("add Write docs", {"op": "create_task", "ref": "$new1", "project": "WEB", "fields": {"title": "Write docs"}}),
        (
            "add Write docs (2h, @ana) under WEB-2",
            {
                "op": "create_task",
                "ref": "$new1",
                "parent": "WEB-2",
                "fields": {"title": "Write docs", "estimated_minutes": 120, "assignee": "ana"},
            },
        ),
    ],
)
def test_a_command_is_one_patch(text: str, patch: dict[str, Any]) -> None:
    parsed = commands(text)

    assert (parsed.patches, parsed.unparsed) == ([patch], [])


def test_one_command_may_name_several_tasks() -> None:
    assert [patch["task"] for patch in commands("done WEB-1, WEB-2 and web-3").patches] == ["WEB-1", "WEB-2", "WEB-3"]


def test_split_creates_the_parts_below_the_task_in_order() -> None:
    patches = commands("split WEB-3: Design (2h); Build; Test").patches

    assert [(patch["parent"], patch["fields"]["title"]) for patch in patches] == [  # type: ignore[call-overload,index]
        ("WEB-3", "Design"),
        ("WEB-3", "Build"),
        ("WEB-3", "Test"),
    ]


@pytest.mark.parametrize(
    "text", ["done WEB-1. WEB-2 due friday", "done WEB-1\n\n- WEB-2 due friday", "done WEB-1 and then due WEB-2 friday"]
)
def test_a_message_may_have_several_lines_and_sentences(text: str) -> None:
    parsed = commands(text)

    assert parsed.unparsed == []
    assert parsed.patches == [update("WEB-1", status="completed"), update("WEB-2", due_date="2026-11-27")]


def test_a_second_tag_command_sees_the_first() -> None:
    assert commands("tag WEB-3 a\ntag WEB-3 b").patches[1] == update("WEB-3", tags=["old", "a", "b"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("make it nicer", "no command"),
        ("done WEB-99", "no task WEB-99"),
        ("done", "no command"),
        ("due WEB-3 someday", "names no day"),
        ("due WEB-3 01/02/2027", "two different days"),
        ("due WEB-3 2026-02-30", "not a day"),
        ("estimate WEB-3 long", "no duration"),
        ("priority WEB-3 purple", "no priority"),
        ("WEB-3 is purple", "no state"),
        ("WEB-3 after WEB-3", "itself"),
        ("move WEB-3 under WEB-3", "itself"),
        ("split WEB-3: all of it", "fewer than two"),
        ("assign WEB-3 to ana, or ben", "not clear"),
        ("rename WEB-3 to Ship it. done WEB-4", "in quotes"),
        ("rename WEB-3 to " + "x" * 256, "255"),
    ],
)
def test_what_is_not_understood_is_said_and_not_guessed(text: str, reason: str) -> None:
    parsed = commands(text)

    assert reason in parsed.unparsed[0].reason
    assert not any(patch.get("task") == "WEB-3" for patch in parsed.patches)


def test_a_new_task_without_a_place_is_refused() -> None:
    assert "where the task goes" in commands("add Docs", project=None).unparsed[0].reason


def test_help_lists_the_grammar_and_every_form_in_it_is_understood() -> None:
    assert commands("Help").help == HELP
    forms = [form.partition(" (")[0].strip() for line in HELP.splitlines()[1:] for form in line.split("|")]
    for form in forms:
        assert commands(form).unparsed == [], form


WORDS = st.sampled_from(
    'done start WEB-3 web-2 WEB-99 after not under move rename to due friday 2026-12-01 split : ; . , and add @ana #a ~2h ! " “ '
    "estimate priority high tag none is blocked by before help x \n".split(" ")
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.lists(WORDS, max_size=25).map(" ".join), st.text()))
def test_any_message_gives_valid_patches_or_a_reason_for_each_line(text: str) -> None:
    parsed = commands(text)

    assert parsed == commands(text)
    for patch in parsed.patches:
        PATCH.validate_python(patch)
    if any(word.isalpha() for word in text.split()):
        assert parsed.patches or parsed.unparsed or parsed.help
    assert set(mentioned_keys("\n".join(str(patch) for patch in parsed.patches))) <= set(mentioned_keys(text.upper())) | {"WEB"}
