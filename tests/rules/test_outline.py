"""What becomes a task, under what, and where everything else goes."""

from pathlib import Path

import pytest

from tests.rules.plans import read

PLANS = Path(__file__).parents[1] / "data" / "plans"
CHECKLIST = (PLANS / "checklist.md").read_text(encoding="utf-8")
BREAKDOWN = (PLANS / "breakdown.md").read_text(encoding="utf-8")


def test_checkboxes_are_tasks_under_the_headings_above_them() -> None:
    plan = read(CHECKLIST)

    assert plan.tree == [
        "Phase 1: Setup (Shared Infrastructure)",
        "  T001 Create `export/` module",
        "  T002 Add the driver to requirements.txt",
        "Phase 2: Foundational (Blocking Prerequisites)",
        "  T003 Implement the record loader",
        "  T004 Test the record loader",
        "Phase 3: User Story 1 - Export a file MVP",
        "  T005 Write the header",
        "  T006 Write the body",
        "Phase 4: User Story 2 - Sync",
        "  Tests for User Story 2",
        "    T007 Contract test",
        "  Implementation for User Story 2",
        "    T008 Sync command",
        "Phase 5: Polish",
        "  T009 Update README",
    ]


def test_a_heading_that_only_repeats_the_one_above_is_folded_into_its_description() -> None:
    plan = read(CHECKLIST)

    assert plan.tasks["Phase 3: User Story 1 - Export a file MVP"]["description"] == (
        "**Goal**: write a file\n\n### Implementation for User Story 1\n\n**Checkpoint**: story 1 works alone"
    )


def test_sections_without_tasks_are_kept_in_the_description_of_the_project() -> None:
    plan = read(CHECKLIST)

    assert plan.project["name"] == "Tasks: Photo Export"
    assert plan.project["description"].startswith("**Input**: design documents\n**Organization**")
    assert "- **[P]**: can run in parallel" in plan.project["description"]
    assert plan.project["description"].endswith("## Notes\n\n- Stop at any checkpoint")


def test_dividing_lines_between_sections_are_the_only_lines_not_used() -> None:
    unparsed = read(CHECKLIST).plan.unparsed

    assert {(entry.text, entry.reason) for entry in unparsed} == {("---", "a dividing line")}


def test_a_group_whose_subtasks_are_all_closed_is_completed_and_others_stay_open() -> None:
    tasks = read(CHECKLIST).tasks

    assert tasks["Phase 1: Setup (Shared Infrastructure)"]["status"] == "completed"
    assert "status" not in tasks["Phase 2: Foundational (Blocking Prerequisites)"]


def test_an_item_with_its_own_open_checkbox_is_not_completed_by_its_subtasks() -> None:
    assert "status" not in read("- [ ] parent\n  - [x] child\n").tasks["parent"]


def test_phase_task_and_subtask_headings_are_tasks_and_lists_below_them_are_text() -> None:
    plan = read(BREAKDOWN)

    assert plan.tree == [
        "Phase 0: Foundation (Week 27)",
        "  Task 0.1: Extend the model",
        "    Subtask 0.1.1: Add fields",
        "    Subtask 0.1.2: Migrate",
        "  Task 0.2: Relationship table",
        "Phase 1: Language (Week 28-29)",
        "  Task 1.1: Prompts",
        "  Task 1.2: Pipeline",
    ]
    assert "### Technical Risks\n\n1. **Accuracy**" in plan.project["description"]


def test_code_stays_with_its_task_exactly_and_nothing_in_it_is_a_marker() -> None:
    task = read(BREAKDOWN).tasks["Subtask 0.1.1: Add fields"]

    assert task == {
        "title": "Subtask 0.1.1: Add fields",
        "estimated_minutes": 90,
        "description": (
            "**Deliverable**: Updated `src/task.py`\n**Implementation**:\n\n1. Add to the model:\n   ```python\n   class Task:\n"
            "       depth: int = 0  # (2h) @nobody #notag\n\n       parent: str\n   ```\n"
            "2. Add validation:\n   - Prevent cycles\n\n**Testing**: Unit tests"
        ),
    }


def test_a_heading_with_an_owner_or_estimate_below_it_is_a_task_without_being_called_one() -> None:
    plan = read("# Plan\n\n## Set up CI\n\n**Owner**: Ann\n\n- use runners\n\n## Overview\n\nwords\n")

    assert plan.tree == ["Set up CI"]
    assert plan.tasks["Set up CI"] == {"title": "Set up CI", "assignee": "Ann", "description": "- use runners"}


def test_without_checkboxes_list_items_are_tasks_nested_as_written() -> None:
    plan = read("# Trip\n\nIn May.\n\n## Before\n\n1. Book\n   - flight\n   - hotel\n2. Pack\n\n## Notes\n\n- mind the gap\n")

    assert plan.tree == ["Before", "  Book", "    flight", "    hotel", "  Pack"]
    assert plan.project == {"name": "Trip", "description": "In May.\n\n## Notes\n\n- mind the gap"}


def test_plain_items_in_a_checklist_are_description_unless_checkboxes_stand_below_them() -> None:
    plan = read("- Backend\n  - [ ] API\n    - REST only\n\n      really\n- remark\n")

    assert plan.tree == ["Backend", "  API"]
    assert plan.tasks["API"]["description"] == "- REST only\n\n  really"
    assert plan.project["description"] == "- remark"


def test_short_lines_above_several_lists_are_their_headings() -> None:
    plan = read("Backend:\n- [ ] api\n\n**Frontend**\n\n- [ ] page\n")

    assert plan.tree == ["Backend", "  api", "Frontend", "  page"]


def test_a_single_line_above_a_list_stays_text() -> None:
    plan = read("What we need:\n\n- [ ] api\n")

    assert plan.tree == ["api"]
    assert plan.project["description"] == "What we need:"


def test_headings_alone_become_tasks_and_the_answer_asks_whether_that_is_meant() -> None:
    plan = read("# App\n\n## Design\n\nDraw it.\n\n## Build\n")

    assert plan.tree == ["Design", "Build"]
    assert plan.tasks["Design"]["description"] == "Draw it."
    assert "each of its headings became a task" in plan.plan.questions[0]


def test_free_text_becomes_one_task_and_the_answer_says_why() -> None:
    text = "I want an app. It should\nsort photos.\n\nAnd share them."
    plan = read(text, name="Photos")

    assert plan.project == {"name": "Photos"}
    assert plan.tasks == {"I want an app.": {"title": "I want an app.", "description": text}}
    assert "it became one task" in plan.plan.questions[0]


def test_one_line_of_free_text_is_an_item_with_its_markers() -> None:
    assert read("Ship the app by Aug 15").tasks == {"Ship the app": {"title": "Ship the app", "due_date": "2027-08-15"}}


def test_the_name_is_the_title_then_the_given_one_then_the_first_heading() -> None:
    assert read("# Title\n- a\n", name="Given").project["name"] == "Title"
    assert read("## First\n- a\n", name="Given").project["name"] == "Given"
    assert read("## First\n- a\n").project["name"] == "First"
    assert read("- a\n").project["name"] == "Imported plan"


def test_two_top_headings_are_sections_not_titles() -> None:
    plan = read("# One\n- a\n\n# Two\n- b\n")

    assert plan.tree == ["One", "  a", "Two", "  b"]


def test_in_an_existing_project_only_tasks_are_created_and_the_rest_is_reported() -> None:
    plan = read("# Auth\n\nWhy we do it.\n\n- [ ] login\n", project="WEB")

    assert plan.patches == [{"op": "create_task", "ref": "$t1", "project": "WEB", "fields": {"title": "login"}}]
    assert [(entry.line, entry.text) for entry in plan.plan.unparsed] == [(1, "# Auth"), (3, "Why we do it.")]


def test_a_title_wrapped_by_an_editor_is_joined_and_a_short_first_line_is_not() -> None:
    long = "Implement the loader that reads every record of the store and its links"
    plan = read(f"- [ ] {long}\n  in a stable order\n- [ ] Short\n  with a remark\n")

    assert plan.tree == [f"{long} in a stable order", "Short"]
    assert plan.tasks["Short"]["description"] == "with a remark"


def test_description_of_an_item_loses_only_the_indentation_it_shares() -> None:
    plan = read("- [ ] a\n\n  first\n\n  ```\n    x\n  ```\n")

    assert plan.tasks["a"]["description"] == "first\n\n```\n  x\n```"


def test_a_heading_inside_an_item_is_its_title() -> None:
    assert read("- # One\n- Two\n  lines\n  ---\n").tree == ["One", "Two lines"]


def test_front_matter_is_no_heading() -> None:
    plan = read("---\ntitle: X\nstatus: draft\n---\n\n# Plan\n\n- a\n")

    assert plan.tree == ["a"]
    assert plan.project["description"] == "---\ntitle: X\nstatus: draft\n---"


def test_items_without_text_are_reported() -> None:
    assert [(entry.line, entry.reason) for entry in read("- [ ] a\n- [ ]\n").plan.unparsed] == [(2, "an item without text")]


def test_deeper_items_are_put_on_the_deepest_level_in_order_and_reported() -> None:
    plan = read("- a\n  - b\n    - c\n      - d\n  - e\n", max_depth=1)

    assert plan.tree == ["a", "  b", "  c", "  d", "  e"]
    assert plan.plan.questions == [
        "2 items are nested deeper than the 2 levels allowed; they were put on the deepest, in order: lines 3, 4"
    ]


def test_a_sixty_level_outline_keeps_all_its_items() -> None:
    text = "\n".join("  " * level + f"- item {level}" for level in range(60))

    assert len(read(text).tree) == 60


@pytest.mark.parametrize(
    "line",
    [
        "- Rate limiting (1d)",
        "- Rate limiting @ben",
        "- Rate limiting due 2026-12-03",
        "- Rate limiting #api",
        "- Rate limiting !high",
        "- Rate limiting after Login",
        "- [] Rate limiting",
        "- [ ]Rate limiting",
    ],
)
def test_a_plain_item_of_a_checklist_that_looks_like_a_task_is_asked_about(line: str) -> None:
    plan = read(f"- [ ] Login\n{line}\n- just a remark\n")

    assert plan.tree == ["Login"]
    assert len(plan.plan.questions) == 1
    assert plan.plan.questions[0].startswith("line 2: a list item without a checkbox, but with an estimate, owner, ")


def test_one_question_names_all_such_items_and_none_of_the_notes() -> None:
    plan = read("- [ ] a\n  - b (1h)\n  - Owner: Ann\n\n## Frontend\n\n1. c @eve\n\n## Notes\n\n- we met @ann on Monday\n")

    assert len(plan.plan.questions) == 1
    assert plan.plan.questions[0].startswith("lines 2, 7: 2 list items without a checkbox, but with an estimate, ")


def test_decimal_numbers_are_a_nested_list() -> None:
    plan = read("1. Prepare (2 days)\n1.1 Papers @ann\n1.1.1 Invoices\n1.1.2 Contracts\n1.2 Room after 1.1\n2. Visit\n")

    assert plan.tree == [
        "Prepare",
        "  1.1 Papers",
        "    1.1.1 Invoices",
        "    1.1.2 Contracts",
        "  1.2 Room",
        "Visit",
    ]
    assert plan.waits == {"1.2 Room": ["1.1 Papers"]}


def test_letters_behind_a_number_stand_below_it() -> None:
    plan = read(
        "1. Study\n   1.1 Rivals (4h)\n   1.2 Interviews\n       a. Recruit\n       b. Meet (1d) after Recruit\n   1.3 Report\n"
    )

    assert plan.tree == ["Study", "  1.1 Rivals", "  1.2 Interviews", "    Recruit", "    Meet", "  1.3 Report"]
    assert plan.tasks["Meet"]["estimated_minutes"] == 480


def test_letters_are_a_list() -> None:
    assert read("1. Clear out\n   a) Cabinets (2h)\n   b) Tiles\n2. Paint\n").tree == [
        "Clear out",
        "  Cabinets",
        "  Tiles",
        "Paint",
    ]


@pytest.mark.parametrize(
    "lines",
    [
        ["1.1 hours a day"],  # one line may be a sentence
        ["3.11 or newer", "3.12 is fine"],  # does not begin with 1
        ["1.1 Cabinets", "1.3 Tiles"],  # has a gap
        ["1.1 Cabinets", "of the kitchen"],
        ["3.1 Cabinets", "3.2 Tiles"],  # stands below item 1
        ["a. Cabinets", "c. Tiles"],
        ["a. Cabinets", "1.1 Tiles"],
    ],
)
def test_numbers_that_do_not_count_without_a_gap_are_text(lines: list[str]) -> None:
    plan = read("1. Clear out\n   " + "\n   ".join(lines) + "\n")

    assert plan.tree == ["Clear out"]
    assert plan.tasks["Clear out"]["description"] == "\n".join(lines)


def test_a_first_line_above_a_list_is_the_name_unless_there_is_a_heading_or_it_is_a_sentence() -> None:
    assert read("Kitchen renovation\n\n- Paint\n").project == {"name": "Kitchen renovation"}
    assert read("Kitchen renovation\n\n- Paint\n", name="Home").project == {"name": "Home", "description": "Kitchen renovation"}
    assert read("Priority: high\n\n- Paint\n").project == {"name": "Imported plan", "priority": "high"}
    assert read("We paint it.\n\n- Paint\n").project == {"name": "Imported plan", "description": "We paint it."}


def test_a_table_alone_is_one_task_named_by_the_title() -> None:
    plan = read("# Migration\n\n| Task | Owner |\n|---|---|\n| Export | Ann |\n")

    assert plan.tree == ["Migration"]
    assert "(tables are kept as text)" in plan.plan.questions[0]
