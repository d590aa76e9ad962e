"""How near a plan comes to one that a person wrote.

Tasks are matched by the words of their titles, the most alike first. Structure is the F1 of tasks found; dependencies are
compared between matched tasks only; estimates by the median factor between the two.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Any

from schemas.usage import Usage

ALIKE = 0.34  # share of words in common from which two titles mean one task
_FILLERS = frozenset("a an and as at by every first for from in into of on or our the their to up with".split())


@dataclass(slots=True)
class Outline:
    """What is compared of a plan: titles, estimates and dependencies, by ref."""

    titles: dict[str, str] = field(default_factory=dict)
    minutes: dict[str, int] = field(default_factory=dict)
    waits: set[tuple[str, str]] = field(default_factory=set)  # (who waits, for what)


@dataclass(frozen=True, slots=True)
class Score:
    """One plan beside its gold; None where there is nothing to compare."""

    name: str
    failure: str | None
    usage: Usage | None
    structure: float
    precision: float | None  # of dependencies
    recall: float | None
    estimate_factor: float | None  # 1 = equal, 2 = twice or half

    def line(self) -> str:
        if self.usage is None:
            return f"{self.name:<16} {self.failure}"
        shown = (_share(self.structure), _share(self.precision), _share(self.recall), _factor(self.estimate_factor))
        return f"{self.name:<16} {self.usage.attempts:>8} " + " ".join(f"{value:>9}" for value in shown)


def outline_of(patches: Sequence[Mapping[str, Any]]) -> Outline:
    outline = Outline()
    for patch in patches:
        if patch["op"] == "create_task":
            outline.titles[patch["ref"]] = patch["fields"]["title"]
            if minutes := patch["fields"].get("estimated_minutes"):
                outline.minutes[patch["ref"]] = minutes
            outline.waits |= {(patch["ref"], other) for other in patch.get("depends_on", [])}
        elif patch["op"] == "add_dependency":
            outline.waits.add((patch["task"], patch["depends_on"]))
    return outline


def score_of(name: str, gold: Outline, plan: Outline, usage: Usage | None, *, failure: str | None = None) -> Score:
    pairs = _matched(gold.titles, plan.titles)  # gold ref -> ref
    expected = {(pairs[a], pairs[b]) for a, b in gold.waits if a in pairs and b in pairs}
    known = set(pairs.values())
    said = {(a, b) for a, b in plan.waits if a in known and b in known}
    factors = [_ratio(gold.minutes[a], plan.minutes[b]) for a, b in pairs.items() if a in gold.minutes and b in plan.minutes]
    return Score(
        name=name,
        failure=failure,
        usage=usage,
        structure=2 * len(pairs) / ((len(gold.titles) + len(plan.titles)) or 1),
        precision=len(expected & said) / len(said) if said else None,
        recall=len(expected & said) / len(expected) if expected else None,
        estimate_factor=median(factors) if factors else None,
    )


def report(model: str, scores: Sequence[Score]) -> str:
    """Return a table of all ideas, and what they come to."""
    done = [score for score in scores if score.usage is not None]
    usages = [score.usage for score in done if score.usage is not None]
    first = sum(1 for usage in usages if usage.attempts == 1)
    costs = [usage.cost for usage in usages if usage.cost is not None]
    failed = [score.name for score in scores if score.usage is None]
    return "\n".join(
        [
            f"{'idea':<16} {'attempts':>8} {'structure':>9} {'precision':>9} {'recall':>9} {'estimates':>9}",
            *(score.line() for score in scores),
            "",
            f"model                    {model}",
            f"valid at first try       {first} of {len(scores)}",
            f"valid after repairs      {len(done)} of {len(scores)}" + (f" (not: {', '.join(failed)})" if failed else ""),
            f"structure (F1)           {_share(_mean([score.structure for score in done]))}",
            f"dependencies, precision  {_share(_mean([score.precision for score in done]))}",
            f"dependencies, recall     {_share(_mean([score.recall for score in done]))}",
            f"estimates, median factor {_factor(_mean([score.estimate_factor for score in done]))}",
            f"tokens                   {sum(usage.total_tokens or 0 for usage in usages):,}",
            f"cost                     {f'{sum(costs):.4f} US dollars' if costs else 'unknown'}",
        ]
    )


def _matched(gold: Mapping[str, str], plan: Mapping[str, str]) -> dict[str, str]:
    likeness = [(_alike(a, b), left, right) for left, a in gold.items() for right, b in plan.items()]
    pairs: dict[str, str] = {}
    for value, left, right in sorted(likeness, reverse=True):
        if value >= ALIKE and left not in pairs and right not in pairs.values():
            pairs[left] = right
    return pairs


def _alike(a: str, b: str) -> float:
    left, right = _words(a), _words(b)
    return len(left & right) / len(left | right) if left | right else 0.0


def _words(title: str) -> set[str]:
    return {word.removesuffix("s") for word in re.findall(r"\w+", title.lower())} - _FILLERS


def _ratio(a: int, b: int) -> float:
    return math.exp(abs(math.log(a / b)))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known else None


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _factor(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}x"
