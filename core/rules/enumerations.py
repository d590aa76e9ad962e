"""Lines numbered `1.1` or lettered `a.` as the list that their author sees; Markdown reads them as one paragraph.

Numbers at the start of a line may be part of a sentence, so at least two lines must count without a gap,
from the first one to the end of the paragraph, and below item 2 they must begin with 2.
"""

import re
from itertools import pairwise

from core.rules.markdown import Block, BlockKind

_NUMBERED = re.compile(r"[ \t]*(?P<label>[0-9]{1,3}(?:\.[0-9]{1,3}){1,9}(?=[.)]?[ \t]+\S)|[0-9]{1,3}(?=[ \t]+\S))")
_LETTERED = re.compile(r"[ \t]*\(?(?P<label>[a-z])[.)][ \t]+(?=\S)")

_LETTERS = 0  # what the label of a lettered line begins with

Label = tuple[int, ...]


def with_enumerations(blocks: list[Block], item: Block | None = None) -> list[Block]:
    """Return `blocks`, those of a document or of one list `item`, with such lines as lists."""
    found: list[Block] = []
    for block in blocks:
        block.children = with_enumerations(block.children, block if block.kind is BlockKind.ITEM else None)
        first = _first_line(block, item) if block.kind is BlockKind.PARAGRAPH else None
        if first is None or (first == 0 and item is not None and not found):  # an item needs its title
            found.append(block)
            continue
        if first:
            found.append(Block(BlockKind.PARAGRAPH, block.start, block.start + first, block.text[:first]))
        found.append(_list(block.text[first:], block.start + first))
    return found


def _first_line(paragraph: Block, item: Block | None) -> int | None:
    """Return the index of the first line of an enumeration that ends the paragraph."""
    first = next((index for index, line in enumerate(paragraph.text) if _label(line)), None)
    labels = [_label(line) for line in paragraph.text[first:]] if first is not None else []
    if len(labels) < 2 or labels[0][-1:] != (1,) or not all(_follows(one, other) for one, other in pairwise(labels)):
        return None
    if max(map(len, labels)) == 1:  # "1 egg", "2 spoons of sugar"
        return None
    if labels[0][0] != _LETTERS and item is not None and item.number not in (None, labels[0][0]):
        return None
    return first


def _label(line: str) -> Label:
    """Return (1, 2) for `1.2`, (1,) for `1`, (0, 3) for `c.`, nothing for other lines."""
    if match := _NUMBERED.match(line):
        return tuple(int(number) for number in match["label"].split("."))
    match = _LETTERED.match(line)
    return (_LETTERS, ord(match["label"]) - ord("a") + 1) if match else ()


def _follows(one: Label, other: Label) -> bool:
    """Tell whether `other` is the first below `one`, or the next beside it or beside what it stands below."""
    if not other or (one[0] == _LETTERS) != (other[0] == _LETTERS):
        return False
    return other == (*one, 1) or (len(other) <= len(one) and other == (*one[: len(other) - 1], one[len(other) - 1] + 1))


def _list(lines: list[str], start: int) -> Block:
    """Return lines that count without a gap as a list, longer numbers below shorter ones."""
    size = len(_label(lines[0]))
    own = [index for index, line in enumerate(lines) if len(_label(line)) <= size]
    items = []
    for index, end in pairwise([*own, len(lines)]):
        is_letter = _label(lines[index])[0] == _LETTERS
        title = _LETTERED.sub("", lines[index], count=1) if is_letter else lines[index].strip()  # others name it by its number
        children = [Block(BlockKind.PARAGRAPH, start + index, start + index + 1, [title])]
        if end > index + 1:
            children.append(_list(lines[index + 1 : end], start + index + 1))
        items.append(Block(BlockKind.ITEM, start + index, start + end, children=children))
    return Block(BlockKind.LIST, start, start + len(lines), ordered=True, children=items)
