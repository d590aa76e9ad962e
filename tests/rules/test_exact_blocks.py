"""Code blocks that state fields exactly, as exports write them and people may."""

import pytest

from tests.rules.plans import only_task, read


def test_blocks_below_an_item_state_its_description_comments_and_fields_as_they_are() -> None:
    plan = read(
        "- [ ] Build (2h)\n\n"
        "  ```text description\n  - [ ] no task\n\n   indented\n  ```\n\n"
        "  ````text comment\n  Looks ``` good.\n  ````\n\n"
        '  ```json fields\n  {"actual_minutes": 0, "custom": {"size": 1.5}, "comments": ["And\\ragain."]}\n  ```\n'
    )

    create, *comments = plan.patches[1:]
    assert create["fields"] == {
        "title": "Build",
        "description": "- [ ] no task\n\n indented",
        "estimated_minutes": 120,
        "actual_minutes": 0,
        "custom": {"size": 1.5},
    }
    assert [(patch["op"], patch["task"], patch["body"]) for patch in comments] == [
        ("add_comment", "$t1", "Looks ``` good."),
        ("add_comment", "$t1", "And\ragain."),
    ]
    assert (plan.plan.unparsed, plan.plan.questions) == ([], [])


def test_with_an_exact_title_only_the_checkbox_and_the_name_at_the_end_of_the_line_are_read() -> None:
    plan = read(
        '- [x] Ask @bob due:2027-01-01 ^q\n\n  ```json fields\n  {"title": " Ask @bob due:2027-01-01"}\n  ```\n\n'
        "- [ ] Next after ^q\n"
    )

    assert plan.tasks[" Ask @bob due:2027-01-01"] == {"title": " Ask @bob due:2027-01-01", "status": "completed"}
    assert plan.waits == {"Next": [" Ask @bob due:2027-01-01"]}


def test_exact_fields_come_before_markers_and_labelled_lines() -> None:
    task = only_task('- [ ] Build !high\n\n  **Priority**: low\n\n  ```json fields\n  {"priority": "critical"}\n  ```\n')

    assert task["priority"] == "critical"
    assert task["description"] == "**Priority**: low"


def test_blocks_below_the_title_are_about_the_project() -> None:
    plan = read(
        '# Plan\n\n```json fields\n{"name": "The plan #", "status": "on_hold", "links": {"jira": "P"}}\n```\n\n- [ ] One\n'
    )

    assert plan.project == {"name": "The plan #", "status": "on_hold", "links": {"jira": "P"}}


def test_a_project_without_tasks_stays_one() -> None:
    plan = read('# Plan\n\nJust words.\n\n```json fields\n{"status": "active"}\n```\n')

    assert (plan.project, plan.tree) == ({"name": "Plan", "status": "active", "description": "Just words."}, [])
    assert plan.plan.questions == []


def test_in_an_existing_project_what_is_about_the_plan_is_not_used() -> None:
    plan = read('# Plan\n\n```json fields\n{"status": "active"}\n```\n\n- [ ] One\n', project="WEB")

    assert plan.tree == ["One"]
    assert [entry.line for entry in plan.plan.unparsed] == [1, 3, 4, 5]


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ("```json fields\n  {\n  ```", "is not JSON"),
        ("```json fields\n  [1]\n  ```", "is no JSON object"),
        ('```json fields\n  {"custom": NaN}\n  ```', "is not JSON"),
        ('```json fields\n  {"assigned": "ann"}\n  ```', "has a value that is not allowed (assigned: "),
        ('```json fields\n  {"estimated_minutes": 0}\n  ```', "has a value that is not allowed (estimated_minutes: "),
        ('```json fields\n  {"start_date": "2027-01-02", "due_date": "2027-01-01"}\n  ```', "starts after it is due"),
        ('```json fields\n  {"comments": "one"}\n  ```', "has comments that are no list"),
        ("```text comment\n  ```", "has a value that is not allowed (body: "),
        ("```text comment\n  open", "is not closed"),
    ],
)
def test_a_block_that_is_not_sound_stays_text_and_says_why(block: str, problem: str) -> None:
    plan = read(f"- [ ] Build\n\n  {block}\n")

    [question] = plan.plan.questions
    assert question.startswith(f"line 3: the block '{block.splitlines()[0].lstrip('`')}' {problem}")
    assert plan.tasks["Build"]["description"].startswith("```")


def test_a_field_is_stated_once() -> None:
    plan = read('- [ ] Build\n\n  ```text description\n  One\n  ```\n\n  ```json fields\n  {"description": "Two"}\n  ```\n')

    assert plan.tasks["Build"]["description"].startswith("One\n\n```json fields")
    assert "states description a second time" in plan.plan.questions[0]
