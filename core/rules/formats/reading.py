"""In which format a plan is written, and its draft: the one place that knows all formats."""

import re

from core.rules.draft import Draft, start_draft
from core.rules.enumerations import with_enumerations
from core.rules.formats.document import draft_document
from core.rules.formats.indented import is_indented, read_indented
from core.rules.formats.opml import draft_opml
from core.rules.formats.table import draft_table, is_table
from core.rules.formats.taskpaper import is_taskpaper, read_taskpaper
from core.rules.formats.todotxt import is_todotxt, read_todotxt
from core.rules.markdown import read_document, split_lines
from core.rules.markers import MarkerReader
from core.rules.outline import Reading, read_outline
from schemas.planning import MAX_IMPORT_BYTES, OutlineFormat

MAX_BYTES = {OutlineFormat.CSV: MAX_IMPORT_BYTES, OutlineFormat.JSON: MAX_IMPORT_BYTES}


def find_format(content: str) -> OutlineFormat:
    """Return the format of a text; Markdown unless it is clearly another one."""
    start = content.removeprefix("\ufeff").lstrip()[:200]
    if re.match(r'\{\s*"(?:success|format|exported_at|project|tasks|comments)"\s*:', start):
        return OutlineFormat.JSON
    if re.match(r"<\?xml|<!DOCTYPE|<opml", start) and "<opml" in content[:10_000]:
        return OutlineFormat.OPML
    if is_table(content):
        return OutlineFormat.CSV
    if is_taskpaper(content):
        return OutlineFormat.TASKPAPER
    if is_todotxt(content):
        return OutlineFormat.TODO_TXT
    return OutlineFormat.MARKDOWN


def read_draft(content: str, format: OutlineFormat, reader: MarkerReader, max_depth: int) -> Draft:
    """Return the draft of a text in the given format."""
    match format:
        case OutlineFormat.CSV:
            return draft_table(content, reader, max_depth)
        case OutlineFormat.JSON:
            return draft_document(content, reader, max_depth)
        case OutlineFormat.OPML:
            return draft_opml(content, reader, max_depth)
        case OutlineFormat.TASKPAPER:
            return start_draft(*read_taskpaper(split_lines(content)), reader, max_depth)
        case OutlineFormat.TODO_TXT:
            return start_draft(*read_todotxt(split_lines(content)), reader, max_depth)
        case OutlineFormat.OUTLINE:
            return start_draft(*read_indented(split_lines(content)), reader, max_depth)
        case _:
            return _draft_markdown(content, reader, max_depth)


def _draft_markdown(content: str, reader: MarkerReader, max_depth: int) -> Draft:
    document = read_document(content)
    document.blocks = with_enumerations(document.blocks)
    outline = read_outline(document)
    named = MarkerReader(reader.calendar, reader.working_time, document.link_names)
    draft = start_draft(document, outline, named, max_depth)
    if outline.reading is Reading.FREE_TEXT and not draft.project_exact and is_indented(document.lines):
        return start_draft(*read_indented(document.lines), reader, max_depth)
    return draft
