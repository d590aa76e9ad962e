"""A text without any structure: one task, named by its first sentence."""

import re

from core.rules.descriptions import shorten
from core.rules.draft import Draft
from core.rules.items import Item
from core.rules.markers import Inline
from core.rules.outline import Node, NodeKind


def add_free_text(draft: Draft) -> None:
    """Add the one task. A single line is its title, markers read; longer text is its description."""
    lines = draft.document.lines
    written = [line for line, text in enumerate(lines) if text.strip() and line not in draft.used]
    if not written:  # nothing but a title, or markup without words
        title = draft.outline.title
        first = next(line for line, text in enumerate(lines) if text.strip())
        _add(draft, first, Inline(shorten(title.heading if title else lines[first].strip())), title_end=first)
        return
    first = written[0]
    if len(written) == 1:
        _add(draft, first, draft.reader.read(lines[first].strip()), title_end=first + 1)
    else:
        _add(draft, first, Inline(shorten(_first_sentence(lines[first:]))), title_end=first)


def _add(draft: Draft, line: int, inline: Inline, *, title_end: int) -> None:
    end = len(draft.document.lines)
    node = Node(NodeKind.SECTION, line, end, draft.outline.root, is_task=True)
    draft.add(Item(node, line, None, inline, title_end))


def _first_sentence(lines: list[str]) -> str:
    paragraph = []
    for line in lines:
        if not line.strip():
            break
        paragraph.append(line.strip())
    return re.split(r"(?<=[.!?])\s", " ".join(paragraph))[0]
