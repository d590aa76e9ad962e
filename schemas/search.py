"""Search over projects, tasks and comments."""

from pydantic import Field

from schemas.changes import EntityKind
from schemas.paging import PageRequest, Paging
from schemas.primitives import FilterText, ItemName, Model


class SearchQuery(PageRequest):
    """Words that must all occur in one item; the last one may be unfinished. Signs between words mean nothing."""

    query: FilterText = Field(min_length=1, max_length=200, description="words, and keys such as WEB-14; no query language")
    project: ItemName | None = Field(default=None, description="only of this project")
    kind: list[EntityKind] = Field(default=[], description="only these kinds of items")


class Piece(Model):
    """A piece of a text as it was written: the pieces of a highlight follow one another."""

    text: str
    found: bool = Field(description="whether this piece is what was searched for")


class Highlight(Model):
    """One field of a found item, or the part of it around the first match."""

    field: str = Field(description="title (of a project: name), description, or body (of a comment)")
    pieces: list[Piece]


class SearchHit(Model):
    """A project, task or comment that has all the words."""

    kind: EntityKind
    id: str
    key: str = Field(description="of the project or task; of a comment: its task's")
    project: str = Field(description="key of the project it is in")
    title: str = Field(description="of the task, or name of the project; of a comment: its task's")
    highlights: list[Highlight] = Field(description="fields in which the words are; none when only the key was asked for")


class SearchResponse(Paging):
    """Found items, the most relevant first: a word in a title weighs ten times one in a text."""

    hits: list[SearchHit]
