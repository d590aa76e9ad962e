"""Markers inside the line of an item: what they mean, and where they stand.

Some markers are no part of a sentence and always leave the title: `(90 min)`, `~30m`, `due:2026-12-01`,
`!high`. Others may be words of it (`@ann`, `#api`, `by Friday`): they set the field wherever they stand,
and leave the title only at its start or end, so that "Ask @ann about #pricing" keeps its words.
Code spans, links and addresses are never searched.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from pydantic import JsonValue

from core.rules.dates import Calendar, NoDay
from core.rules.estimates import DURATION, WorkingTime
from core.rules.fields import MAX_TAG, Fields
from core.rules.inline import Span, blank_out, cut_out, hide_verbatim
from core.rules.vocabulary import CONNECTING_WORDS, find_priority

MAX_REFERENCE = 500

_ITEM_ID = re.compile(r"[A-Z][A-Z0-9]{0,9}-?[0-9]+(?:\.[0-9]+)*[:.)]?(?=\s)")
_BRACKET_TAG = re.compile(rf"\[([^\W\d_][\w-]{{0,{MAX_TAG - 1}}})\](?=\s)")
_PRIORITY_FIRST = re.compile(r"(?:\((?P<letter>[A-E])\)|!{1,3}|[pP][0-5])(?=\s)")
_PRIORITY_LAST = re.compile(r"(?<!\S)(?:!{2,3}|[pP][0-5])(?=\s*$)")
_GROUP = re.compile(r"\(([^()]{1,300})\)")
_BLOCK_ID = re.compile(r"(?<!\S)\^([A-Za-z0-9][\w-]{0,60})(?=[\s\0]|$)")
_NAMING = re.compile(r"(?:\b(?:after|on|by|and|needs):?|,)\s*$", re.IGNORECASE)  # what follows is the id of another item
_ESTIMATE = re.compile(rf"(?<!\S)(?:~[ \t]?|est(?:imate)?:[ \t]*~?)({DURATION})", re.IGNORECASE)
_ABOUT = re.compile(r"^(?:~|est\.?(?=\s)|approx\.?(?=\s)|about(?=\s))\s*", re.IGNORECASE)
_PRIORITY = re.compile(r"(?<![\w-])priority:[ \t]*(\w+|!{1,3})(?!\w)|(?<!\S)!([A-Za-z]+)(?!\S)", re.IGNORECASE)
_OWNER = re.compile(r"(?<![\w@./+-])@([^\W\d_](?:[\w.-]{0,98}\w)?)(?![\w/@])")
_TAG = re.compile(rf"(?<![\w#&/])#([^\W\d_][\w-]{{0,{MAX_TAG - 1}}})(?![\w#-])")
_DATE = re.compile(r"(?<![\w-])(?P<key>due|starts?|by)(?P<colon>:[ \t]*|[ \t]+(?:on[ \t]+|by[ \t]+)?)(?=\S)", re.IGNORECASE)
_DEPENDENCY = re.compile(r"(?<![\w-])(?:(?:after|depends on|blocked by)\b:?|needs:?(?=\s+[#^]))[ \t]*(?=\S)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Target:
    """The words after `after`, `depends on`, ...: they name items, which are known only at the end."""

    span: Span  # keyword included
    text: str
    before: tuple[Span, ...] = ()  # markers that end the title, and leave it too, once the words have left

    @property
    def spans(self) -> tuple[Span, ...]:
        return (*self.before, self.span)


@dataclass(frozen=True, slots=True)
class Marker:
    """Fields stated at `span`; a `loose` one may be part of the sentence."""

    span: Span
    fields: tuple[tuple[str, JsonValue], ...] = ()
    loose: bool = False
    is_day: bool = False  # "by Friday" is no object of the word before it: "Hand in by Friday"
    target: Target | None = None


@dataclass(slots=True)
class Inline:
    """What the markers of one title say. `cut` are the spans that leave the title."""

    raw: str
    fields: Fields = field(default_factory=Fields)
    cut: list[Span] = field(default_factory=list)
    targets: list[list[Target]] = field(default_factory=list)  # each with alternatives, the widest first
    block_id: str | None = None
    problems: list[str] = field(default_factory=list)
    is_exact: bool = False  # `raw` is the title, nothing in it is read

    def title(self) -> str:
        return self.raw if self.is_exact else cut_out(self.raw, self.cut) or self.raw.strip()

    def title_without_targets(self) -> str:
        """Return the title as it will be if what it waits for can be resolved."""
        targets = [span for alternatives in self.targets for span in alternatives[0].spans]
        return cut_out(self.raw, [*self.cut, *targets]) or self.title()

    def take(self, marker: Marker) -> bool:
        """Store the marker's fields, or note why they cannot be stored."""
        reasons = [reason for name, value in marker.fields if (reason := self.fields.refuse(name, value))]
        if reasons:
            self.problems.append(f"'{self.raw[slice(*marker.span)]}' {reasons[0]}")
            return False
        for name, value in marker.fields:
            self.fields.offer(name, value)
        return True


@dataclass(frozen=True, slots=True)
class MarkerReader:
    calendar: Calendar
    working_time: WorkingTime
    link_names: frozenset[str]

    def read(self, raw: str) -> Inline:
        """Return what the markers in `raw` state. Cost is linear in its length."""
        inline = Inline(raw)
        text = hide_verbatim(raw, self.link_names)
        start = self._read_start(text, inline)
        groups = [marker for match in _GROUP.finditer(text, start) if (marker := self._group(match))]
        rest = blank_out(text, [marker.span for marker in groups])
        found = [*groups, *self._tokens(rest, start, inline.problems)]
        found += _block_id(rest, start, found, inline)
        taken = [marker for marker in sorted(found, key=lambda marker: marker.span) if inline.take(marker)]
        inline.cut += [marker.span for marker in taken if not marker.loose and not marker.target]
        inline.targets += [[marker.target] for marker in taken if marker.target]
        end = _cut_edges(text, taken, start, inline)
        inline.targets += _tail_targets(text, taken, start, end, inline)
        return inline

    def _read_start(self, text: str, inline: Inline) -> int:
        """Read `T012 [P] [US1]`, `(A)`, `!!` or `p1` before the words; return where the words begin."""
        at = _skip_blanks(text, 0)
        if item_id := _ITEM_ID.match(text, at):
            at = _skip_blanks(text, item_id.end())
        while match := _BRACKET_TAG.match(text, at) or _PRIORITY_FIRST.match(text, at):
            marker = Marker(match.span(), (_tag_or_priority(match[0]),))
            if match[0].strip("[]").upper() in self.link_names or not inline.take(marker):
                break
            inline.cut.append(marker.span)
            at = _skip_blanks(text, match.end())
        return at

    def _group(self, match: re.Match[str]) -> Marker | None:
        """Return what `(2h, @ann, due Friday)` states, if every part of it is a marker."""
        fields: list[tuple[str, JsonValue]] = []
        target = None
        for clause in match[1].split(";"):
            parts = clause.split(",")
            for index, part in enumerate(parts):
                if target is None and (keyword := _DEPENDENCY.match(part.strip())):
                    names = ",".join([part.strip()[keyword.end() :], *parts[index + 1 :]])
                    target = Target(match.span(), names)
                    break
                stated = self._part(part.strip())
                if stated is None:
                    return None
                fields += stated
        return Marker(match.span(), tuple(fields), target=target)

    def _part(self, part: str) -> tuple[tuple[str, JsonValue], ...] | None:
        if minutes := self.working_time.minutes(_ABOUT.sub("", part, count=1)):
            return (("estimated_minutes", minutes),)
        if re.fullmatch("[pP][0-5]", part):
            return (_tag_or_priority(part),)
        markers = self._tokens(part, 0, [])
        return markers[0].fields if len(markers) == 1 and markers[0].span == (0, len(part)) else None

    def _tokens(self, text: str, start: int, problems: list[str]) -> list[Marker]:
        """Return the markers outside parentheses; of two that overlap, the first."""
        markers: list[Marker] = []
        for marker in sorted(self._candidates(text, start, problems), key=lambda marker: marker.span):
            if not markers or marker.span[0] >= markers[-1].span[1]:
                markers.append(marker)
        return markers

    def _candidates(self, text: str, start: int, problems: list[str]) -> Iterator[Marker]:
        for match in _ESTIMATE.finditer(text, start):
            if minutes := self.working_time.minutes(match[1]):
                yield Marker(match.span(), (("estimated_minutes", minutes),))
        for match in _PRIORITY.finditer(text, start):
            if priority := find_priority(match[1] or match[2]):
                yield Marker(match.span(), (("priority", priority.value),))
        for match in _PRIORITY_LAST.finditer(text, start):
            yield Marker(match.span(), (_tag_or_priority(match[0]),), loose=True)
        for match in _OWNER.finditer(text, start):
            yield Marker(match.span(), (("assignee", match[1]),), loose=True)
        for match in _TAG.finditer(text, start):
            yield Marker(match.span(), (("tags", [match[1]]),), loose=True)
        yield from self._dates(text, start, problems)

    def _dates(self, text: str, start: int, problems: list[str]) -> Iterator[Marker]:
        for match in _DATE.finditer(text, start):
            has_colon = match["colon"].startswith(":")
            found = self.calendar.find(text, match.end())
            if found is None and has_colon:
                word = text[match.start() : match.end()] + text[match.end() :].split(maxsplit=1)[0].strip("\0")
                problems.append(f"'{word}' names no day I can read; write YYYY-MM-DD")
            elif found is not None and isinstance(found.value, NoDay):
                problems.append(f"'{text[match.start() : found.end]}' {found.value.value}")
            elif found is not None and isinstance(found.value, date):
                name = "start_date" if match["key"].lower().startswith("start") else "due_date"
                yield Marker((match.start(), found.end), ((name, found.value.isoformat()),), loose=not has_colon, is_day=True)


def _block_id(text: str, start: int, found: list[Marker], inline: Inline) -> list[Marker]:
    """Read `^name` if nothing but markers stands behind it."""
    match = next(reversed(list(_BLOCK_ID.finditer(text, max(start, len(text) - MAX_REFERENCE)))), None)
    if match is None or _NAMING.search(text, max(start, match.start() - 20), match.start()):
        return []
    spans = [marker.span for marker in sorted(found, key=lambda marker: marker.span) if marker.span[0] >= match.end()]
    if blank_out(inline.raw, spans)[match.end() :].strip("\0 \t,;."):
        return []
    inline.block_id = match[1]
    return [Marker(match.span())]


def _tag_or_priority(token: str) -> tuple[str, JsonValue]:
    if token.startswith("["):
        return "tags", [token[1:-1]]
    priority = find_priority(token.strip("()"))
    assert priority is not None, token
    return "priority", priority.value


def _cut_edges(text: str, markers: list[Marker], start: int, inline: Inline) -> int:
    """Cut loose markers at the start and the end of the words; return where the words end."""
    by_start = {marker.span[0]: marker for marker in markers}
    at = start
    while marker := by_start.get(at):
        if marker.loose:
            inline.cut.append(marker.span)
        at = _skip_blanks(text, marker.span[1])
    last, end = _last_markers(text, markers, start, len(text.rstrip(" \t,;.")))
    inline.cut += [marker.span for marker in last if marker.loose]
    return end


def _last_markers(text: str, markers: list[Marker], start: int, end: int) -> tuple[list[Marker], int]:
    """Return the markers that stand at `end` of the words, last first, and where the words before them end."""
    by_end = {marker.span[1]: marker for marker in markers}
    last: list[Marker] = []
    while (marker := by_end.get(end)) and marker.span[0] >= start:
        last.append(marker)
        end = len(text[: marker.span[0]].rstrip(" \t,;"))
    if last and last[-1].loose and not last[-1].is_day and text[:end].rpartition(" ")[2].casefold() in CONNECTING_WORDS:
        end = last.pop().span[1]  # "Ask about #pricing" would lose its end
    return last, end


def _tail_targets(text: str, markers: list[Marker], start: int, end: int, inline: Inline) -> list[list[Target]]:
    """Return what the last words name after `after` or the like; more than one keyword gives alternatives."""
    matches = list(_DEPENDENCY.finditer(text, max(start, end - MAX_REFERENCE), end))[:3]
    targets = []
    for match in matches:
        cut = [(left - match.end(), right - match.end()) for left, right in inline.cut if match.end() <= left and right <= end]
        last, _ = _last_markers(text, markers, start, len(text[: match.start()].rstrip(" \t,;")))
        before = tuple(marker.span for marker in last if marker.loose)
        targets.append(Target((match.start(), end), cut_out(inline.raw[match.end() : end], cut), before))
    return [targets] if targets else []


def _skip_blanks(text: str, at: int) -> int:
    return at + len(text[at : at + 200]) - len(text[at : at + 200].lstrip(" \t"))
