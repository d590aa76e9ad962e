"""Imported by the fork server only: what a process does once (imports, compiled statements) is done before the forks."""

import tempfile

from tests.crash.workload import apply, opened

with tempfile.TemporaryDirectory() as folder:
    orchestrator = opened(f"sqlite:///{folder}/warm.db", create=True)
    for number in range(5):
        apply(orchestrator, number)
    orchestrator.close()
