"""The evaluation of models measures what it says: each figure falls when a plan gets worse in that respect, and in no other."""

import subprocess
import sys
from typing import Any

from evaluation.scores import Score, outline_of, score_of
from schemas.usage import Usage
from tests.support.servers import ROOT

GOLD: list[dict[str, Any]] = [
    {"op": "create_task", "ref": "$a", "fields": {"title": "Choose a payment provider", "estimated_minutes": 240}},
    {"op": "create_task", "ref": "$b", "fields": {"title": "Pay by card", "estimated_minutes": 960}, "depends_on": ["$a"]},
    {"op": "create_task", "ref": "$c", "fields": {"title": "Write the help pages"}},
    {"op": "add_dependency", "task": "$c", "depends_on": "$b"},
]


def scored(*plan: dict[str, Any]) -> Score:
    return score_of("shop", outline_of(GOLD), outline_of(plan), Usage(attempts=1))


def figures(score: Score) -> tuple[float, float | None, float | None, float | None]:
    return round(score.structure, 2), score.precision, score.recall, score.estimate_factor


def test_the_same_plan_in_other_words_is_as_good() -> None:
    other = [{**GOLD[0], "fields": {"title": "Choose payment providers", "estimated_minutes": 240}}, *GOLD[1:]]

    assert figures(scored(*other)) == (1.0, 1.0, 1.0, 1.0)


def test_missing_and_superfluous_tasks_cost_structure() -> None:
    unasked = {"op": "create_task", "ref": "$x", "fields": {"title": "Hire a band"}}

    assert figures(scored(*GOLD[:2])) == (0.8, 1.0, 1.0, 1.0)
    assert scored(*GOLD, unasked).structure < 1


def test_an_invented_dependency_costs_precision_and_a_missing_one_recall() -> None:
    assert figures(scored(*GOLD, {"op": "add_dependency", "task": "$c", "depends_on": "$a"})) == (1.0, 2 / 3, 1.0, 1.0)
    assert figures(scored(*GOLD[:3])) == (1.0, 1.0, 0.5, 1.0)


def test_twice_and_half_the_time_are_equally_wrong() -> None:
    for minutes in (480, 120):
        halves = [{**GOLD[0], "fields": {"title": "Choose a payment provider", "estimated_minutes": minutes}}, *GOLD[2:3]]
        assert scored(*halves).estimate_factor == 2.0


def test_without_a_model_the_stand_in_is_measured_and_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "evaluation"], cwd=ROOT, env={"PATH": ""}, capture_output=True, text=True, timeout=100, check=True
    )

    assert "stand-in/recites" in done.stdout
    assert "valid at first try       15 of 20" in done.stdout
    assert "valid after repairs      20 of 20" in done.stdout
