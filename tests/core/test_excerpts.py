"""What a found text shows of itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.excerpts import LENGTH, excerpt_of
from core.words import terms_of


def shown(text: str, query: str) -> str:
    """Return the excerpt with brackets around what was found."""
    return "".join(f"[{piece.text}]" if piece.found else piece.text for piece in excerpt_of(text, terms_of(query)))


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("Load test, then load again", "load", "[Load] test, then [load] again"),
        ("Übersetzung", "ubers", "[Übersetzung]"),
        ("<b>bold</b> & <script>", "script", "<b>bold</b> & <[script]>"),
        ("see WEB-14 (web)", "web-14", "see [WEB-14] (web)"),
        ("项目管理系统", "管理系", "项目[管理系]统"),
        ("👩‍💻 ships 🚀🚀 twice", "🚀", "👩‍💻 ships [🚀🚀] twice"),
        ("nothing here", "load", ""),
    ],
)
def test_found_words_are_marked_where_they_stand(text: str, query: str, expected: str) -> None:
    assert shown(text, query) == expected


def test_a_long_text_shows_what_is_around_the_first_match() -> None:
    text = "word " * 500 + "needle " + "word " * 500

    around = shown(text, "needle")

    assert around.startswith("…word ")
    assert "[needle]" in around
    assert around.endswith("…")
    assert len(around) <= LENGTH + 4


def test_the_end_of_a_long_text_is_shown_up_to_its_end() -> None:
    assert shown("word " * 500 + "needle", "needle").endswith("word [needle]")


@given(st.text(alphabet="ab é-1管\n🚀<", max_size=400), st.text(alphabet="ab é-1管", min_size=1, max_size=6))
def test_an_excerpt_is_a_part_of_the_text_as_it_is(text: str, query: str) -> None:
    pieces = excerpt_of(text, terms_of(query))

    own = [piece for piece in pieces if piece.found or piece.text != "…"]
    assert "".join(piece.text for piece in own) in text
    assert all(piece.text for piece in pieces)
    assert not pieces or any(piece.found for piece in pieces)
