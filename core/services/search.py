"""Find projects, tasks and comments by their words."""

from collections.abc import Sequence

from core.context import Context, Scope
from core.errors import DatabaseError
from core.excerpts import excerpt_of
from core.storage.interface import Found, FoundPage, Transaction
from core.words import Term, terms_of
from schemas.changes import EntityKind
from schemas.search import Highlight, SearchHit, SearchQuery, SearchResponse

TAKE_IN_HINT = "search once where the database can be written; `query` of the lists finds literal text without that"
CHANGES_AT_ONCE = 250  # taken into the index by one transaction: other writes pass in between


async def search(ctx: Context, query: SearchQuery) -> SearchResponse:
    """Return a page of the live items that have all words of the query, the most relevant first.

    What any process applied before the call is found: the index follows the history, and first takes in what
    came since the last search, by small writes on the store's thread. The search itself is a long read.

    Raises DatabaseError when there is something to take in and it cannot be written.
    """
    ctx.principal.require(Scope.PROJECTS_READ)
    indexed, latest = await ctx.run(_standing)
    while indexed < latest:
        try:
            indexed = await ctx.run(_take_in)
        except DatabaseError as failure:
            message = f"Search could not take in the latest changes. {failure.message}"
            raise DatabaseError(message, hint=TAKE_IN_HINT, place=failure.place) from failure
    return await ctx.run_long(_find, query)


def _standing(ctx: Context) -> tuple[int, int]:
    return ctx.read(lambda tx: tx.count_unindexed())


def _take_in(ctx: Context) -> int:
    return ctx.write(lambda tx: tx.index_changes(CHANGES_AT_ONCE))


def _find(ctx: Context, query: SearchQuery) -> SearchResponse:
    terms = terms_of(query.query)

    def work(tx: Transaction) -> FoundPage:
        return tx.find_documents(query, terms)

    page = ctx.read(work)
    return SearchResponse.model_construct(hits=[_hit(item, terms) for item in page.found], **page.place)


def _hit(item: Found, terms: Sequence[Term]) -> SearchHit:
    texts = {"title": item.title, "description": item.text}
    if item.kind is EntityKind.COMMENT:  # its task's title is shown, and not searched
        texts = {"body": item.text}
    highlights = [
        Highlight.model_construct(field=field, pieces=pieces)
        for field, text in texts.items()
        if (pieces := excerpt_of(text, terms))
    ]
    return SearchHit.model_construct(
        kind=item.kind, id=item.id, key=item.key, project=item.project, title=item.title, highlights=highlights
    )
