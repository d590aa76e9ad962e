"""The product against a reference written separately, by random walks of patch sets, reverts, claims and restarts.

`MODEL_EXAMPLES` walks (200) of `MODEL_STEPS` steps (50) on SQLite, and `MODEL_EXAMPLES_POSTGRESQL` (8) on PostgreSQL,
from the fixed seed `MODEL_SEED` (0): the same size and seed give the same walks. The nightly size is
`MODEL_EXAMPLES=40000`: 2,000,000 steps. "Byte-equal" after a refusal or a preview means: every row of every table is what
it was, and nothing at all was committed (SQLite: `PRAGMA data_version`; PostgreSQL: `ctid` and `xmin` of every row).

A failure prints the shortest walk that shows it, with its patch sets, and the differences.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from schemas.patches import OPS
from tests.model import machine
from tests.model.machine import Model
from tests.model.store import Store, postgres_store, sqlite_store
from tests.storage.conftest import migrated_file, migrated_postgres, postgres_server

__all__ = ["migrated_file", "migrated_postgres", "postgres_server"]

PARTS = 4  # run beside each other, each from a seed of its own
EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "200"))
EXAMPLES_POSTGRESQL = int(os.environ.get("MODEL_EXAMPLES_POSTGRESQL", "8"))
STEPS = int(os.environ.get("MODEL_STEPS", "50"))
SEED = int(os.environ.get("MODEL_SEED", "0"))


def walk(make_store: Callable[[], Store], *, examples: int, number: int) -> None:
    machine.counts.clear()

    class Walk(Model):
        store_for = staticmethod(make_store)

    sizes = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(SEED * PARTS + number)(Walk), settings=sizes)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
def test_the_product_does_what_the_reference_does(part: int, migrated_file: Path, tmp_path: Path) -> None:
    walk(partial(sqlite_store, migrated_file, tmp_path), examples=EXAMPLES // PARTS, number=part)

    assert {op for op in OPS if machine.counts[f"done {op}"]} == set(OPS)


@pytest.mark.timeout(0)
def test_the_product_does_the_same_on_postgresql(migrated_postgres: str) -> None:
    walk(partial(postgres_store, migrated_postgres), examples=EXAMPLES_POSTGRESQL, number=PARTS)
