"""OPML: nested `outline` elements with their text, note and state.

Read by the parser of the standard library with document types refused, so that no entity is ever expanded or fetched.
Attributes count as columns of a table do; the others stay in the description with their names.
"""

import re
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from core.errors import ValidationFailed
from core.rules.draft import Draft, start_draft
from core.rules.fields import Fields
from core.rules.formats.columns import Column, Unreadable, read_cell, read_heading
from core.rules.formats.entries import Entry, outline_of
from core.rules.markers import MarkerReader

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_STATES = {
    "true": "x",
    "checked": "x",
    "yes": "x",
    "1": "x",
    "complete": "x",
    "completed": "x",
    "done": "x",
    "indeterminate": "/",
}
_STATE = frozenset("_status status _complete complete checked done completed".split())
_NOTE = frozenset("_note note description notes".split())
_OPEN = frozenset(["false", "unchecked", "no", "0", ""])


@dataclass(slots=True)
class _Parser:
    reader: MarkerReader
    entries: list[Entry] = field(default_factory=list)
    title: Entry | None = None
    left: list[tuple[int, str]] = field(default_factory=list)
    remarks: list[tuple[int, str]] = field(default_factory=list)
    _path: list[str] = field(default_factory=list)
    _text: list[str] = field(default_factory=list)
    _expat: expat.XMLParserType = field(default_factory=lambda: expat.ParserCreate("utf-8"))

    def parse(self, content: str) -> None:
        parser = self._expat
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        try:
            parser.Parse(content.removeprefix("\ufeff").encode(), True)
        except expat.ExpatError as error:
            raise _refusal(f"it is not well-formed in line {error.lineno}: {expat.ErrorString(error.code)}") from None
        if not self.entries:
            raise _refusal("it has no outline in its body")

    @property
    def _line(self) -> int:
        return self._expat.CurrentLineNumber - 1

    def _refuse(self, *_: object) -> NoReturn:
        raise _refusal("it declares a document type, and those are never read; take the DOCTYPE out")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._leave_text()
        if name == "outline" and "body" in self._path:
            self._add(attributes)
        elif attributes and name != "opml":
            self.left.append((self._line, f"attributes of <{name}>"))
        self._path.append(name)

    def _end(self, _name: str) -> None:
        text = "".join(self._text).strip()
        if self._path[-2:] == ["head", "title"] and text and self.title is None:
            self.title = Entry(self._line, 0, text)
            self._text.clear()
        self._leave_text()
        self._path.pop()

    def _leave_text(self) -> None:
        if "".join(self._text).strip():
            self.left.append((self._line, f"text of <{self._path[-1] if self._path else 'document'}>"))
        self._text.clear()

    def _add(self, attributes: dict[str, str]) -> None:
        line = self._line
        text = next((attributes[name] for name in ("text", "title") if attributes.get(name, "").strip()), "")
        name, _, more = text.strip().partition("\n")
        entry = Entry(line, len(self._path), name.strip())
        entry.notes += [more.strip()] if more.strip() else []
        if not entry.title:
            entry.title = "-"
            self.remarks.append((line, "an outline without text; it is named '-'"))
        for key, value in attributes.items():
            if key not in ("text", "title") and value.strip():
                self._read(entry, key, value)
        if attributes.get("title", text) not in ("", text):
            entry.notes.append(f"title: {attributes['title']}")
        self.entries.append(entry)

    def _read(self, entry: Entry, key: str, value: str) -> None:
        name = key.casefold()
        if name in _STATE and value.strip().casefold() in _STATES:
            entry.checkbox = _STATES[value.strip().casefold()]
        elif name in _STATE and value.strip().casefold() in _OPEN:
            entry.checkbox = entry.checkbox or " "
        elif name in _NOTE:
            entry.notes.append(value)
        else:
            heading = read_heading(_CAMEL.sub(" ", key.lstrip("_")))
            read = (
                read_cell(heading, value, self.reader.calendar, self.reader.working_time) if heading.column in _FIELDS else None
            )
            fields = Fields(dict(entry.fields))
            if read is None or isinstance(read, Unreadable) or fields.offer(str(heading.column), read):
                entry.notes.append(f"{key}: {value}")
            else:
                entry.fields = fields.values


_FIELDS = frozenset(
    [Column.STATUS, Column.PRIORITY, Column.ASSIGNEE, Column.START, Column.DUE, Column.ESTIMATE, Column.ACTUAL, Column.TAGS]
)


def draft_opml(content: str, reader: MarkerReader, max_depth: int) -> Draft:
    """Return the draft of an OPML document.

    Raises:
        ValidationFailed: it is not well-formed, declares a document type, or has no outline.
    """
    parser = _Parser(reader)
    parser.parse(content)
    lines = content.removeprefix("\ufeff").split("\n")
    document, outline = outline_of(lines, parser.entries, title=parser.title)
    draft = start_draft(document, outline, reader, max_depth)
    draft.used.update(range(len(lines)))  # several elements may share a line, so lines belong to none
    for line, what in parser.left:
        draft.leave(line, f"{what}: only the title and the outlines are read")
    for line, remark in parser.remarks:
        draft.remark(line, remark)
    return draft


def _refusal(reason: str) -> ValidationFailed:
    return ValidationFailed(f"The text is no OPML that can be read: {reason}.", hint="export it as OPML 2.0, or send Markdown")
