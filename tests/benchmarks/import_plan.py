"""Read a written plan of 1,064 lines and store the proposal."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from core.services.planning import import_outline
from schemas.planning import ImportRequest
from tests.benchmarks.runner import Row, interleaved_medians, seconds
from tests.benchmarks.workspace import workspace

PLAN = Path(__file__).resolve().parents[3] / "shared" / "plans" / "hierarchical-planner-mvp.md"
ROUNDS = 5


def rows() -> Iterator[Row]:
    what = "import a plan of 1,064 lines"
    if not PLAN.exists():
        yield Row(what, None, 0.5, "s", "there is no ../shared/plans")
        return
    content = PLAN.read_text(encoding="utf-8")
    numbers = count()
    with workspace() as ctx:
        medians = interleaved_medians(
            {what: lambda: seconds(lambda: import_outline(ctx, ImportRequest(content=content, name=f"Plan {next(numbers)}")))},
            rounds=ROUNDS,
        )
    yield Row(what, medians[what], 0.5, "s")
