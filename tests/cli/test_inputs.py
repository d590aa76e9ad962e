"""Input files: read whole and checked, or refused with the way out."""

from pathlib import Path

import pytest

from core.cli.inputs import BadInput, parse_indexes, read_patch_set, read_text
from schemas.errors import ErrorCode

BAD_CONTENTS = {
    "binary": (b"\x89PNG\0\0", ErrorCode.VALIDATION_ERROR, "give a text file"),
    "latin 1": (b"# Plan\n- Caf\xe9\n", ErrorCode.VALIDATION_ERROR, "(line 2); save it as UTF-8"),
    "empty": (b"", ErrorCode.VALIDATION_ERROR, "write at least one line"),
    "blank": (b" \n\t\n", ErrorCode.VALIDATION_ERROR, "write at least one line"),
    "too large": (b"x" * 101, ErrorCode.BODY_TOO_LARGE, "split it"),
}


@pytest.mark.parametrize("kind", BAD_CONTENTS)
def test_content_that_is_no_usable_text_is_refused_with_the_way_out(tmp_path: Path, kind: str) -> None:
    content, code, way_out = BAD_CONTENTS[kind]
    file = tmp_path / "plan.md"
    file.write_bytes(content)

    with pytest.raises(BadInput) as refusal:
        read_text(str(file), 100, "split it")

    assert refusal.value.detail.code is code
    assert way_out in refusal.value.detail.message


@pytest.mark.parametrize(
    ("name", "way_out"),
    [("missing.md", "check the path"), (".", "name a file in it"), ("x" * 300, "cannot be read"), ("a\0b", "cannot be read")],
)
def test_a_path_that_cannot_be_read_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, way_out: str
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(BadInput, match=way_out):
        read_text(name, 100, "split it")


def test_a_closed_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)  # what `<&-` makes of it

    with pytest.raises(BadInput, match="standard input is closed"):
        read_text("-", 100, "split it")


def test_a_byte_order_mark_is_not_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_bytes(b"\xef\xbb\xbf# Plan")

    assert read_text(str(tmp_path / "plan.md"), 100, "split it") == "# Plan"


@pytest.mark.parametrize(
    "content", ["{", "[1, 2", '{"patches": [NaN]}', "[" * 100_000, "9" * 5_000, '{"patches": [], "patches": [1]}']
)
def test_what_is_not_json_is_malformed(tmp_path: Path, content: str) -> None:
    (tmp_path / "set.json").write_text(content)

    with pytest.raises(BadInput) as refusal:
        read_patch_set(str(tmp_path / "set.json"))

    assert refusal.value.detail.code is ErrorCode.MALFORMED_BODY


def test_indexes_are_whole_numbers_separated_by_commas() -> None:
    assert parse_indexes("0, 2,5") == [0, 2, 5]
    assert parse_indexes(None) is None


@pytest.mark.parametrize("text", ["", "1,", "-1", "1-3", "x", "²"])
def test_other_indexes_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="such as 0,2,5"):
        parse_indexes(text)
