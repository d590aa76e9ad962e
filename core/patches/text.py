"""Text of users made safe to show in one line, and minutes in few letters.

What is shown for review must not be able to deceive: a title can neither move the cursor of a
terminal, nor turn the reading direction, nor look like the end of its line.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

MAX_LISTED = 20
FACT_FIELDS = ("status", "estimated_minutes", "assignee", "start_date", "due_date", "tags", "priority", "depends_on")

# Control characters (C0, C1), line and paragraph separators, bidirectional controls, invisible
# spaces and tags, lone surrogates. Joiners (200C, 200D) stay: scripts and emoji need them.
_DECEPTIVE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_WORD = re.compile(r"[\w.@/+-]+")


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    number = ord(character)
    return _SHORT.get(character) or (f"\\x{number:02x}" if number < 256 else f"\\u{{{number:x}}}")


def safe(text: str) -> str:
    """Return `text` in one line, with everything that could deceive a reader written as an escape."""
    return _DECEPTIVE.sub(_escape, text)


def safe_excerpt(text: str, limit: int = 160) -> str:
    """Return `text` as `safe` does, cut after `limit` characters with the number left out."""
    return safe(text) if len(text) <= limit else f"{safe(text[:limit])}... (+{len(text) - limit:,} characters)"


def safe_title(text: str) -> str:
    """Return a title as `safe` does, in quotes when it could be taken for more than a title."""
    return quoted(text) if "  " in text or text != text.strip() or text[:1] == '"' else safe(text)


def safe_word(text: str) -> str:
    """Return a name or tag bare when it is one plain word, else in quotes."""
    return text if _WORD.fullmatch(text) else quoted(text)


def quoted(text: str, limit: int = 300) -> str:
    """Return `text` safe, in double quotes, cut after `limit` characters with the number left out."""
    shown = safe(text[:limit]).replace('"', '\\"')
    return f'"{shown}"' if len(text) <= limit else f'"{shown}..." (+{len(text) - limit:,} characters)'


def show_minutes(minutes: int) -> str:
    """Return 90 as `1h30m`, 480 as `8h`, 45 as `45m`."""
    hours, rest = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{rest}m" if rest or not hours else "")


def show_count(count: int, noun: str, plural: str = "") -> str:
    """Return `1 task`, `3 tasks`; `plural` is for nouns that take no plain s."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def show_listed(keys: Sequence[str], *, most: int = MAX_LISTED, total: int | None = None) -> str:
    """Return the first keys, `most` at most, and how many there are besides (of `total`, where `keys` are not all)."""
    more = (len(keys) if total is None else total) - min(len(keys), most)
    return ", ".join(keys[:most]) + (f" and {more:,} more" if more > 0 else "")


def show_facts(fields: Mapping[str, Any]) -> str:
    """Return the short facts of an item: `[in_progress] ~8h @ann due 2026-12-01 #api !high waits for WEB-3`."""
    facts = []
    if status := fields.get("status"):
        facts.append(f"[{status}]")
    if minutes := fields.get("estimated_minutes"):
        facts.append(f"~{show_minutes(minutes)}")
    if assignee := fields.get("assignee"):
        facts.append(f"@{safe_word(assignee)}")
    if start := fields.get("start_date"):
        facts.append(f"from {start}")
    if due := fields.get("due_date"):
        facts.append(f"due {due}")
    facts += [f"#{safe_word(tag)}" for tag in fields.get("tags") or []]
    if priority := fields.get("priority"):
        facts.append(f"!{priority}")
    if waits_for := fields.get("depends_on"):
        facts.append("waits for " + show_listed(waits_for))
    return " ".join(facts)
