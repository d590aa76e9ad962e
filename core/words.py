"""Words as search knows them: what of a text is found, and by what.

The index gets words made here and nothing else, so that both databases find the same and a person's
text is never a query language. Words are folded (case, accents, width); keys such as WEB-14 are words of
their own; scripts written without spaces are cut into pairs of characters, each overlapping the next.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 64  # of a longer word only the beginning counts, in the index and in a query alike
_KEY = r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9]{1,9}-[0-9]{1,9}(?![A-Za-z0-9])"
_ASCII = re.compile("[a-z0-9]+")
_KEYS = re.compile(_KEY)
# Thai, Lao, Myanmar, Khmer, kana, and the ideographs.
_UNSPACED = "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_SEGMENTS = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_SYMBOLS = "\u2190-\u2bff\U0001f000-\U0001faff"  # arrows, signs and emoji: one word each
# What folding takes away: accents, and what compatible forms bring with them (a circled 1 is `(1)` to Unicode).
_DROPPED = re.compile("[\x00-\x2f\x3a-\x60\x7b-\x7f\u0300-\u036f]")


@dataclass(frozen=True, slots=True)
class Word:
    """A word as the index has it, and the part of the text it was made of."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Term:
    """A word that must occur, or the beginning of one."""

    text: str
    prefix: bool = False

    def matches(self, word: str) -> bool:
        return word.startswith(self.text) if self.prefix else word == self.text


def words_of(text: str) -> list[str]:
    """Return the words of a text in order, as `words_in` finds them; most texts are ASCII, which takes a tenth of the time."""
    if not text.isascii():
        return [word.text for word in words_in(text)]
    words = [word[:LONGEST] for word in _ASCII.findall(text.lower())]
    return [*words, *map(key_word, _KEYS.findall(text))] if "-" in text else words


def words_in(text: str) -> Iterator[Word]:
    """Yield the words of a text with their places, and then the keys that occur in it."""
    for start, segment in _segments(text):
        if _is_unspaced(segment):
            for place in range(len(segment)):
                if pair := _folded(segment[place : place + 2]):
                    yield Word(pair, start + place, start + min(place + 2, len(segment)))
        elif word := _folded(segment):
            yield Word(word, start, start + len(segment))
    for key in _KEYS.finditer(text):
        yield Word(key_word(key[0]), *key.span())


def key_word(key: str) -> str:
    """Return the word that stands for a key; no other word begins like it."""
    return f"-{key.lower()}"


def terms_of(query: str) -> list[Term]:
    """Return what a document must contain to be found, each once; none when nothing in `query` can be searched for.

    The last word may be the beginning of a longer one, for somebody may still be typing.
    """
    keys = [key.span() for key in _KEYS.finditer(query)]
    found: dict[str, bool] = {key_word(query[start:end]): False for start, end in keys}
    last = ""
    for start, segment in _segments(query):
        if any(first <= start < end for first, end in keys):
            last = ""
            continue
        if _is_unspaced(segment):
            pairs = [segment[place : place + 2] for place in range(max(1, len(segment) - 1))]
            found.update(dict.fromkeys(filter(None, map(_folded, pairs)), len(segment) == 1))
            last = ""
        elif last := _folded(segment):
            found.setdefault(last, False)
    if last:
        found[last] = True
    return [Term(text, prefix) for text, prefix in found.items()]


def _segments(text: str) -> Iterator[tuple[int, str]]:
    """Yield runs of letters, digits and marks of one way of writing, and single symbols, with their places."""
    for run in _runs().finditer(text):
        start, word = run.start(), run[0]
        if word.isascii():
            yield start, word
            continue
        for segment in _SEGMENTS.finditer(word):
            yield start + segment.start(), segment[0]


@lru_cache(maxsize=1)
def _runs() -> re.Pattern[str]:
    r"""Return the pattern of runs. Marks (vowel signs, accents) are no `\w` to Python; collecting them takes milliseconds."""
    marks = "".join(chr(code) for code in range(0x300, 0xFB1F) if unicodedata.category(chr(code))[0] == "M")
    return re.compile(rf"[^\W_]+(?:[{marks}]+[^\W_]*)*|[{_SYMBOLS}]")


def _is_unspaced(segment: str) -> bool:
    return segment[0] > "\u0e00" and _IS_UNSPACED.match(segment) is not None


@lru_cache(maxsize=16_384)
def _folded(word: str) -> str:
    """Return a word without case, accents and variants of form; empty when nothing is left."""
    decomposed = unicodedata.normalize("NFKD", word).casefold()
    return _DROPPED.sub("", unicodedata.normalize("NFKD", decomposed))[:LONGEST]
