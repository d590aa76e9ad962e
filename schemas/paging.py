"""Pages of lists: by number, or by an opaque cursor that survives inserts."""

from pydantic import Field

from schemas.primitives import Model

DEFAULT_PER_PAGE = 20
MAX_PER_PAGE = 100


class PageRequest(Model):
    """Which part of a list: `page`, or `cursor` (never both)."""

    page: int | None = Field(default=None, ge=1, le=1_000_000)
    per_page: int = Field(default=DEFAULT_PER_PAGE, ge=1, le=MAX_PER_PAGE)
    cursor: str | None = Field(default=None, max_length=1_000)


class Paging(Model):
    """The part of every list answer that says where in the list it stands."""

    total: int
    page: int | None = Field(description="null when the list was continued by a cursor")
    per_page: int
    has_next: bool
    has_prev: bool
    next_cursor: str | None
