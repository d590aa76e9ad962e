"""Which item a text such as `Task 0.1`, `T001-T004`, `#3`, `^id` or a title names.

A name counts only if exactly one item has it, or if exactly one of those that have it stands beside the
asking item or beside something around it ("Deploy" is that of the same phase). Names are looked for first
among labels at the start of titles, then among whole titles, then among labels and names further inside
("Phase 3: User Story 1 - Export" is also "User Story 1"). Anything else stays text; nothing is guessed.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from core.rules.vocabulary import UNIT_KINDS

MAX_RANGE = 200
MAX_TEXT = 1_000

_LABEL = re.compile(rf"(?P<kind>{UNIT_KINDS})[ ]+#?(?:[0-9]+(?:\.[0-9]+)*[a-z]?|(?-i:[A-Z]|[IVX]+))(?![\w.]*\w)", re.IGNORECASE)
_ITEM_ID = re.compile(r"[A-Z][A-Z0-9]{0,9}-?[0-9]+(?:\.[0-9]+)*(?![\w.]*\w)")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)+(?![\w.]*\w)")
_TO = r"\s*(?:-|\u2013|\u2014|\.\.\.?|\bto\b|\bthrough\b)\s*"
_RANGE = re.compile(rf"(?P<head>.*?)(?P<first>[0-9]+){_TO}(?P<head2>.*?)(?P<last>[0-9]+)")
_PLURAL = re.compile(rf"^({UNIT_KINDS})s\b", re.IGNORECASE)
_STORIES = re.compile(r"^(user )?stories\b", re.IGNORECASE)
_MARKUP = re.compile(r"\*\*|__|~~|\[\^[^\]\s]+\]|[`\"\u201c-\u201f\u00ab\u00bb]")
_PICTURE = r"[\s\u200d\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]"
_PICTURES = re.compile(rf"^{_PICTURE}+|(?<!{_PICTURE}){_PICTURE}+$")  # emoji around a name are no part of it
_NOISE = re.compile(
    r"(?:[\s,]+(?:(?:is|are|has|have|being|been|all)|(?:fully )?(?:complete[sd]?|done|finishe[sd]|ready|merged|ends?|first)|only"
    r"|phase|tasks?))+$",
    re.IGNORECASE,
)
_WITH_DETAIL = re.compile(r"(?P<name>[^()]+?)\s*\((?P<detail>[^()]*)\)")
_SPLIT = re.compile(r"\s*(?:,\s*(?:and\s+)?|;\s*|\s+and\s+|\s+&\s+|\s+\+\s+)")
_NOTHING = re.compile(
    r"(?:none|no|no dependencies|n/a|na|nothing|nil|-|\u2013|\u2014)?(?P<more>\s*[-\u2013\u2014(,;:.].*)?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the index must know of an item. Items are numbered in document order."""

    title: str
    parent: int | None
    number: int | None = None
    siblings: int | None = None  # identity of the list it is in
    block_id: str | None = None


@dataclass(slots=True)
class Resolved:
    """The items a text names, and the parts of it that name none, or several."""

    items: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    says_more: bool = False  # there are words besides the names, so the text must be kept


class References:
    """The names of all items."""

    def __init__(self, items: Sequence[Known]) -> None:
        self._items = items
        self._tiers: list[dict[str, list[int]]] = [defaultdict(list) for _ in range(3)]
        self._beside: dict[tuple[int, str, int | None], list[int]] = defaultdict(list)  # by tier, name and parent
        self._numbers: dict[tuple[int | None, int], list[int]] = defaultdict(list)
        for index, item in enumerate(items):
            self._add(index, item)
        self._leaves: dict[int, frozenset[int]] | None = None

    def _add(self, index: int, item: Known) -> None:
        title = _plain(item.title[:MAX_TEXT])
        rest = title
        tier = 0
        while match := _LABEL.match(rest) or _ITEM_ID.match(rest) or _NUMBER.match(rest):
            self._name(tier, match[0], index)
            rest = rest[match.end() :].lstrip(" :.)-\u2013\u2014")
            tier = 2
        self._name(1, title, index)
        if item.block_id:
            self._name(0, f"^{item.block_id}", index)
        for name in {rest, re.sub(r"\s*\([^()]*\)", "", rest), *re.split(r"\s+[-\u2013\u2014]\s+|:\s", rest)[:1]} - {title}:
            self._name(2, name, index)
        if item.number is not None:
            self._numbers[item.siblings, item.number].append(index)

    def _name(self, tier: int, name: str, index: int) -> None:
        key = _key(name)
        if key and self._tiers[tier][key][-1:] != [index]:
            self._tiers[tier][key].append(index)
            self._beside[tier, key, self._items[index].parent].append(index)

    def resolve(self, text: str, asking: int | None) -> Resolved:
        """Return the items that `text`, one name or a list of names, stands for."""
        if len(text) > MAX_TEXT:
            return Resolved(problems=[f"'{text[:40]}...' is too long to name items"])
        text = _plain(text).rstrip(".;:!")
        resolved = Resolved(says_more="(" in text)
        if nothing := _NOTHING.fullmatch(text):
            resolved.says_more = bool(nothing["more"])
            return resolved
        whole = self._one(text, asking)
        if isinstance(whole, list):
            resolved.items = whole
            return resolved
        if whole:
            resolved.problems.append(f"'{text}' {whole}")
            return resolved
        kind = ""
        for part in _SPLIT.split(text):
            found = self._one(f"{kind} {part}", asking) if kind and part[:1].isdigit() else None
            found = found or self._one(part, asking)
            label = _LABEL.match(_singular(part))
            kind = label["kind"] if label else kind if part[:1].isdigit() else ""
            if isinstance(found, list):
                resolved.items += found
            else:
                resolved.problems.append(f"'{part}' {found or 'names no item'}")
        resolved.items = list(dict.fromkeys(resolved.items))
        return resolved

    def _one(self, text: str, asking: int | None) -> "list[int] | str | None":
        """Return the items of one name, why it cannot be told which, or None if it names nothing."""
        previous = None
        while text and text != previous:
            found = self._exact(text, asking)
            if found:
                return found
            previous, text = text, _NOISE.sub("", text)
        return None

    def _exact(self, text: str, asking: int | None) -> "list[int] | str | None":
        if re.fullmatch("#?[0-9]{1,9}", text):
            return _single(self._list_number(int(text.lstrip("#")), asking))
        for name in dict.fromkeys((text, re.sub(r"^(?:the|all)\s+", "", text, flags=re.IGNORECASE))):
            key = _key(name)
            for tier, names in enumerate(self._tiers):
                if found := names.get(key):
                    return _single(self._nearest(tier, key, asking) if len(found) > 1 else found)
        return self._range(text) or self._detailed(text, asking)

    def _nearest(self, tier: int, key: str, asking: int | None) -> list[int]:
        """Return those of several items that share the closest parent with the asking item, or all."""
        while asking is not None:
            asking = self._items[asking].parent
            if beside := self._beside.get((tier, key, asking)):
                return beside
        return self._tiers[tier][key]

    def _list_number(self, number: int, asking: int | None) -> list[int]:
        """Look in the list of the asking item, then in the lists around it."""
        while asking is not None:
            if found := self._numbers.get((self._items[asking].siblings, number)):
                return found
            asking = self._items[asking].parent
        return []

    def _range(self, text: str) -> "list[int] | str | None":
        match = _RANGE.fullmatch(_singular(text))
        if match is None:
            return None
        head = match["head"].strip().casefold()
        if match["head2"].strip().casefold() not in ("", head, head.split()[-1] if head else ""):
            return None
        first, last = int(match["first"]), int(match["last"])
        if not 0 <= last - first < MAX_RANGE:
            return None
        width = len(match["first"])
        names = [f"{match['head']}{number:0{width}d}" for number in range(first, last + 1)]
        found = [self._tiers[0].get(_key(name), []) for name in names]
        if any(len(items) != 1 for items in found):
            return "does not name exactly one item for each of its numbers" if any(found) else None
        return [items[0] for items in found]

    def _detailed(self, text: str, asking: int | None) -> "list[int] | str | None":
        """Read `Setup (T001-T004)`: the name and what is in parentheses must not contradict each other."""
        match = _WITH_DETAIL.fullmatch(text)
        if match is None:
            return None
        named, detail = self._one(match["name"], asking), self._one(match["detail"], asking)
        if not isinstance(detail, list):
            return named
        if not isinstance(named, list):
            return detail if len(detail) == 1 else self.largest_groups(detail)
        if set(named) == set(detail) or set(self.largest_groups(detail)) == set(named):
            return named
        return "names different items inside and outside the parentheses"

    def largest_groups(self, items: Iterable[int]) -> list[int]:
        """Return the fewest items whose leaves are exactly `items`' leaves."""
        leaves = self._leaves_of_all()
        wanted = frozenset().union(*(leaves[item] for item in items))
        groups: list[int] = []
        for leaf in sorted(wanted):
            if groups and leaf in leaves[groups[-1]]:
                continue
            group, parent = leaf, self._items[leaf].parent
            while parent is not None and leaves[parent] <= wanted:
                group, parent = parent, self._items[parent].parent
            groups.append(group)
        return groups

    def _leaves_of_all(self) -> dict[int, frozenset[int]]:
        if self._leaves is None:
            below: dict[int, set[int]] = defaultdict(set)
            for index in reversed(range(len(self._items))):
                leaves = below[index] or {index}
                below[index] = leaves
                parent = self._items[index].parent
                if parent is not None:
                    below[parent] |= leaves
            self._leaves = {index: frozenset(leaves) for index, leaves in below.items()}
        return self._leaves


def _single(found: list[int]) -> "list[int] | str | None":
    return found if len(found) == 1 else f"matches {len(found)} items" if found else None


def _plain(text: str) -> str:
    """Return `text` without emphasis, quotation marks and repeated blanks."""
    return _PICTURES.sub("", " ".join(_MARKUP.sub("", text).split())).strip("*_ ")


def _singular(text: str) -> str:
    return _PLURAL.sub(r"\1", _STORIES.sub(r"\1story", text))


def _key(text: str) -> str:
    return _singular(text).replace("#", "").casefold().strip()
