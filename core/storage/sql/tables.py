"""The tables. Every key begins with the workspace, so that no statement can reach into another one.

A test holds these definitions equal to what the migrations build on both databases.
"""

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    event,
)
from sqlalchemy.sql.elements import ColumnElement

from core.storage.sql.types import CODE, Instant, Json

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _belongs_to(table: str, *columns: str, deferred: bool = False) -> ForeignKeyConstraint:
    """A foreign key within the workspace; deferred ones are checked at commit, so rows may come in any order."""
    return ForeignKeyConstraint(
        ["workspace_id", *columns],
        [f"{table}.workspace_id", f"{table}.id"],
        deferrable=deferred or None,
        initially="DEFERRED" if deferred else None,
    )


def _index(name: str, *columns: Column[object], where: ColumnElement[bool] | None = None) -> Index:
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


workspaces = Table(
    "workspaces",
    metadata,
    Column("id", CODE, primary_key=True),
    Column("created_at", Instant, nullable=False),
)

projects = Table(
    "projects",
    metadata,
    Column("workspace_id", CODE, ForeignKey("workspaces.id"), nullable=False),
    Column("id", CODE, nullable=False),
    Column("key", CODE, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("description", Text, nullable=False),
    Column("status", CODE, nullable=False),
    Column("priority", CODE, nullable=False),
    Column("tags", Json, nullable=False),
    Column("start_date", Date),
    Column("due_date", Date),
    Column("links", Json, nullable=False),
    Column("task_schema", Json),
    Column("revision", BigInteger, nullable=False),
    Column("next_number", BigInteger, nullable=False),
    Column("task_count", Integer, nullable=False),
    Column("completed_task_count", Integer, nullable=False),
    Column("leaf_count", Integer, nullable=False),
    Column("leaf_completed", Integer, nullable=False),
    Column("estimated_minutes", BigInteger, nullable=False),
    Column("deleted_at", Instant),
    Column("deletion_id", CODE),
    PrimaryKeyConstraint("workspace_id", "id"),
    UniqueConstraint("workspace_id", "key"),
)
_index("ix_projects_newest", projects.c.workspace_id, projects.c.created_at, projects.c.id)
_index("ix_projects_recent", projects.c.workspace_id, projects.c.updated_at, projects.c.id)
_index("ix_projects_status", projects.c.workspace_id, projects.c.status)
_index("ix_projects_priority", projects.c.workspace_id, projects.c.priority)
_index("ix_projects_deletion", projects.c.workspace_id, projects.c.deletion_id, where=projects.c.deletion_id.is_not(None))

tasks = Table(
    "tasks",
    metadata,
    Column("workspace_id", CODE, nullable=False),
    Column("id", CODE, nullable=False),
    Column("key", CODE, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("project_id", CODE, nullable=False),
    Column("parent_id", CODE),
    Column("position", BigInteger, nullable=False),
    Column("depth", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("description", Text, nullable=False),
    Column("acceptance_criteria", Json, nullable=False),
    Column("status", CODE, nullable=False),
    Column("priority", CODE, nullable=False),
    Column("tags", Json, nullable=False),
    Column("assignee", CODE),
    Column("start_date", Date),
    Column("due_date", Date),
    Column("estimated_minutes", Integer),
    Column("actual_minutes", Integer),
    Column("links", Json, nullable=False),
    Column("custom", Json, nullable=False),
    Column("claimed_by", Text),
    Column("claim_expires_at", Instant),
    Column("completed_at", Instant),
    Column("revision", BigInteger, nullable=False),
    Column("deleted_at", Instant),
    Column("deletion_id", CODE),
    Column("subtask_count", Integer, nullable=False),
    Column("leaf_count", Integer, nullable=False),
    Column("leaf_completed", Integer, nullable=False),
    PrimaryKeyConstraint("workspace_id", "id"),
    UniqueConstraint("workspace_id", "key"),
    _belongs_to("projects", "project_id"),
    _belongs_to("tasks", "parent_id", deferred=True),
)
_T = tasks.c
# The children of one place, in order: two halves of one idea, each small.
_index("ix_tasks_children", _T.workspace_id, _T.parent_id, _T.position, _T.id, where=_T.parent_id.is_not(None))
_index("ix_tasks_top_level", _T.workspace_id, _T.project_id, _T.position, _T.id, where=_T.parent_id.is_(None))
# Live rows are counted from these two without being read.
_index("ix_tasks_project_newest", _T.workspace_id, _T.project_id, _T.deleted_at, _T.created_at, _T.id)
_index("ix_tasks_newest", _T.workspace_id, _T.created_at, _T.id, where=_T.deleted_at.is_(None))
_index("ix_tasks_recent", _T.workspace_id, _T.updated_at, _T.id)
_index("ix_tasks_status", _T.workspace_id, _T.status, _T.project_id)
_index("ix_tasks_priority", _T.workspace_id, _T.priority, _T.project_id)
_index("ix_tasks_assignee", _T.workspace_id, _T.assignee, where=_T.assignee.is_not(None))
_index("ix_tasks_due", _T.workspace_id, _T.due_date, where=_T.due_date.is_not(None))
_index("ix_tasks_deletion", _T.workspace_id, _T.deletion_id, where=_T.deletion_id.is_not(None))

# The tags of projects and tasks once more, where a filter finds them.
item_tags = Table(
    "item_tags",
    metadata,
    Column("workspace_id", CODE, ForeignKey("workspaces.id"), nullable=False),
    Column("tag", CODE, nullable=False),
    Column("item_id", CODE, nullable=False),
    PrimaryKeyConstraint("workspace_id", "tag", "item_id"),
)
_index("ix_item_tags_item", item_tags.c.workspace_id, item_tags.c.item_id)

dependencies = Table(
    "dependencies",
    metadata,
    Column("workspace_id", CODE, nullable=False),
    Column("task_id", CODE, nullable=False),
    Column("depends_on_id", CODE, nullable=False),
    PrimaryKeyConstraint("workspace_id", "task_id", "depends_on_id"),
    _belongs_to("tasks", "task_id"),
    _belongs_to("tasks", "depends_on_id"),
)
_index("ix_dependencies_dependents", dependencies.c.workspace_id, dependencies.c.depends_on_id, dependencies.c.task_id)

comments = Table(
    "comments",
    metadata,
    Column("workspace_id", CODE, nullable=False),
    Column("id", CODE, nullable=False),
    Column("task_id", CODE, nullable=False),
    Column("project_id", CODE, nullable=False),
    Column("author", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("workspace_id", "id"),
    _belongs_to("tasks", "task_id"),
    _belongs_to("projects", "project_id"),
)
_index("ix_comments_task", comments.c.workspace_id, comments.c.task_id, comments.c.created_at, comments.c.id)
_index("ix_comments_project", comments.c.workspace_id, comments.c.project_id, comments.c.created_at, comments.c.id)

patch_sets = Table(
    "patch_sets",
    metadata,
    Column("workspace_id", CODE, ForeignKey("workspaces.id"), nullable=False),
    Column("id", CODE, nullable=False),
    Column("summary", Text, nullable=False),
    Column("rationale", Text, nullable=False),
    Column("base_revisions", Json, nullable=False),
    Column("patches", Json, nullable=False),
    Column("patch_count", Integer, nullable=False),
    Column("hash", CODE, nullable=False),
    Column("state", CODE, nullable=False),
    Column("engine", Text, nullable=False),
    Column("author", CODE, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("closed_by", Text),
    Column("reason", Text),
    Column("seq", BigInteger),
    Column("only", Json),
    Column("supersedes", CODE),
    Column("reverts", Json, nullable=False),
    Column("inverse", Json),
    Column("restore", Json),
    Column("refs", Json, nullable=False),
    Column("totals", Json, nullable=False),
    Column("changes_total", Integer, nullable=False),
    Column("warnings", Json, nullable=False),
    Column("revisions", Json, nullable=False),
    Column("approval", CODE),
    Column("model", Text),
    Column("usage", Json),
    PrimaryKeyConstraint("workspace_id", "id"),
    UniqueConstraint("workspace_id", "seq"),
)
_S = patch_sets.c
_index("ix_patch_sets_newest", _S.workspace_id, _S.created_at, _S.id)
_index("ix_patch_sets_state", _S.workspace_id, _S.state, _S.created_at, _S.id)
_index("ix_patch_sets_author", _S.workspace_id, _S.author, _S.created_at, _S.id)

# Which projects a set touches: revisions before and after once applied; a proposal has only `before`.
patch_set_projects = Table(
    "patch_set_projects",
    metadata,
    Column("workspace_id", CODE, nullable=False),
    Column("patch_set_id", CODE, nullable=False),
    Column("project_id", CODE, nullable=False),
    Column("revision_before", BigInteger),
    Column("revision_after", BigInteger),
    PrimaryKeyConstraint("workspace_id", "patch_set_id", "project_id"),
    _belongs_to("patch_sets", "patch_set_id"),
    _belongs_to("projects", "project_id"),
)
_index(
    "ix_patch_set_projects_history",
    patch_set_projects.c.workspace_id,
    patch_set_projects.c.project_id,
    patch_set_projects.c.revision_after,
    patch_set_projects.c.patch_set_id,
)

patch_set_changes = Table(
    "patch_set_changes",
    metadata,
    Column("workspace_id", CODE, nullable=False),
    Column("patch_set_id", CODE, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("project_id", CODE, nullable=False),
    Column("kind", CODE, nullable=False),
    Column("entity_id", CODE, nullable=False),
    Column("key", CODE, nullable=False),
    Column("title", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("action", CODE, nullable=False),
    Column("fields", Json, nullable=False),
    Column("patch_indexes", Json, nullable=False),
    Column("cascaded", Boolean, nullable=False),
    PrimaryKeyConstraint("workspace_id", "patch_set_id", "ordinal"),
    _belongs_to("patch_sets", "patch_set_id"),
    _belongs_to("projects", "project_id"),
)
_H = patch_set_changes.c
_index("ix_patch_set_changes_entity", _H.workspace_id, _H.kind, _H.entity_id, _H.revision)

# How keyed calls ended; a row without an answer is seen only by the transaction that is making one.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("workspace_id", CODE, ForeignKey("workspaces.id"), nullable=False),
    Column("subject", CODE, nullable=False),
    Column("key", CODE, nullable=False),
    Column("fingerprint", CODE, nullable=False),
    Column("refused", Boolean, nullable=False),
    Column("answer", Text),
    Column("expires_at", Instant, nullable=False),
    PrimaryKeyConstraint("workspace_id", "subject", "key"),
)
_K = idempotency_keys.c
_index("ix_idempotency_keys_expiry", _K.workspace_id, _K.expires_at)

# `id` is unique by itself: a caller shows its key before anybody knows its workspace.
api_keys = Table(
    "api_keys",
    metadata,
    Column("workspace_id", CODE, ForeignKey("workspaces.id"), nullable=False),
    Column("id", CODE, nullable=False),
    Column("name", CODE, nullable=False),
    Column("hash", CODE, nullable=False),
    Column("scopes", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
    PrimaryKeyConstraint("workspace_id", "id"),
    UniqueConstraint("id"),
)
_A = api_keys.c
_LIVE = _A.revoked_at.is_(None)
Index("ix_api_keys_live_name", _A.workspace_id, _A.name, unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE)

memberships = Table(
    "memberships",
    metadata,
    Column("workspace_id", CODE, ForeignKey("workspaces.id"), nullable=False),
    Column("subject", CODE, nullable=False),
    Column("role", CODE, nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("workspace_id", "subject"),
)

# A turn holds its conversation until it ends, or until its time is over.
conversations = Table(
    "conversations",
    metadata,
    Column("workspace_id", CODE, ForeignKey("workspaces.id"), nullable=False),
    Column("id", CODE, nullable=False),
    Column("subject", CODE, nullable=False),
    Column("title", Text, nullable=False),
    Column("project_id", CODE),
    Column("summary", Text, nullable=False),
    Column("summarized", Integer, nullable=False),
    Column("message_count", Integer, nullable=False),
    Column("turn", CODE),
    Column("turn_ends_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    PrimaryKeyConstraint("workspace_id", "id"),
)
_V = conversations.c
_index("ix_conversations_list", _V.workspace_id, _V.subject, _V.updated_at, _V.id)

messages = Table(
    "messages",
    metadata,
    Column("workspace_id", CODE, nullable=False),
    Column("conversation_id", CODE, nullable=False),
    Column("number", Integer, nullable=False),
    Column("role", CODE, nullable=False),
    Column("text", Text, nullable=False),
    Column("about", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("workspace_id", "conversation_id", "number"),
    _belongs_to("conversations", "conversation_id"),
)

# Calls that go on after they were answered. Their process renews the lease; one without has died with it.
jobs = Table(
    "jobs",
    metadata,
    Column("workspace_id", CODE, ForeignKey("workspaces.id"), nullable=False),
    Column("id", CODE, nullable=False),
    Column("subject", CODE, nullable=False),
    Column("operation", CODE, nullable=False),
    Column("state", CODE, nullable=False),
    Column("lease_ends_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("result", Json),
    Column("warnings", Json),
    Column("error", Json),
    PrimaryKeyConstraint("workspace_id", "id"),
)
_J = jobs.c
_index("ix_jobs_age", _J.workspace_id, _J.created_at)

# What each caller has used of models, by day.
usage = Table(
    "usage",
    metadata,
    Column("workspace_id", CODE, ForeignKey("workspaces.id"), nullable=False),
    Column("subject", CODE, nullable=False),
    Column("day", Date, nullable=False),
    Column("answers", Integer, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", "subject", "day"),
)
# What search has taken in, by the history: everything before the change `ordinal` of the set `seq`.
search_progress = Table(
    "search_progress",
    metadata,
    Column("workspace_id", CODE, ForeignKey("workspaces.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("ordinal", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id"),
)

# Items in the index, deleted ones as well; `number` is what the index knows them by.
search_documents = Table(
    "search_documents",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
    Column("workspace_id", CODE, ForeignKey("workspaces.id"), nullable=False),
    Column("kind", CODE, nullable=False),
    Column("entity_id", CODE, nullable=False),
    Column("project_id", CODE, nullable=False),
    Column("task_id", CODE),
    UniqueConstraint("workspace_id", "entity_id"),
)

# The index itself, which no table construct describes. Its words are made by `core.words`, so neither database may
# take them for text: FTS5 separates them at blanks, a TSVECTOR gets them one by one.
SEARCH_WORDS = {
    "sqlite": ("CREATE VIRTUAL TABLE search_words USING fts5(title, body, tokenize = \"ascii tokenchars '-'\")",),
    "postgresql": (
        "CREATE TABLE search_words (number BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)",
        "CREATE INDEX ix_search_words_words ON search_words USING gin (words)",
    ),
}
for _dialect, _statements in SEARCH_WORDS.items():
    for _statement in _statements:
        event.listen(metadata, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]
event.listen(metadata, "before_drop", DDL("DROP TABLE IF EXISTS search_words"))  # type: ignore[no-untyped-call]
