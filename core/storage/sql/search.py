"""The search index: it follows the applied history, a few hundred changes at a time, and is asked for words.

Nothing is indexed when it is written; what was applied since is taken in before a search answers. Items stay
in the index when they are deleted: whether one is live is read from its row, so a restored one is found at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    and_,
    bindparam,
    cast,
    false,
    func,
    literal,
    literal_column,
    null,
    select,
    text,
    update,
)
from sqlalchemy import column as _column
from sqlalchemy import table as _table
from sqlalchemy.dialects import postgresql

from core.storage.interface import Found, FoundPage
from core.storage.sql.events import LATEST_SEQ
from core.storage.sql.names import Naming
from core.storage.sql.paging import Sorting, list_page
from core.storage.sql.session import WORKSPACE, Row, Statement
from core.storage.sql.tables import (
    comments,
    patch_set_changes,
    patch_sets,
    projects,
    search_documents,
    search_progress,
    tasks,
)
from core.storage.sql.types import among
from core.words import Term, key_word, words_of
from schemas.changes import Action, EntityKind
from schemas.search import SearchQuery

_P = projects.c
_T = tasks.c
_C = comments.c
_H = patch_set_changes.c
_S = patch_sets.c
_D = search_documents.c
_G = search_progress.c
_W = _table("search_words", _column("number"), _column("words"))  # as PostgreSQL has it
_SEARCHED = frozenset({"name", "title", "description"})
_FIRST = (1, 0)  # seq and ordinal of the first change there can be

_PROGRESS = select(_G.seq, _G.ordinal).where(_G.workspace_id == WORKSPACE)
PROGRESS = {False: Statement(_PROGRESS), True: Statement(_PROGRESS.with_for_update())}
BEGIN_PROGRESS = Statement(
    postgresql.insert(search_progress)
    .values(workspace_id=WORKSPACE, seq=bindparam("v_seq"), ordinal=bindparam("v_ordinal"))
    .on_conflict_do_nothing()
)
MOVE_PROGRESS = Statement(
    update(search_progress).where(_G.workspace_id == WORKSPACE).values(seq=bindparam("v_seq"), ordinal=bindparam("v_ordinal"))
)
NEXT_SETS = Statement(
    select(_S.id, _S.seq)
    .where(_S.workspace_id == WORKSPACE, _S.seq >= bindparam("first"), _S.seq <= bindparam("last"))
    .order_by(_S.seq)
    .limit(bindparam("limit"))
)
CHANGES_OF_SET = Statement(
    select(_H.ordinal, _H.entity_id, _H.action, _H.fields)
    .where(_H.workspace_id == WORKSPACE, _H.patch_set_id == bindparam("i"), _H.ordinal >= bindparam("ordinal"))
    .order_by(_H.ordinal)
    .limit(bindparam("limit"))
)
NUMBERS = Statement(select(_D.entity_id, _D.number).where(_D.workspace_id == WORKSPACE, among(_D.entity_id, "ids")))
PUT_DOCUMENTS = Statement(
    postgresql.insert(search_documents)
    .values({column: bindparam(f"v_{column.name}") for column in _D if column is not _D.number})
    .on_conflict_do_nothing()
)
PUT_FTS5 = Statement(text("INSERT OR REPLACE INTO search_words (rowid, title, body) VALUES (:number, :title, :body)"))
PUT_TSVECTOR = Statement(
    text(
        "INSERT INTO search_words (number, words) VALUES (:number, CAST(:words AS TSVECTOR))"
        " ON CONFLICT (number) DO UPDATE SET words = excluded.words"
    )
)


def _texts() -> dict[EntityKind, Select[tuple[str, str, str | None, str, str, str]]]:
    """Return, by kind, how items are read: id, project's id, task's id, key, title, other text.

    No project is joined for its key, which every task's key begins with: PostgreSQL reads whole projects for that
    where it has no statistics yet, as after a large import.
    """
    of_task = and_(_T.workspace_id == _C.workspace_id, _T.id == _C.task_id)
    comment = select(_C.id, _C.project_id, _C.task_id, _T.key, _T.title, _C.body).join_from(comments, tasks, of_task)
    return {
        EntityKind.PROJECT: select(_P.id, _P.id, null(), _P.key, _P.name, _P.description).where(
            _P.workspace_id == WORKSPACE, among(_P.id, "ids")
        ),
        EntityKind.TASK: select(_T.id, _T.project_id, _T.id, _T.key, _T.title, _T.description).where(
            _T.workspace_id == WORKSPACE, among(_T.id, "ids")
        ),
        EntityKind.COMMENT: comment.where(_C.workspace_id == WORKSPACE, among(_C.id, "ids")),
    }


TEXTS = {kind: Statement(source) for kind, source in _texts().items()}


class Search(Naming):
    """The part of a transaction that keeps the index and asks it."""

    def count_unindexed(self) -> tuple[int, int]:
        """Return up to which place of the history everything is in the index, and the last place there is."""
        seq, _ = self.row(PROGRESS[False]) or _FIRST
        return int(seq) - 1, int(self.rows(LATEST_SEQ)[0][0])

    def index_changes(self, limit: int) -> int:
        """Take the next changes into the index, in a write; return up to which place of the history all are."""
        self.execute(BEGIN_PROGRESS, v_seq=_FIRST[0], v_ordinal=_FIRST[1])
        seq, ordinal = self.rows(PROGRESS[self.locking])[0]
        (last,) = self.rows(LATEST_SEQ)[0]
        changed: list[str] = []
        left = limit
        for patch_set_id, at in self.rows(NEXT_SETS, first=seq, last=last, limit=limit):
            rows = self.rows(CHANGES_OF_SET, i=patch_set_id, ordinal=ordinal, limit=left)
            changed += [row[1] for row in rows if row[2] == Action.CREATED or _SEARCHED & self.codec.load_json(row[3]).keys()]
            left -= len(rows)
            if left == 0:
                seq, ordinal = at, rows[-1][0] + 1
                break
            seq, ordinal = at + 1, 0
        self._index(changed)
        self.execute(MOVE_PROGRESS, v_seq=seq, v_ordinal=ordinal)
        return int(seq) - 1

    def _index(self, changed: Sequence[str]) -> None:
        """Put these items into the index as they are now."""
        ids = list(dict.fromkeys(changed))
        items = [(kind, row) for kind, statement in TEXTS.items() for row in self.rows_among(statement, ids)]
        workspace = self.workspace
        self.execute_many(PUT_DOCUMENTS, items, lambda item: (workspace, item[0].value, *item[1][:3]))
        numbers: dict[str, int] = dict(self.rows_among(NUMBERS, ids))
        on_sqlite = self.codec.dialect.name == "sqlite"
        put, row_of = (PUT_FTS5, _fts5_row) if on_sqlite else (PUT_TSVECTOR, _tsvector_row)
        self.execute_many(put, items, lambda item: (numbers[item[1][0]], *row_of(*_words(*item))))

    def find_documents(self, query: SearchQuery, terms: Sequence[Term]) -> FoundPage:
        """Return one page of the live items that have all the terms, the most relevant first; an unknown project is NotFound."""
        index = _fts5(terms) if self.codec.dialect.name == "sqlite" else _tsvector(terms)
        filters = [index.matches if terms else false(), _D.workspace_id == WORKSPACE]
        filters += [_P.deleted_at.is_(None), _T.deleted_at.is_(None)]
        if query.project is not None:
            filters.append(_D.project_id == self.require_project_id(query.project))
        if query.kind:
            filters.append(_D.kind.in_([kind.value for kind in query.kind]))
        in_project = and_(_P.workspace_id == _D.workspace_id, _P.id == _D.project_id)
        of_task = and_(_T.workspace_id == _D.workspace_id, _T.id == _D.task_id)
        source = index.documents.join(projects, in_project).outerjoin(tasks, of_task)
        page = list_page(self, query, source, filters, Sorting((index.relevance, _D.entity_id), descending=True))
        found = {
            row[0]: Found(kind, row[0], row[3], row[3].partition("-")[0], *row[4:])
            for kind, statement in TEXTS.items()
            for row in self.rows_among(statement, page.ids)
        }
        return FoundPage([found[item] for item in page.ids], page.place)


def _words(kind: EntityKind, row: Row) -> tuple[list[str], list[str]]:
    """Return the words of an item's title and of its other text; a comment has no title of its own."""
    key, title, other = row[3], row[4], words_of(row[5])
    match kind:
        case EntityKind.PROJECT:
            return [*words_of(key), *words_of(title)], other
        case EntityKind.TASK:
            return [key_word(key), *words_of(title)], other
        case EntityKind.COMMENT:
            return [], other
        case _:
            assert_never(kind)


# The two indexes. A word in a title weighs ten times one in another text: FTS5 is told so, and PostgreSQL's own weights
# of A and D are 1.0 and 0.1. Relevance is a whole number, for a cursor has to carry it exactly.


@dataclass(frozen=True, slots=True)
class _Index:
    """How one database is asked for terms."""

    matches: ColumnElement[bool]
    relevance: ColumnElement[int]
    documents: FromClause


def _fts5(terms: Sequence[Term]) -> _Index:
    words: ColumnElement[str] = literal_column("search_words")
    asked = " AND ".join(f'"{term.text}"{" *" if term.prefix else ""}' for term in terms)
    score = func.bm25(words, literal_column("10.0"), literal_column("1.0")) * literal_column("-1e12")  # lower is better
    return _Index(
        words.op("MATCH", is_comparison=True)(literal(asked)),
        cast(score, BigInteger),
        _W.join(search_documents, _D.number == literal_column("+search_words.rowid")),  # the sign: words first, then their items
    )


def _fts5_row(title: list[str], other: list[str]) -> Row:
    return " ".join(title), " ".join(other)


def _tsvector(terms: Sequence[Term]) -> _Index:
    asked = cast(literal(" & ".join(f"'{term.text}'{':*' if term.prefix else ''}" for term in terms)), postgresql.TSQUERY)
    return _Index(
        _W.c.words.op("@@", is_comparison=True)(asked),
        cast(func.ts_rank(_W.c.words, asked) * literal_column("1e9"), BigInteger),
        _W.join(search_documents, _D.number == _W.c.number),
    )


def _tsvector_row(title: list[str], other: list[str]) -> Row:
    places = enumerate(title + other, start=1)
    return (" ".join(f"'{word}':{place}{'A' if place <= len(title) else 'D'}" for place, word in places),)
