"""Project keys: derived from a name, made unique by a number, never changed afterwards."""

import re
from collections.abc import Container

MAX_KEY_LENGTH = 10


def derived_key(name: str) -> str:
    """Return the key a project of this name would like: initials of up to 4 words, else 4 letters, else PRJ."""
    words = re.findall(r"[A-Za-z][A-Za-z0-9]*", name)
    initials = "".join(word[0] for word in words[:4])
    if len(initials) >= 2:
        return initials.upper()
    letters = "".join(words)[:4]
    return letters.upper() if len(letters) >= 2 else "PRJ"


def free_key(base: str, taken: Container[str]) -> str:
    """Return `base`, or `base` with the smallest number from 2 on that is not taken."""
    if base not in taken:
        return base
    number = 2
    while (key := f"{base[: MAX_KEY_LENGTH - len(str(number))]}{number}") in taken:
        number += 1
    return key
