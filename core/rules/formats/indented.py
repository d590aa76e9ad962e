"""Outlines without any markup but indentation, with or without bullets and numbers: one task a line."""

import re

from core.rules.formats.entries import Entry, indentation, outline_of
from core.rules.markdown import Document
from core.rules.outline import Outline

MAX_LINE = 120  # of a text that is taken for an outline unasked

_BULLET = re.compile(
    r"(?:[-*+\u2022\u25e6\u25aa\u25cf\u25cb\u2023\u2013\u2014\u00b7]|\(?(?:[a-zA-Z]|[ivxIVX]{1,6})[.)]|(?P<number>\d{1,9})[.)])\s+(?=\S)"
)
_SENTENCE = re.compile(r"(?:[.?,;]|[^\s!]!+)\s*$")  # but " !!" is a priority
_BOX = re.compile(r"\[([ xX/-])\]\s+(?=\S)")


def is_indented(lines: list[str]) -> bool:
    """Tell whether lines look like an outline: short, none of them a sentence, and some below others."""
    written = [line for line in lines if line.strip()]
    depths = [indentation(line) for line in written]
    return (
        len(written) > 2
        and depths[0] == 0
        and max(depths) > 1
        and not any(len(line) > MAX_LINE or _SENTENCE.search(line) for line in written)
    )


def read_indented(lines: list[str]) -> tuple[Document, Outline]:
    """Return the outline of the text. A first line that holds all others is the title."""
    entries = [_entry(number, line) for number, line in enumerate(lines) if line.strip()]
    if len(entries) > 1 and all(entry.depth > entries[0].depth for entry in entries[1:]) and not entries[0].checkbox:
        return outline_of(lines, entries[1:], title=entries[0])
    return outline_of(lines, entries)


def _entry(number: int, line: str) -> Entry:
    text = line.strip()
    entry = Entry(number, indentation(line), text)
    if bullet := _BULLET.match(text):
        text = text[bullet.end() :]
        entry.number = int(bullet["number"]) if bullet["number"] else None
    if box := _BOX.match(text):
        text, entry.checkbox = text[box.end() :], box[1]
    entry.title = text.removesuffix(":") or text
    return entry
