"""The common part of all benchmarks: interleaved rounds, medians, one table, one JSON file.

Absolute times on a shared machine are noise, so most rows compare two things measured in turns,
round by round, in the same run.
"""

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

RESULTS = Path(".bench/results.json")


class Verdict(StrEnum):
    PASS = "pass"
    MISS = "MISS"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Row:
    """One measurement against its budget; lower is better."""

    what: str
    measured: float | None
    budget: float
    unit: str
    detail: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.measured is None:
            return Verdict.SKIPPED
        return Verdict.PASS if self.measured <= self.budget else Verdict.MISS


def seconds(work: Callable[[], object]) -> float:
    """Return how long `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved_medians(variants: Mapping[T, Callable[[], float]], *, rounds: int) -> dict[T, float]:
    """Return the median of each variant, measured in turns; one round more warms everything up."""
    measured: dict[T, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + 1):
        for name, measure in variants.items():
            value = measure()
            if turn:
                measured[name].append(value)
    return {name: statistics.median(values) for name, values in measured.items()}


def versus(measured: float, limit: float) -> str:
    return f"{measured * 1e3:,.0f} / {limit * 1e3:,.0f} ms"


def report(rows: Sequence[Row]) -> bool:
    """Print the table and write the JSON file; return whether every budget was kept."""
    cells = [("What", "Measured", "Budget", "", "Detail")]
    cells += [
        (
            row.what,
            _number(row.measured),
            f"{row.budget:,g} {row.unit}",
            row.verdict,
            row.detail,
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(row) | {"verdict": row.verdict} for row in rows], indent=2) + "\n", encoding="utf-8")
    print(f"\nWritten to {RESULTS}")
    return all(row.verdict is not Verdict.MISS for row in rows)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"
