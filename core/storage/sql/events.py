"""The applied history in the order of its commits, as readers of the live feed take it."""

from collections import defaultdict

from sqlalchemy import bindparam, func, select

from core.storage.sql.session import WORKSPACE, Session, Statement
from core.storage.sql.tables import patch_set_projects, patch_sets, projects
from core.storage.sql.types import among
from schemas.changes import Totals
from schemas.events import Event, EventProject

_S = patch_sets.c
_R = patch_set_projects.c
_P = projects.c

LATEST_SEQ = Statement(select(func.coalesce(func.max(_S.seq), 0)).where(_S.workspace_id == WORKSPACE))
APPLIED_SETS = Statement(
    select(_S.id, _S.seq, _S.summary, _S.engine, _S.author, _S.closed_by, _S.closed_at, _S.reverts, _S.totals)
    .where(_S.workspace_id == WORKSPACE, _S.seq > bindparam("after"))
    .order_by(_S.seq)
    .limit(bindparam("limit"))
)
CHANGED_PROJECTS = Statement(
    select(_R.patch_set_id, _P.id, _P.key, _R.revision_before, _R.revision_after)
    .join(projects, (_P.workspace_id == _R.workspace_id) & (_P.id == _R.project_id))
    .where(_R.workspace_id == WORKSPACE, among(_R.patch_set_id, "ids"))
    .order_by(_P.key)
)


class EventReads(Session):
    """The part of a transaction that reads the history forwards."""

    def latest_seq(self) -> int:
        """Return the place of the last applied set, 0 before the first one."""
        (seq,) = self.rows(LATEST_SEQ)[0]
        return int(seq)

    def list_events(self, after: int, *, limit: int = 200) -> list[Event]:
        """Return the applied sets that follow `after`, oldest first."""
        rows = self.rows(APPLIED_SETS, after=after, limit=limit)
        changed: defaultdict[str, list[EventProject]] = defaultdict(list)
        for patch_set_id, *values in self.rows_among(CHANGED_PROJECTS, [row[0] for row in rows]):
            project_id, key, before, revision = values
            changed[patch_set_id].append(
                EventProject.model_construct(id=project_id, key=key, revision_before=before, revision=revision)
            )
        json = self.codec.load_json
        return [
            Event.model_construct(
                patch_set_id=row[0],
                seq=row[1],
                summary=row[2],
                engine=row[3],
                author=row[4],
                applied_by=row[5],
                applied_at=self.codec.load_instant(row[6]),
                reverts=json(row[7]),
                totals=Totals.model_construct(**json(row[8])),
                projects=changed[row[0]],
            )
            for row in rows
        ]
