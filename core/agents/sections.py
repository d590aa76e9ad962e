"""A long document in parts that a model can read at once, cut where its author would."""

import re
from typing import NamedTuple

MAX_CHARACTERS = 20_000
_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*)$", re.MULTILINE)


class Section(NamedTuple):
    """A part of a document, and its headings."""

    text: str
    headings: list[str]


def split_sections(text: str, limit: int = MAX_CHARACTERS) -> list[Section]:
    """Return `text` in parts of at most `limit` characters: at headings, else between paragraphs, else anywhere.

    The parts joined are the text.
    """
    if len(text) <= limit:
        return [_section(text)]
    starts = [0, *(match.start() for match in _HEADING.finditer(text) if match.start())]
    pieces = [text[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
    packed: list[str] = []
    for piece in (part for whole in pieces for part in _short(whole, limit)):
        if packed and len(packed[-1]) + len(piece) <= limit:
            packed[-1] += piece
        else:
            packed.append(piece)
    return [_section(part) for part in packed]


def _short(piece: str, limit: int) -> list[str]:
    parts: list[str] = []
    while len(piece) > limit:
        end = piece.rfind("\n\n", 1, limit)
        cut = end + 2 if end > 0 else limit
        parts.append(piece[:cut])
        piece = piece[cut:]
    return [*parts, piece]


def _section(text: str) -> Section:
    return Section(text, [match[1].strip()[:200] for match in _HEADING.finditer(text)])
