"""Changes as the text a reviewer reads: what is created as a tree, then everything else in order.

The text is cut at a line and says how many changes it leaves out; lines are made one by one, so
that a set of 10,000 patches costs no more than the part that is shown.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from core.patches.text import (
    FACT_FIELDS,
    MAX_LISTED,
    quoted,
    safe,
    safe_excerpt,
    safe_title,
    safe_word,
    show_count,
    show_facts,
    show_minutes,
)
from schemas.changes import Action, Change, EntityKind, FieldChange

# Once: members of enums are slow to look up before Python 3.12.
CREATED, TASK, PROJECT, COMMENT = Action.CREATED, EntityKind.TASK, EntityKind.PROJECT, EntityKind.COMMENT
EXCERPT_LINES = 3
_LABELS = {
    "depends_on": "waits for",
    "estimated_minutes": "estimate",
    "actual_minutes": "spent",
    "acceptance_criteria": "acceptance criteria",
}
_MINUTES = frozenset({"estimated_minutes", "actual_minutes"})
# Closed vocabularies, days, instants and keys: nothing a user could write freely, so no quotes.
_PLAIN = frozenset({"status", "priority", "start_date", "due_date", "parent", "completed_at", "claim_expires_at"})
_FACTS = frozenset(FACT_FIELDS)
_IN_HEAD = frozenset({"title", "name", "parent", "position", "completed_at", *FACT_FIELDS})


class Line(NamedTuple):
    text: str
    changes: int = 0  # how many changes begin with this line


def render_diff(changes: Sequence[Change], *, limit_bytes: int = 65_536) -> str:
    """Return the changes as text of at most `limit_bytes`, ending in "... N more" when cut; linear."""
    if not changes:
        return "no changes"
    lines: list[str] = []
    room = limit_bytes - 32  # for the last line
    shown = 0
    for text, count in _lines(changes):
        room -= len(text.encode()) + 1
        if room < 0:
            return "\n".join([*lines, f"... {len(changes) - shown:,} more"])
        lines.append(text)
        shown += count
    return "\n".join(lines)


def _lines(changes: Sequence[Change]) -> Iterator[Line]:
    created = [change for change in changes if change.action is CREATED and change.kind is not COMMENT and not _is_gone(change)]
    yield from _created_lines(created)
    if len(created) == len(changes):
        return
    below = _cascades(changes)
    for change in changes:
        if change.kind is COMMENT:
            yield Line(_comment_line(change), 1)
        elif _is_gone(change):
            made = "created" if change.action is CREATED else "restored"
            yield Line(f"- {_name(change)}: {made} and deleted again", 1)
        elif change.action is not CREATED and id(change) not in below.taken:
            yield from _changed_lines(change, below.by_root.get(id(change), []))


def _is_gone(change: Change) -> bool:
    """Whether one set both made (or restored) the item and deleted it: it was never there for anybody else."""
    return "deleted_at" in change.fields


# Creations


def _created_lines(created: Sequence[Change]) -> Iterator[Line]:
    """Return creations as a tree: new projects with their tasks, then what is added to existing items."""
    children: dict[str, list[Change]] = defaultdict(list)
    for change in created:
        if change.kind is TASK:
            children[_home(change)].append(change)
    known = {change.key for change in created if change.key in children}
    for change in created:
        if change.kind is PROJECT:
            yield from _tree([change], children)
    for home, tasks in children.items():
        if home not in known:
            yield Line(f"under {home}:" if "-" in home else f"in {home}:")
            yield from _tree(_in_order(tasks), children, indent=1)


def _tree(roots: Sequence[Change], children: Mapping[str, list[Change]], indent: int = 0) -> Iterator[Line]:
    waiting = [(change, indent) for change in reversed(roots)]
    while waiting:
        change, depth = waiting.pop()
        margin = "  " * depth
        yield Line(f"{margin}+ {_name(change)}{_head(change)}", 1)
        for text in _created_details(change):
            yield Line(f"{margin}    {text}")
        waiting += [(child, depth + 1) for child in reversed(_in_order(children.get(change.key, [])))]


def _home(change: Change) -> str:
    """Return the key of what a new task hangs under: its parent, else its project."""
    parent = change.fields.get("parent")
    return change.key.rpartition("-")[0] if parent is None else str(parent["after"])


def _in_order(tasks: list[Change]) -> list[Change]:
    return sorted(tasks, key=lambda change: _after(change, "position") or 0)


def _head(change: Change) -> str:
    if _FACTS.isdisjoint(change.fields):
        return ""
    facts = show_facts({name: field["after"] for name, field in change.fields.items()})
    return f"  {facts}" if facts else ""


def _created_details(change: Change) -> Iterator[str]:
    for name, field in change.fields.items():
        if name in _IN_HEAD:
            continue
        if name == "description" and isinstance(field["after"], str):
            yield f"description: {_first_line(field['after'])}"
        elif name == "acceptance_criteria" and isinstance(field["after"], list):
            yield f"acceptance criteria: {len(field['after'])}"
        else:
            yield from _field_lines(name, field)


# Everything else


class _Cascades(NamedTuple):
    by_root: dict[int, list[Change]]  # identity of a deleted or restored item -> what went or came with it
    taken: set[int]


def _cascades(changes: Sequence[Change]) -> _Cascades:
    """Return what each deletion or restoration took along; the patch that caused both links them."""
    roots: dict[tuple[Action, int], Change] = {}
    for change in changes:
        if not change.cascaded and change.action in (Action.DELETED, Action.RESTORED):
            for index in change.patch_indexes:
                roots.setdefault((change.action, index), change)
    found = _Cascades(defaultdict(list), set())
    for change in changes:
        if change.cascaded:
            root = next((roots[change.action, index] for index in change.patch_indexes if (change.action, index) in roots), None)
            if root is not None:
                found.by_root[id(root)].append(change)
                found.taken.add(id(change))
    return found


def _changed_lines(change: Change, below: Sequence[Change]) -> Iterator[Line]:
    name = _name(change)
    count = f" (and {len(below):,} below it)" if below else ""
    match change.action:
        case Action.DELETED:
            yield Line(f"- {name}{count}", 1)
        case Action.RESTORED:
            yield Line(f"^ {name}: restored{count}", 1)
        case Action.MOVED:
            yield Line(f"> {name}: {_move(change)}", 1)
        case _:
            yield Line(f"~ {name}", 1)
    if change.action is not Action.DELETED:
        for field_name, field in change.fields.items():
            if not _is_told(change, field_name):
                for text in _field_lines(field_name, field):
                    yield Line(f"    {text}")
    sign = "-" if change.action is Action.DELETED else "^"
    for item in below:
        yield Line(f"    {sign} {_name(item)}", 1)


def _is_told(change: Change, field_name: str) -> bool:
    """Return whether the first line, or another field, already says it."""
    if field_name in ("parent", "position"):
        return change.action in (Action.MOVED, Action.RESTORED)
    return field_name == "completed_at" and "status" in change.fields


def _move(change: Change) -> str:
    if "parent" not in change.fields:
        return "moved among its siblings"
    parent = _after(change, "parent")
    return f"moved under {parent}" if parent else "moved to the top level"


def _comment_line(change: Change) -> str:
    author = _after(change, "author")
    by = f" by {safe_word(author)}" if author else ""
    return f"# {change.key}: comment{by}: {_first_line(_after(change, 'body') or '')}"


# Fields


def _field_lines(name: str, field: FieldChange) -> Iterator[str]:
    """Return the lines of one changed field: one, unless it holds several values or long text."""
    label = _LABELS.get(name, name)
    before, after = field["before"], field["after"]
    if isinstance(before, dict) or isinstance(after, dict):
        old, new = before if isinstance(before, dict) else {}, after if isinstance(after, dict) else {}
        yield from _mapping_lines(label, old, new)
    elif isinstance(before, list) or isinstance(after, list):
        yield f"{label}: {_list_change(name, _as_list(before), _as_list(after))}"
    elif name == "description":
        yield from _text_lines(label, str(before or ""), str(after or ""))
    else:
        yield f"{label}: {_value(name, before)} -> {_value(name, after)}"


def _mapping_lines(label: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    names = [name for name in dict.fromkeys((*before, *after)) if before.get(name) != after.get(name)]
    for name in names[:MAX_LISTED]:
        old, new = (_value(label, side[name]) if name in side else "none" for side in (before, after))
        yield f"{label}.{safe_word(name)}: {old} -> {new}" if name in before else f"{label}.{safe_word(name)}: {new}"
    if len(names) > MAX_LISTED:
        yield f"{label}: and {len(names) - MAX_LISTED:,} more"


def _list_change(name: str, before: list[Any], after: list[Any]) -> str:
    show = safe_word if name in ("tags", "depends_on") else quoted
    old, new = set(map(str, before)), set(map(str, after))
    signed = [f"+{show(str(item))}" for item in after if str(item) not in old]
    signed += [f"-{show(str(item))}" for item in before if str(item) not in new]
    more = f" and {len(signed) - MAX_LISTED:,} more" if len(signed) > MAX_LISTED else ""
    return " ".join(signed[:MAX_LISTED]) + more or "other order"


def _text_lines(label: str, before: str, after: str) -> Iterator[str]:
    """Return an excerpt of a changed text: the lines between its common beginning and end."""
    old, new = before.splitlines(), after.splitlines()
    if len(old) <= 1 and len(new) <= 1:
        start = max(0, _common(before, after) - 100)  # a change far behind must not be cut off
        cut = "..." if start else ""
        shown = (cut + quoted(text[start:]) if text else "none" for text in (before, after))
        yield f"{label}: " + " -> ".join(shown)
        return
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    gone, come = old[head : len(old) - tail], new[head : len(new) - tail]
    if not gone and not come:
        yield f"{label}: only line breaks differ"
        return
    yield f"{label}: +{show_count(len(come), 'line')}, -{show_count(len(gone), 'line')}, from line {head + 1}"
    for sign, lines in (("-", gone), ("+", come)):
        for line in lines[:EXCERPT_LINES]:
            yield f"  {sign} {safe_excerpt(line)}"
        if len(lines) > EXCERPT_LINES:
            yield f"  {sign} ... {show_count(len(lines) - EXCERPT_LINES, 'more line')}"


def _common(left: Sequence[object], right: Sequence[object]) -> int:
    """Return the length of the common beginning."""
    length = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        length += 1
    return length


def _first_line(text: str) -> str:
    first, *others = text.strip().splitlines() or [""]
    return safe_excerpt(first.rstrip()) + (f" (+{show_count(len(others), 'line')})" if others else "")


def _value(name: str, value: Any) -> str:
    if value is None or value == "":
        return "none"
    if name in _MINUTES and isinstance(value, int):
        return show_minutes(value)
    if isinstance(value, str):
        return safe(value) if name in _PLAIN else quoted(value)
    return safe_excerpt(json.dumps(value, ensure_ascii=False))


def _name(change: Change) -> str:
    kind = "project " if change.kind is EntityKind.PROJECT else ""
    return f"{kind}{change.key} {safe_title(change.title)}"


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _after(change: Change, name: str) -> Any:
    field = change.fields.get(name)
    return None if field is None else field["after"]
