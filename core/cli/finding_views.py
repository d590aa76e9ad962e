"""What was found, and what was deleted, as text for people."""

from core.cli.session import emphasised
from core.cli.views import instant, more, none
from core.patches.text import safe, safe_title, show_count
from schemas.changes import EntityKind
from schemas.search import Highlight, SearchHit, SearchResponse
from schemas.trash import TrashEntry, TrashResponse


def found(response: SearchResponse) -> str:
    """Return a line for each hit, and below it the texts in which the words are; on a terminal these stand out."""
    lines = [line for hit in response.hits for line in _hit(hit)]
    return "\n".join([*(lines or none("nothing found", response)), *more(response)])


def _hit(hit: SearchHit) -> list[str]:
    title = next((_text(highlight) for highlight in hit.highlights if highlight.field == "title"), safe_title(hit.title))
    what = " (comment)" if hit.kind is EntityKind.COMMENT else ""
    texts = [f"    {highlight.field}: {_text(highlight)}" for highlight in hit.highlights if highlight.field != "title"]
    return [f"{hit.key} {title}{what}", *texts]


def _text(highlight: Highlight) -> str:
    return "".join(emphasised(safe(piece.text)) if piece.found else safe(piece.text) for piece in highlight.pieces)


def trash(response: TrashResponse) -> str:
    """Return a line for each deletion, and below it how it is undone."""
    lines = [line for entry in response.trash for line in _deletion(entry)]
    return "\n".join([*(lines or none("nothing in the trash", response)), *more(response)])


def _deletion(entry: TrashEntry) -> list[str]:
    along = f" with {show_count(entry.tasks, 'task')}" if entry.tasks else ""
    head = f"{entry.key} {safe_title(entry.title)}  deleted {instant(entry.deleted_at)} by {safe(entry.deleted_by)}{along}"
    way = f"orchestrator trash restore {entry.key}"
    return [head, f"    after {entry.waits_for}: {way}" if entry.waits_for else f"    {way}"]
