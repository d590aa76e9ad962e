"""Everyday ways to say a command, rewritten into the forms of the grammar; only the beginning of a command changes."""

import re
from collections.abc import Callable

from core.rules.sentences import KEYS, STATUS_VERBS

_FIELDS = {
    "due": "due",
    "due date": "due",
    "deadline": "due",
    "start date": "start",
    "priority": "priority",
    "estimate": "estimate",
    "owner": "assign",
    "assignee": "assign",
    "status": "mark",
}
_FIELD = rf"(?P<field>{'|'.join(sorted(_FIELDS, key=len, reverse=True))})".replace(" ", r"\s+")
_CHANGE = r"(?:set|change|make|update)"
_ON = rf"(?P<keys>{KEYS})"
_WHO = r"(?:i|we)(?:['\u2019]ve|\s+have)?"
_WAITS = r"(?:after|depends?\s+on|waits?\s+(?:for|on)|blocked\s+by)"

_Rewrite = Callable[[re.Match[str]], str]


def _of_field(match: re.Match[str]) -> str:
    return f"{_FIELDS[' '.join(match['field'].lower().split())]} {match['keys']}"


def _rows(*rows: tuple[str, _Rewrite]) -> list[tuple[re.Pattern[str], _Rewrite]]:
    return [(re.compile(pattern, re.IGNORECASE), rewrite) for pattern, rewrite in rows]


# The first row that fits the beginning of the command is used.
_PHRASINGS = _rows(
    (rf"{_WHO}\s+(?:just\s+)?(?P<verb>{'|'.join(STATUS_VERBS)})(?=\s)", lambda match: match["verb"]),
    (r"(?:i['\u2019]?m|i\s+am|we['\u2019]?re|we\s+are)\s+(?:now\s+)?done\s+with(?=\s)", lambda _: "done"),
    (r"(?:start|begin)\s+(?:work(?:ing)?\s+)?on(?=\s)", lambda _: "start"),
    (rf"{_CHANGE}\s+(?:the\s+)?{_FIELD}\s+(?:of|for|on)\s+{_ON}(?![\w-])", _of_field),
    (rf"{_CHANGE}\s+{_ON}(?:['\u2019]s)?\s+(?:the\s+)?{_FIELD}(?!\w)", _of_field),
    (
        rf"(?:{_CHANGE}|mark)\s+{_ON}\s+(?:as\s+|to\s+)?(?P<value>\w+)\s+priority(?!\w)",
        lambda m: f"priority {m['keys']} {m['value']}",
    ),
    (rf"{_CHANGE}\s+{_ON}\s+(?={_WAITS}\s)", lambda match: f"{match['keys']} "),
    (rf"give\s+{_ON}(?=\s+to\s)", lambda match: f"assign {match['keys']}"),
    (rf"put\s+{_ON}(?=\s+(?:under|below|before|after)\s)", lambda match: f"move {match['keys']}"),
    (
        r"(?:add|create|new)\s+(?:an?\s+)?(?:new\s+)?(?:sub-?)?task\s+(?:to|under|below|in)\s+(?P<place>[^:]*[^:\s])\s*:\s*(?P<title>\S.*)",
        lambda match: f"add {match['title']} under {match['place']}",
    ),
    (r"(?:add|create|new)\s+(?:an?\s+)?(?:new\s+)?(?:sub-?)?task(?:\s*:|\s+(?:called|named|to)(?=\s)|(?=\s))", lambda _: "add"),
    (r"create(?=\s)", lambda _: "add"),
)


def in_grammar(command: str) -> str:
    """Return the command as the grammar has it; one that is no known phrasing stays as it is. Linear in its length."""
    for pattern, rewrite in _PHRASINGS:
        if match := pattern.match(command):
            return rewrite(match) + command[match.end() :]
    return command
