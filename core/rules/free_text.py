"""A text without any structure: one task, named by its first sentence."""

import re

from core.rules.descriptions import shorten
from core.rules.draft import Draft
from core.rules.items import Item
from core.rules.markdown import BlockKind
from core.rules.markers import Inline
from core.rules.outline import Node, NodeKind


def add_free_text(draft: Draft) -> None:
    """Add the one task. A single line is its title, markers read; longer text is its description."""
    lines = draft.document.lines
    written = [line for line, text in enumerate(lines) if text.strip() and line not in draft.used]
    paragraph = next((block for block in draft.document.blocks if block.kind is BlockKind.PARAGRAPH), None)
    title = draft.outline.title
    if len(written) == 1:
        _add(draft, written[0], draft.reader.read(lines[written[0]].strip()), title_end=written[0] + 1)
        return
    first = written[0] if written else next(line for line, text in enumerate(lines) if text.strip())
    if written and paragraph is not None:
        name = _first_sentence(paragraph.text)
    else:  # nothing but a title, a table, code, or markup without words
        name = title.heading if title else lines[first].strip()
    _add(draft, first, Inline(shorten(name)), title_end=first)


def _add(draft: Draft, line: int, inline: Inline, *, title_end: int) -> None:
    end = len(draft.document.lines)
    node = Node(NodeKind.SECTION, line, end, draft.outline.root, is_task=True)
    draft.add(Item(node, line, None, inline, title_end))


def _first_sentence(paragraph: list[str]) -> str:
    return re.split(r"(?<=[.!?])\s", " ".join(line.strip() for line in paragraph))[0]
