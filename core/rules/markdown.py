"""A Markdown text as blocks with their source lines.

Only the block structure comes from markdown-it-py; inline text stays as written, because titles
keep the author's wording and markers are looked for in the source. Its default nesting limit of 20
silently drops what is deeper, so the limit is raised; it stays finite because the parser recurses.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

# A list level takes two. About 500 Python frames at worst, half of the interpreter's default limit.
MAX_NESTING = 250

# No title or description holds a longer line, so its end cannot matter; the parser reads it once for each level.
MAX_LINE = 11_000

_FRONT_MATTER_LINE = re.compile(r"[\w .-]+:(\s.*)?|\s*- .*|\s+\S.*|#.*|\s*")


class BlockKind(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST = "list"
    ITEM = "item"
    DIVIDER = "divider"
    VERBATIM = "verbatim"  # code, quote, table, HTML: kept as written, nothing inside is a marker


@dataclass(slots=True)
class Block:
    """`start` is its first line, from 0; `end` the line after its last."""

    kind: BlockKind
    start: int
    end: int
    text: list[str] = field(default_factory=list)  # of headings and paragraphs, one entry a line, without markup
    level: int = 0  # of headings, 1..6
    ordered: bool = False
    number: int | None = None  # of items in ordered lists, as written
    info: str = ""  # of fenced code: the words behind the opening fence
    children: list["Block"] = field(default_factory=list)


@dataclass(slots=True)
class Document:
    lines: list[str]
    blocks: list[Block]
    link_names: frozenset[str]  # upper-case names of link definitions: `[name]` is a link


def read_document(content: str) -> Document:
    """Return the lines and blocks of `content`. Line ends may be LF, CRLF or CR."""
    lines = split_lines(content)
    env: dict[str, dict[str, object]] = {}
    tokens = _parser().parse("\n".join(line[:MAX_LINE] for line in _without_front_matter(lines)), env)
    return Document(lines, _blocks(tokens), frozenset(env.get("references", ())))


def split_lines(content: str) -> list[str]:
    return re.sub(r"\r\n?", "\n", content.removeprefix("\ufeff")).split("\n")


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt  # here, because most processes never import a plan

    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def _without_front_matter(lines: list[str]) -> list[str]:
    """Blank out a leading YAML block, which Markdown would read as a divider and a heading."""
    if lines[0].rstrip() != "---":
        return lines
    for index, line in enumerate(lines[1:101], start=1):
        if line.rstrip() in ("---", "..."):
            return [""] * (index + 1) + lines[index + 1 :]
        if not _FRONT_MATTER_LINE.fullmatch(line):
            return lines
    return lines


def _blocks(tokens: list["Token"]) -> list[Block]:
    top: list[Block] = []
    open_blocks = [top]
    verbatim_level: int | None = None  # inside a quote or table, which are kept whole
    for token in tokens:
        if verbatim_level is not None:
            verbatim_level = None if token.level == verbatim_level and token.nesting < 0 else verbatim_level
        elif token.nesting < 0:
            if token.type in _CONTAINERS_END:
                open_blocks.pop()
        elif token.type == "inline":
            open_blocks[-1][-1].text = token.content.split("\n")
        else:
            block = _block(token)
            open_blocks[-1].append(block)
            if block.kind in (BlockKind.LIST, BlockKind.ITEM):
                open_blocks.append(block.children)
            elif block.kind is BlockKind.VERBATIM and token.nesting > 0:
                verbatim_level = token.level
    return top


_CONTAINERS_END = frozenset({"bullet_list_close", "ordered_list_close", "list_item_close"})
_KINDS = {
    "heading_open": BlockKind.HEADING,
    "paragraph_open": BlockKind.PARAGRAPH,
    "bullet_list_open": BlockKind.LIST,
    "ordered_list_open": BlockKind.LIST,
    "list_item_open": BlockKind.ITEM,
    "hr": BlockKind.DIVIDER,
}


def _block(token: "Token") -> Block:
    start, end = token.map or (0, 0)
    block = Block(_KINDS.get(token.type, BlockKind.VERBATIM), start, end)
    if block.kind is BlockKind.HEADING:
        block.level = int(token.tag[1])
    elif block.kind is BlockKind.LIST:
        block.ordered = token.type == "ordered_list_open"
    elif block.kind is BlockKind.ITEM and token.info:
        block.number = int(token.info)
    elif token.type == "fence":
        block.info = " ".join(token.info.split())
    return block
