"""Committed contracts equal what the code generates; `make schemas` writes them."""

from pathlib import Path

from http_api.errors import STATUS
from schemas.errors import MEANINGS, ErrorCode
from scripts.generate import ROOT, stale_files

ERROR_DOCS = Path("docs/errors.md")


def test_committed_schemas_and_generated_docs_are_up_to_date() -> None:
    assert stale_files() == {}


def test_every_error_code_has_a_status_a_meaning_and_a_row_in_the_docs() -> None:
    rows = (ROOT / ERROR_DOCS).read_text(encoding="utf-8")

    assert set(ErrorCode) == set(STATUS) == set(MEANINGS)
    assert [code for code in ErrorCode if f"| `{code}`" not in rows] == []
