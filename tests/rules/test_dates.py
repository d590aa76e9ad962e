"""The grammar of days."""

from datetime import date

import pytest

from core.rules.dates import Calendar, NoDay

MONDAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-12-01", "2026-12-01"),
        ("25/12/2027", "2027-12-25"),
        ("12/25/2027", "2027-12-25"),
        ("03/03/2027", "2027-03-03"),
        ("24.12.2026", "2026-12-24"),
        ("today", "2026-11-23"),
        ("Tomorrow", "2026-11-24"),
        ("Monday", "2026-11-23"),
        ("fri", "2026-11-27"),
        ("this Sunday", "2026-11-29"),
        ("in 3 days", "2026-11-26"),
        ("in 1 week", "2026-11-30"),
        ("in 3 months", "2027-02-23"),
        ("end of week", "2026-11-27"),
        ("end of the month", "2026-11-30"),
        ("the end of quarter", "2026-12-31"),
        ("end of this year", "2026-12-31"),
        ("Aug 15", "2027-08-15"),
        ("Nov 23", "2026-11-23"),
        ("August 15th, 2028", "2028-08-15"),
        ("15 August 2028", "2028-08-15"),
        ("1st Sept", "2027-09-01"),
        ("Feb 29", "2028-02-29"),
    ],
)
def test_a_day_is_read_as_seen_from_today(text: str, day: str) -> None:
    found = Calendar(MONDAY, days_per_week=5).find(text)

    assert found is not None
    assert (found.value, found.end) == (date.fromisoformat(day), len(text))


def test_a_month_later_than_its_last_day_is_its_last_day() -> None:
    found = Calendar(date(2026, 8, 31), days_per_week=5).find("in 6 months")

    assert found is not None
    assert found.value == date(2027, 2, 28)


@pytest.mark.parametrize("text", ["01/02/2027", "next Friday", "next month"])
def test_two_readings_are_none(text: str) -> None:
    found = Calendar(MONDAY, days_per_week=5).find(text)

    assert found is not None
    assert found.value is NoDay.AMBIGUOUS


@pytest.mark.parametrize("text", ["2026-02-30", "32/13/2027", "Feb 30", "Nov 31 2027", "0000-01-01"])
def test_a_day_that_no_calendar_has_is_impossible(text: str) -> None:
    found = Calendar(MONDAY, days_per_week=5).find(text)

    assert found is not None
    assert found.value is NoDay.IMPOSSIBLE


@pytest.mark.parametrize("text", ["May", "5", "soon", "Fridays", "2026", "in days", "august", "1/2", "todays", "2026-12-011"])
def test_other_words_are_no_days(text: str) -> None:
    assert Calendar(MONDAY, days_per_week=5).find(text) is None
