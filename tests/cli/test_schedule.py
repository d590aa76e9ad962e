"""The schedule at the command line: drawing takes 2h, the pages wait for it and take a day."""

from pathlib import Path

import pytest

from tests.cli.conftest import Cli, InProcess


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return InProcess(tmp_path)


def test_the_schedule_says_what_decides_the_end(applied: tuple[Cli, str]) -> None:
    cli, project = applied
    text = cli.text("schedule", project, "--start-date", "2031-12-01")

    assert text.splitlines()[:3] == [
        f"{project} revision 1: 2031-12-01 to 2031-12-02, 10h of work",
        f"critical path: {project}-3 > {project}-5",
        "load: @bob 2h",
    ]


def test_a_day_has_as_many_hours_as_asked_for(applied: tuple[Cli, str]) -> None:
    cli, project = applied
    schedule = cli.json("schedule", project, "--start-date", "2031-12-01", "--hours-per-day", "2")

    assert (schedule["finish_date"], schedule["hours_per_day"]) == ("2031-12-05", 2)


def test_the_schedule_is_written_for_programs_charts_and_calendars(applied: tuple[Cli, str]) -> None:
    cli, project = applied
    assert cli.text("schedule", project, "--format", "mermaid").startswith("gantt\n")
    assert '"critical_path"' in cli.text("schedule", project, "--format", "json")
    calendar = cli.run("schedule", project, "--format", "ics").stdout
    assert calendar.startswith(b"BEGIN:VCALENDAR\r\n")
    assert calendar.endswith(b"END:VCALENDAR\r\n")


def test_what_is_no_day_is_refused_by_name(applied: tuple[Cli, str]) -> None:
    cli, project = applied
    for day in ("tomorrow", "2026-1-2", "2026-02-30"):
        assert "--start-date takes a day as YYYY-MM-DD" in cli.refusal("schedule", project, "--start-date", day, exit_code=2)
