"""Patch sets as stored: proposals, the history of applied ones, and their changes."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, CompoundSelect, and_, bindparam, delete, literal_column, select, union
from sqlalchemy.dialects import postgresql

from core.storage.interface import PatchSetRecord
from core.storage.sql.failures import SerialisationFailure
from core.storage.sql.names import PROJECTS_BY_ID, PROJECTS_BY_KEY, Naming
from core.storage.sql.paging import Sorting, list_page
from core.storage.sql.session import WORKSPACE, Codec, Row, Statement, dump_json
from core.storage.sql.tables import comments, patch_set_changes, patch_set_projects, patch_sets
from core.storage.sql.types import among
from schemas.changes import Action, Change, EntityKind, RefTarget, Totals
from schemas.errors import Issue
from schemas.patches import ApprovalMeans, PatchSetListResponse, PatchSetQuery, PatchSetSummary, ProposalState
from schemas.usage import Usage

_S = patch_sets.c
_R = patch_set_projects.c
_H = patch_set_changes.c
_FIND = select(*(column for column in patch_sets.c if column.name not in ("workspace_id", "patch_count"))).where(
    _S.workspace_id == WORKSPACE, _S.id == bindparam("i")
)
FIND = {False: Statement(_FIND), True: Statement(_FIND.with_for_update())}


def _put() -> postgresql.Insert:
    """Insert, or replace the row of the same proposal while it is open.

    A row of another is one that came between our reading and our writing; it stays, and the work runs again.
    """
    statement = postgresql.insert(patch_sets).values({column: bindparam(f"v_{column.name}") for column in patch_sets.c})
    changed = {
        column.name: statement.excluded[column.name] for column in patch_sets.c if column.name not in ("workspace_id", "id")
    }
    return statement.on_conflict_do_update(
        index_elements=["workspace_id", "id"],
        set_=changed,
        where=and_(
            _S.state == literal_column(f"'{ProposalState.PROPOSED}'"),
            _S.hash == statement.excluded.hash,
            _S.created_at == statement.excluded.created_at,
        ),
    )


PUT = Statement(_put())
FORGET_PROJECTS = Statement(delete(patch_set_projects).where(_R.workspace_id == WORKSPACE, among(_R.patch_set_id, "ids")))
TOTAL_CHANGES = Statement(select(_S.changes_total).where(_S.workspace_id == WORKSPACE, _S.id == bindparam("i")))
CHANGE_COLUMNS = (_H.kind, _H.entity_id, _H.key, _H.title, _H.action, _H.fields, _H.patch_indexes, _H.cascaded)
CHANGES = Statement(
    select(*CHANGE_COLUMNS)
    .where(_H.workspace_id == WORKSPACE, _H.patch_set_id == bindparam("i"), _H.ordinal >= bindparam("after"))
    .order_by(_H.ordinal)
    .limit(bindparam("limit"))
)
_SUMMARY = (
    _S.id,
    _S.summary,
    _S.rationale,
    _S.state,
    _S.engine,
    _S.author,
    _S.created_at,
    _S.closed_at,
    _S.closed_by,
    _S.patch_count,
    _S.changes_total,
    _S.totals,
    _S.seq,
    _S.reverts,
    _S.revisions,
    _S.approval,
)
SUMMARIES = Statement(select(*_SUMMARY).where(_S.workspace_id == WORKSPACE, among(_S.id, "ids")))


class History(Naming):
    """The part of a transaction that keeps patch sets."""

    def find_patch_set(self, patch_set_id: str, *, lock: bool = False) -> PatchSetRecord | None:
        row = self.row(FIND[lock and self.locking], i=patch_set_id)
        return None if row is None else _record(row, self.codec)

    def save_proposal(self, record: PatchSetRecord) -> None:
        """Insert a proposal, or replace the stored one of the same id (state, reason, closing)."""
        self.put_patch_set(record)
        by_key = {row[1]: row[0] for row in self.named_rows(record.base_revisions, PROJECTS_BY_ID, PROJECTS_BY_KEY)}
        touched = [(by_key[key], revision) for key, revision in record.base_revisions.items() if key in by_key]
        self.insert_many(patch_set_projects, ((self.workspace, record.id, *item, None) for item in touched))

    def put_patch_set(self, record: PatchSetRecord) -> None:
        """Insert or replace the row of a patch set that is not applied yet; which projects it touches is written next."""
        self.put_patch_sets([record])

    def put_patch_sets(self, records: Sequence[PatchSetRecord]) -> None:
        """Insert or replace these rows together."""
        if self.execute_many(PUT, records, lambda record: _row(self.workspace, record, self.codec)) != len(records):
            raise SerialisationFailure
        self.execute(FORGET_PROJECTS, ids=self.codec.dump_ids([record.id for record in records]))

    def count_changes(self, patch_set_id: str) -> int | None:
        """Return how many changes a set made; None if there is no such set."""
        row = self.row(TOTAL_CHANGES, i=patch_set_id)
        return None if row is None else int(row[0])

    def list_changes(self, patch_set_id: str, *, after: int = 0, limit: int = 200) -> list[Change]:
        """Return stored changes of an applied set in plan order, from the `after`-th on."""
        return [change_of(row, self.codec) for row in self.rows(CHANGES, i=patch_set_id, after=after, limit=limit)]

    def list_patch_sets(self, query: PatchSetQuery) -> PatchSetListResponse:
        """Newest first: by seq where applied sets are asked for, else by creation."""
        applied_only = query.state == [ProposalState.APPLIED]
        sorting = Sorting((_S.seq, _S.id) if applied_only else (_S.created_at, _S.id), descending=True)
        page = list_page(self, query, patch_sets, self._filters(query), sorting)
        found = [summary_of(row, self.codec) for row in self.rows_in_order(SUMMARIES, page.ids)]
        return PatchSetListResponse.model_construct(patch_sets=found, **page.place)

    def _filters(self, query: PatchSetQuery) -> list[ColumnElement[bool]]:
        filters = [_S.workspace_id == WORKSPACE]
        if query.state:
            filters.append(_S.state.in_([state.value for state in query.state]))
        if query.author is not None:
            filters.append(_S.author == query.author)
        if query.project is not None:
            project_id = self.require_project_id(query.project)
            touching = select(_R.patch_set_id).where(_R.workspace_id == WORKSPACE, _R.project_id == project_id)
            filters.append(_S.id.in_(touching))
        if query.task is not None:
            filters.append(_S.id.in_(touching_task(self.require_task_id(query.task))))
        return filters


def touching_task(task_id: str) -> CompoundSelect[str]:
    about = select(comments.c.id).where(comments.c.workspace_id == WORKSPACE, comments.c.task_id == task_id)
    changes = select(_H.patch_set_id).where(_H.workspace_id == WORKSPACE)
    return union(
        changes.where(_H.kind == EntityKind.TASK.value, _H.entity_id == task_id),
        changes.where(_H.kind == EntityKind.COMMENT.value, _H.entity_id.in_(about)),
    )


def _row(workspace: str, record: PatchSetRecord, codec: Codec) -> Row:
    """Return the row of a patch set, in the table's order."""
    instant = codec.dump_instant
    return (
        workspace,
        record.id,
        record.summary,
        record.rationale,
        dump_json(record.base_revisions) if record.base_revisions else "{}",
        dump_json(record.patches),
        len(record.patches),
        record.hash,
        record.state._value_,
        record.engine,
        record.author,
        instant(record.created_at),
        None if record.closed_at is None else instant(record.closed_at),
        record.closed_by,
        record.reason,
        record.seq,
        None if record.only is None else dump_json(record.only),
        record.supersedes,
        dump_json(record.reverts) if record.reverts else "[]",
        None if record.inverse is None else dump_json(record.inverse),
        None if record.restore is None else dump_json(record.restore),
        dump_json(record.refs) if record.refs else "{}",
        dump_json(record.totals),
        record.changes_total,
        dump_json([issue.model_dump(mode="json") for issue in record.warnings]) if record.warnings else "[]",
        dump_json(record.revisions) if record.revisions else "{}",
        None if record.approval is None else record.approval._value_,
        record.model,
        None if record.usage is None else dump_json(record.usage.model_dump(mode="json")),
    )


def _record(row: Row, codec: Codec) -> PatchSetRecord:
    instant, json = codec.load_instant, codec.load_json
    return PatchSetRecord(
        id=row[0],
        summary=row[1],
        rationale=row[2],
        base_revisions=json(row[3]),
        patches=json(row[4]),
        hash=row[5],
        state=ProposalState(row[6]),
        engine=row[7],
        author=row[8],
        created_at=instant(row[9]),
        closed_at=None if row[10] is None else instant(row[10]),
        closed_by=row[11],
        reason=row[12],
        seq=row[13],
        only=None if row[14] is None else json(row[14]),
        supersedes=row[15],
        reverts=json(row[16]),
        inverse=None if row[17] is None else json(row[17]),
        restore=None if row[18] is None else json(row[18]),
        refs={ref: RefTarget.model_construct(**target) for ref, target in json(row[19]).items()},
        totals=Totals.model_construct(**json(row[20])),
        changes_total=row[21],
        warnings=[Issue.model_validate(issue) for issue in json(row[22])],
        revisions=json(row[23]),
        approval=_approval(row[24]),
        model=row[25],
        usage=None if row[26] is None else Usage.model_validate(json(row[26])),
    )


def change_of(row: Row, codec: Codec) -> Change:
    return Change.model_construct(
        kind=EntityKind(row[0]),
        id=row[1],
        key=row[2],
        title=row[3],
        action=Action(row[4]),
        fields=codec.load_json(row[5]),
        patch_indexes=codec.load_json(row[6]),
        cascaded=bool(row[7]),
    )


def summary_of(row: Row, codec: Codec) -> PatchSetSummary:
    return PatchSetSummary.model_construct(
        id=row[0],
        summary=row[1],
        rationale=row[2],
        state=ProposalState(row[3]),
        engine=row[4],
        author=row[5],
        created_at=codec.load_instant(row[6]),
        closed_at=None if row[7] is None else codec.load_instant(row[7]),
        closed_by=row[8],
        patch_count=row[9],
        changes_total=row[10],
        totals=Totals.model_construct(**codec.load_json(row[11])),
        seq=row[12],
        reverts=codec.load_json(row[13]),
        revisions=codec.load_json(row[14]),
        approval=_approval(row[15]),
    )


def _approval(code: str | None) -> ApprovalMeans | None:
    return None if code is None else ApprovalMeans(code)
