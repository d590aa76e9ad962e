"""From stated dependencies to edges between items: what is named clearly, and forms no circle."""

import re
from collections.abc import Iterator

from core.rules.circles import impossible
from core.rules.draft import Draft
from core.rules.items import Item, Reference
from core.rules.markdown import Block, BlockKind
from core.rules.outline import NodeKind
from core.rules.references import Known, References

MAX_DEPENDENCIES = 1_000  # of one task
MAX_LINKS = 20_000  # of one import

# As in: - **Polish (Phase 6)**: Depends on User Story 1 (T012-T024) - can start then
_STATEMENT = re.compile(
    r"\s*(?:[-*+]\s+)?(?P<subject>[^:]{1,200}?)\s*:\s*(?:\*\*)?\s*(?:depends on|blocked by)\s+"
    r"(?P<target>.{1,400}?)(?:\s+[-\u2013\u2014]\s.*|\.\s.*|;.*|\.?\s*)",
    re.IGNORECASE,
)


def link(draft: Draft, *, sequential: bool) -> None:
    """Fill `depends_on` of all items; report what could not be linked. Linear in items and names."""
    names = References([_known(item) for item in draft.items])
    for reference in draft.references:
        if reference.alternatives:  # else its edges are known
            _resolve(draft, names, reference)
    draft.references += list(_statements(draft, names))
    parents = [item.parent for item in draft.items]
    ordered = _in_sequence(draft.items) if sequential else []
    stated = [edge for reference in draft.references for edge in reference.edges]
    edges = list(dict.fromkeys([*stated, *ordered]))
    refused = impossible(edges, parents)
    refused |= dict.fromkeys(edges[MAX_LINKS:], f"would be one of more than {MAX_LINKS:,} dependencies")
    for reference in draft.references:
        _report_refused(draft, reference, refused)
        _settle(draft, reference, refused)
    for task, other in edges:
        if (task, other) not in refused:
            _add(draft, task, other)


def _known(item: Item) -> Known:
    siblings = id(item.node.siblings) if item.node.siblings else None
    return Known(item.inline.title_without_targets(), item.parent, item.node.number, siblings, item.inline.block_id)


def _resolve(draft: Draft, names: References, reference: Reference) -> None:
    """Take the first alternative that is clear as a whole, else what is clear in the widest."""
    results = [names.resolve(target.text, reference.task) for target in reference.alternatives]
    chosen = next((index for index, result in enumerate(results) if not result.problems), 0)
    result, target = results[chosen], reference.alternatives[chosen]
    reference.edges = [(reference.task, item) for item in result.items]
    reference.clear = not result.problems and not result.says_more
    reference.spans = target.spans
    for problem in result.problems:
        draft.remark(reference.line, f"'{reference.written}' is kept as text: {problem}")


def _statements(draft: Draft, names: References) -> Iterator[Reference]:
    """Yield what lines such as "**Polish (Phase 6)**: Depends on Setup" say about items named in them."""
    for line, text in _prose_lines(draft.document.blocks):
        match = _STATEMENT.fullmatch(text) if line not in draft.used and "on" in text else None
        if match is None:
            continue
        subject = names.resolve(match["subject"], None)
        if len(subject.items) != 1 or subject.problems:
            continue
        result = names.resolve(match["target"], subject.items[0])
        reference = Reference(subject.items[0], line, text.strip())
        reference.edges = [(subject.items[0], item) for item in result.items]
        for problem in result.problems:
            draft.remark(line, f"'{text.strip()}' is kept as text: {problem}")
        yield reference


def _prose_lines(blocks: list[Block]) -> Iterator[tuple[int, str]]:
    for block in blocks:
        if block.kind is BlockKind.PARAGRAPH:
            yield from enumerate(block.text, start=block.start)
        yield from _prose_lines(block.children)


def _in_sequence(items: list[Item]) -> list[tuple[int, int]]:
    """Return an edge from each numbered item to the one before it in its list."""
    edges: list[tuple[int, int]] = []
    last: dict[int, int] = {}
    for index, item in enumerate(items):
        siblings = item.node.siblings
        if item.node.kind is NodeKind.ITEM and siblings is not None and siblings.ordered:
            if id(siblings) in last:
                edges.append((index, last[id(siblings)]))
            last[id(siblings)] = index
    return edges


def _report_refused(draft: Draft, reference: Reference, refused: dict[tuple[int, int], str]) -> None:
    for edge in reference.edges:
        if edge in refused:
            other = draft.items[edge[1]].inline.title_without_targets()
            draft.remark(reference.line, f"'{reference.written}' is kept as text: on '{other}' it {refused[edge]}")


def _settle(draft: Draft, reference: Reference, refused: dict[tuple[int, int], str]) -> None:
    """Take the words out of the title or the text if the edges say all of it."""
    if not reference.clear or any(edge in refused for edge in reference.edges):
        return
    if reference.in_title:
        draft.items[reference.task].inline.cut += reference.spans
    elif reference.removable:  # a line of its own; statements about others stay in the text
        draft.used.add(reference.line)


def _add(draft: Draft, task: int, other: int) -> None:
    item = draft.items[task]
    if len(item.depends_on) < MAX_DEPENDENCIES:
        item.depends_on.append(other)
    else:
        draft.remark(item.line, f"it waits for more than {MAX_DEPENDENCIES:,} items; the rest is not linked")
