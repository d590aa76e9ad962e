"""The storage port: transactions on one workspace, and what can be asked of them.

`read` and `write` take a function and run it on one consistent state. A `write` function may be
run again after a serialisation failure, so it must be free of side effects. Every method is
bounded to the transaction's workspace; another workspace's rows do not exist here.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol, TypeVar

from core.patches.plan import Plan
from core.patches.snapshot import Needs, Snapshot
from schemas.changes import Change, RefTarget, Totals
from schemas.errors import Issue
from schemas.patches import PatchSetListResponse, PatchSetQuery, ProposalState
from schemas.projects import Project, ProjectListResponse, ProjectQuery
from schemas.tasks import Comment, CommentListResponse, Task, TaskListResponse, TaskQuery

T = TypeVar("T")


@dataclass(slots=True)
class PatchSetRecord:
    """A stored patch set: proposal and, once applied, history entry."""

    id: str
    summary: str
    rationale: str
    base_revisions: dict[str, int]  # by project key
    patches: list[Any]  # normalised
    hash: str
    state: ProposalState
    engine: str
    author: str
    created_at: datetime
    closed_at: datetime | None = None
    closed_by: str | None = None
    reason: str | None = None
    seq: int | None = None
    only: list[int] | None = None
    supersedes: str | None = None
    reverts: list[str] = field(default_factory=list)
    inverse: list[dict[str, Any]] | None = None  # patches that undo it
    restore: dict[str, dict[str, Any]] | None = None  # inverse patch index -> system fields only a revert may set
    refs: dict[str, RefTarget] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    changes_total: int = 0
    warnings: list[Issue] = field(default_factory=list)
    revisions: dict[str, int] = field(default_factory=dict)  # project key -> revision after


class Transaction(Protocol):
    # -- what plans need
    def load_snapshot(self, needs: Needs) -> Snapshot:
        """Return the rows a patch set touches. In a write, its projects are locked first."""

    def lock_projects(self, *, projects: Iterable[str] = (), tasks: Iterable[str] = ()) -> None:
        """In a write, lock these projects and those of these tasks: what is read from now on stays true to the end."""

    def save_plan(self, record: PatchSetRecord, plan: Plan) -> PatchSetRecord:
        """Store the effects of `plan` and `record` as applied; returns it with `seq` filled in.

        Replaces a stored proposal of the same id. Writes the history (patch_set_changes,
        patch_set_projects) from `plan.changes` and `plan.effects`.
        """

    # -- patch sets
    def find_patch_set(self, patch_set_id: str, *, lock: bool = False) -> PatchSetRecord | None: ...
    def save_proposal(self, record: PatchSetRecord) -> None:
        """Insert a proposal, or replace the stored one of the same id (state, reason, closing)."""

    def list_patch_sets(self, query: PatchSetQuery) -> PatchSetListResponse:
        """Newest first: by seq where applied sets are asked for, else by creation."""

    def count_changes(self, patch_set_id: str) -> int | None:
        """Return how many changes a set made (0 for a proposal), without loading it; None if there is no such set."""

    def list_changes(self, patch_set_id: str, *, after: int = 0, limit: int = 200) -> list[Change]:
        """Return stored changes of an applied set in plan order, from the `after`-th on."""

    # -- reading (Task.is_ready, is_overdue, depends_on, blocks are filled in)
    def find_project(self, name: str) -> Project | None:
        """Return the project of this id or key, deleted or not."""

    def list_projects(self, query: ProjectQuery) -> ProjectListResponse: ...
    def suggest_projects(self, name: str) -> list[str]:
        """Return up to 3 existing project keys nearest to an unknown name."""

    def find_task(self, name: str, *, today: date) -> Task | None:
        """Return the task of this id or key, deleted or not."""

    def suggest_tasks(self, name: str) -> list[str]:
        """Return up to 3 existing task keys nearest to an unknown name."""

    def list_tasks(self, query: TaskQuery, *, today: date) -> TaskListResponse: ...
    def outline(
        self, project_id: str, *, today: date, limit: int | None = None, cursor: str | None = None
    ) -> tuple[list[Task], str | None]:
        """Return live tasks in outline order (parents before children), and a cursor if there are more."""

    def list_subtasks(self, task_id: str, *, today: date) -> list[Task]:
        """Return direct live children in order, at most 1,000."""

    def list_comments(self, task_id: str, *, page: int = 1, per_page: int = 50) -> CommentListResponse:
        """Newest page first; each page oldest first."""

    def all_comments(self, project_id: str) -> list[Comment]:
        """Return the comments of all live tasks of a project, oldest first."""

    def claim_candidates(self, project_id: str | None, *, now: datetime, today: date, limit: int = 50) -> list[Task]:
        """Return ready leaves and in_progress leaves whose lease has ended: by priority, due date, position."""


class Storage(Protocol):
    def read(self, workspace: str, work: Callable[[Transaction], T]) -> T: ...
    def write(self, workspace: str, work: Callable[[Transaction], T]) -> T: ...
    def prepare(self, *, create: bool, migrate: bool) -> None:
        """Open and check the database; create or upgrade it where allowed. Raises DatabaseError with the way out."""

    def ping(self) -> None:
        """Raise unless the database answers."""

    def close(self) -> None: ...
