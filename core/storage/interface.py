"""The storage port: transactions on one workspace, and what can be asked of them.

`read` and `write` take a function and run it on one consistent state. A `write` function may be
run again after a serialisation failure, so it must be free of side effects. Every method is
bounded to the transaction's workspace; another workspace's rows do not exist here.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol, TypeVar

from core.api_keys import StoredKey
from core.idempotency import RecordedAnswer
from core.patches.plan import Plan
from core.patches.ranking import LightProject, Standing
from core.patches.snapshot import Needs, Snapshot
from core.words import Term
from schemas.access import ApiKey, Member
from schemas.changes import NOTHING_DONE, Change, EntityKind, RefTarget, Totals
from schemas.chat import ChatMessage, Conversation, ConversationListResponse
from schemas.errors import Issue
from schemas.events import Event
from schemas.jobs import Job
from schemas.paging import PageRequest
from schemas.patches import ApprovalMeans, HistoryResponse, PatchSetListResponse, PatchSetQuery, ProposalState
from schemas.projects import Project, ProjectListResponse, ProjectQuery
from schemas.search import SearchQuery
from schemas.tasks import Comment, CommentListResponse, Task, TaskListResponse, TaskQuery
from schemas.trash import TrashQuery, TrashResponse
from schemas.usage import Usage

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
    approval: ApprovalMeans | None = None
    reason: str | None = None
    seq: int | None = None
    only: list[int] | None = None
    supersedes: str | None = None
    reverts: list[str] = field(default_factory=list)
    inverse: list[dict[str, Any]] | None = None  # patches that undo it
    restore: dict[str, dict[str, Any]] | None = None  # inverse patch index -> system fields only a revert may set
    refs: dict[str, RefTarget] = field(default_factory=dict)
    totals: Totals = NOTHING_DONE
    changes_total: int = 0
    warnings: list[Issue] = field(default_factory=list)
    revisions: dict[str, int] = field(default_factory=dict)  # project key -> revision after
    model: str | None = None  # that has written it
    usage: Usage | None = None


@dataclass(slots=True)
class ConversationRecord:
    """A conversation as stored: what its caller sees, the summary of its earlier messages, and the turn that runs."""

    conversation: Conversation
    subject: str
    summary: str = ""
    summarized: int = 0  # messages that the summary stands for
    turn: str | None = None
    turn_ends_at: datetime | None = None  # after it the turn has died with its process


@dataclass(slots=True)
class JobRecord:
    """A job as stored; while it runs, its process says so before the lease ends."""

    job: Job
    subject: str
    lease_ends_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """An item that search has found, with its texts as they are now."""

    kind: EntityKind
    id: str
    key: str
    project: str  # key
    title: str
    text: str  # description, or body of a comment


@dataclass(frozen=True, slots=True)
class FoundPage:
    found: list[Found]
    place: dict[str, Any]  # the fields of `schemas.paging.Paging`


class Transaction(Protocol):
    def savepoint(self) -> AbstractContextManager[object, None]:
        """Undo what is written inside when it raises; the transaction itself goes on."""

    # -- what plans need
    def load_snapshot(self, needs: Needs) -> Snapshot:
        """Return the rows a patch set touches. In a write, its projects are locked first."""

    def lock_projects(self, *, projects: Iterable[str] = (), tasks: Iterable[str] = ()) -> None:
        """In a write, lock these projects and those of these tasks: what is read from now on stays true to the end."""

    def save_plan(self, record: PatchSetRecord, plan: Plan) -> PatchSetRecord:
        """Store the effects of `plan` and `record`, which is filled in as applied, with its `seq`, and returned.

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

    # -- looking back from a project (`revision`, `after`, `to`: revisions it has had)
    def list_history(self, project_id: str, query: PatchSetQuery) -> HistoryResponse:
        """Return the sets that changed a project, newest first; filtered by the author and task of `query`."""

    def sets_after(self, project_id: str, revision: int) -> list[tuple[int, str]]:
        """Return revision and id of the sets that changed a project after `revision`, newest first."""

    def changes_between(self, project_id: str, *, after: int, to: int) -> Iterable[Change]:
        """Return every change that was made to a project after one revision up to another, oldest first."""

    def renumberings(self, homes: Collection[str], *, after: int) -> dict[str, list[tuple[int, dict[str, tuple[int, int]]]]]:
        """Return the renumberings at some places (keys of parents or projects): revision and numbers, oldest first."""

    def project_at(self, project_id: str, revision: int, *, today: date) -> tuple[Project, list[Task]]:
        """Return a project and its live tasks in outline order as they were at `revision`; O(tasks + later changes)."""

    def comments_at(self, project_id: str, revision: int) -> list[Comment]:
        """Return the comments that a project's tasks, deleted ones included, had at `revision`; oldest first."""

    # -- the history forwards; `seq` counts applied sets without gaps, in the order of their commits
    def latest_seq(self) -> int:
        """Return the place of the last applied set, 0 before the first one."""

    def list_events(self, after: int, *, limit: int = 200) -> list[Event]:
        """Return the applied sets that follow `after`, oldest first."""

    # -- idempotency keys, each a caller's own
    def find_answer(self, subject: str, key: str, *, now: datetime) -> RecordedAnswer | None:
        """Return how the call of this key ended, unless it has expired."""

    def take_key(self, subject: str, key: str, *, fingerprint: str, now: datetime, expires_at: datetime) -> RecordedAnswer | None:
        """Take a key for this transaction, waiting for another that holds it; return how that one ended.

        None means the key is ours until we commit, and after it until `expires_at`; `record_answer` or `free_key` is due.
        Removes some expired keys.
        """

    def record_answer(self, subject: str, key: str, *, answer: str, refused: bool, expires_at: datetime) -> bool:
        """Store how the call of a key that was taken ended; False when it is not held any more."""

    def free_key(self, subject: str, key: str) -> None:
        """Give back a key that was taken, unless its call has ended."""

    # -- conversations, each a caller's own
    def save_conversation(self, record: ConversationRecord) -> None:
        """Insert a conversation, or replace what is stored of it."""

    def find_conversation(self, subject: str, conversation_id: str, *, lock: bool = False) -> ConversationRecord | None:
        """Return a conversation of `subject`."""

    def list_conversations(self, subject: str, query: PageRequest) -> ConversationListResponse:
        """Return the conversations of `subject`, the one that was used last first."""

    def delete_conversation(self, subject: str, conversation_id: str) -> bool:
        """Remove a conversation of `subject` with all that was said; False when there is none."""

    def add_message(self, conversation_id: str, message: ChatMessage) -> None:
        """Append what was said to a conversation."""

    def list_messages(self, conversation_id: str, *, before: int | None = None, limit: int = 100) -> list[ChatMessage]:
        """Return the last messages of a conversation (those before number `before`), oldest first."""

    # -- jobs and the use of models, each a caller's own
    def add_job(self, record: JobRecord, *, forget_before: datetime) -> None:
        """Store a new job, and remove those that were made before an instant."""

    def find_job(self, subject: str, job_id: str) -> JobRecord | None:
        """Return a job of `subject`."""

    def end_job(self, job: Job) -> bool:
        """Store how a job ended; False, and nothing is stored, when it has ended otherwise before."""

    def renew_jobs(self, ids: Collection[str], lease_ends_at: datetime) -> set[str]:
        """Say that the process of these jobs lives; return those that still run."""

    def reserve_usage(self, subject: str, day: date, *, tokens: int, limit: int) -> bool:
        """Count tokens that `subject` is about to use, unless `limit` is reached already; return whether they were counted."""

    def add_usage(self, subject: str, day: date, *, input_tokens: int, output_tokens: int, reserved: int = 0) -> None:
        """Count what `subject` has used of models in one answer, in place of what was reserved for it."""

    def used_tokens(self, subject: str, day: date) -> int:
        """Return how many tokens `subject` has used on `day`."""

    # -- access
    def has_workspace(self) -> bool:
        """Return whether the workspace of this transaction exists."""

    def make_workspace(self, now: datetime) -> None:
        """Create the workspace of this transaction unless it exists."""

    def add_api_key(self, stored: StoredKey) -> bool:
        """Store a new key; False, and nothing is stored, when a live key of the workspace has its name."""

    def find_api_key(self, key_id: str) -> StoredKey | None:
        """Return the key of this id, of whatever workspace: it is the key that tells a caller's workspace."""

    def list_api_keys(self) -> list[ApiKey]:
        """Return all keys of the workspace, oldest first, revoked ones included."""

    def revoke_api_key(self, key_id: str, now: datetime) -> bool:
        """Revoke a live key of the workspace; False when there is none of this id."""

    def record_key_use(self, key_id: str, now: datetime) -> None:
        """Store that a key of the workspace has been used."""

    def set_member(self, member: Member) -> None:
        """Add a member to the workspace, or give the one of this subject another role."""

    def find_member(self, subject: str) -> Member | None:
        """Return the member of this subject."""

    def list_members(self) -> list[Member]:
        """Return all members of the workspace, by subject."""

    def remove_member(self, subject: str) -> bool:
        """Remove a member from the workspace; False when there is none of this subject."""

    # -- reading (Task.is_ready, is_overdue, depends_on, blocks are filled in)
    def find_project(self, name: str) -> Project | None:
        """Return the project of this id or key, deleted or not."""

    def find_projects(self, names: Iterable[str]) -> list[Project]:
        """Return the projects of these ids or keys, deleted or not; unknown ones are simply not among them."""

    def find_revisions(self, names: Iterable[str]) -> dict[str, tuple[str, int]]:
        """Return id and revision of each live project among `names` (ids or keys), by the name as given."""

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

    def outlines_json(self, places: Sequence[tuple[str, str | None]], *, today: date, limit: int) -> list[tuple[Any, str | None]]:
        """Return what `outline` returns for each of these projects and cursors, the tasks as an encoder of JSON takes them."""

    def earlier_sibling(self, project_id: str, parent: str | None, position: int, *, besides: str) -> str | None:
        """Return the last live task before `position` below `parent`, other than `besides`; None if there is none. Keys."""

    def list_subtasks(self, task_id: str, *, today: date) -> list[Task]:
        """Return direct live children in order, at most 1,000."""

    def list_comments(self, task_id: str, *, page: int = 1, per_page: int = 50) -> CommentListResponse:
        """Newest page first; each page oldest first."""

    def all_comments(self, project_id: str) -> list[Comment]:
        """Return the comments of all live tasks of a project, oldest first."""

    # -- search; its index follows the history
    def count_unindexed(self) -> tuple[int, int]:
        """Return up to which `seq` everything is in the index, and the latest `seq`."""

    def index_changes(self, limit: int) -> int:
        """In a write, take the next changes into the index; return up to which `seq` everything is in it now."""

    def find_documents(self, query: SearchQuery, terms: Sequence[Term]) -> FoundPage:
        """Return one page of the live items that have all terms, the most relevant first; an unknown project is NotFound."""

    def list_trash(self, query: TrashQuery) -> TrashResponse:
        """Return one page of deletions, the latest first; an unknown project is NotFound."""

    # -- finding work
    def light_project(self, project_id: str) -> LightProject:
        """Return all live tasks of a project, as far as their rank and the critical path need them, and its edges."""

    def claim_candidates(self, project_id: str | None, *, now: datetime, limit: int) -> list[Standing]:
        """Return ready leaves, and in_progress leaves whose lease has ended: by priority, due date, oldest first."""

    def show_by_id(self, ids: Sequence[str], *, today: date) -> list[Task]:
        """Return these tasks, which exist, in this order."""


class Watch(Protocol):
    def close(self) -> None:
        """End it without waiting; one more call of `notify` may be under way."""


class Storage(Protocol):
    def read(self, workspace: str, work: Callable[[Transaction], T], *, snapshot: bool = True) -> T:
        """Return `work(tx)` on one consistent state.

        With `snapshot=False` each statement may see a later state than the one before: what asks for one thing only
        spares PostgreSQL the exchanges that begin and end a transaction.
        """

    def write(self, workspace: str, work: Callable[[Transaction], T]) -> T: ...
    def write_late(self, workspace: str, work: Callable[[Callable[[], Transaction]], T]) -> T:
        """Like `write`, with a transaction that begins when `work` calls its argument, once."""

    def together(self) -> AbstractContextManager[None]:
        """Commit all that this thread writes in the block at its end, as one transaction.

        Every write in it can still fail alone. Nothing of it is stored when the block raises.
        """

    def prepare(self, *, create: bool, migrate: bool) -> None:
        """Open and check the database; create or upgrade it where allowed. Raises DatabaseError with the way out."""

    def check(self) -> None:
        """Raise DatabaseError unless the database answers and its schema is the one this program knows."""

    def watch(self, notify: Callable[[], None]) -> Watch:
        """Call `notify` from a thread of its own: once now, and whenever any process may have applied a set."""

    def close(self) -> None: ...
