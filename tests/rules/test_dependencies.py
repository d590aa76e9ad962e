"""Stated dependencies: what is linked, what is kept as text, what is refused."""

from pathlib import Path

import pytest

from tests.rules.plans import parse, read

PLANS = Path(__file__).parents[1] / "data" / "plans"


@pytest.mark.parametrize(
    "words",
    [
        "after Build",
        "depends on build",
        "blocked by Build",
        "(after Build)",
        "(depends on Build; 2h)",
        "after Build @ann (2h)",
        "@ann #api after Build",
        "(2h) @ann after Build",
        "after ^b",
    ],
)
def test_a_clear_reference_links_and_leaves_the_title(words: str) -> None:
    assert read(f"- [ ] Build ^b\n- [ ] Test {words}\n").waits == {"Test": ["Build"]}


@pytest.mark.parametrize("words", ["needs #1", "(needs #1)", "after #1", "depends on 1"])
def test_a_number_is_that_of_the_same_list(words: str) -> None:
    assert read(f"1. Build\n2. Test {words}\n\nother\n\n1. Elsewhere\n").waits == {"Test": ["Build"]}


@pytest.mark.parametrize(
    ("words", "others"),
    [
        ("T001", ["T001 a"]),
        ("T001, T003", ["T001 a", "T003 c"]),
        ("T001 and T002", ["T001 a", "T002 b"]),
        ("T001-T003", ["T001 a", "T002 b", "T003 c"]),
        ("T001 to T002 being complete", ["T001 a", "T002 b"]),
        ("'c'", []),
        ("c", ["T003 c"]),
    ],
)
def test_labels_lists_ranges_and_titles_are_references(words: str, others: list[str]) -> None:
    waits = read(f"- [ ] T001 a\n- [ ] T002 b\n- [ ] T003 c\n- [ ] T004 d after {words}\n").waits

    assert waits == ({"T004 d": others} if others else {})


@pytest.mark.parametrize("line", ["**Dependencies**: T001", "Depends on: T001", "**Blocked by:** T001", "depends on T001"])
def test_a_label_line_links_and_leaves_the_description(line: str) -> None:
    plan = read(f"- [ ] T001 a\n- [ ] b\n  {line}\n")

    assert plan.waits == {"b": ["T001 a"]}
    assert "description" not in plan.tasks["b"]


def test_words_besides_the_names_keep_the_line_in_the_description() -> None:
    plan = read("- [ ] T001 a\n- [ ] b\n  Depends on: T001 (must be merged)\n")

    assert plan.waits == {"b": ["T001 a"]}
    assert plan.tasks["b"]["description"] == "Depends on: T001 (must be merged)"


def test_an_ambiguous_title_is_not_guessed() -> None:
    plan = read("- [ ] Test\n- [ ] Test\n- [ ] Ship after Test\n")

    assert plan.waits == {}
    assert plan.tree[-1] == "Ship after Test"
    assert plan.plan.questions == ["line 3: 'after Test' is kept as text: 'Test' matches 2 items"]


def test_of_several_items_with_a_name_the_one_in_the_same_group_is_meant() -> None:
    plan = read(
        "## EU\n- [ ] Deploy\n- [ ] Test EU after Deploy\n## US\n- [ ] Deploy\n- [ ] Test US\n  - [ ] Load after Deploy\n"
    )
    refs = {patch["fields"]["title"]: patch.get("depends_on") for patch in plan.patches if patch["op"] == "create_task"}

    assert refs["Test EU"] == ["$t2"]
    assert refs["Load"] == ["$t5"]
    assert plan.plan.questions == []


@pytest.mark.parametrize("title", ["🎨 Build", "Build 🚀", "Build[^1]", "~~Build~~", '"Build"'])
def test_a_name_is_found_without_its_decoration(title: str) -> None:
    assert read(f"- [ ] {title}\n- [ ] Test after Build\n").waits == {"Test": [title]}


def test_what_stands_before_an_unknown_name_stays_in_the_title() -> None:
    assert read("- [ ] Build\n- [ ] Meet @ann after lunch\n").tree == ["Build", "Meet @ann after lunch"]


def test_an_unknown_name_is_reported_and_the_known_ones_are_linked() -> None:
    plan = read("- [ ] T001 a\n- [ ] b\n  Depends on: T001, legal\n")

    assert plan.waits == {"b": ["T001 a"]}
    assert plan.tasks["b"]["description"] == "Depends on: T001, legal"
    assert plan.plan.questions == ["line 3: 'Depends on: T001, legal' is kept as text: 'legal' names no item"]


def test_tasks_and_phases_are_named_by_the_labels_of_their_headings() -> None:
    plan = read((PLANS / "breakdown.md").read_text(encoding="utf-8"))

    assert plan.waits == {
        "Task 0.2: Relationship table": ["Task 0.1: Extend the model"],
        "Task 1.1: Prompts": ["Phase 0: Foundation (Week 27)"],
        "Task 1.2: Pipeline": ["Task 0.2: Relationship table", "Task 1.1: Prompts"],
    }
    assert plan.plan.questions == []


def test_a_section_that_states_what_phases_wait_for_is_honoured_and_kept() -> None:
    plan = read((PLANS / "checklist.md").read_text(encoding="utf-8"))

    assert plan.waits == {
        "Phase 2: Foundational (Blocking Prerequisites)": ["Phase 1: Setup (Shared Infrastructure)"],
        "Phase 3: User Story 1 - Export a file MVP": ["Phase 2: Foundational (Blocking Prerequisites)"],
        "Phase 4: User Story 2 - Sync": ["Phase 2: Foundational (Blocking Prerequisites)"],
        "T008 Sync command": ["T007 Contract test"],
        "Phase 5: Polish": ["Phase 3: User Story 1 - Export a file MVP", "Phase 4: User Story 2 - Sync"],
    }
    assert "Depends on Setup (T001-T002) - BLOCKS all stories" in plan.project["description"]


def test_a_name_and_a_range_that_contradict_each_other_link_nothing() -> None:
    plan = read(
        "## Phase 1: Alpha\n- [ ] T001 a\n\n## Phase 2: B\n- [ ] T002 b\n\n## Notes\n\n**Phase 2**: Depends on Alpha (T002)\n"
    )

    assert plan.waits == {}
    assert "names different items" in plan.plan.questions[0]


def test_of_a_circle_the_reference_to_a_later_item_is_left_out_and_reported() -> None:
    plan = read("- [ ] a after c\n- [ ] b after a\n- [ ] c after b\n")

    assert plan.tree == ["a after c", "b", "c"]
    assert plan.waits == {"b": ["a after c"], "c": ["b"]}
    assert plan.plan.questions == [
        "line 1: 'after c' is kept as text: on 'c' it would close a circle of tasks that wait for each other"
    ]


def test_a_task_cannot_wait_for_itself_its_parent_or_its_subtask() -> None:
    plan = read("- [ ] a after b\n  - [ ] b after a\n- [ ] c after c\n")

    assert plan.waits == {}
    assert len(plan.plan.questions) == 3


def test_a_circle_through_a_parent_is_seen() -> None:
    plan = read("- [ ] a\n  - [ ] a1 after b\n- [ ] b after a\n")

    assert plan.waits == {"b": ["a"]}


def test_numbered_items_wait_for_the_one_before_only_when_asked() -> None:
    text = "1. a\n   - x\n   - y\n2. b\n3. c\n"

    assert read(text).waits == {}
    assert read(text, sequential=True).waits == {"b": ["a"], "c": ["b"]}


def test_an_import_links_no_more_than_it_can_store() -> None:
    items = "".join(f"- [ ] T{number:03d} a\n" for number in range(1, 201))
    plan = parse(items + "".join(f"- [ ] b{number} after T001-T200\n" for number in range(120)))

    assert sum(len(patch.get("depends_on", [])) for patch in plan.patches) == 20_000  # type: ignore[arg-type, misc]
    assert "more than 20,000 dependencies" in plan.questions[-1] or "more remarks" in plan.questions[-1]
