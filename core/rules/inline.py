"""Spans of inline text: what must not be searched for markers, and titles without their markers."""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator

Span = tuple[int, int]

# Each alternative stops at its own opening character, so that a million of them cost linear time.
_VERBATIM = re.compile(
    r"""
      \\[!-/:-@\[-`{-~]                                   # an escaped character
    | !?\[[^\[\]]*\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)?(?:\s+"[^"]*")?\)   # a link or an image
    | (?P<reference>\[[^\[\]]*\](?:\[[^\[\]]*\])?)        # a link by name, if the name is defined
    | <[A-Za-z/!][^<>]*>                                  # an address or HTML
    | [A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s<>]+             # a bare address
    | (?<![\w.])www\.[^\s<>]+
    """,
    re.VERBOSE,
)

# Punctuation as East Asian keyboards write it, one character for one, so that offsets hold.
_FULL_WIDTH = {ord(sign) + 0xFEE0: sign for sign in "!#(),:;@~"}


def hide_verbatim(text: str, link_names: frozenset[str]) -> str:
    """Return `text`, equally long, with NUL in place of code spans, links, addresses and escapes, and plain punctuation."""
    text = blank_out(text, _code_spans(text))
    text = blank_out(text, (match.span() for match in _VERBATIM.finditer(text) if _is_verbatim(match, link_names)))
    return text.translate(_FULL_WIDTH)


def _is_verbatim(match: re.Match[str], link_names: frozenset[str]) -> bool:
    reference = match["reference"]
    if reference is None:
        return True
    names = re.findall(r"\[([^\[\]]*)\]", reference)
    return " ".join((names[-1] or names[0]).split()).upper() in link_names


def _code_spans(text: str) -> Iterator[Span]:
    runs = [match.span() for match in re.finditer("`+", text)]
    starts: dict[int, list[int]] = defaultdict(list)
    for start, end in runs:
        starts[end - start].append(start)
    done = 0
    for start, end in runs:
        same = starts[end - start]
        closing = bisect_right(same, start)
        if start >= done and closing < len(same):
            done = same[closing] + end - start
            yield start, done


def blank_out(text: str, spans: Iterable[Span]) -> str:
    """Return `text`, equally long, with NUL in the given spans, which are in order."""
    parts, at = [], 0
    for start, end in spans:
        parts += [text[at:start], "\0" * (end - start)]
        at = end
    return "".join([*parts, text[at:]])


def cut_out(text: str, spans: Iterable[Span]) -> str:
    """Return `text` without the given spans and without the blanks and separators that they leave behind."""
    pieces, at = [], 0
    ordered = sorted(spans)
    for start, end in ordered:
        pieces.append(text[at : max(at, start)].strip())
        at = max(at, end)
    last = text[at:].strip()
    if ordered and not last.strip(",;. \t"):
        last = ""
        while len(pieces) > 1 and not pieces[-1].strip(",; \t"):
            pieces.pop()
        pieces[-1] = re.sub(r"[ \t]*[,;:\u2013\u2014]+$|[ \t]+-+$", "", pieces[-1])
    if ordered and not pieces[0]:
        last = re.sub(r"^[,;:\u2013\u2014-]+[ \t]+", "", last)
    return "".join(_spaced([piece for piece in [*pieces, last] if piece]))


def _spaced(pieces: list[str]) -> Iterator[str]:
    for index, piece in enumerate(pieces):
        yield piece if index == 0 or piece[0] in ",.;:)" else f" {piece}"
