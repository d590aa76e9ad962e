"""Tasks that a command names by their title, or by words that no other title has, instead of by key."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import islice

from core.rules.sentences import mentioned_keys
from core.rules.vocabulary import CONNECTING_WORDS

MAX_WORDS = 24  # of a command in which titles are looked for
MAX_COMPARED = 200_000  # titles for all that is looked for
MAX_FOUND = 6  # more would only make a name more ambiguous
_WORD = re.compile(r"[^\s\"'\u201c-\u201f\u00ab\u00bb,;:()@#]+")
_ENDS = ".!?"
# Alone they name nothing: "delete it" is not "Do it", nor "delete everything" "Test everything".
_NO_NAMES = CONNECTING_WORDS | frozenset(
    """
    all any both do done everything first he her him his i is it its last me my next no not nothing now one ones our rest
    second she so some something task tasks that their them then these they thing things this those today tomorrow up us we
    what which you
    """.split()
)
_OPENING = tuple("\"'\u201c\u201e\u00ab")
_CLOSING = tuple("\"'\u201d\u201c\u00bb")


class Titles:
    """The titles of the tasks that may be named, by key."""

    def __init__(self, titles: Mapping[str, str]) -> None:
        self._whole: dict[tuple[str, ...], list[str]] = defaultdict(list)
        self._holders: dict[str, list[str]] = defaultdict(list)
        self._words: dict[str, tuple[str, ...]] = {}
        self._left = MAX_COMPARED
        for key, title in titles.items():
            words = tuple(_words(title))
            self._words[key] = words
            self._whole[words].append(key)
            for word in dict.fromkeys(words):
                self._holders[word].append(key)

    def find(self, name: str) -> list[str]:
        """Return the keys of the tasks with this whole title; if there is none, of those whose titles have its words in a row."""
        words = tuple(_words(name))
        if not words or self._whole.get(words):
            return self._whole.get(words, [])
        if _NO_NAMES.issuperset(words) or mentioned_keys(name):  # "delete WEB-99" is not "Look into WEB-99"
            return []
        rarest = min((self._holders.get(word, []) for word in words), key=len)
        self._left -= len(rarest)
        if self._left < 0:
            return []
        return list(islice((key for key in rarest if _in_a_row(words, self._words[key])), MAX_FOUND))

    def readings(self, command: str) -> Iterator[tuple[str, str, str, list[str]]]:
        """Yield the names in `command`, longest first: what stands before, the name, what follows, and the tasks it may mean."""
        words = list(_WORD.finditer(command))
        if len(words) > MAX_WORDS:
            return
        for length in range(len(words), 0, -1):
            for first in range(len(words) - length + 1):
                left, right = words[first].start(), words[first + length - 1].end()
                name = command[left:right].rstrip(_ENDS)
                if keys := self.find(name):
                    before, after = command[:left], command[left + len(name) :]
                    if before[-1:] in _OPENING and after[:1] in _CLOSING:
                        before, after = before[:-1], after[1:]
                    yield re.sub(r"\bthe\s+$", "", before, flags=re.IGNORECASE), name, after, keys


def _words(text: str) -> list[str]:
    return [word.casefold().strip(_ENDS) for word in _WORD.findall(text)]


def _in_a_row(words: tuple[str, ...], title: tuple[str, ...]) -> bool:
    return any(title[at : at + len(words)] == words for at in range(len(title) - len(words) + 1))
