"""The words that search finds: folded alike in texts and queries, and never a query language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.words import LONGEST, Term, terms_of, words_in, words_of


def found(text: str, query: str) -> bool:
    """Whether a text has all that a query asks for; a query without words asks for nothing that could be found."""
    words, terms = words_of(text), terms_of(query)
    return bool(terms) and all(any(term.matches(word) for word in words) for term in terms)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Load test the Übersetzung", "UBERSETZUNG load"),
        ("Straße", "strasse"),
        ("cafe\u0301 au lait", "café"),
        ("ﬁnal (①) report", "final 1"),
        ("snake_case and kebab-case", "case snake"),
        ("see WEB-14, please", "web-14"),
        ("covid-19", "covid"),
        ("项目管理系统", "管理"),
        ("项目管理系统", "统"),
        ("プロジェクト計画", "計画"),
        ("ภาษาไทย", "ไทย"),
        ("हिन्दी में", "हिन्दी"),
        ("프로젝트를 시작", "프로젝트"),
        ("Проект: запуск", "ЗАПУСК"),
        ("launch 🚀 day", "🚀"),
        ("a" * 100, "a" * 80),
    ],
)
def test_a_text_is_found_by_its_words_however_they_are_written(text: str, query: str) -> None:
    assert found(text, query)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Launch", "aunch"),  # words, not parts of words
        ("Launching", "launch day"),
        ("launch day", "launc day"),  # only the last word may be unfinished
        ("see WEB-14", "WEB-1"),  # nor is a key the beginning of another
        ("web and 14", "WEB-14"),
        ("项目管理", "目项"),
        ("", "a"),
        ("C++", "++"),
    ],
)
def test_other_texts_are_not(text: str, query: str) -> None:
    assert not found(text, query)


@pytest.mark.parametrize("query", ["", " ", "***", '"', "--", "%", "_", "()", "'", "\\", ":", "\u0301", "«»"])
def test_signs_alone_are_no_words(query: str) -> None:
    assert terms_of(query) == []


@pytest.mark.parametrize("query", ['"load test"', "load* test", "load AND NEAR(test)", "title:load -test", "load' OR test"])
def test_signs_between_words_mean_nothing_and_operators_are_words(query: str) -> None:
    signs = str.maketrans("\"*()-:'", " " * 7)

    assert terms_of(query) == [Term(word, word == "test") for word in query.lower().translate(signs).split()]


@given(st.text(max_size=60))
def test_every_text_is_found_by_itself(text: str) -> None:
    assert found(text, text) or not terms_of(text)


@given(st.text(max_size=60))
def test_words_are_the_same_with_and_without_their_places(text: str) -> None:
    words = list(words_in(text))

    assert [word.text for word in words] == words_of(text)
    assert all(0 <= word.start < word.end <= len(text) for word in words)


@given(st.text(max_size=60))
def test_words_hold_nothing_that_either_index_could_take_for_syntax(text: str) -> None:
    for word in [*words_of(text), *(term.text for term in terms_of(text))]:
        body = word.removeprefix("-").replace("-", "", 1) if word.startswith("-") else word
        assert 0 < len(word) <= LONGEST
        assert all(not character.isascii() or character.isdigit() or character.islower() for character in body)
        assert not any(character.isspace() for character in body)
