"""Lines numbered `1.1` or lettered `a.` as the list that their author sees; Markdown reads them as one paragraph.

Letters behind a number stand below it. Numbers at the start of a line may be part of a sentence, so at least two lines must
count without a gap, from the first one to the end of the paragraph, and below item 2 they must begin with 2.
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
        found.append(_list(block.text[first:], _labels(block.text[first:]), block.start + first))
    return found


def _first_line(paragraph: Block, item: Block | None) -> int | None:
    """Return the index of the first line of an enumeration that ends the paragraph."""
    first = next((index for index, line in enumerate(paragraph.text) if _label(line)), None)
    labels = _labels(paragraph.text[first:]) if first is not None else []
    if len(labels) < 2 or labels[0][-1:] != (1,) or not all(_follows(one, other) for one, other in pairwise(labels)):
        return None
    numbers = [label for line in paragraph.text[first:] if (label := _label(line)) and label[0] != _LETTERS]
    if numbers and max(map(len, numbers)) == 1:  # "1 egg", "2 spoons of sugar"
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


def _labels(lines: list[str]) -> list[Label]:
    """Return the label of each line; letters behind a number stand below it: (1, 2, 1) for the `a.` after `1.2`."""
    labels: list[Label] = []
    number: Label = ()
    for line in lines:
        label = _label(line)
        if label[:1] == (_LETTERS,):
            label = (*number, label[1]) if number else label
        else:
            number = label
        labels.append(label)
    return labels


def _follows(one: Label, other: Label) -> bool:
    """Tell whether `other` is the first below `one`, or the next beside it or beside what it stands below."""
    if not other or (one[0] == _LETTERS) != (other[0] == _LETTERS):
        return False
    return other == (*one, 1) or (len(other) <= len(one) and other == (*one[: len(other) - 1], one[len(other) - 1] + 1))


def _list(lines: list[str], labels: list[Label], start: int) -> Block:
    """Return lines that count without a gap as a list, longer labels below shorter ones."""
    size = len(labels[0])
    own = [index for index, label in enumerate(labels) if len(label) <= size]
    items = []
    for index, end in pairwise([*own, len(lines)]):
        letter = _LETTERED.match(lines[index])
        title = lines[index][letter.end() if letter else 0 :].strip()  # a number stays: others name the item by it
        children = [Block(BlockKind.PARAGRAPH, start + index, start + index + 1, [title])]
        if end > index + 1:
            children.append(_list(lines[index + 1 : end], labels[index + 1 : end], start + index + 1))
        items.append(Block(BlockKind.ITEM, start + index, start + end, children=children))
    return Block(BlockKind.LIST, start, start + len(lines), ordered=True, children=items)
