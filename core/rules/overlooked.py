"""List items of a checklist that look like tasks (an estimate, an owner, a date, `[]`) and yet are text.

In a checklist only items with a checkbox are tasks. That rule holds for the whole document, so its
author must hear of the items that looked like tasks. (Below task headings lists are often prose, in
which "(5 min)" and "after" are just words; nothing is asked there.)
"""

import re

from core.rules.draft import Draft
from core.rules.outline import Node, NodeKind, Reading, is_prose

MAX_LINES = 20
_MISSPELT_BOX = re.compile(r"\[[ xX]?\](?!\()")


def ask_about_overlooked(draft: Draft) -> list[str]:
    """Return one question that names the lines of all such items, except under headings such as "Notes"."""
    if draft.outline.reading is not Reading.CHECKLIST:
        return []
    lines = [node.title_start + 1 for node in draft.outline.root.walk() if _is_overlooked(draft, node)]
    if not lines:
        return []
    shown = ", ".join(map(str, lines[:MAX_LINES])) + (", ..." if len(lines) > MAX_LINES else "")
    what = f"line {shown}: a list item" if len(lines) == 1 else f"lines {shown}: {len(lines):,} list items"
    return [
        f"{what} without a checkbox, but with an estimate, owner, date, label, priority, dependency or `[]`, became text; "
        "write `- [ ]` to make a task of it"
    ]


def _is_overlooked(draft: Draft, node: Node) -> bool:
    if node.kind is not NodeKind.ITEM or node.is_task or node.is_criterion or not node.title:
        return False
    if node.title_start in draft.used or is_prose(node):
        return False
    stated = draft.reader.read(node.heading)
    return bool(stated.fields.values or stated.targets or _MISSPELT_BOX.match(node.heading))
