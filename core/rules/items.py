"""The items of a plan while it is read: title, fields, the lines of their text, and what they wait for."""

from dataclasses import dataclass, field

from core.rules.exact import Exact, read_exact
from core.rules.inline import Span
from core.rules.markers import Inline, MarkerReader, Target
from core.rules.outline import Node, NodeKind
from core.rules.vocabulary import CHECKBOX_STATUS
from schemas.primitives import TaskStatus
from schemas.tasks import TaskFields

# A first line at least this wide was broken by an editor: the next line continues the title.
WRAPPED_WIDTH = 70
_KEPT_ELSEWHERE = frozenset({"title", "description", "acceptance_criteria"})


@dataclass(slots=True, eq=False)
class Reference:
    """A stated dependency. Once it is resolved and `clear`, its words leave the title or the text."""

    task: int
    line: int
    written: str
    alternatives: list[Target] = field(default_factory=list)
    in_title: bool = False
    removable: bool = False
    edges: list[tuple[int, int]] = field(default_factory=list)
    clear: bool = False
    spans: tuple[Span, ...] = ()  # in the title


@dataclass(slots=True, eq=False)
class Item:
    """One task to be. Lines count from 0."""

    node: Node
    line: int
    parent: int | None
    inline: Inline
    title_end: int  # line after the title
    exact: Exact = field(default_factory=Exact)
    criteria: list[str] = field(default_factory=list)
    depends_on: list[int] = field(default_factory=list)


def read_item(node: Node, parent: int | None, lines: list[str], reader: MarkerReader) -> Item:
    """Return the item of a heading or list item, with the markers of its title read."""
    raw, title_end = _title(node, lines)
    exact = node.exact if node.exact is not None else read_exact(node.blocks, lines, TaskFields)
    inline = reader.read(raw)
    if "title" in exact.fields:
        inline = Inline(str(exact.fields["title"]), block_id=inline.block_id, is_exact=True)
    if node.checkbox and CHECKBOX_STATUS[node.checkbox] is not TaskStatus.TODO:
        inline.fields.values["status"] = CHECKBOX_STATUS[node.checkbox].value
    inline.fields.values |= {name: value for name, value in exact.fields.items() if name not in _KEPT_ELSEWHERE}
    return Item(node, node.start, parent, inline, title_end, exact, criteria=_criteria(exact))


def _criteria(exact: Exact) -> list[str]:
    stated = exact.fields.get("acceptance_criteria")
    return [str(text) for text in stated] if isinstance(stated, list) else []


def _title(node: Node, lines: list[str]) -> tuple[str, int]:
    if node.kind is NodeKind.SECTION:
        return _without_emphasis(node.heading), node.title_end
    used = 1
    while used < len(node.title) and _continues(lines[node.title_start + used - 1], node.title[used]):
        used += 1
    title = _without_emphasis(" ".join(part.strip() for part in node.title[:used]))
    return title, node.title_end if used == len(node.title) else node.title_start + used


def _continues(before: str, text: str) -> bool:
    has_ended = before.endswith(("  ", "\\", ".", ":", "!", "?"))
    return len(before) >= WRAPPED_WIDTH and not has_ended and not text.lstrip().startswith("**")


def _without_emphasis(text: str) -> str:
    for mark in ("**", "__"):
        if text.startswith(mark) and text.endswith(mark) and len(text) > 4 and mark not in text[2:-2]:
            return text[2:-2].strip() or text
    return text
