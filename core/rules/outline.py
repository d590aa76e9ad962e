"""Which headings and list items of a document are tasks.

The first reading that fits decides for the whole document:

1. *Checklist*: it has checkboxes. Items with one are tasks; so is a plain item or heading above some.
2. *Work breakdown*: headings say `Task 1.2`, `Step 3`, ..., or are followed by an estimate, an owner or
   dependencies. Those headings are tasks, and so are the headings above them; lists are description.
3. *Outline*: it has lists. Their items are tasks, and so are the headings above them. (Here and in a
   checklist, several lists below short lines such as "Backend:" count as being below headings.)
4. *Headings*: they are all the structure there is, so each is a task.
5. *Free text*: one task.

Everything else is text of the nearest task around it, or of the project. A single leading `#` heading
is the document's title. Lists under headings such as "Notes" or "Risks" are text unless they have
checkboxes. A heading that only repeats the heading above it ("Implementation for User Story 1") and
holds all of its tasks is folded into it.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from core.rules import labels
from core.rules.exact import Exact
from core.rules.markdown import Block, BlockKind, Document
from core.rules.vocabulary import GENERIC_WORDS, PROSE_HEADINGS, UNIT_KINDS

_CHECKBOX = re.compile(r"\[([ xX/-])\](?:[ \t]+|$)")
_NUMBER = r"[0-9]+(?:\.[0-9]+)*[a-z]?(?![\w.]*\w)"
_LETTERS = r"(?-i:[A-Z]|[IVX]+)(?=\s*(?:[:.)\u2013\u2014-]|$))"
_LABELLED = re.compile(rf"[\W_]*(?P<kind>{UNIT_KINDS})[ ]+#?(?:{_NUMBER}|{_LETTERS})", re.IGNORECASE)
_LEAD = re.compile(r"\*\*[^*]+\*\*:?|__[^_]+__:?|[^:]+:")
LEAD_LEVEL = 7  # below all headings
MAX_LEAD = 60
_LEAF_KINDS = frozenset({"task", "subtask", "sub-task", "step", "work package"})


class Reading(StrEnum):
    CHECKLIST = "checklist"
    BREAKDOWN = "breakdown"
    OUTLINE = "outline"
    HEADINGS = "headings"
    FREE_TEXT = "free text"
    STATED = "stated"  # of a format that says itself what is a task


class NodeKind(StrEnum):
    ROOT = "root"
    SECTION = "section"
    ITEM = "item"


@dataclass(slots=True, eq=False)
class Node:
    """The document, a section with its heading, or a list item; any of them may become a task."""

    kind: NodeKind
    start: int
    end: int
    parent: "Node | None" = None
    level: int = 0
    title: list[str] = field(default_factory=list)  # by source line, without the checkbox
    title_start: int = 0  # of items: their first paragraph, or a heading in its place
    title_end: int = 0  # line after the heading or the item's first paragraph
    checkbox: str | None = None
    number: int | None = None
    siblings: Block | None = None  # the list it is in
    children: list["Node"] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)  # its own text, lists included, without sections
    exact: Exact | None = None  # what its format states
    is_task: bool = False
    is_criterion: bool = False

    def walk(self) -> Iterator["Node"]:
        """Yield all nodes below this one in document order."""
        waiting = self.children[::-1]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(node.children[::-1])

    @property
    def heading(self) -> str:
        return " ".join(part.strip() for part in self.title)


@dataclass(frozen=True, slots=True)
class Criteria:
    """A list of acceptance criteria in `node`, whose they are, and the lines that announce them."""

    node: Node
    holder: Node
    block: Block
    announcement: range


@dataclass(slots=True)
class Outline:
    root: Node
    title: Node | None
    criteria: list[Criteria]
    reading: Reading


def read_outline(document: Document) -> Outline:
    """Return the document's sections and items with `is_task` decided."""
    root = _build(document)
    top = [node for node in root.walk() if node.kind is NodeKind.SECTION and node.level == 1]
    title = top[0] if len(top) == 1 and top[0] is next(_sections(root)) and top[0].heading else None
    for node in [root, *root.walk()]:
        _group_by_leads(node)
    criteria = _find_criteria(root, title)
    return Outline(root, title, criteria, _choose(root, title, {id(found.holder) for found in criteria}))


def has_label(heading: str) -> bool:
    """Tell whether a heading names a unit of work: `Phase 2: ...`, `Task 0.1: ...`."""
    return _LABELLED.match(heading) is not None


def _sections(root: Node) -> Iterator[Node]:
    return (node for node in root.walk() if node.kind is NodeKind.SECTION)


def _build(document: Document) -> Node:
    root = Node(NodeKind.ROOT, 0, len(document.lines))
    current = root
    for block in document.blocks:
        if block.kind is not BlockKind.HEADING:
            _attach(current, block)
            continue
        while current.parent is not None and current.level >= block.level:
            current.end = block.start
            current = current.parent
        section = Node(NodeKind.SECTION, block.start, root.end, current, block.level, block.text, title_end=block.end)
        current.children.append(section)
        current = section
    return root


def _attach(owner: Node, block: Block) -> None:
    owner.blocks.append(block)
    if block.kind is not BlockKind.LIST:
        return
    for item in block.children:
        node = Node(NodeKind.ITEM, item.start, item.end, owner, number=item.number, siblings=block)
        owner.children.append(node)
        blocks = item.children
        if blocks and blocks[0].kind in (BlockKind.PARAGRAPH, BlockKind.HEADING):
            _read_title(node, blocks[0])
            blocks = blocks[1:]
        for inner in blocks:
            _attach(node, inner)


def _read_title(node: Node, block: Block) -> None:
    node.title, node.title_start, node.title_end = list(block.text), block.start, block.end
    if block.kind is BlockKind.HEADING:
        node.title = [" ".join(block.text)]
    box = _CHECKBOX.match(node.title[0])
    if box:
        node.checkbox = box[1]
        node.title[0] = node.title[0][box.end() :]
    if not node.title[0].strip():  # `- [ ]` alone names nothing, whatever stands below it
        node.title, node.checkbox = [], None


def _group_by_leads(node: Node) -> None:
    """Make sections of lists below short lines such as "Backend:" or "**Backend**", if there are several."""
    pairs = [(lead, block) for lead, block in pairwise(node.blocks) if _is_lead(lead, block)]
    if len(pairs) < 2:
        return
    sections = {}
    for lead, block in pairs:
        title = lead.text[0].strip().removesuffix(":")
        sections[id(block)] = Node(NodeKind.SECTION, lead.start, block.end, node, LEAD_LEVEL, [title], title_end=lead.end)
        sections[id(block)].blocks.append(block)
    moved = {id(block) for pair in pairs for block in pair}
    node.blocks = [block for block in node.blocks if id(block) not in moved]
    children, node.children = node.children, []
    for child in children:
        section = sections.get(id(child.siblings))
        if section is None:
            node.children.append(child)
            continue
        if not section.children:
            node.children.append(section)
        child.parent = section
        section.children.append(child)


def _is_lead(lead: Block, block: Block) -> bool:
    if lead.kind is not BlockKind.PARAGRAPH or block.kind is not BlockKind.LIST or len(lead.text) != 1:
        return False
    text = lead.text[0].strip()
    return len(text) <= MAX_LEAD and _LEAD.fullmatch(text) is not None and not labels.find_labels(text)


def _find_criteria(root: Node, title: Node | None) -> list[Criteria]:
    """Find the lists that a line or heading such as "Acceptance criteria:" announces, and mark their items."""
    found = [criteria for node in root.walk() for criteria in _announced(node) if criteria.holder not in (root, title)]
    announced = {id(criteria.block) for criteria in found}
    announcing = {id(criteria.node) for criteria in found if criteria.holder is not criteria.node}
    for node in root.walk():
        above = node.parent
        node.is_criterion = id(node.siblings) in announced or (above is not None and above.is_criterion)
        if node.kind is NodeKind.ITEM and id(node) in announcing:
            node.is_criterion = True
    return found


def _announced(node: Node) -> Iterator[Criteria]:
    for before, block in pairwise(node.blocks):
        if block.kind is BlockKind.LIST and before.kind is BlockKind.PARAGRAPH and labels.announces_criteria(before.text[-1]):
            yield Criteria(node, node, block, range(before.end - 1, before.end))
    if not (node.blocks and node.blocks[0].kind is BlockKind.LIST and node.title):
        return
    is_section = node.kind is NodeKind.SECTION
    if labels.announces_criteria(f"{node.heading.rstrip(':')}:" if is_section else node.title[-1]):
        holder = node.parent if is_section or len(node.title) == 1 else node
        assert holder is not None
        yield Criteria(node, holder, node.blocks[0], range(node.start if is_section else node.title_end - 1, node.title_end))


def _choose(root: Node, title: Node | None, holders: set[int]) -> Reading:
    nodes = list(root.walk())
    items = [node for node in nodes if node.kind is NodeKind.ITEM and node.title and not node.is_criterion]
    sections = [node for node in nodes if node.kind is NodeKind.SECTION and node is not title and node.heading]
    headings = [section for section in sections if section.level != LEAD_LEVEL and not is_prose(section)]
    units = [section for section in headings if has_label(section.heading) or id(section) in holders]
    if any(item.checkbox for item in items):
        reading = Reading.CHECKLIST
        wanted = [item for item in items if item.checkbox] + units
    elif work := [section for section in headings if _is_work(section) or id(section) in holders]:
        reading = Reading.BREAKDOWN
        wanted = work + units
    elif wanted := [item for item in items if not is_prose(item) and not _is_attribute(item)]:
        reading = Reading.OUTLINE
    elif wanted := headings:
        reading = Reading.HEADINGS
    else:
        return Reading.FREE_TEXT
    _select(wanted, title)
    _fold(root, title)
    return reading


def _select(nodes: list[Node], title: Node | None) -> None:
    """Make tasks of `nodes` and of what stands above them."""
    for start in nodes:
        node: Node | None = start
        while node is not None and node.kind is not NodeKind.ROOT and not node.is_task:
            node.is_task = bool(node.heading) and node is not title
            node = node.parent


def _is_work(section: Node) -> bool:
    """Tell whether a heading is a task by its label, or by what is stated right below it."""
    match = _LABELLED.match(section.heading)
    if match and match["kind"].lower() in _LEAF_KINDS:
        return True
    paragraphs = (block for block in section.blocks if block.kind is BlockKind.PARAGRAPH)
    return any(labels.states_work(line) for block in paragraphs for line in block.text)


def is_prose(node: Node) -> bool:
    current: Node | None = node
    while current is not None:
        if current.kind is NodeKind.SECTION and current.heading.strip(" *_:#").casefold() in PROSE_HEADINGS:
            return True
        current = current.parent
    return False


def _is_attribute(item: Node) -> bool:
    """Tell whether an item only states a field of the task above it: `- Due: 2026-12-01`."""
    has_owner = item.parent is not None and item.parent.kind is not NodeKind.ROOT
    return has_owner and len(item.title) == 1 and not item.blocks and labels.is_label_line(item.title[0])


def _fold(root: Node, title: Node | None) -> None:
    """Unmark headings that only repeat the heading above them; deepest first."""
    tasks = [node for node in root.walk() if node.is_task]
    below = Counter(_above(node) for node in tasks)
    for section in reversed(tasks):
        if section.kind is not NodeKind.SECTION or has_label(section.heading):
            continue
        above = _above(section)
        known = GENERIC_WORDS | _words(above.heading or (title.heading if title else ""))
        if below[above] == 1 and _words(section.heading) <= known:
            section.is_task = False
            below[above] = below[section]


def _above(node: Node) -> Node:
    """Return the nearest task around a node, or the root."""
    above = node.parent or node
    while above.parent is not None and not above.is_task:
        above = above.parent
    return above


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))
