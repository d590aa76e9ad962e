"""Tables of tasks: CSV as common tools export it, and as people write it."""

import pytest

from tests.rules.plans import PlanReader, read

JIRA = '''\
Summary,Issue key,Issue id,Issue Type,Status,Priority,Assignee,Due date,Labels,Labels,Parent,Inward issue link (Blocks)
"Login, with ""SSO""",APP-1,10001,Epic,In Progress,High,Ana Ruiz,2026-12-18,auth,web,,
Password form,APP-2,10002,Story,Done,Medium,,,auth,,10001,
Session cookie,APP-3,10003,Story,To Do,Lowest,bo,2026-12-11 00:00,,,10001,APP-2
'''
PROJECT = """\
ID\tTask Name\tDuration\tStart\tFinish\tPredecessors\tResource Names\tOutline Level\t% Complete
1\tFoundations\t\t\t\t\t\t1\t50%
2\tDig\t3 days\t2026-12-01\t2026-12-03\t\tCrew A\t2\t100%
3\tPour\t1 day\t2026-12-04\t2026-12-04\t2FS\tCrew B\t2\t0%
"""


def test_an_export_of_an_issue_tracker_keeps_its_tree_states_and_links() -> None:
    plan = read(JIRA)

    assert plan.tree == ['Login, with "SSO"', "  Password form", "  Session cookie"]
    assert plan.tasks["Session cookie"] == {
        "title": "Session cookie",
        "description": "Issue key: APP-3\nIssue Type: Story",
        "status": "todo",
        "priority": "backlog",
        "assignee": "bo",
        "due_date": "2026-12-11",
    }
    assert plan.tasks['Login, with "SSO"']["tags"] == ["auth", "web"]
    assert plan.waits == {"Session cookie": ["Password form"]}
    assert (plan.plan.unparsed, plan.plan.questions) == ([], [])


def test_levels_predecessors_and_units_of_a_project_file_are_read() -> None:
    plan = read(PROJECT)

    assert plan.tree == ["Foundations", "  Dig", "  Pour"]
    assert plan.tasks["Dig"]["estimated_minutes"] == 3 * 480
    assert (plan.tasks["Dig"]["status"], "status" in plan.tasks["Pour"]) == ("completed", False)
    assert plan.waits == {"Pour": ["Dig"]}
    assert plan.plan.questions == ["line 2: '% Complete: 50%' is neither yes nor no; kept as text"]


@pytest.mark.parametrize("text", ["title;owner\nOne;Ann\n", "\ufefftitle\towner\r\nOne\tAnn\r\n", "Task,Owner\rOne,Ann"])
def test_separators_line_ends_and_a_byte_order_mark_do_not_matter(text: str) -> None:
    plan = read(text)

    assert plan.tasks == {"One": {"title": "One", "assignee": "Ann"}}


def test_ragged_rows_and_quoted_line_breaks_lose_nothing() -> None:
    plan = read('title,owner\n"One\nmore"\nTwo,Bo,extra,,more\n\n,Ann\n')

    assert plan.tasks == {
        "One\nmore": {"title": "One\nmore"},
        "Two": {"title": "Two", "description": "extra\nmore", "assignee": "Bo"},
    }
    assert [(entry.line, entry.reason) for entry in plan.plan.unparsed] == [(6, "a row without a title")]


def test_what_a_cell_says_unclearly_stays_in_the_description_with_a_question() -> None:
    plan = read("title,due,estimate,status,parent,blocked by\nOne,01/02/2027,8,Fancy,Nobody,Nothing; Two\nTwo,,,,,\n")

    assert plan.tasks["One"]["description"].split("\n") == [
        "due: 01/02/2027", "estimate: 8", "status: Fancy", "parent: Nobody", "", "blocked by: Nothing",
    ]  # fmt: skip
    assert plan.waits == {"One": ["Two"]}
    assert len(plan.plan.questions) == 5


def test_titles_hold_markers_where_the_table_has_no_columns_for_them() -> None:
    assert read("task,notes\nBuild (2h) @ann,Now\n").tasks == {
        "Build": {"title": "Build", "description": "Now", "estimated_minutes": 120, "assignee": "ann"}
    }
    assert list(read("task,owner\nBuild (2h) @ann,Bo\n").tasks) == ["Build (2h) @ann"]


def test_parents_in_a_circle_are_asked_about() -> None:
    plan = read("title,parent\nOne,Two\nTwo,One\n")

    assert plan.tree == ["One", "  Two"]
    assert "circle" in plan.plan.questions[0]


def test_numbers_such_as_1_2_place_a_row_below_1() -> None:
    assert read("wbs,task\n1,One\n1.1,Two\n1.1.1,Three\n2,Four\n").tree == ["One", "  Two", "    Three", "Four"]


def test_a_quotation_mark_that_is_never_closed_leaves_the_rest_unused() -> None:
    plan: PlanReader = read('title,owner\nOne,Ann\n"Two,Bo\n' + "x,y\n" * 50_000)

    assert plan.tree == ["One"]
    assert plan.plan.unparsed[0].reason == "is no CSV; a quotation mark may not be closed"


def test_the_guard_against_formulas_is_taken_off() -> None:
    assert read("title,owner\n'=1+1,Ann\n'quoted,Bo\n").tree == ["=1+1", "'quoted"]
