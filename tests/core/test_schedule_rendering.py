"""A schedule as text, as a Mermaid gantt chart and as an iCalendar file."""

from datetime import date

import pytest

from core.schedule_rendering import render_gantt, render_schedule, schedule_head
from schemas.schedule import ScheduleFormat
from tests.core.test_schedule import schedule, task

HOSTILE = "a; b, c\\ d\r\nEND:VEVENT\u2028\u202e<script> " + "ü🚀" * 60


def unfolded(text: str) -> list[str]:
    """Return the content lines of an iCalendar file, after checking how it is written (RFC 5545, 3.1)."""
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    for line in text.encode().split(b"\r\n"):
        assert len(line) <= 75
        line.decode()  # no character is cut in two
    return text.replace("\r\n ", "").split("\r\n")[:-1]


def test_a_gantt_chart_marks_the_critical_path_and_escapes_titles() -> None:
    result = schedule(task(1, 8, title="Plan: a; b #c\n%%"), task(2, after=[1]), task(3, 1))

    assert render_gantt(result).splitlines()[-3:] == [
        "    WEB-1 Plan#58; a#59; b #35;c#92;n#37;#37; :crit, WEB-1, 2026-08-03, 2026-08-03",
        "    WEB-2 Task 2 :crit, milestone, WEB-2, 2026-08-03, 2026-08-03",
        "    WEB-3 Task 3 :WEB-3, 2026-08-03, 2026-08-03",
    ]


def test_a_calendar_has_an_event_of_whole_days_for_each_open_task() -> None:
    result = schedule(task(1, 12, title="Plan", assignee="ann"), task(2, 4, after=[1]))

    assert unfolded(render_schedule(result, ScheduleFormat.ICS)) == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Orchestrator//Schedule//EN",
        "CALSCALE:GREGORIAN",
        "BEGIN:VEVENT",
        "UID:id-1",
        "DTSTAMP:20260803T090000Z",
        "SEQUENCE:7",
        "DTSTART;VALUE=DATE:20260803",
        "DTEND;VALUE=DATE:20260805",
        "SUMMARY:WEB-1 Plan",
        "DESCRIPTION:12h\\, critical",
        "CATEGORIES:ann",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
        "BEGIN:VEVENT",
        "UID:id-2",
        "DTSTAMP:20260803T090000Z",
        "SEQUENCE:7",
        "DTSTART;VALUE=DATE:20260804",
        "DTEND;VALUE=DATE:20260805",
        "SUMMARY:WEB-2 Task 2",
        "DESCRIPTION:4h\\, waits for WEB-1\\, critical",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
        "END:VCALENDAR",
    ]


def test_a_title_can_neither_end_its_line_nor_begin_a_property() -> None:
    lines = unfolded(render_schedule(schedule(task(1, 8, title=HOSTILE, assignee="x;\nUID:1")), ScheduleFormat.ICS))

    assert [line.partition(":")[0] for line in lines] == [
        *("BEGIN", "VERSION", "PRODID", "CALSCALE", "BEGIN", "UID", "DTSTAMP", "SEQUENCE"),
        *("DTSTART;VALUE=DATE", "DTEND;VALUE=DATE", "SUMMARY", "DESCRIPTION", "CATEGORIES", "TRANSP", "END", "END"),
    ]
    title = "a\\; b\\, c\\\\ d\\\\r\\\\nEND:VEVENT\\\\u{2028}\\\\u{202e}<script> " + "ü🚀" * 60
    assert lines[10] == f"SUMMARY:WEB-1 {title}"


def test_an_empty_calendar_and_one_beyond_the_last_year_are_files_as_well() -> None:
    assert "BEGIN:VEVENT" not in render_schedule(schedule(), ScheduleFormat.ICS)
    assert "DTEND;VALUE=DATE:99991231" in render_schedule(schedule(*(task(1, 8_000_000_000),)), ScheduleFormat.ICS)


def test_the_text_says_what_decides_the_end_and_names_what_is_not_estimated() -> None:
    result = schedule(task(1, 8, assignee="ann"), task(2, 8, after=[1]), task(3, title="Think"))

    assert render_schedule(result, ScheduleFormat.TEXT).splitlines() == [
        "WEB revision 7: 2026-08-03 to 2026-08-04, 16h of work",
        "critical path: WEB-1 > WEB-2",
        "load: @ann 8h",
        "without estimate, counted as 0: WEB-3",
        "WEB-1 2026-08-03..2026-08-03 critical @ann Task 1 (8h)",
        "WEB-2 2026-08-04..2026-08-04 critical Task 2 (8h, waits for WEB-1)",
        "WEB-3 2026-08-03..2026-08-03 slack 16h Think (no estimate)",
    ]


def test_long_lists_in_the_head_are_cut_and_counted() -> None:
    result = schedule(*(task(number, assignee=f"p{number}") for number in range(1, 6)), task(6, 1))

    assert schedule_head(result, most=2)[1:] == [
        "critical path: WEB-6",
        "load: @p1 0m, @p2 0m and 3 more",
        "without estimate, counted as 0: WEB-1, WEB-2 and 3 more",
    ]


@pytest.mark.parametrize("format", list(ScheduleFormat))
def test_every_format_ends_in_a_line_break_and_names_every_task(format: ScheduleFormat) -> None:
    text = render_schedule(schedule(task(1, 8), task(2)), format)

    assert text.endswith("\n")
    assert "WEB-1" in text
    assert "WEB-2" in text


def test_latest_days_say_how_long_a_task_may_wait() -> None:
    result = schedule(task(1, 24), task(2, 8), task(3))

    free = result.tasks[1]
    assert (free.start_date, free.finish_date) == (date(2026, 8, 3), date(2026, 8, 3))
    assert (free.latest_start_date, free.latest_finish_date) == (date(2026, 8, 5), date(2026, 8, 5))
    assert (result.tasks[2].latest_start_date, result.tasks[2].latest_finish_date) == (date(2026, 8, 5), date(2026, 8, 5))
