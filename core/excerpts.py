"""What a found text shows: the words that were searched for, marked, with some text around them.

Marks are pieces, not characters in the text and not offsets: there is nothing to escape, and nothing
to count in UTF-8, UTF-16 or code points.
"""

from collections.abc import Iterator, Sequence

from core.words import Term, words_in
from schemas.search import Piece

BEFORE = 60  # characters shown before the first mark of a long text
LENGTH = 240
_CUT = Piece(text="…", found=False)


def excerpt_of(text: str, terms: Sequence[Term]) -> list[Piece]:
    """Return the part of a text around its first match as pieces, found ones marked; nothing when no term is in it."""
    marks = list(_marks(text, terms))
    if not marks:
        return []
    first, last = _window(text, marks[0][0])
    pieces = [_CUT] if first else []
    at = first
    for start, end in marks:
        if start >= last:
            break
        if start > at:
            pieces.append(Piece(text=text[at:start], found=False))
        at = min(end, last)
        pieces.append(Piece(text=text[start:at], found=True))
    if at < last:
        pieces.append(Piece(text=text[at:last], found=False))
    return [*pieces, _CUT] if last < len(text) else pieces


def _marks(text: str, terms: Sequence[Term]) -> Iterator[tuple[int, int]]:
    """Yield the places of what was searched for, in order; what overlaps or touches is one."""
    spans = sorted((word.start, word.end) for word in words_in(text) if any(term.matches(word.text) for term in terms))
    start = end = -1
    for first, last in spans:
        if first > end:
            if end > 0:
                yield start, end
            start = first
        end = max(end, last)
    if end > 0:
        yield start, end


def _window(text: str, mark: int) -> tuple[int, int]:
    """Return which part of a text to show, beginning after a blank where one is near."""
    if len(text) <= LENGTH:
        return 0, len(text)
    first = max(0, min(mark - BEFORE, len(text) - LENGTH))
    if first:
        blank = text.find(" ", first, mark)
        first = first if blank < 0 else blank + 1
    return first, min(len(text), first + LENGTH)
