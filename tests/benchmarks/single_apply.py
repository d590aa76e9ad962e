"""Update one task in small and large projects: the size of a project must not matter."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count

from core.context import Context
from core.services.tasks import update_task
from schemas.tasks import TaskUpdate
from tests.benchmarks.runner import Row, interleaved_medians, seconds
from tests.benchmarks.workspace import fill, workspace

SIZES = (100, 10_000, 100_000)
ROUNDS = 60


def rows() -> Iterator[Row]:
    with ExitStack() as stack:
        variants: dict[int, Callable[[], float]] = {}
        for size in SIZES:
            ctx = stack.enter_context(workspace())
            fill(ctx, "BIG", size)
            variants[size] = renaming(ctx, f"BIG-{size // 2 + 1}")
        medians = interleaved_medians(variants, rounds=ROUNDS)
    detail = ", ".join(f"{size:,}: {median * 1e3:.2f} ms" for size, median in medians.items())
    yield Row("update one task among 100 / 10,000 / 100,000", max(medians.values()) / min(medians.values()), 2, "x", detail)


def renaming(ctx: Context, task: str) -> Callable[[], float]:
    """Return a measurement of one update; each sets another title, so none is a no-op."""
    numbers = count()
    return lambda: seconds(lambda: update_task(ctx, task, TaskUpdate(title=f"Renamed {next(numbers)}")))
