"""Project keys: derived from a name, made unique by a number, never changed afterwards."""

import re
import unicodedata
from collections.abc import Callable

MAX_KEY_LENGTH = 10


def derived_key(name: str) -> str:
    """Return the key a project of this name would like: initials of up to 4 words, else 4 letters, else PRJ.

    Accents do not count: `Über Straße` is read as `uber strasse`.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if unicodedata.category(c) != "Mn")
    words = re.findall(r"[a-z][a-z0-9]*", plain)
    initials = "".join(word[0] for word in words[:4])
    if len(initials) >= 2:
        return initials.upper()
    letters = "".join(words)[:4]
    return letters.upper() if len(letters) >= 2 else "PRJ"


class FreeKeys:
    """Finds free keys; `taken` may grow between two calls, and never shrinks.

    It remembers how far it has counted for each base, so that thousands of projects of one name cost no more each.
    """

    def __init__(self, taken: Callable[[str], bool]) -> None:
        self.taken = taken
        self._reached: dict[str, int] = {}

    def like(self, base: str) -> str:
        """Return `base`, or `base` with the smallest number from 2 on that is not taken."""
        if not self.taken(base):
            return base
        number = self._reached.get(base, 2)
        while self.taken(key := f"{base[: MAX_KEY_LENGTH - len(str(number))]}{number}"):
            number += 1
        self._reached[base] = number
        return key
