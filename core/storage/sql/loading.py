"""Load the stored rows that a patch set touches, by a handful of indexed look-ups.

The cost follows the rows returned, whatever the project's size; a whole project is read only
where the patch set deletes or restores all of it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Select, bindparam, func, select, tuple_, union

from core.patches.snapshot import LaterChange, Needs, Place, ProjectRecord, Snapshot, TaskRecord
from core.storage.sql.closure import ClosureSearch
from core.storage.sql.names import PROJECTS_BY_ID, PROJECTS_BY_KEY, TASKS_BY_ID, TASKS_BY_KEY, Naming, canonical, split_names
from core.storage.sql.rows import TASK_COLUMNS, project_record, task_record
from core.storage.sql.session import WORKSPACE, Row, Statement
from core.storage.sql.tables import dependencies, patch_set_changes, projects, tasks
from core.storage.sql.types import among
from schemas.changes import Action, EntityKind

_T = tasks.c
_P = projects.c
_D = dependencies.c
_H = patch_set_changes.c
_OWN = _T.workspace_id == WORKSPACE
_TASKS = select(*TASK_COLUMNS).where(_OWN)


# What goes or comes back together is listed in this order, whichever database holds it.
_BY_PLACE = (_T.depth, _T.position, _T.id)


def _upwards() -> Select[Any]:
    """Select some tasks and everything above them."""
    up = select(_T.id, _T.parent_id).where(_OWN, among(_T.id, "ids")).cte("up", recursive=True)
    up = up.union(select(_T.id, _T.parent_id).join_from(up, tasks, _T.id == up.c.parent_id).where(_OWN))
    return _TASKS.where(_T.id.in_(select(up.c.id)))


def _descendants() -> Select[Any]:
    down = select(_T.id).where(_OWN, among(_T.parent_id, "ids")).cte("down", recursive=True)
    down = down.union(select(_T.id).join_from(down, tasks, _T.parent_id == down.c.id).where(_OWN))
    return _TASKS.where(_T.id.in_(select(down.c.id))).order_by(*_BY_PLACE)


_PLACES = {True: _T.parent_id == bindparam("parent"), False: _T.parent_id.is_(None) & (_T.project_id == bindparam("project"))}


def _beside(nested: bool, *, after: bool) -> Statement:
    here, there = tuple_(_T.position, _T.id), tuple_(bindparam("position"), bindparam("id"))
    order = (_T.position, _T.id) if after else (_T.position.desc(), _T.id.desc())
    beyond = here > there if after else here < there
    return Statement(select(_T.position, _T.id).where(_OWN, _PLACES[nested], beyond).order_by(*order).limit(1))


def _last_below_tasks() -> Select[Any]:
    child = tasks.alias("child")
    last = select(func.max(child.c.position)).where(child.c.workspace_id == _T.workspace_id, child.c.parent_id == _T.id)
    return select(_T.id, last.scalar_subquery()).where(_OWN, among(_T.id, "ids"))


def _last_in_projects() -> Select[Any]:
    last = select(func.max(_T.position)).where(_T.workspace_id == _P.workspace_id, _T.project_id == _P.id, _T.parent_id.is_(None))
    return select(_P.id, last.scalar_subquery()).where(_P.workspace_id == WORKSPACE, among(_P.id, "ids"))


def _lock() -> Select[Any]:
    """Lock named projects and the projects of named tasks, in id order: two patch sets never wait for each other."""
    named = union(
        select(_P.id).where(_P.workspace_id == WORKSPACE, among(_P.id, "project_ids")),
        select(_P.id).where(_P.workspace_id == WORKSPACE, among(_P.key, "project_keys")),
        select(_T.project_id).where(_OWN, among(_T.id, "task_ids")),
        select(_T.project_id).where(_OWN, among(_T.key, "task_keys")),
    )
    return select(_P.id).where(_P.workspace_id == WORKSPACE, _P.id.in_(named)).order_by(_P.id).with_for_update()


UPWARDS = Statement(_upwards())
DESCENDANTS = Statement(_descendants())
TASKS_OF_PROJECT = Statement(_TASKS.where(_T.project_id == bindparam("project")).order_by(*_BY_PLACE))
TASKS_OF_DELETION = Statement(_TASKS.where(among(_T.deletion_id, "ids")).order_by(*_BY_PLACE))
TASKS_OF_PLACE = {nested: Statement(_TASKS.where(place).order_by(_T.position, _T.id)) for nested, place in _PLACES.items()}
BEFORE = {nested: _beside(nested, after=False) for nested in _PLACES}
AFTER = {nested: _beside(nested, after=True) for nested in _PLACES}
LAST_BELOW_TASKS = Statement(_last_below_tasks())
LAST_IN_PROJECTS = Statement(_last_in_projects())
EDGES = Statement(
    select(_D.task_id, _D.depends_on_id)
    .where(_D.workspace_id == WORKSPACE, among(_D.task_id, "ids"))
    .order_by(_D.task_id, _D.depends_on_id)
)
LATER = Statement(
    select(_H.entity_id, _H.revision, _H.action, _H.fields)
    .where(
        _H.workspace_id == WORKSPACE,
        _H.kind == bindparam("kind"),
        among(_H.entity_id, "ids"),
        _H.revision > bindparam("base"),
    )
    .order_by(_H.entity_id, _H.revision)
)
KEYS_LIKE = Statement(select(_P.key).where(_P.workspace_id == WORKSPACE, _P.key >= bindparam("base"), _P.key < bindparam("end")))
LOCK_PROJECTS = Statement(_lock())

_ANCHORS_PER_PLACE = 32  # beyond this, one read of the place costs less than a look-up per anchor
_NAMES_SUGGESTED = 50
_AFTER_ALL_KEYS = "["  # follows Z, the greatest character of a key


class Loading(Naming):
    """The part of a transaction that loads snapshots."""

    def load_snapshot(self, needs: Needs) -> Snapshot:
        """Return the rows a patch set touches. In a write, its projects are locked first."""
        return _SnapshotLoader(self, needs).load()

    def lock_projects(self, *, projects: Iterable[str] = (), tasks: Iterable[str] = ()) -> None:
        """In a write, lock these projects and those of these tasks: what is read from now on stays true to the end."""
        if not self.locking:
            return
        dump = self.codec.dump_ids
        project_ids, project_keys = split_names(projects)
        task_ids, task_keys = split_names(tasks)
        self.rows(
            LOCK_PROJECTS,
            project_ids=dump(project_ids),
            project_keys=dump(project_keys),
            task_ids=dump(task_ids),
            task_keys=dump(task_keys),
        )


class _SnapshotLoader:
    def __init__(self, session: Loading, needs: Needs) -> None:
        self.session = session
        self.needs = needs
        self.snapshot = Snapshot()

    def load(self) -> Snapshot:
        needs = self.needs
        task_names = needs.tasks.union(
            needs.anchors, needs.subtrees, needs.deletions, needs.edges, needs.starts, needs.ends, needs.append_to_tasks
        )
        project_names = needs.projects.union(
            needs.whole_projects, needs.project_deletions, needs.append_to_projects, needs.base_revisions
        )
        self.session.lock_projects(projects=project_names, tasks=task_names)
        if task_names:
            self._load_named_tasks(task_names)
            self._load_families()
        self._load_named_projects(project_names)
        revived = self._load_deletions() if needs.deletions or needs.project_deletions or needs.whole_projects else set()
        if self.snapshot.tasks:
            self._load_edges()
            self._load_neighbours()
            self._load_missing_projects()
        self._load_last_positions()
        self._load_taken_keys()
        if needs.starts or needs.ends or needs.project_deletions:
            search = ClosureSearch(self.session, self.snapshot, revived)
            starts = self._task_ids(needs.starts) + sorted(revived)
            search.run(starts, self._task_ids(needs.ends))
        if self.snapshot.base:
            self._load_later_changes()
        return self.snapshot

    def _load_named_tasks(self, names: frozenset[str]) -> None:
        wanted = {name: canonical(name) for name in names}
        found: dict[str, str] = {}
        for record in self._add_tasks(self.session.named_rows(wanted.values(), TASKS_BY_ID, TASKS_BY_KEY)):
            found[record.id] = found[record.key] = record.id
        for name, meant in wanted.items():
            if meant in found:
                self.snapshot.task_names[name] = found[meant]
            elif len(self.snapshot.suggestions) < _NAMES_SUGGESTED:
                self.snapshot.suggestions[name] = self.session.suggest_tasks(name)

    def _load_named_projects(self, names: frozenset[str]) -> None:
        wanted = {name: canonical(name) for name in names}
        found: dict[str, str] = {}
        for record in self._project_records(wanted.values()):
            self.snapshot.projects[record.id] = record
            found[record.id] = found[record.key] = record.id
        for name, meant in wanted.items():
            if meant in found:
                self.snapshot.project_names[name] = found[meant]
            elif len(self.snapshot.suggestions) < _NAMES_SUGGESTED:
                self.snapshot.suggestions[name] = self.session.suggest_projects(name)
        for name, revision in self.needs.base_revisions.items():
            if name in self.snapshot.project_names:
                self.snapshot.base[self.snapshot.project_names[name]] = revision

    def _project_records(self, names: Collection[str]) -> list[ProjectRecord]:
        known = self.session.known
        if known is None:
            return self._read_projects(names)
        records = [known.projects[name] for name in names if name in known.projects]
        if len(records) < len(names):
            with self.session.apart():  # what a plan that is held back changes is known
                unknown = self._read_projects([name for name in names if name not in known.projects])
                last_positions = self.session.rows_among(LAST_IN_PROJECTS, [record.id for record in unknown])
                known.last_positions.update({(project_id, None): last for project_id, last in last_positions})
            for record in unknown:
                known.projects[record.id] = known.projects[record.key] = record
            records += unknown
        return records

    def _read_projects(self, names: Collection[str]) -> list[ProjectRecord]:
        rows = self.session.named_rows(names, PROJECTS_BY_ID, PROJECTS_BY_KEY)
        return [project_record(row, self.session.codec) for row in rows]

    def _load_families(self) -> None:
        known = self.snapshot.tasks
        parents = {record.parent_id for record in known.values() if record.parent_id is not None}
        self._add_tasks(self.session.rows_among(UPWARDS, parents - known.keys()))
        self._add_tasks(self.session.rows_among(DESCENDANTS, self._task_ids(self.needs.subtrees)))

    def _load_deletions(self) -> set[str]:
        """Load the rows that went with the tasks and projects to restore; return their ids."""
        snapshot = self.snapshot
        gone = {snapshot.tasks[task_id].deletion_id for task_id in self._task_ids(self.needs.deletions)}
        gone |= {snapshot.projects[project_id].deletion_id for project_id in self._project_ids(self.needs.project_deletions)}
        for project_id in self._project_ids(self.needs.whole_projects):
            self._add_tasks(self.session.rows(TASKS_OF_PROJECT, project=project_id))
        deletions = [deletion_id for deletion_id in gone if deletion_id is not None]
        return {record.id for record in self._add_tasks(self.session.rows_among(TASKS_OF_DELETION, deletions))}

    def _load_edges(self) -> None:
        for task_id, depends_on_id in self.session.rows_among(EDGES, self._task_ids(self.needs.edges)):
            self.snapshot.edges[task_id].append(depends_on_id)
        ends = {end for known in self.snapshot.edges.values() for end in known}
        self._add_tasks(self.session.rows_among(TASKS_BY_ID, ends - self.snapshot.tasks.keys()))

    def _load_missing_projects(self) -> None:
        missing = {record.project_id for record in self.snapshot.tasks.values()} - self.snapshot.projects.keys()
        for row in self.session.rows_among(PROJECTS_BY_ID, missing):
            self.snapshot.projects[row[0]] = project_record(row, self.session.codec)

    def _load_neighbours(self) -> None:
        anchors: dict[Place, list[TaskRecord]] = defaultdict(list)
        for task_id in self._task_ids(self.needs.anchors):
            record = self.snapshot.tasks[task_id]
            anchors[record.project_id, record.parent_id].append(record)
        for place, here in anchors.items():
            known = self._neighbours(here) if len(here) <= _ANCHORS_PER_PLACE else None
            self.snapshot.siblings[place] = known or self._whole_place(place)

    def _neighbours(self, anchors: list[TaskRecord]) -> list[tuple[int, str]] | None:
        """Return the anchors with the siblings next to them, or None if there may be too little room between."""
        known: set[tuple[int, str]] = set()
        for anchor in anchors:
            nested = anchor.parent_id is not None
            place = {"parent": anchor.parent_id, "project": anchor.project_id, "position": anchor.position, "id": anchor.id}
            known.add((anchor.position, anchor.id))
            for beside in (BEFORE[nested], AFTER[nested]):
                for position, task_id in self.session.rows(beside, **place):
                    if self._is_narrow(abs(position - anchor.position)):
                        return None
                    known.add((position, task_id))
        return sorted(known)

    def _is_narrow(self, gap: int) -> bool:
        placements = self.needs.placements
        return gap <= 2 * placements + 2 or (placements > 32 and gap < 2**33)

    def _whole_place(self, place: Place) -> list[tuple[int, str]]:
        project_id, parent_id = place
        rows = self.session.rows(TASKS_OF_PLACE[parent_id is not None], parent=parent_id, project=project_id)
        self.snapshot.complete_places.add(place)
        return [(record.position, record.id) for record in self._add_tasks(rows)]

    def _load_last_positions(self) -> None:
        snapshot = self.snapshot
        parents, projects = set(self._task_ids(self.needs.append_to_tasks)), set(self._project_ids(self.needs.append_to_projects))
        for moving in map(snapshot.tasks.__getitem__, self._task_ids(self.needs.append_beside)):
            projects.add(moving.project_id)
            if moving.parent_id:
                parents.add(moving.parent_id)
        for parent_id, last in self.session.rows_among(LAST_BELOW_TASKS, parents) if parents else ():
            if last is not None:
                snapshot.last_position[snapshot.tasks[parent_id].project_id, parent_id] = last
        for project_id, last in self._last_in_projects(projects).items():
            if last is not None:
                snapshot.last_position[project_id, None] = last

    def _last_in_projects(self, ids: set[str]) -> dict[str, int | None]:
        known = self.session.known
        if known is None:
            return dict(self.session.rows_among(LAST_IN_PROJECTS, ids))
        unknown = [item for item in ids if (item, None) not in known.last_positions]
        for project_id, last in self.session.rows_among(LAST_IN_PROJECTS, unknown) if unknown else ():
            known.last_positions[project_id, None] = last
        return {item: known.last_positions[item, None] for item in ids}

    def _load_taken_keys(self) -> None:
        for base in self.needs.key_bases:
            self.snapshot.taken_keys.update(key for (key,) in self.session.rows(KEYS_LIKE, base=base, end=base + _AFTER_ALL_KEYS))

    def _load_later_changes(self) -> None:
        changed: dict[str, list[str]] = defaultdict(list)
        for record in self.snapshot.tasks.values():
            if record.revision > self.snapshot.base.get(record.project_id, record.revision):
                changed[record.project_id].append(record.id)
        for project_id, base in self.snapshot.base.items():
            if self.snapshot.projects[project_id].revision > base:
                self._add_later(EntityKind.PROJECT, [project_id], base)
            self._add_later(EntityKind.TASK, changed[project_id], base)

    def _add_later(self, kind: EntityKind, ids: list[str], base: int) -> None:
        for entity_id, revision, action, fields in self.session.rows_among(LATER, ids, kind=kind.value, base=base):
            entry = LaterChange(revision, Action(action), self.session.codec.load_json(fields))
            self.snapshot.later.setdefault((kind, entity_id), []).append(entry)

    def _add_tasks(self, rows: Iterable[Row]) -> list[TaskRecord]:
        records = [task_record(row, self.session.codec) for row in rows]
        for record in records:
            self.snapshot.tasks.setdefault(record.id, record)
        return records

    def _task_ids(self, names: frozenset[str]) -> list[str]:
        """Return the ids of those names that exist, each once, in a stable order."""
        return _ids(names, self.snapshot.task_names)

    def _project_ids(self, names: frozenset[str]) -> list[str]:
        return _ids(names, self.snapshot.project_names)


def _ids(names: frozenset[str], known: Mapping[str, str]) -> list[str]:
    return sorted({known[name] for name in names if name in known}) if names else []
