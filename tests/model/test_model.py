"""The product against a reference that shares no code with it: whatever is sent, equal state and equal answers.

Sizes: MODEL_EXAMPLES runs (200) of MODEL_STEPS steps (50) on SQLite and MODEL_EXAMPLES_POSTGRESQL (20) on PostgreSQL, in
batches that run side by side. MODEL_SEED (0) chooses them. A batch of CI's size takes seconds; the time allowed grows with it.
"""

import os
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import START, Model
from tests.support.audit import audit

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "200"))
EXAMPLES_POSTGRESQL = int(os.environ.get("MODEL_EXAMPLES_POSTGRESQL", "20"))
STEPS = int(os.environ.get("MODEL_STEPS", "50"))
SEED = int(os.environ.get("MODEL_SEED", "0"))
BATCHES, BATCHES_POSTGRESQL = 10, 2
Record = Callable[[str, object], None]


def seconds(examples: int) -> float:
    """Return the time allowed: 20 ms a step are usual, 100 ms a busy machine."""
    return 120 + examples * STEPS * 0.1


def play(machine: type[Model], examples: int, batch: int, record_property: Record) -> None:
    """Run one batch; how many steps it compared is put on record (`--junitxml=FILE -o junit_family=xunit1`)."""
    steps = count()
    run = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),  # examples are large on purpose
    )

    class Counted(machine):  # type: ignore[valid-type, misc]  # the class is an argument
        def count(self) -> None:
            next(steps)

    seed(SEED * 1_000 + batch)(Counted)
    run_state_machine_as_test(Counted, settings=run)
    record_property("steps", next(steps))


@pytest.mark.timeout(seconds(EXAMPLES // BATCHES))
@pytest.mark.parametrize("batch", range(BATCHES))
def test_product_and_reference_agree_on_sqlite(batch: int, migrated_file: Path, tmp_path: Path, record_property: Record) -> None:
    numbers = count()

    class OnSqlite(Model):
        def database(self) -> tuple[str, str]:
            path = tmp_path / f"{next(numbers)}.db"
            shutil.copy(migrated_file, path)
            return f"sqlite:///{path}", "default"

        def teardown(self) -> None:
            super().teardown()
            audit(self.url)
            for path in tmp_path.iterdir():
                path.unlink()

    play(OnSqlite, EXAMPLES // BATCHES, batch, record_property)


@pytest.mark.timeout(seconds(EXAMPLES_POSTGRESQL // BATCHES_POSTGRESQL))
@pytest.mark.parametrize("batch", range(BATCHES_POSTGRESQL))
def test_product_and_reference_agree_on_postgresql(batch: int, migrated_postgres: str, record_property: Record) -> None:
    class OnPostgresql(Model):
        def database(self) -> tuple[str, str]:
            workspace = f"model-{uuid4()}"
            with psycopg.connect(migrated_postgres) as connection:
                connection.execute("INSERT INTO workspaces (id, created_at) VALUES (%s, %s)", (workspace, START))
            return migrated_postgres, workspace

    play(OnPostgresql, EXAMPLES_POSTGRESQL // BATCHES_POSTGRESQL, batch, record_property)
    audit(migrated_postgres)
