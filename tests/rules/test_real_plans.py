"""Two plans that people wrote for their own work."""

import os
from pathlib import Path

import pytest

from tests.rules.corpus import CORPUS, score
from tests.rules.plans import PlanReader, read

PLANS = Path(os.environ.get("REAL_PLANS", Path(__file__).parents[3] / "shared" / "plans"))
pytestmark = pytest.mark.skipif(not PLANS.is_dir(), reason=f"the real plans are not at {PLANS} (set REAL_PLANS)")


@pytest.fixture(scope="module")
def checklist() -> PlanReader:
    return read((PLANS / "neo4j-export-tasks.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def breakdown() -> PlanReader:
    return read((PLANS / "hierarchical-planner-mvp.md").read_text(encoding="utf-8"))


def test_all_sixty_checkboxes_stand_under_their_six_phases(checklist: PlanReader) -> None:
    phases = [line for line in checklist.tree if not line.startswith(" ")]
    tasks = [line.strip() for line in checklist.tree if line.startswith("  ") and not line.startswith("    ")]

    assert len(phases) == 6
    assert len(checklist.tree) == 66
    assert [title.split()[0] for title in tasks] == [f"T{number:03d}" for number in range(1, 61)]


def test_done_state_tags_and_priorities_are_kept(checklist: PlanReader) -> None:
    tasks = {title: task for title, task in checklist.tasks.items() if title.startswith("T0")}

    assert {title.split()[0] for title, task in tasks.items() if "status" not in task} == {"T019", "T048", "T049", "T054", "T055"}
    assert sum(task.get("status") == "completed" for task in tasks.values()) == 55
    assert next(task["tags"] for title, task in tasks.items() if title.startswith("T012")) == ["P", "US1"]
    assert [task.get("priority") for title, task in checklist.tasks.items() if title.startswith("Phase")] == [
        None, None, "critical", "high", "medium", None,
    ]  # fmt: skip


def test_the_stated_phase_dependencies_are_linked(checklist: PlanReader) -> None:
    waits = {title.split(":")[0]: [other.split(":")[0] for other in others] for title, others in checklist.waits.items()}

    assert waits == {
        "Phase 2": ["Phase 1"],
        "Phase 3": ["Phase 2"],
        "Phase 4": ["Phase 2"],
        "Phase 5": ["Phase 4"],
        "Phase 6": ["Phase 3", "Phase 4", "Phase 5"],
    }


@pytest.mark.parametrize("name", ["neo4j-export-tasks", "hierarchical-planner-mvp"])
def test_every_field_of_their_labels_is_right_and_none_is_invented(name: str) -> None:
    result = score(PLANS / f"{name}.md", CORPUS / "shared" / f"{name}.labels")

    assert (result.wrong, result.invented) == ([], [])
    assert result.right == result.stated > 200


def test_only_dividing_lines_are_left_and_nothing_is_asked(checklist: PlanReader, breakdown: PlanReader) -> None:
    for plan in (checklist, breakdown):
        assert {entry.text for entry in plan.plan.unparsed} == {"---"}
        assert plan.plan.questions == []


def test_phases_tasks_and_subtasks_come_from_the_headings(breakdown: PlanReader) -> None:
    depths = [(len(line) - len(line.lstrip())) // 2 for line in breakdown.tree]

    assert [depths.count(depth) for depth in (0, 1, 2, 3)] == [7, 16, 45, 0]
    assert all(
        line.strip().startswith(("Phase ", "Task ", "Subtask ")[depth])
        for line, depth in zip(breakdown.tree, depths, strict=True)
    )


def test_durations_owners_and_dependencies_are_fields(breakdown: PlanReader) -> None:
    task = breakdown.tasks["Task 0.2: Create Task Relationship Table"]

    assert (task["estimated_minutes"], task["assignee"]) == (240, "Data Engineer")
    assert breakdown.tasks["Subtask 0.1.1: Add Hierarchical Fields to Task Model"]["estimated_minutes"] == 90
    assert sum("estimated_minutes" in fields for fields in breakdown.tasks.values()) == 58
    assert breakdown.waits["Task 0.2: Create Task Relationship Table"] == ["Task 0.1: Extend Task Model with Hierarchical Fields"]
    assert breakdown.waits["Task 1.1: Design Planning Prompt System"] == ["Phase 0: Foundation Hardening (Week 27)"]
    assert len(breakdown.waits) == 15


def test_every_code_block_is_in_a_description_exactly_as_written(breakdown: PlanReader) -> None:
    text = (PLANS / "hierarchical-planner-mvp.md").read_text(encoding="utf-8")
    descriptions = [breakdown.project["description"], *(task.get("description", "") for task in breakdown.tasks.values())]

    blocks = text.split("```")[1::2]
    assert len(blocks) == 10
    assert all(sum(block in description for description in descriptions) == 1 for block in blocks)
