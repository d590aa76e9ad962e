"""Load what is reachable from the ends that a patch set ties together, for the cycle check.

A task is two nodes, its start and its end. Arrows: start(parent) -> start(child), end(child) ->
end(parent), start(x) -> end(x), end(dependency) -> start(task). The search is breadth-first, one
round of look-ups per frontier; on a long chain, reading the light graph of the whole project
becomes cheaper than going on, and takes its place.
"""

from collections.abc import Iterable

from sqlalchemy import bindparam, select

from core.patches.snapshot import GraphNode, Snapshot
from core.storage.sql.names import EDGES_OF_PROJECT
from core.storage.sql.session import WORKSPACE, Row, Session, Statement
from core.storage.sql.tables import dependencies, tasks
from core.storage.sql.types import among

_T = tasks.c
_D = dependencies.c
_NODE = (_T.id, _T.key, _T.parent_id, _T.deleted_at.is_(None))

_NODES = Statement(select(*_NODE).where(_T.workspace_id == WORKSPACE, among(_T.id, "ids")))
_CHILDREN = Statement(select(*_NODE).where(_T.workspace_id == WORKSPACE, among(_T.parent_id, "ids")))


_DEPENDENTS = Statement(
    select(*_NODE, _D.depends_on_id)
    .join_from(dependencies, tasks, (_D.workspace_id == _T.workspace_id) & (_D.task_id == _T.id))
    .where(_D.workspace_id == WORKSPACE, among(_D.depends_on_id, "ids"))
)
_NODES_OF_PROJECT = Statement(select(*_NODE).where(_T.workspace_id == WORKSPACE, _T.project_id == bindparam("project")))

_FIRST_ROUNDS = 12
_TASKS_PER_ROUND = 100  # a round of look-ups costs about as much as reading this many light rows


class ClosureSearch:
    """One search; fills `graph`, `graph_children` and `graph_dependents` of the snapshot."""

    def __init__(self, session: Session, snapshot: Snapshot, revived: set[str]) -> None:
        self.session = session
        self.snapshot = snapshot
        self.revived = revived  # deleted rows that the patch set restores: they count as live
        self.starts: set[str] = set()
        self.ends: set[str] = set()

    def run(self, starts: Iterable[str], ends: Iterable[str]) -> None:
        for record in self.snapshot.tasks.values():
            self._add((record.id, record.key, record.parent_id, record.deleted_at is None))
        known = self.snapshot.graph
        new_starts, new_ends = known.keys() & set(starts), known.keys() & set(ends)
        project_ids = {self.snapshot.tasks[task_id].project_id for task_id in new_starts | new_ends}
        rounds = 0
        while new_starts or new_ends:
            if rounds >= _FIRST_ROUNDS and self._whole_is_cheaper(project_ids, rounds):
                self._load_whole(project_ids)
                return
            new_starts, new_ends = self._round(new_starts, new_ends)
            rounds += 1

    def _round(self, new_starts: set[str], new_ends: set[str]) -> tuple[set[str], set[str]]:
        self.starts |= new_starts
        new_ends = (new_ends | new_starts) - self.ends
        self.ends |= new_ends
        found_starts = self._children(new_starts) | self._dependents(new_ends)
        return found_starts - self.starts, self._parents(new_ends) - self.ends

    def _children(self, parents: set[str]) -> set[str]:
        found = set()
        for row in self.session.rows_among(_CHILDREN, parents):
            if self._add(row):
                self.snapshot.graph_children[row[2]].append(row[0])
                found.add(row[0])
        return found

    def _dependents(self, ended: set[str]) -> set[str]:
        found = set()
        for row in self.session.rows_among(_DEPENDENTS, ended):
            if self._add(row):
                self.snapshot.graph_dependents[row[4]].append(row[0])
                found.add(row[0])
        return found

    def _parents(self, ended: set[str]) -> set[str]:
        graph = self.snapshot.graph
        parents = {parent for task_id in ended if (parent := graph[task_id].parent_id) is not None}
        for row in self.session.rows_among(_NODES, parents - graph.keys()):
            self._add(row)
        return parents & graph.keys()

    def _add(self, row: Row) -> bool:
        """Make the row a node unless it is deleted; return whether it is one."""
        task_id, key, parent_id, live = row[:4]
        if not live and task_id not in self.revived:
            return False
        if task_id not in self.snapshot.graph:
            self.snapshot.graph[task_id] = GraphNode(task_id, key, parent_id, bool(live))
        return True

    def _whole_is_cheaper(self, project_ids: set[str], rounds: int) -> bool:
        return sum(self.snapshot.projects[project_id].task_count for project_id in project_ids) <= rounds * _TASKS_PER_ROUND

    def _load_whole(self, project_ids: set[str]) -> None:
        graph = self.snapshot.graph
        self.snapshot.graph_children.clear()
        self.snapshot.graph_dependents.clear()
        for project_id in sorted(project_ids):
            nodes = [row for row in self.session.rows(_NODES_OF_PROJECT, project=project_id) if self._add(row)]
            for task_id, _, parent_id, _ in nodes:
                if parent_id in graph:
                    self.snapshot.graph_children[parent_id].append(task_id)
            for task_id, ended in self.session.rows(EDGES_OF_PROJECT, project=project_id):
                if task_id in graph and ended in graph:
                    self.snapshot.graph_dependents[ended].append(task_id)
