"""Entries of formats that say themselves what is a task, as the outline that the importer goes on with."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from core.rules.exact import Exact
from core.rules.fields import MAX_TAG, MAX_TAGS
from core.rules.markdown import Block, BlockKind, Document
from core.rules.outline import Node, NodeKind, Outline, Reading


@dataclass(slots=True)
class Entry:
    """A task with its place in the text. `title` may hold markers; `fields` and `notes` are what the format states itself."""

    line: int
    depth: int  # any numbers that grow with the level
    title: str
    checkbox: str | None = None
    number: int | None = None
    fields: dict[str, JsonValue] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    end: int = 0  # the line after those that belong to it; what is below its own line is text

    def tag(self, names: Sequence[str]) -> None:
        """Add tags; what no tag can be is noted."""
        for name in names:
            tags = self.fields.setdefault("tags", [])
            assert isinstance(tags, list)
            if len(tags) < MAX_TAGS and len(name) <= MAX_TAG:
                self.fields["tags"] = list(dict.fromkeys([*tags, name]))
            else:
                self.notes.append(name)


def outline_of(lines: list[str], entries: Sequence[Entry], *, title: Entry | None = None) -> tuple[Document, Outline]:
    """Return the outline of entries by their depths; `title` names the project and is no task."""
    root = Node(NodeKind.ROOT, 0, len(lines))
    heading = None if title is None else _node(title, lines, root)
    if heading is not None:
        heading.kind, heading.level = NodeKind.SECTION, 1
        root.children.append(heading)
    numbered: dict[int, Block] = {}  # the lists of numbered entries, by the identity of what they are below
    above: list[tuple[int, Node]] = []
    for entry in entries:
        while above and above[-1][0] >= entry.depth:
            above.pop()
        parent = above[-1][1] if above else heading or root
        node = _node(entry, lines, parent)
        node.is_task, node.number = True, entry.number
        if entry.number is not None:
            node.siblings = numbered.setdefault(id(parent), Block(BlockKind.LIST, 0, len(lines), ordered=True))
        parent.children.append(node)
        above.append((entry.depth, node))
    return Document(lines, [], frozenset()), Outline(root, heading, [], Reading.STATED)


def _node(entry: Entry, lines: list[str], parent: Node) -> Node:
    end = max(entry.end, entry.line + 1)
    node = Node(NodeKind.ITEM, entry.line, end, parent, title=[entry.title], title_start=entry.line, title_end=entry.line + 1)
    node.checkbox = entry.checkbox
    if end > entry.line + 1:
        node.blocks.append(Block(BlockKind.PARAGRAPH, entry.line + 1, end, lines[entry.line + 1 : end]))
    stated = dict(entry.fields)
    if entry.notes:
        stated["description"] = "\n".join(entry.notes)
    node.exact = Exact(stated) if stated else None
    return node


def indentation(line: str) -> int:
    """Return the column where the text begins; a tab counts as four."""
    blank = line[: len(line) - len(line.lstrip())]
    return len(blank.expandtabs(4))
