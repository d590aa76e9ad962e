"""Eight processes apply patch sets to the same twenty tasks: nothing that was acknowledged is lost.

Size: CONCURRENCY_SETS sets acknowledged by each of the eight (500). CONCURRENCY_SEED (0) chooses what they do; in which
order they get to do it is up to the machine. `--junitxml` keeps what was counted.
"""

import os
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.concurrency.appliers import BALANCE, HOT, OWN, PURSES, SET_UP, Order, Report, apply_many, own_part, set_up
from tests.concurrency.processes import together
from tests.concurrency.replay import differences, replay
from tests.support.audit import Row, audit, read_tables

PROCESSES = 8
SETS = int(os.environ.get("CONCURRENCY_SETS", "500"))
SEED = os.environ.get("CONCURRENCY_SEED", "0")


@pytest.mark.timeout(600)
def test_eight_appliers_lose_nothing(url: str, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    set_up(url)

    reports = together(apply_many, [Order(url, number, SETS, SEED) for number in range(PROCESSES)], within_seconds=400)

    audit(url)
    tables, _ = read_tables(url)
    _history_is_what_was_acknowledged(tables, reports)
    _tasks_hold_what_was_acknowledged(tables, reports)
    assert differences(url, replay(url, tmp_path)) == []
    refusals = sum((report.refusals for report in reports), Counter[str]())
    record_property("sets", sum(len(report.acknowledged) for report in reports))
    record_property("STORAGE_BUSY", sum(report.told_busy for report in reports))
    for refusal, count in sorted(refusals.items()):
        record_property(refusal, count)


def _history_is_what_was_acknowledged(tables: dict[str, list[Row]], reports: list[Report]) -> None:
    acknowledged = [patch_set_id for report in reports for patch_set_id in report.acknowledged]
    stored = [row["id"] for row in tables["patch_sets"] if row["summary"] != SET_UP]

    assert len(acknowledged) >= PROCESSES * SETS
    assert sorted(stored) == sorted(acknowledged)


def _tasks_hold_what_was_acknowledged(tables: dict[str, list[Row]], reports: list[Report]) -> None:
    task = {row["key"]: row for row in tables["tasks"]}
    counted = sum((report.counted for report in reports), Counter[str]())
    assert {key: task[key]["actual_minutes"] for key in HOT} == {key: counted[key] for key in HOT}

    appended = [word for report in reports for word in report.appended]
    assert sorted(appended) == sorted((key, word) for key in HOT for word in task[key]["description"].split())

    for report, (name, _) in zip(reports, OWN, strict=True):
        assert {key: _plain(own_part(task[key][name])) for key in report.own} == report.own
    for number, report in enumerate(reports):
        assert {key: f"p{number}" in task[key]["tags"] for key in report.tagged} == report.tagged

    comments = [body for report in reports for body in report.comments]
    assert sorted(row["body"] for row in tables["comments"]) == sorted(comments)

    created = {title: there for report in reports for title, there in report.created.items()}
    stored = {row["title"]: row["deleted_at"] is None for row in task.values() if " made " in row["title"]}
    assert stored == created

    assert sum(task[key]["estimated_minutes"] for key in PURSES) == 2 * BALANCE


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
