"""Fields on lines of their own below an item, and acceptance criteria."""

from typing import Any

import pytest

from tests.rules.plans import only_task, parse, read


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("**Duration**: 1 day", {"estimated_minutes": 480}),
        ("**Duration:** 0.5 days", {"estimated_minutes": 240}),
        ("Estimate: ~2 hours", {"estimated_minutes": 120}),
        ("__Effort__: 1w", {"estimated_minutes": 2400}),
        ("**Owner**: Data Engineer", {"assignee": "Data Engineer"}),
        ("Assignee: @ann", {"assignee": "ann"}),
        ("**Due**: 2026-12-24", {"due_date": "2026-12-24"}),
        ("Deadline: end of month", {"due_date": "2026-11-30"}),
        ("**Start**: tomorrow", {"start_date": "2026-11-24"}),
        ("**Priority**: High", {"priority": "high"}),
        ("priority: P1", {"priority": "critical"}),
        ("**Tags**: api, #web, `ui`", {"tags": ["api", "web", "ui"]}),
        ("Labels: api", {"tags": ["api"]}),
        ("**Status**: In Progress", {"status": "in_progress"}),
        ("Status: done", {"status": "completed"}),
        ("**Dependencies**: None", {}),
        ("**Priority**: High | **Estimate**: 2h", {"priority": "high", "estimated_minutes": 120}),
        ("**Priority**: High **Owner**: Ann", {"priority": "high", "assignee": "Ann"}),
        ("- **Owner**: Ann", {"assignee": "Ann"}),
    ],
)
def test_a_label_line_sets_its_field_and_leaves_the_description(line: str, fields: dict[str, Any]) -> None:
    assert only_task(f"- [ ] a\n  {line}\n") == {"title": "a", **fields}
    assert only_task(f"### Task 1: a\n\n{line}\n\ntext\n") == {"title": "Task 1: a", "description": "text", **fields}


@pytest.mark.parametrize("line", ["**Duration**: 2-3 days", "**Due**: 01/02/2027", "**Status**: weird", "**Priority**: maybe"])
def test_a_value_that_cannot_be_read_stays_in_the_description_and_is_reported(line: str) -> None:
    text = f"- [ ] a\n  {line}\n"

    assert only_task(text) == {"title": "a", "description": line}
    assert parse(text).questions == [f"line 2: '{line}' cannot be read; kept as text"]


@pytest.mark.parametrize("line", ["**Deliverable**: a file", "**Testing**: by hand", "**Objective**: 2 days", "Note: 2h"])
def test_other_labels_are_description(line: str) -> None:
    assert only_task(f"- [ ] a\n  {line}\n") == {"title": "a", "description": line}


def test_an_estimate_of_a_parent_and_those_of_its_children_are_stored_as_stated() -> None:
    tasks = read("## Task 1: a\n**Duration**: 1 day\n\n### Subtask 1.1: b (90 min)\n").tasks

    assert [task["estimated_minutes"] for task in tasks.values()] == [480, 90]


def test_labels_below_another_heading_or_deeper_in_lists_are_text() -> None:
    text = "## Task 1: a\n\n1. First:\n   - Status: done\n\n### Remarks\n\n**Due**: 2026-12-24\n"

    assert set(only_task(text)) == {"title", "description"}


def test_an_attribute_in_an_outline_belongs_to_the_item_above() -> None:
    plan = read("- a\n  - Due: 2026-12-24\n  - b\n")

    assert plan.tree == ["a", "  b"]
    assert plan.tasks["a"] == {"title": "a", "due_date": "2026-12-24"}


def test_dates_priority_and_tags_before_the_first_section_are_the_projects() -> None:
    project = read(
        "# P\n\n**Start**: 2026-12-01\n**Due**: 2026-12-24\n**Priority**: high\n**Tags**: x\n**Owner**: Ann\n\n- a\n"
    ).project

    assert project == {
        "name": "P",
        "start_date": "2026-12-01",
        "due_date": "2026-12-24",
        "priority": "high",
        "tags": ["x"],
        "description": "**Owner**: Ann",
    }


@pytest.mark.parametrize(
    "text",
    [
        "- [ ] a\n\n  Acceptance criteria:\n\n  - it works\n  - [ ] it is fast\n",
        "- [ ] a\n  **Definition of done:**\n  - it works\n  - it is fast\n",
        "- [ ] a\n  - DoD:\n    - it works\n    - it is fast\n",
        "## Task 1: x\n\n### Acceptance criteria\n\n- it works\n- it is fast\n",
    ],
)
def test_a_list_of_acceptance_criteria_is_kept_as_such(text: str) -> None:
    task = only_task(text)

    assert task["acceptance_criteria"] == ["it works", "it is fast"]
    assert "description" not in task


def test_criteria_in_one_line_are_one_criterion() -> None:
    assert only_task("- [ ] a\n  DoD: it works\n")["acceptance_criteria"] == ["it works"]


def test_criteria_of_the_whole_document_stay_text() -> None:
    plan = read("# P\n\n## Acceptance criteria\n\n- it works\n\n## Work\n\n- [ ] a\n")

    assert plan.tree == ["a"]
    assert "- it works" in plan.project["description"]


def test_criteria_too_long_to_be_stored_stay_text() -> None:
    assert "acceptance_criteria" not in only_task(f"- [ ] a\n\n  DoD:\n\n  - {'x' * 501}\n")
