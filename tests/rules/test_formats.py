"""TaskPaper, todo.txt, OPML and bare outlines; and which of the formats a text is taken for."""

import pytest

from core.errors import ValidationFailed
from core.rules.formats.reading import find_format
from schemas.planning import OutlineFormat
from tests.rules.plans import read

TASKPAPER = """\
Launch:
\tIn time for the fair.
\t- Write copy @done(2026-11-20) @web
\t\tShort, please.
\tDesign:
\t\t- Logo @priority(1) @est(2h) @who(Ann Lee) @size(big)
\t- Ship after Write copy @due(2026-12-01)
"""
TODO_TXT = """\
(A) 2026-11-01 Call Mom +Family @phone due:2026-12-01
x 2026-11-20 2026-11-02 Pay rent +Home pri:B
Post signs around the +Garage shop t:2026-12-24
"""
OUTLINE = """\
Kitchen
\tI. Tear out
\t\tA. Cabinets (2h)
\t\tB. Floor @bob
\tII. Install due:2026-12-04:

\tIII. Paint after Install
"""
OPML = """\
<?xml version="1.0" encoding="ISO-8859-1"?>
<opml version="2.0">
  <head><title>My plän</title><ownerName>Bo</ownerName></head>
  <body>
    <outline text="Design" _note="With care" dueDate="2026-12-01" color="red">
      <outline text="Logo (2h) @ann" _status="checked"/>
    </outline>
    <outline text="Ship after Logo" complete="false"/>
  </body>
</opml>
"""


def test_taskpaper_tags_are_its_markers_and_what_no_field_takes_is_described() -> None:
    plan = read(TASKPAPER)

    assert plan.project == {"name": "Launch", "description": "\tIn time for the fair."}
    assert plan.tree == ["Write copy", "Design", "  Logo", "Ship"]
    assert plan.tasks["Write copy"] == {
        "title": "Write copy",
        "description": "done: 2026-11-20\n\nShort, please.",
        "status": "completed",
        "tags": ["web"],
    }
    assert plan.tasks["Logo"] == {
        "title": "Logo",
        "description": "size: big",
        "tags": ["size"],
        "priority": "critical",
        "assignee": "Ann Lee",
        "estimated_minutes": 120,
    }
    assert (plan.waits, plan.tasks["Ship"]["due_date"]) == ({"Ship": ["Write copy"]}, "2026-12-01")
    assert (plan.plan.unparsed, plan.plan.questions) == ([], [])


def test_taskpaper_tasks_in_the_column_of_their_project_are_below_it() -> None:
    assert read("One:\n- a @done\n- b\nTwo:\n- c\n\t- d\n").tree == ["One", "  a", "  b", "Two", "  c", "    d"]


def test_todo_txt_projects_and_contexts_are_tags_and_its_days_are_described() -> None:
    plan = read(TODO_TXT)

    assert list(plan.tasks.values()) == [
        {
            "title": "Call Mom", "description": "Created: 2026-11-01", "priority": "critical", "due_date": "2026-12-01",
            "tags": ["Family", "phone"],
        },
        {
            "title": "Pay rent", "description": "Completed: 2026-11-20\nCreated: 2026-11-02", "priority": "high",
            "status": "completed", "tags": ["Home"],
        },
        {"title": "Post signs around the shop", "start_date": "2026-12-24", "tags": ["Garage"]},
    ]  # fmt: skip


def test_an_outline_of_nothing_but_indentation_is_read_with_all_markers() -> None:
    plan = read(OUTLINE)

    assert plan.project == {"name": "Kitchen"}
    assert plan.tree == ["Tear out", "  Cabinets", "  Floor", "Install", "Paint"]
    assert plan.tasks["Cabinets"]["estimated_minutes"] == 120
    assert plan.tasks["Floor"]["assignee"] == "bob"
    assert plan.tasks["Install"]["due_date"] == "2026-12-04"
    assert plan.waits == {"Paint": ["Install"]}


def test_opml_keeps_tree_notes_states_and_attributes() -> None:
    plan = read(OPML)

    assert plan.project == {"name": "My plän"}
    assert plan.tree == ["Design", "  Logo", "Ship"]
    assert plan.tasks["Design"] == {
        "title": "Design",
        "description": "With care\ncolor: red",
        "due_date": "2026-12-01",
        "status": "completed",
    }
    assert plan.tasks["Logo"]["status"] == "completed"
    assert plan.waits == {"Ship": ["Logo"]}
    assert [entry.reason for entry in plan.plan.unparsed] == ["text of <ownerName>: only the title and the outlines are read"]


def test_only_numbered_lines_wait_for_the_one_before_them_when_asked_to() -> None:
    outline = "House\n  1. Walls\n  2. Roof\n    a) Beams\n    b) Tiles\n  Garden\n"

    assert read(outline, sequential=True).waits == {"Roof": ["Walls"]}
    assert read(TODO_TXT, sequential=True).waits == {}


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><opml><body><outline text="&b;"/></body></opml>'
EXTERNAL = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><opml><body><outline text="&a;"/></body></opml>'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "declares a document type"),
        (EXTERNAL, "declares a document type"),
        (
            '<!DOCTYPE opml SYSTEM "http://127.0.0.1/x.dtd"><opml><body><outline text="a"/></body></opml>',
            "declares a document type",
        ),
        ('<opml><body><outline text="&a;"/></body></opml>', "line 1: undefined entity"),
        ('<opml>\n<body><outline text="a">\n</body></opml>', "line 3: mismatched tag"),
        ("<opml><body/></opml>", "no outline in its body"),
        ("no XML", "line 1: syntax error"),
    ],
)
def test_opml_that_is_dangerous_or_broken_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValidationFailed, match=reason):
        read(text, format=OutlineFormat.OPML)


def test_opml_may_be_nested_as_deep_as_it_likes() -> None:
    deep = "<opml><body>" + '<outline text="a">' * 5_000 + "</outline>" * 5_000 + "</body></opml>"

    plan = read(deep)

    assert len(plan.tree) == 5_000
    assert "4994 items are nested deeper" in plan.plan.questions[0]


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": "orchestrator/1"}', '{"success": true}', '{"success": true, "data": {}}']
)
def test_json_that_is_no_export_is_refused_with_what_is_missing(text: str) -> None:
    with pytest.raises(ValidationFailed, match="no export of a project in JSON"):
        read(text, format=OutlineFormat.JSON)


@pytest.mark.parametrize(
    ("text", "format"),
    [
        (TASKPAPER, OutlineFormat.TASKPAPER),
        (TODO_TXT, OutlineFormat.TODO_TXT),
        (OPML, OutlineFormat.OPML),
        (BOMB, OutlineFormat.OPML),
        ("Title,Status\nOne,Done\n", OutlineFormat.CSV),
        ('{\n  "format": "orchestrator/1"', OutlineFormat.JSON),
        ("# Plan\n\n- [ ] One @due(2026-12-01)\n", OutlineFormat.MARKDOWN),
        ("Shopping:\n- Milk @ann\n- Bread\n", OutlineFormat.MARKDOWN),
        ("Meet Ann, then Bob, status unclear\n", OutlineFormat.MARKDOWN),
        ("(A) is the first option\n(B) is the second\n", OutlineFormat.MARKDOWN),
        ("Title | Status\n--|--\nOne | Done\n", OutlineFormat.MARKDOWN),
        ("Name, Owner\nare what we should discuss\n", OutlineFormat.MARKDOWN),
    ],
)
def test_a_text_is_markdown_unless_it_is_clearly_another_format(text: str, format: OutlineFormat) -> None:
    assert find_format(text) is format
