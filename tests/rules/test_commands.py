"""Commands: each form gives its patches, and what is not understood is said."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from core.rules.commands import HELP, NamedTask, ParsedCommands, parse_commands
from core.rules.sentences import mentioned_keys
from schemas.patches import Patch
from tests.rules.plans import TODAY

PATCH: TypeAdapter[Any] = TypeAdapter(Patch)
TITLES = dict(
    enumerate(["Buy domain", "Docs", "Write docs", "Landing page", "Login page", "Launch", "Beta", "Do it", "Split OPS-1"], 1)
)
TASKS = {
    f"WEB-{number}": NamedTask(title, ["old"] if number == 3 else [], {3: date(2027, 1, 31), 9: date.max}.get(number))
    for number, title in TITLES.items()
}


def commands(text: str, project: str | None = "WEB") -> ParsedCommands:
    return parse_commands(text, tasks=TASKS, project=project, today=TODAY, hours_per_day=8, days_per_week=5)


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


@pytest.mark.parametrize(
    ("phrase", "form"),
    [
        ("I just finished WEB-1", "done WEB-1"),
        ("we've completed WEB-1 and WEB-2", "done WEB-1, WEB-2"),
        ("I'm done with WEB-1", "done WEB-1"),
        ("start working on WEB-1", "start WEB-1"),
        ("push WEB-3 to Friday", "due WEB-3 friday"),
        ("move WEB-3 back until 2026-12-01", "due WEB-3 2026-12-01"),
        ("postpone WEB-3 by a week", "due WEB-3 2027-02-07"),
        ("push WEB-3 back 2 days", "due WEB-3 2027-02-02"),
        ("delay WEB-3 1 month", "due WEB-3 2027-02-28"),
        ("make WEB-3 due friday", "due WEB-3 friday"),
        ("set the due date of WEB-3 to friday", "due WEB-3 friday"),
        ("change WEB-3's deadline to friday", "due WEB-3 friday"),
        ("change WEB-3 priority to low", "priority WEB-3 low"),
        ("set priority of WEB-3 to low", "priority WEB-3 low"),
        ("make WEB-3 high priority", "priority WEB-3 high"),
        ("WEB-3 is urgent", "priority WEB-3 critical"),
        ("set the estimate for WEB-3 to 2h", "estimate WEB-3 2h"),
        ("estimate WEB-3 at 2h", "estimate WEB-3 2h"),
        ("set the owner of WEB-3 to ann", "assign WEB-3 to ann"),
        ("give WEB-3 to ann", "assign WEB-3 to ann"),
        ("change the status of WEB-3 to in review", "review WEB-3"),
        ("do WEB-2 before WEB-3", "WEB-3 after WEB-2"),
        ("make WEB-3 depend on WEB-2", "WEB-3 after WEB-2"),
        ("WEB-3 is waiting for WEB-2", "WEB-3 after WEB-2"),
        ("put WEB-3 under WEB-2", "move WEB-3 under WEB-2"),
        ("add a task: Write tests", "add Write tests"),
        ("create task Write tests", "add Write tests"),
        ("add a subtask to WEB-5: Write tests", "add Write tests under WEB-5"),
        ("split WEB-5 into a, b and c", "split WEB-5: a; b; c"),
        ("split WEB-5 into this (2h, @ann), and that", "split WEB-5: this (2h, @ann); that"),
        ("split WEB-5 into this and that", "split WEB-5: this; that"),
    ],
)
def test_an_everyday_phrase_means_what_its_form_in_the_grammar_means(phrase: str, form: str) -> None:
    assert commands(phrase) == commands(form)
    assert commands(form).unparsed == []


@pytest.mark.parametrize(
    ("by_title", "by_key"),
    [
        ("mark Landing page done", "done WEB-4"),
        ("mark the landing page as done", "done WEB-4"),
        ('done "Landing page"', "done WEB-4"),
        ("the landing page is done.", "done WEB-4"),
        ("assign docs to @ann", "assign WEB-2 to @ann"),  # a whole title comes before a part of one
        ("push write docs to Friday", "push WEB-3 to Friday"),
        ("launch after the beta", "WEB-6 after WEB-7"),
        ("move landing under the launch", "move WEB-4 under WEB-6"),
        ("rename docs to Landing page", 'rename WEB-2 to "Landing page"'),
        ("split the launch into a, b and c", "split WEB-6: a; b; c"),
        ("add Press kit under launch", "add Press kit under WEB-6"),
        ("add a subtask to the launch: Press kit", "add Press kit under WEB-6"),
        ("delete do it", "delete WEB-8"),
    ],
)
def test_a_title_or_words_that_only_one_has_may_stand_for_a_key(by_title: str, by_key: str) -> None:
    assert commands(by_title) == commands(by_key)
    assert commands(by_key).unparsed == []


def test_a_title_with_the_word_task_or_a_place_in_it_stands_in_quotes() -> None:
    titles = [
        commands(text).patches[0]["fields"] for text in ('add "Task force"', 'add "Dig under the wall"', "add a link to docs")
    ]

    assert titles == [{"title": "Task force"}, {"title": "Dig under the wall"}, {"title": "a link to docs"}]


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
        ("delete page", "may be WEB-4, WEB-5"),
        ("delete unicorns", "no task I know"),
        ("delete OPS-1", "no task OPS-1"),  # a title is "Split OPS-1"
        ("delete it", "no task I know"),  # a title is "Do it"
        ("the task is done", "no task I know"),
        ("WEB-3 is a", "no state"),
        ("don't delete docs", "no command"),
        ("assign docs to ann and the launch to ben", "no command"),
        ("add Press kit under the page", "may be WEB-4, WEB-5"),
        ("add Press kit under unicorns", "no task I know"),
        ("postpone WEB-4 by a week", "no due date"),
        ("postpone WEB-9 by a day", "no day"),
        ("push WEB-4 to someday soon", "names no day"),
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
    "estimate priority high tag none is blocked by before help x docs landing page the push a week \n".split(" ")
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
    assert set(mentioned_keys("\n".join(str(patch) for patch in parsed.patches))) <= set(mentioned_keys(text.upper())) | set(
        TASKS
    )


@pytest.mark.parametrize(
    "text",
    [
        "add x" + " " * 19_000 + "under",
        "move WEB-1" + " " * 9_000 + "back" + " " * 9_000 + "x",
        "add task to" + " " * 19_000,
        "split WEB-1 into " + "(" * 9_000 + "," * 9_000,
        ("page a " * 11 + "\n") * 250,
    ],
)
def test_a_hostile_message_does_not_hang(text: str) -> None:
    tasks = {f"WEB-{number}": NamedTask(f"page a {number}") for number in range(1, 2_000)}
    parsed = parse_commands(text, tasks=tasks, project="WEB", today=TODAY, hours_per_day=8, days_per_week=5)

    assert parsed.patches or parsed.unparsed
