"""Random documents in every format, cheap to make: the seed decides all of it. Each text has words of its own (`w7x`)."""

import csv
import io
import random
from collections.abc import Callable, Sequence
from xml.sax.saxutils import quoteattr

from schemas.planning import OutlineFormat
from tests.rules.test_laws import MARKUP

MARKERS = (
    "", "", "", "", "(2h)", "~30m", "est:1d", "@ann", "#api", "!high", "!!", "due:2026-12-01", "due Friday", "by Aug 15",
    "start:tomorrow", "due:01/02/2027", "after w1x", "depends on #2", "needs #1", "^b1", "blocked by ^b1",
    "(2h, @ann, due Friday)", "p1", "`@code`", "(after w3x)",
)  # fmt: skip
TODO_TXT = (
    "{m}", "(A) {m}", "x {m}", "x 2026-11-20 {m}", "x 2026-11-20 2026-11-01 {m} +web", "(Z) 2026-11-01 {m} @home", "+web {m}",
    "{m} pri:B t:2026-12-01", "", "  {m}", "x", "(A)", "+a @b",
)  # fmt: skip
TASKPAPER = (
    "{w}:", "\t{w}: @due(2026-12-01)", "- {m}", "\t- {m} @done", "\t\t- {m} @done(2026-11-20) @x",
    "\t- {w} @priority(1) @who(Bo Li)",
    "\t\t{w} note", "{w} note", "    - {m} @est(2h) @n(a b)", "", "- @a", ":", "\tOwner: {w}",
)  # fmt: skip
INDENTED = (
    "{w}", "  {m}", "    {m}", "\t{m}", "\t\t{m}", "1. {m}", "  a) {m}", "  IV. {m}", "\u2022 {m}", "  \u2013 [x] {m}",
    "      {w}:", "", " \u3000{w}",
)  # fmt: skip
COLUMNS = (
    "Title", "Task", "ID", "Parent", "Level", "Status", "Done", "Priority", "Assignee", "Due", "Start", "Estimate",
    "Estimate (h)", "Depends on", "Labels", "Labels", "Notes", "Acceptance criteria", "Team", "", "WBS",
)  # fmt: skip
CELLS = (
    "", "", "1", "2", "1.1", "x", "done", "yes", "In Progress", "High", "2026-12-01", "01/02/2027", "2h", "8", "a, b", '["a"]',
    "#x #y", "=1", "'-1", "none", "[", "{}",
)  # fmt: skip
ATTRIBUTES = (
    "", "", "_note={}", "_status='checked'", "dueDate='2026-12-01'", "owner={}", "color={}", "estimate='2h'", "tags='a,b'",
    "complete='false'", "title={}",
)  # fmt: skip


class Author:
    """Writes documents; counts its words."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  -- chance for tests, not for secrets
        self.words = 0

    def write(self, format: OutlineFormat) -> str:
        """Return a document of a few lines, rows or nodes, with something in it."""
        text = WRITERS[format](self)
        return text if text.strip() else text + self.word()

    def word(self) -> str:
        self.words += 1
        return f"w{self.words}x"

    def marked(self) -> str:
        return f"{self.word()} {self.random.choice(MARKERS)} {self.random.choice(MARKERS)}".strip()

    def lines(self, templates: Sequence[str]) -> str:
        chosen = self.random.choices(templates, k=self.random.randint(1, 14))
        return "".join(line.replace("{w}", self.word()).replace("{m}", self.marked()) + self._end() for line in chosen)

    def _end(self) -> str:
        return self.random.choice(("\n", "\n", "\n", "\n", "\r\n", "\n\n"))

    def markdown(self) -> str:
        chosen = self.random.choices(MARKUP, k=self.random.randint(1, 14))
        indents = self.random.choices(("", "", "  ", "    "), k=len(chosen))
        marks = (mark.format(*[self.word()] * 3, n=self.random.randint(1, 5)) for mark in chosen)
        return "\n".join(indent + mark for indent, mark in zip(indents, marks, strict=True))

    def table(self) -> str:
        text = io.StringIO(newline="")
        ends = self.random.choice(("\n", "\r\n"))
        writer = csv.writer(text, delimiter=self.random.choice(",;\t"), lineterminator=ends)
        names = self.random.sample(COLUMNS, self.random.randint(1, 8))
        if self.random.random() < 0.9:
            writer.writerow(["Title", *names])
        for _ in range(self.random.randint(1, 8)):
            cells = [self.random.choice((self.word(), f"{self.word()}\n{self.word()}", *CELLS)) for _ in names]
            writer.writerow([self.random.choice((self.marked(), self.marked(), "")), *cells[: self.random.randint(0, 9)]])
        if self.random.random() < 0.05:
            text.write(f'"{self.word()} never closed{ends}')
        return text.getvalue()

    def opml(self) -> str:
        return (
            f'<?xml version="1.0"?>\n<opml version="2.0">'
            f"<head><title>{self.word()}</title><ownerName>{self.word()}</ownerName></head><body>{self._nodes(0)}</body></opml>"
        )

    def _nodes(self, depth: int) -> str:
        nodes = []
        for _ in range(self.random.randint(1 if depth == 0 else 0, 2)):
            attributes = " ".join({self.random.choice(ATTRIBUTES) for _ in range(3)})
            while "{}" in attributes:
                attributes = attributes.replace(
                    "{}", quoteattr(self.random.choice((self.word(), f"{self.word()}\n{self.word()}"))), 1
                )
            inner = self._nodes(depth + 1) if depth < 4 else self.random.choice(("", self.word()))
            nodes.append(f"<outline text={quoteattr(self.marked())} {attributes}>{inner}</outline>")
        return self.random.choice(("", "\n")).join(nodes)


WRITERS: dict[OutlineFormat, Callable[[Author], str]] = {
    OutlineFormat.MARKDOWN: Author.markdown,
    OutlineFormat.OUTLINE: lambda author: author.lines(INDENTED),
    OutlineFormat.TASKPAPER: lambda author: author.lines(TASKPAPER),
    OutlineFormat.TODO_TXT: lambda author: author.lines(TODO_TXT),
    OutlineFormat.OPML: Author.opml,
    OutlineFormat.CSV: Author.table,
}
