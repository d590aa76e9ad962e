"""Markers inside the line of an item."""

from typing import Any

import pytest

from tests.rules.plans import only_task, parse


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("- [ ] Build", {}),
        ("- [x] Build", {"status": "completed"}),
        ("* [X] Build", {"status": "completed"}),
        ("1. [-] Build", {"status": "cancelled"}),
        ("+ [/] Build", {"status": "in_progress"}),
        ("- [ ] Build (90 min)", {"estimated_minutes": 90}),
        ("- [ ] Build (2h)", {"estimated_minutes": 120}),
        ("- [ ] Build (1.5 days)", {"estimated_minutes": 720}),
        ("- [ ] Build (1h 30m)", {"estimated_minutes": 90}),
        ("- [ ] Build (est. 2h)", {"estimated_minutes": 120}),
        ("- [ ] Build (90 min.)", {"estimated_minutes": 90}),
        ("- [ ] Build（2h，@小红）", {"estimated_minutes": 120, "assignee": "小红"}),  # noqa: RUF001 as a Chinese keyboard writes
        ("- [ ] Build — est: 2h, due: 2026-12-01", {"estimated_minutes": 120, "due_date": "2026-12-01"}),
        ("- [ ] Build (~2 hours)", {"estimated_minutes": 120}),
        ("- [ ] Build ~30m", {"estimated_minutes": 30}),
        ("- [ ] Build est:1d", {"estimated_minutes": 480}),
        ("- [ ] Build estimate: 1w", {"estimated_minutes": 2400}),
        ("- [ ] Build due:2026-12-01", {"due_date": "2026-12-01"}),
        ("- [ ] Build due 2026-12-01", {"due_date": "2026-12-01"}),
        ("- [ ] Build by Friday", {"due_date": "2026-11-27"}),
        ("- [ ] Build start:tomorrow", {"start_date": "2026-11-24"}),
        ("- [ ] Build @ann", {"assignee": "ann"}),
        ("- [ ] @ann Build", {"assignee": "ann"}),
        ("- [ ] Build #api #web-ui", {"tags": ["api", "web-ui"]}),
        ("- [ ] [P] [US1] Build", {"tags": ["P", "US1"]}),
        ("- [ ] Build !high", {"priority": "high"}),
        ("- [ ] !! Build", {"priority": "high"}),
        ("- [ ] Build !!!", {"priority": "critical"}),
        ("- [ ] (B) Build", {"priority": "high"}),
        ("- [ ] Build p1", {"priority": "critical"}),
        ("- [ ] Build P4", {"priority": "low"}),
        ("- [ ] Build priority: low", {"priority": "low"}),
        ("- [ ] Build (Priority: P2)", {"priority": "high"}),
        ("- [ ] Build (2h, @ann, due Friday)", {"estimated_minutes": 120, "assignee": "ann", "due_date": "2026-11-27"}),
        ("- [ ] **Build**", {}),
    ],
)
def test_a_marker_sets_its_field_and_leaves_the_title(line: str, fields: dict[str, Any]) -> None:
    assert only_task(line) == {"title": "Build", **fields}


@pytest.mark.parametrize(
    "title",
    [
        "takes 1.5 days",
        "a (1-2 days)",
        "a (Week 27)",
        "a (0 min)",
        "a (by hand)",
        "mail ann@example.org",
        "add @types/node",
        "fix #3",
        "a C# port",
        "`@ann (2h) due:2026-12-01 #tag`",
        "see [the plan](https://example.org/@ann#tag)",
        "see https://example.org/@ann#tag",
        r"a \@ann \#tag",
        "<span title='@ann'>a",
        "step-by-step guide",
        "approved by May",
        "wow!",
        "call !someone",
        "migrate p1 hosts",
        "compare (A) and (B)",
        "[docs](a.md) first",
        "use priority queues",
    ],
)
def test_what_is_no_marker_stays_in_the_title_and_sets_nothing(title: str) -> None:
    assert only_task(f"- [ ] {title}") == {"title": title}
    assert parse(f"- [ ] {title}").questions == []


def test_markers_that_are_words_of_the_sentence_set_the_field_and_stay() -> None:
    assert only_task("- [ ] Ask @ann about #pricing") == {
        "title": "Ask @ann about #pricing",
        "assignee": "ann",
        "tags": ["pricing"],
    }


def test_a_bracket_that_names_a_defined_link_is_no_tag() -> None:
    assert only_task("- [ ] [Spec] read it\n\n[spec]: https://example.org\n")["title"] == "[Spec] read it"


def test_the_id_in_front_stays_findable_in_the_title() -> None:
    assert only_task("- [ ] T012 [P] Write it") == {"title": "T012 Write it", "tags": ["P"]}


def test_a_second_value_for_a_field_stays_in_the_title_and_is_reported() -> None:
    assert only_task("- [ ] Build (2h) ~3h") == {"title": "Build ~3h", "estimated_minutes": 120}
    assert parse("- [ ] Build (2h) ~3h").questions == ["line 1: '~3h' is a second estimate; the first one counts; kept as text"]


def test_an_unclear_day_stays_in_the_title_and_is_reported() -> None:
    assert only_task("- [ ] Build due:01/02/2027") == {"title": "Build due:01/02/2027"}
    assert parse("- [ ] Build due:01/02/2027").questions == [
        "line 1: 'due:01/02/2027' can be read as two different days; write YYYY-MM-DD; kept as text"
    ]
    assert parse("- [ ] Build due: soon").questions == [
        "line 1: 'due: soon' names no day I can read; write YYYY-MM-DD; kept as text"
    ]


def test_a_start_after_the_due_day_is_reported_not_stored() -> None:
    assert only_task("- [ ] Build due:2026-12-01 start:2026-12-02") == {
        "title": "Build start:2026-12-02",
        "due_date": "2026-12-01",
    }
    assert "would start after it is due" in parse("- [ ] Build due:2026-12-01 start:2026-12-02").questions[0]


def test_an_item_that_is_nothing_but_markers_keeps_its_words() -> None:
    assert only_task("- [ ] @ann #api") == {"title": "@ann #api", "assignee": "ann", "tags": ["api"]}


def test_days_and_weeks_have_the_length_of_the_settings() -> None:
    assert only_task("- [ ] Build (1d)", hours_per_day=6)["estimated_minutes"] == 360
    assert only_task("- [ ] Build (1w)", hours_per_day=6, days_per_week=4)["estimated_minutes"] == 1440


def test_headings_take_markers_too() -> None:
    plan = parse("## Build (2h) @ann\n\n- [ ] a\n")

    assert plan.patches[1]["fields"] == {"title": "Build", "estimated_minutes": 120, "assignee": "ann"}
