"""docs/spec-coverage.md names tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "spec-coverage.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py(?:::\w+)?)` \|$", TABLE, re.MULTILINE)))


def test_every_line_names_what_shows_it() -> None:
    lines = [line for line in TABLE.splitlines() if line.startswith("| ") and not line.startswith(("| line |", "| --- |"))]

    assert [line for line in lines if not re.search(r"`[\w/]+\.py(::\w+)?` \|$", line)] == []


@pytest.mark.parametrize("named", NAMED)
def test_what_it_names_exists(named: str) -> None:
    file, _, test = named.partition("::")
    source = (ROOT / "tests" / file).read_text("utf-8")

    assert re.search(rf"^(async )?def {test or 'test_|^def rows'}", source, re.MULTILINE)
