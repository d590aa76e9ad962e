"""The trash: deleted items that were named by a patch, each with what its deletion took along.

All rows of one deletion carry its id, so its root is the row whose parent and project do not.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, bindparam, func, null, or_, select, union_all

from core.storage.sql.names import Naming
from core.storage.sql.paging import Sorting, list_page
from core.storage.sql.session import WORKSPACE, Row, Statement
from core.storage.sql.tables import patch_set_changes, patch_sets, projects, tasks
from core.storage.sql.types import among
from schemas.changes import Action, EntityKind
from schemas.trash import TrashEntry, TrashQuery, TrashResponse

_P = projects.c
_T = tasks.c
_H = patch_set_changes.c
_S = patch_sets.c
_PARENT = tasks.alias("parent")
_ABOVE = tasks.outerjoin(_PARENT, and_(_PARENT.c.workspace_id == _T.workspace_id, _PARENT.c.id == _T.parent_id)).join(
    projects, and_(_P.workspace_id == _T.workspace_id, _P.id == _T.project_id)
)
_IS_ROOT = and_(
    _T.workspace_id == WORKSPACE,
    _T.deletion_id.is_not(None),
    or_(_PARENT.c.deletion_id.is_(None), _PARENT.c.deletion_id != _T.deletion_id),
    or_(_P.deletion_id.is_(None), _P.deletion_id != _T.deletion_id),
)

# Id, key, key of the project, title, time and id of the deletion; then the deletions of the project and of the parent.
TRASHED_PROJECTS = Statement(
    select(_P.id, _P.key, _P.key, _P.name, _P.deleted_at, _P.deletion_id, null(), null()).where(
        _P.workspace_id == WORKSPACE, among(_P.id, "ids")
    )
)
TRASHED_TASKS = Statement(
    select(_T.id, _T.key, _P.key, _T.title, _T.deleted_at, _T.deletion_id, _P.deletion_id, _PARENT.c.deletion_id)
    .select_from(_ABOVE)
    .where(_T.workspace_id == WORKSPACE, among(_T.id, "ids"))
)
SIZES = Statement(
    select(_T.deletion_id, func.count())
    .where(_T.workspace_id == WORKSPACE, among(_T.deletion_id, "ids"), _T.deletion_id.is_not(None))
    .group_by(_T.deletion_id)
)
ROOTS = Statement(select(_T.deletion_id, _T.key).select_from(_ABOVE).where(_IS_ROOT, among(_T.deletion_id, "ids")))
CHANGES = Statement(
    select(_H.entity_id, _H.action, _H.fields, _S.id, func.coalesce(_S.closed_by, _S.author))
    .join_from(patch_set_changes, patch_sets, and_(_S.workspace_id == _H.workspace_id, _S.id == _H.patch_set_id))
    .where(
        _H.workspace_id == WORKSPACE,
        _H.kind == bindparam("kind"),
        among(_H.entity_id, "ids"),
    )
    .order_by(_H.revision)
)


class Trash(Naming):
    """The part of a transaction that lists what can be restored."""

    def list_trash(self, query: TrashQuery) -> TrashResponse:
        """Return one page of deletions, the latest first; an unknown project is NotFound."""
        source = _trash(None if query.project is None else self.require_project_id(query.project))
        page = list_page(self, query, source, [], Sorting((source.c.deleted_at, source.c.id), descending=True))
        found = {entry.id: entry for kind in (EntityKind.PROJECT, EntityKind.TASK) for entry in self._entries(kind, page.ids)}
        return TrashResponse.model_construct(trash=[found[item] for item in page.ids], **page.place)

    def _entries(self, kind: EntityKind, ids: list[str]) -> list[TrashEntry]:
        rows = list(self.rows_among(TRASHED_PROJECTS if kind is EntityKind.PROJECT else TRASHED_TASKS, ids))
        sizes: dict[str, int] = dict(self.rows_among(SIZES, [row[5] for row in rows]))
        roots: dict[str, str] = dict(self.rows_among(ROOTS, {row[7] for row in rows if row[7] is not None}))
        deletions = self._deletions(kind, [row[0] for row in rows])
        return [self._entry(kind, row, sizes, roots, *deletions[row[0]]) for row in rows]

    def _deletions(self, kind: EntityKind, ids: list[str]) -> dict[str, tuple[str, str]]:
        """Return, by item, the set that deleted it last, and who applied that."""
        found = {}
        for item_id, action, fields, patch_set_id, applied_by in self.rows_among(CHANGES, ids, kind=kind.value):
            # A set that also creates the item, or restores it first, says so in its action.
            if action == Action.DELETED or "deleted_at" in self.codec.load_json(fields):
                found[item_id] = (patch_set_id, applied_by)
        return found

    def _entry(
        self, kind: EntityKind, row: Row, sizes: dict[str, int], roots: dict[str, str], patch_set_id: str, deleted_by: str
    ) -> TrashEntry:
        item_id, key, project, title, deleted_at, deletion_id, project_deletion, parent_deletion = row
        return TrashEntry.model_construct(
            kind=kind,
            id=item_id,
            key=key,
            project=project,
            title=title,
            deleted_at=self.codec.load_instant(deleted_at),
            deleted_by=deleted_by,
            patch_set_id=patch_set_id,
            tasks=sizes.get(deletion_id, 0) - (kind is EntityKind.TASK),
            restore={"op": f"restore_{kind}", kind.value: key},
            waits_for=project if project_deletion else roots.get(parent_deletion),
        )


def _trash(project_id: str | None) -> Subquery:
    """Select the roots of all deletions, or of those in one project."""

    def roots(table: Any, project: ColumnElement[str], *conditions: ColumnElement[bool]) -> Select[Any]:
        of_project = () if project_id is None else (project == project_id,)
        return select(table.c.id, table.c.deleted_at).where(*conditions, *of_project)

    deleted_projects = roots(projects, _P.id, _P.workspace_id == WORKSPACE, _P.deletion_id.is_not(None))
    return union_all(deleted_projects, roots(tasks, _T.project_id, _IS_ROOT).select_from(_ABOVE)).subquery("trash")
