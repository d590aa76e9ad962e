"""The text of each item: the lines it owns that are neither title nor field, as written."""

from collections import defaultdict
from itertools import pairwise

from core.rules.draft import PROJECT, Draft
from core.rules.items import Item
from core.rules.markdown import Block, BlockKind
from core.rules.outline import NodeKind

MAX_DESCRIPTION = 10_000
MAX_TITLE = 255
TOO_LONG = "notes beyond the description's limit of 10,000 characters"


def shorten(title: str) -> str:
    """Return a title of at most 255 characters, cut between words."""
    if len(title) <= MAX_TITLE:
        return title
    words, _, _ = title[:MAX_TITLE].rpartition(" ")
    return (words.rstrip() or title[: MAX_TITLE - 1]) + "…"


def write_descriptions(draft: Draft) -> dict[int, str]:
    """Return the description of each item that has one, and of the project; report lines that do not fit."""
    owned: dict[int, list[int]] = defaultdict(list)
    for line, owner in enumerate(draft.owners):
        if line not in draft.used:
            owned[owner].append(line)
    dividers = {block.start for block in _all(draft.document.blocks) if block.kind is BlockKind.DIVIDER}
    code = _code_starts(draft.document.blocks)
    texts = {}
    for owner, lines in owned.items():
        kept = _without_edges(draft, lines, dividers)
        item = draft.items[owner] if owner != PROJECT else None
        texts[owner] = _fit(draft, _written(draft, kept, item), _first(draft, item), code)
    for owner in range(PROJECT, len(draft.items)):
        if owner not in texts:
            texts[owner] = _first(draft, draft.items[owner] if owner != PROJECT else None)
    return {owner: text for owner, text in texts.items() if text}


def _first(draft: Draft, item: Item | None) -> str:
    """Return what a description begins with: the title if it had to be cut, and the text that is stated exactly."""
    exact = item.exact if item is not None else draft.project_exact
    stated = str(exact.fields.get("description", ""))
    title = _whole_title(draft, item)
    if len(stated) > MAX_DESCRIPTION:
        draft.leave(_title_line(draft, item), TOO_LONG)
        stated = stated[:MAX_DESCRIPTION]
    if title and len(title) + 2 + len(stated) > MAX_DESCRIPTION:
        draft.leave(_title_line(draft, item), TOO_LONG)
        return stated
    return "\n\n".join(part for part in (title, stated) if part)


def _whole_title(draft: Draft, item: Item | None) -> str:
    """Return the title if the stored one had to be cut; report it where not even the description can hold it."""
    document = draft.outline.title
    title = item.inline.title() if item is not None else document.heading if document is not None else ""
    if len(title) > MAX_DESCRIPTION:
        draft.leave(_title_line(draft, item), "a title beyond the description's limit of 10,000 characters")
    return title if MAX_TITLE < len(title) <= MAX_DESCRIPTION else ""


def _title_line(draft: Draft, item: Item | None) -> int:
    node = draft.outline.title or draft.outline.root
    return item.line if item is not None else node.start


def _all(blocks: list[Block]) -> list[Block]:
    found, waiting = [], list(blocks)
    while waiting:
        block = waiting.pop()
        found.append(block)
        waiting += block.children
    return found


def _code_starts(blocks: list[Block]) -> dict[int, int]:
    verbatim = (block for block in _all(blocks) if block.kind is BlockKind.VERBATIM)
    return {line: block.start for block in verbatim for line in range(block.start, block.end)}


def _runs(draft: Draft, lines: list[int]) -> list[list[int]]:
    """Split lines where lines of another owner stand between them."""
    runs = [[lines[0]]]
    for before, line in pairwise(lines):
        owner = draft.owners[line]
        if all(draft.owners[between] == owner for between in range(before + 1, line)):
            runs[-1].append(line)
        else:
            runs.append([line])
    return runs


def _without_edges(draft: Draft, lines: list[int], dividers: set[int]) -> list[list[int]]:
    """Return the runs of lines without blank lines and dividers at their edges."""
    runs = []
    for run in _runs(draft, lines):
        left, right = 0, len(run)
        while left < right and _is_edge(draft, run[left], dividers):
            left += 1
        while left < right and _is_edge(draft, run[right - 1], dividers):
            right -= 1
        for line in [*run[:left], *run[right:]]:
            if line in dividers:
                draft.leave(line, "a dividing line")
        if left < right:
            runs.append(run[left:right])
    return runs


def _is_edge(draft: Draft, line: int, dividers: set[int]) -> bool:
    return line in dividers or not draft.document.lines[line].strip()


def _written(draft: Draft, runs: list[list[int]], item: Item | None) -> list[tuple[int | None, str]]:
    """Return line numbers and texts; list items lose the indentation that all their lines share."""
    source = draft.document.lines
    indented = [source[line] for run in runs for line in run if source[line].strip()]
    is_list_item = item is not None and item.node.kind is NodeKind.ITEM
    margin = _shared_indentation(indented) if is_list_item else ""
    written: list[tuple[int | None, str]] = []
    for run in runs:
        if written:
            written.append((None, ""))
        for before, line in zip([None, *run], run, strict=False):
            seam = before is not None and line - before > 1
            if not (seam and not source[line].strip() and not source[before or 0].strip()):
                written.append((line, source[line].removeprefix(margin)))
    return written


def _shared_indentation(texts: list[str]) -> str:
    margins = sorted(text[: len(text) - len(text.lstrip(" \t"))] for text in texts)
    if not margins:
        return ""
    first, last = margins[0], margins[-1]  # what the outermost in sorting order share, all share
    return first[: next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))]


def _fit(draft: Draft, lines: list[tuple[int | None, str]], first: str, code: dict[int, int]) -> str:
    """Join the lines up to the limit, never ending inside code if that can be helped; report the rest."""
    size = len(first) + 2 if first else 0
    end = 0
    while end < len(lines) and size + len(lines[end][1]) <= MAX_DESCRIPTION:
        size += len(lines[end][1]) + 1
        end += 1
    if end < len(lines):
        end = _before_code(lines, end, code)
        for line, text in lines[end:]:
            if line is not None and text.strip():
                draft.leave(line, TOO_LONG)
    body = "\n".join(text for _, text in lines[:end]).rstrip()
    return "\n\n".join(part for part in (first, body) if part)


def _before_code(lines: list[tuple[int | None, str]], end: int, code: dict[int, int]) -> int:
    line = lines[end][0]
    start = code.get(line) if line is not None else None
    earlier = [index for index, (number, _) in enumerate(lines[:end]) if number == start] if start is not None else []
    return earlier[0] if earlier and earlier[0] > 0 else end
