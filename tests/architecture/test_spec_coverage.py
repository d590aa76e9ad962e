"""docs/spec-coverage.md names tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "spec-coverage.md").read_text("utf-8")
PROOF = r"`([\w/]+\.(?:py::\w+|py|ts))`"
ROWS = [line for line in TABLE.splitlines() if line.startswith("| ") and not line.startswith(("| line |", "| --- |"))]
NAMED = sorted({named for row in ROWS for named in re.findall(PROOF, row)})


def test_every_line_names_what_shows_it() -> None:
    assert [row for row in ROWS if not re.search(rf"\| {PROOF}(, {PROOF})* \|$", row)] == []


@pytest.mark.parametrize("named", NAMED)
def test_what_it_names_exists(named: str) -> None:
    file, _, test = named.partition("::")
    source = (ROOT / "tests" / file).read_text("utf-8")

    assert not test or re.search(rf"^(async )?def {test}\(", source, re.MULTILINE)
