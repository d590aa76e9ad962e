"""What was deleted and can be restored."""

from core.context import Context, Scope
from schemas.trash import TrashQuery, TrashResponse


def list_trash(ctx: Context, query: TrashQuery) -> TrashResponse:
    """Return a page of deletions, the latest first, each with what restoring it brings back; O(deleted items)."""
    ctx.principal.require(Scope.PROJECTS_READ)
    return ctx.read(lambda tx: tx.list_trash(query))
