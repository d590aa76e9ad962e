"""Fields and criteria that stand on lines of their own below an item: `**Duration**: 1 day`, `Owner: Ann`."""

from collections.abc import Iterator

from pydantic import JsonValue

from core.rules.dates import NoDay
from core.rules.draft import PROJECT, Draft
from core.rules.fields import Fields
from core.rules.items import Item, Reference
from core.rules.labels import Label, find_labels
from core.rules.markdown import Block, BlockKind
from core.rules.markers import Target
from core.rules.outline import Node
from core.rules.vocabulary import find_priority, find_status

MAX_CRITERIA, MAX_CRITERION = 50, 500
_PROJECT_LABELS = frozenset({Label.DUE, Label.START, Label.PRIORITY, Label.TAGS})


def read_stated_fields(draft: Draft, *, with_project: bool) -> None:
    """Read the label lines right below each item, and those of the project before its first section."""
    for index, item in enumerate(draft.items):
        for line, text in _label_lines(item.node, item.title_end):
            if line not in draft.used:
                _read_line(draft, index, line, text)
    for node in (draft.outline.root, draft.outline.title) if with_project else ():
        for line, text in _label_lines(node, 0) if node else ():
            _read_project_line(draft, line, text)


def _label_lines(node: Node, start: int) -> Iterator[tuple[int, str]]:
    """Yield the lines of a node's own paragraphs, and of its plain lists that are no tasks."""
    for line, text in enumerate(node.title, start=node.title_start):
        if line >= start and line > node.start:
            yield line, text
    for block in node.blocks:
        if block.kind is BlockKind.PARAGRAPH:
            yield from enumerate(block.text, start=block.start)
        elif block.kind is BlockKind.LIST and not block.ordered:
            yield from _single_lines(block)


def _single_lines(block: Block) -> Iterator[tuple[int, str]]:
    for item in block.children:
        if len(item.children) == 1 and item.children[0].kind is BlockKind.PARAGRAPH and len(item.children[0].text) == 1:
            yield item.children[0].start, item.children[0].text[0]


def _read_line(draft: Draft, index: int, line: int, text: str) -> None:
    pairs = find_labels(text)
    taken = [_read_label(draft, index, line, text, label, value) for label, value in pairs]
    if pairs and all(taken):
        draft.used.add(line)


def _read_label(draft: Draft, index: int, line: int, text: str, label: Label, value: str) -> bool:
    """Store one stated value; return whether its words may leave the text now."""
    item = draft.items[index]
    if not value:
        return False
    if label is Label.DEPENDENCIES:
        target = Target((0, len(text)), value)
        draft.references.append(Reference(index, line, text.strip(), [target], removable=len(find_labels(text)) == 1))
        return False
    if label is Label.CRITERIA:
        return _add_criteria(item, [value])
    read = _value(draft, label, value)
    reason = "cannot be read" if read is None else item.inline.fields.offer(_field(label), read)
    if reason:
        draft.remark(line, f"'{text.strip()}' {reason}; kept as text")
    return reason is None


def _read_project_line(draft: Draft, line: int, text: str) -> None:
    pairs = find_labels(text)
    known = [(label, _value(draft, label, value)) for label, value in pairs if label in _PROJECT_LABELS]
    fields = Fields(dict(draft.project.values))
    if pairs and len(known) == len(pairs) and not any(read is None or fields.offer(_field(label), read) for label, read in known):
        draft.project = fields
        draft.used.add(line)


def _field(label: Label) -> str:
    return "estimated_minutes" if label is Label.ESTIMATE else label.value


def _value(draft: Draft, label: Label, text: str) -> JsonValue:
    if label is Label.ESTIMATE:
        return draft.reader.working_time.minutes(text.lstrip("~ "))
    if label in (Label.DUE, Label.START):
        found = draft.reader.calendar.find(text)
        return None if found is None or isinstance(found.value, NoDay) or found.end != len(text) else found.value.isoformat()
    if label is Label.PRIORITY:
        return priority.value if (priority := find_priority(text)) else None
    if label is Label.STATUS:
        return status.value if (status := find_status(text)) else None
    if label is Label.TAGS:
        return [*read_tags(text)]
    return text.removeprefix("@")


def read_tags(text: str) -> list[str]:
    """Return the tags of a comma list, each with or without `#`."""
    return [tag for part in text.split(",") if (tag := part.strip(" `#"))]


def read_criteria(draft: Draft) -> None:
    """Move the lists that "Acceptance criteria:" announces from the text to the criteria of their item."""
    for found in draft.outline.criteria:
        owner = draft.owners[found.block.start]
        texts = [_criterion(entry) for entry in found.block.children]
        if owner != PROJECT and all(texts) and _add_criteria(draft.items[owner], [text for text in texts if text]):
            draft.used.update([*found.announcement, *range(found.block.start, found.block.end)])


def _criterion(entry: Block) -> str | None:
    """Return the text of a criterion, or None if it is more than one paragraph."""
    if len(entry.children) != 1 or entry.children[0].kind is not BlockKind.PARAGRAPH:
        return None
    return " ".join(part.strip() for part in entry.children[0].text).removeprefix("[ ]").strip() or None


def _add_criteria(item: Item, texts: list[str]) -> bool:
    if len(item.criteria) + len(texts) > MAX_CRITERIA or any(len(text) > MAX_CRITERION for text in texts):
        return False
    item.criteria += texts
    return True
