"""Tables of tasks: CSV with comma, semicolon or tab, of our own export and of other tools.

A row is a task. Columns are known by their names (`columns`); the cells of the others, and those that cannot be read, stay in
the description with the name of their column. In a table with exactly the columns of our export nothing is trimmed.
"""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue, ValidationError

from core.exports.table import COLUMNS, FORMULA
from core.rules.descriptions import MAX_DESCRIPTION
from core.rules.draft import PROJECT, Draft
from core.rules.exact import Exact
from core.rules.fields import Fields
from core.rules.formats.columns import Column, Heading, Unreadable, is_plain_answer, read_cell, read_heading
from core.rules.items import Item, Reference
from core.rules.markdown import Document
from core.rules.markers import Inline, MarkerReader
from core.rules.outline import Node, NodeKind, Outline, Reading
from core.rules.stated import MAX_CRITERIA, MAX_CRITERION
from schemas.projects import ProjectFields
from schemas.tasks import TaskFields

_SEPARATORS = ",;\t"
MAX_CELLS = 1_000
MAX_HEADINGS = 10_000  # characters of a line that is taken for headings unasked
_EXACT = [Heading(name, Column(name), "minutes" if name.endswith("_minutes") else "") for name in COLUMNS]
# With a column for one of these, titles are as written; without, they may hold markers.
_MARKED = frozenset(
    [Column.PRIORITY, Column.ASSIGNEE, Column.START, Column.DUE, Column.ESTIMATE, Column.DEPENDS, Column.TAGS, Column.CUSTOM]
)
_STORED_AS_SENT = frozenset([Column.LINKS, Column.CUSTOM, Column.SCHEMA, Column.ACTUAL])


@dataclass(slots=True, eq=False)
class Row:
    """A record of the table, and the lines it stands on."""

    start: int
    end: int
    cells: list[str]
    headings: Sequence[Heading] = ()

    def texts(self, column: Column) -> list[str]:
        """Return what stands in the columns of this kind."""
        return [text for heading, text in zip(self.headings, self.cells, strict=False) if heading.column is column and text]

    def text(self, column: Column) -> str:
        return next(iter(self.texts(column)), "")


@dataclass(slots=True)
class Table:
    lines: list[str]
    rows: list[Row]
    headings: Sequence[Heading]
    assumed: str | None  # the column that is taken for that of the titles, as none is called so
    wide: list[Row]  # those with more cells than any table of tasks
    broken: int | None  # the first line that is no CSV

    @property
    def is_exact(self) -> bool:
        return self.headings is _EXACT

    @property
    def has_markers(self) -> bool:
        return not any(heading.column in _MARKED for heading in self.headings)


def read_table(content: str) -> Table:
    """Return the rows of a table. Line ends may be LF, CRLF or CR; those within cells are kept."""
    lines = list(io.StringIO(content.removeprefix("\ufeff"), newline=""))
    rows: list[Row] = []
    reader = csv.reader(lines, delimiter=_separator(lines))
    broken, start = None, 0
    try:
        for cells in reader:
            rows.append(Row(start, reader.line_num, cells))
            start = reader.line_num
    except csv.Error:  # a cell of more than 131,072 characters, as after a quotation mark that is never closed
        broken = start
    wide = [row for row in rows if len(row.cells) > MAX_CELLS]
    rows = [row for row in rows if len(row.cells) <= MAX_CELLS and any(cell.strip() for cell in row.cells)]
    first = rows[0].cells if rows else []
    headings = _EXACT if first == list(COLUMNS) else _headings(first)
    known = {heading.column for heading in headings if heading.column}
    has_headings = Column.TITLE in known or len(known) * 2 > len(first) > 1
    assumed = None
    if not has_headings:
        headings = [Heading("", None) for _ in first]
    if Column.TITLE not in known or not has_headings:
        title = next((index for index, heading in enumerate(headings) if heading.column is None), 0)
        assumed = first[title] if has_headings else f"column {title + 1}"
        headings = [Heading(one.name, Column.TITLE) if index == title else one for index, one in enumerate(headings)]
    body = rows[1:] if has_headings else rows
    for row in body:
        row.headings = headings
        row.cells = [_unguarded(cell if headings is _EXACT else cell.strip()) for cell in row.cells]
    return Table([line.rstrip("\r\n") for line in lines], body, headings, assumed, wide, broken)


def is_table(content: str) -> bool:
    """Tell whether the first line names columns, a title and at least one other, and another line has several cells."""
    lines = content[:100_000].removeprefix("\ufeff").lstrip().splitlines()[:50]
    separator = _separator(lines)
    if not any(separator in line for line in lines[1:]) or len(lines[0]) > MAX_HEADINGS:
        return False
    first = next(csv.reader(lines[:1], delimiter=separator))
    known = [heading.column for heading in _headings(first) if heading.column]
    return Column.TITLE in known and len(set(known)) > 1 and len(known) * 2 >= len(first)


def _separator(lines: list[str]) -> str:
    first = re.sub(r'"[^"]*"', "", next((line for line in lines if line.strip()), ""))
    return max(_SEPARATORS, key=first.count)


def _headings(names: list[str]) -> list[Heading]:
    """Return what the columns hold; only keys, tags and dependencies may have several."""
    headings: list[Heading] = []
    taken: set[Column | None] = set()
    for name in names:
        heading = read_heading(name.strip())
        headings.append(Heading(heading.name, None) if heading.column in taken else heading)
        taken |= {heading.column} - {Column.KEY, Column.TAGS, Column.DEPENDS}
    return headings


def _unguarded(text: str) -> str:
    """Take off the apostrophe that keeps spreadsheets from running a cell as a formula."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def draft_table(content: str, reader: MarkerReader, max_depth: int) -> Draft:
    """Return the draft of a table, every row of which is an item, part of one, or reported."""
    table = read_table(content)
    root = Node(NodeKind.ROOT, 0, len(table.lines))
    document = Document(table.lines, [], frozenset())
    draft = Draft(document, Outline(root, None, [], Reading.STATED), reader, max_depth=max_depth)
    draft.owners = [PROJECT] * len(table.lines)
    draft.used.update(line for line in range(len(table.lines)) if table.broken is None or line < table.broken)
    if table.broken is not None:
        for line in range(table.broken, len(table.lines)):
            draft.leave(line, "is no CSV; a quotation mark may not be closed")
    for row in table.wide:
        for line in range(row.start, row.end):
            draft.leave(line, f"a row of more than {MAX_CELLS:,} cells")
    if table.assumed is not None:
        draft.remark(0, f"no column is called Title or the like; '{table.assumed}' is taken for it")
    _Filler(draft, table).fill()
    return draft


@dataclass(slots=True)
class _Filler:
    draft: Draft
    table: Table
    names: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))  # key or title -> numbers of rows
    places: dict[int, int] = field(default_factory=dict)  # number of the row -> index of its item

    def fill(self) -> None:
        rows = [row for row in self.table.rows if self._is_task(row)]
        self._name(rows)
        parents = self._parents(rows)
        for number in _outline(parents):
            parent = parents[number]
            place = self.draft.place(rows[number].start, None if parent is None else self.places[parent])
            self.places[number] = len(self.draft.items)
            self._add(rows[number], place)
        for number, row in enumerate(rows):
            self._depend(row, self.places[number])
        if self.table.is_exact:
            self._comment()

    def _is_task(self, row: Row) -> bool:
        if self.table.is_exact and row.text(Column.TYPE) == "project":
            self._take_project(row)
            return False
        if self.table.is_exact and row.text(Column.TYPE) == "comment":
            return False
        if not row.text(Column.TITLE).strip():
            for line in range(row.start, row.end):
                self.draft.leave(line, "a row without a title")
            return False
        return True

    def _name(self, rows: list[Row]) -> None:
        for number, row in enumerate(rows):
            for name in dict.fromkeys(text.casefold() for text in row.texts(Column.KEY)):
                self.names[name].append(number)
        keys = set(self.names)
        for number, row in enumerate(rows):
            if (title := row.text(Column.TITLE).casefold()) not in keys:
                self.names[title].append(number)

    def _find(self, text: str) -> int | str:
        """Return the number of the row that a text names, or why it names none."""
        found = self.names.get(text.strip().casefold(), [])
        if len(found) == 1:
            return found[0]
        return f"matches {len(found)} rows" if found else "names no row"

    def _parents(self, rows: list[Row]) -> list[int | None]:
        parents: list[int | None] = []
        levels: list[tuple[int, int]] = []  # the rows that are open, by level
        for number, row in enumerate(rows):
            parent = self._stated_parent(row)
            level = row.text(Column.LEVEL)
            if parent is None and _is_level(level):
                while levels and levels[-1][0] >= int(level):
                    levels.pop()
                parent = levels[-1][1] if levels else None
                levels.append((int(level), number))
            parents.append(parent)
        for number in _in_circles(parents):
            self.draft.remark(rows[number].start, "its parents form a circle; it is on the top level")
            parents[number] = None
        return parents

    def _stated_parent(self, row: Row) -> int | None:
        found = self._find(row.text(Column.PARENT)) if row.text(Column.PARENT) else None
        if isinstance(found, int):
            return found
        key = row.text(Column.KEY)
        if found is None and re.fullmatch(r"[0-9]+(?:\.[0-9]+)+", key):  # 1.2.1 is below 1.2
            above = self._find(key.rpartition(".")[0])
            return above if isinstance(above, int) else None
        return None

    def _add(self, row: Row, parent: int | None) -> None:
        title = row.text(Column.TITLE)
        inline = self.draft.reader.read(title) if self.table.has_markers else Inline(title, is_exact=True)
        node = Node(NodeKind.SECTION, row.start, row.end, is_task=True)
        item = Item(node, row.start, parent, inline, row.end)
        kept = [note for note in self._notes(row, item) if note]
        texts = [*row.texts(Column.DESCRIPTION), "\n".join(kept)]
        description = "\n\n".join(text for text in texts if text)
        if description:
            item.exact = Exact({**item.exact.fields, "description": description})
        self.draft.add(item)

    def _notes(self, row: Row, item: Item) -> Iterator[str]:
        """Store what the cells state; yield what has to stay text."""
        headings = [*row.headings, *[Heading("", None)] * (len(row.cells) - len(row.headings))]
        for heading, text in zip(headings, row.cells, strict=False):
            match heading.column:
                case _ if not text or heading.column in (Column.TITLE, Column.DESCRIPTION, Column.TYPE):
                    continue
                case Column.LEVEL:
                    yield "" if _is_level(text) else _note(heading, text)
                case None:
                    yield _note(heading, text)
                case Column.KEY:
                    yield "" if self.table.is_exact else self._keep_key(heading, text)
                case Column.PARENT:
                    found = self._find(text)
                    if isinstance(found, str):
                        self._ask(row, f"'{_note(heading, text)}' {found}")
                        yield _note(heading, text)
                case Column.DEPENDS:
                    continue  # when all rows are known
                case _:
                    yield self._store(row, item, heading, text)

    def _keep_key(self, heading: Heading, text: str) -> str:
        return "" if re.fullmatch("[0-9.]+", text) else _note(heading, text)  # a number says where the row stood

    def _store(self, row: Row, item: Item, heading: Heading, text: str) -> str:
        assert heading.column is not None
        read = read_cell(heading, text, self.draft.reader.calendar, self.draft.reader.working_time)
        if isinstance(read, Unreadable):
            reason: str | None = read.reason
        elif read is None or read == []:
            return ""
        else:
            reason = _offer(item, heading.column, read)
        if reason:
            self._ask(row, f"'{_note(heading, text)}' {reason}")
        is_more = heading.column is Column.DONE and not is_plain_answer(text)
        return _note(heading, text) if reason or is_more else ""

    def _ask(self, row: Row, text: str) -> None:
        self.draft.remark(row.start, f"{text}; kept as text")

    def _depend(self, row: Row, index: int) -> None:
        for heading, cell in zip(row.headings, row.cells, strict=False):
            if heading.column is not Column.DEPENDS or not cell:
                continue
            whole = self._find(cell)
            parts = [cell] if isinstance(whole, int) else [part.strip() for part in re.split(r"[;,\n]", cell) if part.strip()]
            reference = Reference(index, row.start, _note(heading, cell))
            for part in parts:
                found = self._find(re.sub(r"(?<=\d)FS$", "", part))
                if isinstance(found, int):
                    reference.edges.append((index, self.places[found]))
                else:
                    self._ask(row, f"'{part}' of '{_note(heading, cell)}' {found}")
                    self._append(index, _note(heading, part))
            self.draft.references.append(reference)

    def _append(self, index: int, note: str) -> None:
        item = self.draft.items[index]
        before = str(item.exact.fields.get("description", ""))
        item.exact = Exact({**item.exact.fields, "description": f"{before}\n\n{note}".strip("\n")})

    def _take_project(self, row: Row) -> None:
        fields: dict[str, JsonValue] = {"name": row.text(Column.TITLE)}
        for heading in _EXACT:
            text = row.text(Column(heading.name)) if heading.name in ProjectFields.model_fields else ""
            # States of projects are other words than those of tasks; the model knows them.
            plain = heading.column in (Column.STATUS, Column.DESCRIPTION)
            read = text if plain else read_cell(heading, text, self.draft.reader.calendar, self.draft.reader.working_time)
            if text and not isinstance(read, Unreadable):
                fields[str(heading.column)] = read
        try:
            sound = ProjectFields.model_validate(fields).model_dump(mode="json", exclude_unset=True)
        except ValidationError as error:
            self.draft.leave(row.start, f"the row of the project has a value that is not allowed: {_first_error(error)}")
            return
        self.draft.project_exact = Exact(sound, lines=list(range(row.start, row.end)))
        self.draft.used.difference_update(self.draft.project_exact.lines)  # unless a new project is made of it

    def _comment(self) -> None:
        for row in self.table.rows:
            if row.text(Column.TYPE) != "comment":
                continue
            found, body = self._find(row.text(Column.PARENT)), row.text(Column.DESCRIPTION)
            if isinstance(found, int) and body.strip() and len(body) <= MAX_DESCRIPTION:
                self.draft.items[self.places[found]].exact.comments.append(body)
            else:
                self.draft.leave(row.start, "a comment without a task or without text")


def _is_level(text: str) -> bool:
    return text.isdecimal() and len(text) < 4


def _note(heading: Heading, text: str) -> str:
    return f"{heading.name}: {text}" if heading.name else text


def _offer(item: Item, column: Column, value: JsonValue) -> str | None:
    """Store a value in its field; return why it cannot be stored."""
    if column is Column.CRITERIA:
        texts = [str(text) for text in value] if isinstance(value, list) else []
        if len(texts) > MAX_CRITERIA or any(len(text) > MAX_CRITERION for text in texts):
            return f"is more than {MAX_CRITERIA} criteria of {MAX_CRITERION} characters"
        item.criteria = texts
        return None
    fields: Fields = item.inline.fields
    name = "status" if column is Column.DONE else str(column)
    if column is Column.DONE and "status" in fields.values:
        return None if fields.values["status"] == value else "and the state say different things"
    if column in _STORED_AS_SENT:
        try:
            TaskFields.model_validate({name: value})
        except ValidationError as error:
            return f"is not allowed: {_first_error(error)}"
    return fields.offer(name, value)


def _first_error(error: ValidationError) -> str:
    return str(error.errors(include_url=False)[0]["msg"])


def _in_circles(parents: list[int | None]) -> list[int]:
    """Return one row of each circle of parents."""
    state = [0] * len(parents)  # 0 = unseen, else the walk that saw it
    found = []
    for start in range(len(parents)):
        at: int | None = start
        while at is not None and not state[at]:
            state[at] = start + 1
            at = parents[at]
        if at is not None and state[at] == start + 1:
            found.append(at)
    return found


def _outline(parents: list[int | None]) -> Iterator[int]:
    """Yield the rows in outline order: below each its children, in the order of the table."""
    children: dict[int | None, list[int]] = defaultdict(list)
    for number, parent in enumerate(parents):
        children[parent].append(number)
    waiting = children[None][::-1]
    while waiting:
        number = waiting.pop()
        yield number
        waiting += children[number][::-1]
