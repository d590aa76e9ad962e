"""Commands such as `done WEB-3` or `move WEB-9 under WEB-2` as patches; what is not understood is said, never guessed.

A command ends with its line, or before a sign or word (`.`, `;`, `,`, `and`, `then`) that another command follows.
Free text (a new title) ends with its line or its quotation marks, so a title that seems to contain a command is refused.
Where a command makes no sense as it stands, titles in it are read as the keys of their tasks, if it makes sense then.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from pydantic import JsonValue

from core.rules.dates import Calendar, NoDay, later
from core.rules.estimates import WorkingTime
from core.rules.fields import MAX_ASSIGNEE, MAX_TAG, MAX_TAGS
from core.rules.markers import MarkerReader
from core.rules.naming import Titles
from core.rules.phrasings import in_grammar
from core.rules.sentences import KEY, KEYS, QUOTED, STATUS_VERBS, mentioned_keys, parts_of, split_commands, unquoted
from core.rules.vocabulary import find_priority, find_status
from schemas.planning import UnparsedLine

Patch = dict[str, JsonValue]

MAX_TITLE = 255
MAX_READINGS = 2_000  # of titles in one message
HELP = """\
One command a line, or several with a full stop, a semicolon or "and" between them. Keys in any case; several keys with commas. \
Instead of a key, its title or words that no other title of the project has: mark Landing page done.
done WEB-3 | start WEB-3 | block WEB-3 | review WEB-3 | cancel WEB-3 | reopen WEB-3 (also: WEB-3 is done, mark WEB-3 as done)
assign WEB-3 to @ana | unassign WEB-3
due WEB-3 2026-12-01 | due WEB-3 none | push WEB-3 to Friday | push WEB-3 by a week (start dates: WEB-3 starts 2026-12-01)
estimate WEB-3 2h | priority WEB-3 high | tag WEB-3 #api #ui | untag WEB-3 #api
WEB-3 after WEB-2 (waits for it) | block WEB-3 by WEB-2 (the same) | WEB-2 before WEB-3 (the same) | WEB-3 not after WEB-2
move WEB-9 under WEB-2 | move WEB-9 before WEB-4 | move WEB-9 under WEB-2 after WEB-4 | move WEB-9 to the top level
rename WEB-3 to New title | delete WEB-3
add New task (2h, @ana) | add New task under WEB-2 | split WEB-3 into first, second and third"""

_HELP = re.compile(r"(?:help|\?|commands)[.!?]*", re.IGNORECASE)
_NONE = re.compile(r"none|never|nobody|no one|-", re.IGNORECASE)
_PLACE = re.compile(r"\s(under|below|to)\s+(?=\S)", re.IGNORECASE)
_TAG = re.compile(rf"#?([^\W\d_][\w-]{{0,{MAX_TAG - 1}}})")


@dataclass(frozen=True, slots=True)
class ParsedCommands:
    """Patches in the order of the commands, what was not understood, and whether help was asked for."""

    patches: list[Patch]
    unparsed: list[UnparsedLine]
    help: str | None = None


@dataclass(frozen=True, slots=True)
class NamedTask:
    """What commands must know of a task that they may name."""

    title: str
    tags: Sequence[str] = ()
    due_date: date | None = None


class _NotUnderstood(Exception):
    """A command, or something close to one, that cannot be carried out; the text says why."""


class _Ambiguous(_NotUnderstood):
    """A command with a name that several tasks have."""


def parse_commands(
    text: str,
    *,
    tasks: Mapping[str, NamedTask],
    project: str | None,
    today: date,
    hours_per_day: int,
    days_per_week: int,
) -> ParsedCommands:
    """Return the patches that `text` asks for. Pure; never raises; linear in the text.

    `tasks` are the live tasks that may be named, by upper-case key: those of `mentioned_keys`, and those that titles may mean.
    `project` is where `add` puts tasks that are under no other, None if that is not known.
    """
    reader = MarkerReader(Calendar(today, days_per_week), WorkingTime(hours_per_day, days_per_week), frozenset())
    titles = Titles({key: task.title for key, task in tasks.items()})
    parser = _Commands(tasks, {key: list(task.tags) for key, task in tasks.items()}, titles, project, reader)
    unparsed = []
    asked = False
    for number, line in enumerate(re.split(r"\r\n?|\n", text), start=1):
        for command, is_last in split_commands(line):
            if _HELP.fullmatch(command):
                asked = True
                continue
            try:
                parser.patches += parser.read(command, is_last=is_last)
            except _NotUnderstood as why:
                unparsed.append(UnparsedLine(line=number, text=command, reason=str(why)))
    return ParsedCommands(parser.patches, unparsed, HELP if asked else None)


@dataclass(slots=True)
class _Commands:
    tasks: Mapping[str, NamedTask]
    tags: dict[str, list[str]]  # as the commands so far leave them
    titles: Titles
    project: str | None
    reader: MarkerReader
    patches: list[Patch] = field(default_factory=list)
    _refs: int = 0
    _readings: int = 0

    def read(self, command: str, *, is_last: bool) -> list[Patch]:
        """Return the patches of one command."""
        try:
            return self._read(command, is_last=is_last)
        except _NotUnderstood:
            for names in (1, 2):  # "docs after launch" has two; fewer are surer
                if (found := self._by_titles(command, names, is_last=is_last)) is not None:
                    return found
            raise

    def _by_titles(self, command: str, names: int, *, is_last: bool) -> list[Patch] | None:
        """Return the patches of the command with `names` titles read as keys, None if it is no command then either."""
        for before, name, after, keys in self.titles.readings(command):
            self._readings += 1
            if self._readings > MAX_READINGS:
                return None
            with_key = f"{before}{keys[0]}{after}"
            try:
                found = (
                    self._by_titles(with_key, names - 1, is_last=is_last) if names > 1 else self._read(with_key, is_last=is_last)
                )
            except _Ambiguous:
                raise
            except _NotUnderstood:
                continue
            if found is not None and len(keys) > 1:
                raise _Ambiguous(f"'{name}' may be {', '.join(keys[:5])}; write the key")
            if found is not None:
                return found
        return None

    def _read(self, command: str, *, is_last: bool) -> list[Patch]:
        command = in_grammar(command)
        for pattern, read in _FREE_TEXT:
            if match := pattern.fullmatch(command):
                if not is_last and not QUOTED.search(command):
                    raise _NotUnderstood(
                        "a command may follow, or the text may go on; put each command on its own line, or the text in quotes"
                    )
                return read(self, match)
        plain = command.rstrip(" .!")
        for pattern, read in _PLAIN:
            if match := pattern.fullmatch(plain):
                return read(self, match)
        raise _NotUnderstood("is no command I know, or no task I know; `help` lists the commands")

    # What the grammar's parts mean

    def keys(self, text: str) -> list[str]:
        keys = mentioned_keys(text)
        unknown = [key for key in keys if key not in self.tasks]
        if unknown:
            raise _NotUnderstood(f"there is no task {', '.join(unknown)}")
        return keys

    def update(self, match: re.Match[str], **fields: JsonValue) -> list[Patch]:
        return [{"op": "update_task", "task": key, "fields": dict(fields)} for key in self.keys(match["keys"])]

    def status(self, match: re.Match[str]) -> list[Patch]:
        return self.update(match, status=STATUS_VERBS[match["verb"].lower()].value)

    def state(self, match: re.Match[str]) -> list[Patch]:
        status = find_status(match["value"])
        if status is None and len(match["value"]) > 1 and (priority := find_priority(match["value"])):  # "WEB-3 is urgent"
            return self.update(match, priority=priority.value)
        if status is None:
            raise _NotUnderstood(f"'{match['value']}' is no state: todo, in progress, blocked, in review, done or cancelled")
        return self.update(match, status=status.value)

    def assign(self, match: re.Match[str]) -> list[Patch]:
        written = match["value"].strip()
        if _NONE.fullmatch(written):
            return self.update(match, assignee=None)
        quoted = unquoted(written)
        name = quoted or written.removeprefix("@")
        if quoted is None and (re.search(rf"\b{KEY}\b|[,;:@#]|\band\b", name) or len(name.split()) > 3):
            raise _NotUnderstood("the owner is not clear; write @name, or the whole name in quotes")
        if not 1 <= len(name.strip()) <= MAX_ASSIGNEE:
            raise _NotUnderstood(f"an owner's name has 1 to {MAX_ASSIGNEE} characters")
        return self.update(match, assignee=name)

    def unassign(self, match: re.Match[str]) -> list[Patch]:
        return self.update(match, assignee=None)

    def due(self, match: re.Match[str]) -> list[Patch]:
        return self.update(match, due_date=self._day(match["value"]))

    def postpone(self, match: re.Match[str]) -> list[Patch]:
        count = 1 if match["count"].lower() in ("a", "an", "one") else int(match["count"])
        return [self._postponed(key, count, match["unit"].lower()) for key in self.keys(match["keys"])]

    def _postponed(self, key: str, count: int, unit: str) -> Patch:
        due = self.tasks[key].due_date
        if due is None:
            raise _NotUnderstood(f"{key} has no due date to count from; write `due {key} 2026-12-01`")
        try:
            day = later(due, count, unit)
        except (ValueError, OverflowError):
            raise _NotUnderstood(f"no day of the calendar is {count} {unit}s later") from None
        return {"op": "update_task", "task": key, "fields": {"due_date": day.isoformat()}}

    def starts(self, match: re.Match[str]) -> list[Patch]:
        return self.update(match, start_date=self._day(match["value"]))

    def _day(self, text: str) -> str | None:
        if _NONE.fullmatch(text):
            return None
        found = self.reader.calendar.find(text)
        if found is None or found.end != len(text):
            raise _NotUnderstood(f"'{text}' names no day I can read; write YYYY-MM-DD")
        if isinstance(found.value, NoDay):
            raise _NotUnderstood(f"'{text}' {found.value.value}")
        return found.value.isoformat()

    def estimate(self, match: re.Match[str]) -> list[Patch]:
        if _NONE.fullmatch(match["value"]):
            return self.update(match, estimated_minutes=None)
        minutes = self.reader.working_time.minutes(match["value"])
        if minutes is None:
            raise _NotUnderstood(f"'{match['value']}' is no duration of 1 minute to 1 year; write 30m, 2h, 1.5d or 1w")
        return self.update(match, estimated_minutes=minutes)

    def priority(self, match: re.Match[str]) -> list[Patch]:
        priority = find_priority(match["value"])
        if priority is None:
            raise _NotUnderstood(f"'{match['value']}' is no priority: critical, high, medium, low or backlog")
        return self.update(match, priority=priority.value)

    def tag(self, match: re.Match[str]) -> list[Patch]:
        return self._retag(match, lambda had, named: list(dict.fromkeys([*had, *named])))

    def untag(self, match: re.Match[str]) -> list[Patch]:
        return self._retag(match, lambda had, named: [tag for tag in had if tag not in named])

    def _retag(self, match: re.Match[str], change: Callable[[list[str], list[str]], list[str]]) -> list[Patch]:
        words = re.split(r"[\s,]+", match["value"].strip())
        named = [unquoted(match["value"])] if unquoted(match["value"]) else [_tag_name(word) for word in words]
        keys = self.keys(match["keys"])
        changed = {key: change(self.tags[key], [name for name in named if name]) for key in keys}
        if any(len(tags) > MAX_TAGS for tags in changed.values()) or any(len(name or "") > MAX_TAG for name in named):
            raise _NotUnderstood(f"a task has at most {MAX_TAGS} tags of {MAX_TAG} characters")
        self.tags |= changed
        return [{"op": "update_task", "task": key, "fields": {"tags": [*changed[key]]}} for key in keys]

    def wait(self, match: re.Match[str]) -> list[Patch]:
        return self._relink(match, "add_dependency")

    def wait_no_more(self, match: re.Match[str]) -> list[Patch]:
        return self._relink(match, "remove_dependency")

    def _relink(self, match: re.Match[str], op: str) -> list[Patch]:
        tasks, others = self.keys(match["keys"]), self.keys(match["others"])
        if set(tasks) & set(others):
            raise _NotUnderstood("a task cannot wait for itself")
        return [{"op": op, "task": task, "depends_on": other} for task in tasks for other in others]

    def move(self, match: re.Match[str]) -> list[Patch]:
        task = self.keys(match["keys"])[0]
        patch: Patch = {"op": "move_task", "task": task}
        for name in ("parent", "before", "after"):
            if match[name]:
                patch[name] = self.keys(match[name])[0]
        if match["top"]:
            patch["parent"] = None
        if task in patch.values() and list(patch.values()).count(task) > 1:
            raise _NotUnderstood("a task cannot be moved relative to itself")
        return [patch]

    def delete(self, match: re.Match[str]) -> list[Patch]:
        return [{"op": "delete_task", "task": key} for key in self.keys(match["keys"])]

    def rename(self, match: re.Match[str]) -> list[Patch]:
        return self.update(match, title=_title(unquoted(match["value"]) or match["value"].strip()))

    def split(self, match: re.Match[str]) -> list[Patch]:
        parent = self.keys(match["keys"])[0]
        parts = parts_of(match["value"])
        if len(parts) < 2:
            raise _NotUnderstood(
                "names fewer than two parts; put commas or semicolons between them: `split WEB-3: first; second`"
            )
        return [self._create(part, {"parent": parent}) for part in parts]

    def add(self, match: re.Match[str]) -> list[Patch]:
        text = match["value"].strip()
        if unquoted(text) is None and (places := list(_PLACE.finditer(text))):
            place = text[places[-1].end() :].rstrip(".")
            if (found := self._place(place, places[-1][1].lower())) is not None:
                return [self._create(text[: places[-1].start()], found)]
        if self.project is None:
            raise _NotUnderstood("it is not clear where the task goes; write `add ... under WEB-2`")
        return [self._create(text, {"project": self.project})]

    def _place(self, text: str, link: str) -> Patch | None:
        """Return where a new task goes, None if the words are part of its title ("add a link to docs")."""
        if re.fullmatch(KEY, text):
            return {"parent": self.keys(text)[0]}
        if self.project is not None and text.upper() == self.project.upper():
            return {"project": self.project}
        if link == "to":
            return None
        keys = self.titles.find(unquoted(text) or re.sub(r"^the\s+", "", text, flags=re.IGNORECASE))
        if len(keys) != 1:
            which = f"may be {', '.join(keys[:5])}" if keys else "is no task I know"
            raise _NotUnderstood(f"'{text}' {which}; write the key, or the title in quotes if this is part of it")
        return {"parent": keys[0]}

    def _create(self, text: str, place: Patch) -> Patch:
        quoted = unquoted(text)
        self._refs += 1
        patch: Patch = {"op": "create_task", "ref": f"$new{self._refs}", **place}
        if quoted is not None:
            return {**patch, "fields": {"title": _title(quoted)}}
        inline = self.reader.read(text)
        if inline.problems:
            raise _NotUnderstood("; ".join(inline.problems))
        waits: list[JsonValue] = []
        if inline.targets and all(re.fullmatch(KEYS, found[0].text.strip()) for found in inline.targets):
            waits = [key for found in inline.targets for key in self.keys(found[0].text)]
        title = inline.title_without_targets() if waits else inline.title()
        patch["fields"] = {"title": _title(title), **inline.fields.values}
        return patch | ({"depends_on": waits} if waits else {})


def _title(text: str) -> str:
    if not text.strip() or len(text) > MAX_TITLE or "\0" in text:
        raise _NotUnderstood(f"a title has 1 to {MAX_TITLE} characters")
    return text


def _tag_name(word: str) -> str:
    match = _TAG.fullmatch(word)
    if match is None:
        raise _NotUnderstood(f"'{word}' is no tag; write #name, or put the tag in quotes")
    return match[1]


_Read = Callable[[_Commands, re.Match[str]], list[Patch]]


def _table(*rows: tuple[str, _Read]) -> list[tuple[re.Pattern[str], _Read]]:
    return [(re.compile(pattern, re.IGNORECASE), read) for pattern, read in rows]


_ON = rf"(?P<keys>{KEYS})"
_ONE = rf"(?P<keys>{KEY})"
_OTHERS = rf"(?P<others>{KEYS})"
_TO = r"\s*(?::|=|\b(?:to|as|by|on|at|is)\b)?\s*"
_LATER = r"(?:move|push|postpone|delay|defer|reschedule|shift)"

# The first row that fits the whole command decides.
_FREE_TEXT = _table(
    (rf"rename\s+{_ONE}\s*(?::|\s(?:to|as)\s|(?=[\"'\u201c\u201e\u00ab]))\s*(?P<value>\S.*)", _Commands.rename),
    (rf"split\s+{_ONE}\s*(?::|\sinto\b:?)\s*(?P<value>\S.*)", _Commands.split),
    (r"add\s+(?P<value>\S.*)", _Commands.add),
)
_PLAIN = _table(
    (rf"(?P<verb>{'|'.join(STATUS_VERBS)})\s+{_ON}", _Commands.status),
    (rf"(?:mark|set)\s+{_ON}\s+(?:as\s+|to\s+)?(?P<value>[A-Za-z'][A-Za-z' _-]*)", _Commands.state),
    (rf"block\s+{_ON}\s+(?:by|on|until)\s+{_OTHERS}", _Commands.wait),
    (rf"unassign\s+{_ON}", _Commands.unassign),
    (rf"(?:re)?assign\s+{_ON}\s+(?:to\s+)?(?P<value>\S.*)", _Commands.assign),
    (rf"{_ON}\s+(?P<value>@\S+)", _Commands.assign),
    (rf"due\s+{_ON}{_TO}(?P<value>\S.*)", _Commands.due),
    (rf"{_ON}\s+(?:is\s+|are\s+)?due{_TO}(?P<value>\S.*)", _Commands.due),
    (rf"start\s+{_ON}{_TO}(?P<value>\S.*)", _Commands.starts),
    (rf"{_ON}\s+starts?{_TO}(?P<value>\S.*)", _Commands.starts),
    (rf"estimate\s+{_ON}{_TO}(?P<value>\S.*)", _Commands.estimate),
    (rf"{_ON}\s+(?:estimate{_TO}|takes?\s|~)\s*(?P<value>\S.*)", _Commands.estimate),
    (rf"priority\s+{_ON}{_TO}(?P<value>\S+)", _Commands.priority),
    (rf"{_ON}\s+(?:priority{_TO}|!(?=[A-Za-z]))(?P<value>\S+)", _Commands.priority),
    (rf"tag\s+{_ON}{_TO}(?P<value>\S.*)", _Commands.tag),
    (rf"untag\s+{_ON}{_TO}(?P<value>\S.*)", _Commands.untag),
    (rf"{_ON}\s+(?:not\s+after|no\s+longer\s+(?:after|depends\s+on|needs|waits\s+for))\s+{_OTHERS}", _Commands.wait_no_more),
    (
        rf"{_ON}\s+(?:after|(?:(?:is|are)\s+)?blocked\s+by|depends?\s+on|needs?|(?:waits?|(?:is|are)\s+waiting)\s+(?:for|on))\s+{_OTHERS}",
        _Commands.wait,
    ),
    (
        rf"(?:move\s+)?{_ONE}(?=\s+(?:under|to)\s)\s+(?:(?:under|to)\s+(?:(?P<parent>{KEY})|(?P<top>(?:the\s+)?top(?:\s+level)?)))"
        rf"(?:,?\s+(?:before\s+(?P<before>{KEY})|after\s+(?P<after>{KEY})))?",
        _Commands.move,
    ),
    (
        rf"move\s+{_ONE}(?P<parent>)(?P<top>)\s+(?:before\s+(?P<before>{KEY})|after\s+(?P<after>{KEY}))",
        _Commands.move,
    ),
    (
        rf"{_LATER}\s+{_ON}\s+(?:back\s+|out\s+)?(?:by\s+)?(?P<count>an?|one|[0-9]{{1,4}})\s+(?P<unit>day|week|month)s?",
        _Commands.postpone,
    ),
    (rf"{_LATER}\s+{_ON}\s+(?:back\s+|out\s+)?(?:to|until|till)\s+(?P<value>\S.*)", _Commands.due),
    (rf"(?:do\s+)?(?P<others>{KEYS})\s+before\s+{_ON}", _Commands.wait),
    (rf"(?:delete|remove)\s+{_ON}", _Commands.delete),
    (rf"{_ON}\s+(?:(?:is|are)\s+)?(?P<value>[A-Za-z'][A-Za-z' _-]*)", _Commands.state),
)
