"""The plan while it is read: its items, and which line of the text belongs to which of them."""

from dataclasses import dataclass, field

from core.errors import ValidationFailed
from core.rules.exact import Exact, read_exact
from core.rules.fields import Fields
from core.rules.items import Item, Reference, read_item
from core.rules.markdown import Document
from core.rules.markers import MarkerReader
from core.rules.outline import Node, NodeKind, Outline
from schemas.patches import MAX_PATCHES
from schemas.planning import UnparsedLine
from schemas.projects import ProjectFields

PROJECT = -1  # owner of the lines that belong to no item
MAX_QUESTIONS = 200


@dataclass(slots=True)
class Draft:
    document: Document
    outline: Outline
    reader: MarkerReader
    items: list[Item] = field(default_factory=list)
    project: Fields = field(default_factory=Fields)
    project_exact: Exact = field(default_factory=Exact)
    owners: list[int] = field(default_factory=list)  # by line
    used: set[int] = field(default_factory=set)  # lines that became titles, fields or criteria
    references: list[Reference] = field(default_factory=list)
    unparsed: list[UnparsedLine] = field(default_factory=list)
    flattened: list[int] = field(default_factory=list)
    max_depth: int = 0
    _depths: list[int] = field(default_factory=list)
    _left: set[int] = field(default_factory=set)
    _remarks: list[tuple[int, str]] = field(default_factory=list)

    def add(self, item: Item) -> None:
        """Append an item; it owns its lines until an inner item is added."""
        if len(self.items) + 2 > MAX_PATCHES:
            raise ValidationFailed(
                f"The plan has more than {MAX_PATCHES - 1:,} items; one import creates at most that many.",
                hint="split the plan into several files and import them into the same project",
            )
        index = len(self.items)
        self.items.append(item)
        self.owners[item.node.start : item.node.end] = [index] * (item.node.end - item.node.start)
        self.used.update(range(item.line, item.title_end))
        self.take(item.exact)
        for problem in item.inline.problems:
            self.remark(item.line, f"{problem}; kept as text")
        for alternatives in item.inline.targets:
            written = item.inline.raw[slice(*alternatives[0].span)]
            self.references.append(Reference(index, item.line, written, alternatives, in_title=True))

    def place(self, line: int, parent: int | None) -> int | None:
        """Return the parent of the next item: `parent`, unless that is on the deepest level allowed."""
        if parent is not None and self._depths[parent] >= self.max_depth:
            self.flattened.append(line)
            parent = self.items[parent].parent
        self._depths.append(0 if parent is None else self._depths[parent] + 1)
        return parent

    def take(self, exact: Exact) -> None:
        """Count the lines of exact blocks as used, and note which blocks are none."""
        self.used.update(exact.lines)
        for line, problem in exact.problems:
            self.remark(line, problem)

    def remark(self, line: int, text: str) -> None:
        """Note something the author should decide; shown with its line."""
        self._remarks.append((line, f"line {line + 1}: {text}"))

    def leave(self, line: int, reason: str) -> None:
        """Report a line as not used."""
        self.used.add(line)
        if line in self._left:
            return
        self._left.add(line)
        self.unparsed.append(UnparsedLine(line=line + 1, text=self.document.lines[line], reason=reason))

    def questions(self) -> list[str]:
        texts = list(dict.fromkeys(text for _, text in sorted(self._remarks)))
        more = len(texts) - MAX_QUESTIONS
        return texts if more <= 0 else [*texts[:MAX_QUESTIONS], f"... and {more} more remarks"]


def start_draft(document: Document, outline: Outline, reader: MarkerReader, max_depth: int) -> Draft:
    """Return the draft with all items, none deeper than `max_depth`, and every line owned."""
    draft = Draft(document, outline, reader, max_depth=max_depth)
    draft.owners = [PROJECT] * len(document.lines)
    places: dict[int, int] = {}  # identity of the node -> index of its item
    for node in outline.root.walk():
        if node.is_task:
            parent = draft.place(node.start, _parent(node, places))
            places[id(node)] = len(draft.items)
            draft.add(read_item(node, parent, document.lines, reader))
        elif node.kind is NodeKind.ITEM and not node.heading and not node.children and not node.blocks:
            draft.leave(node.start, "an item without text")
    nodes = [node for node in (outline.root, outline.title) if node]
    draft.project_exact = read_exact([block for node in nodes for block in node.blocks], document.lines, ProjectFields)
    if outline.title:
        draft.used.update(range(outline.title.start, outline.title.title_end))
    return draft


def _parent(node: Node, places: dict[int, int]) -> int | None:
    above = node.parent
    while above is not None and id(above) not in places:
        above = above.parent
    return None if above is None else places[id(above)]
