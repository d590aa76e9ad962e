"""The first schema: projects, tasks, dependencies, comments, and patch sets with their history."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from core.storage.sql.types import CODE, Instant, Json

revision = "0001"
down_revision = None

DEFAULT_WORKSPACE = "default"


def upgrade() -> None:
    op.create_table(
        "workspaces",
        sa.Column("id", CODE, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workspaces"),
    )
    op.create_table(
        "patch_sets",
        sa.Column("workspace_id", CODE, nullable=False),
        sa.Column("id", CODE, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("rationale", sa.Text, nullable=False),
        sa.Column("base_revisions", Json, nullable=False),
        sa.Column("patches", Json, nullable=False),
        sa.Column("patch_count", sa.Integer, nullable=False),
        sa.Column("hash", CODE, nullable=False),
        sa.Column("state", CODE, nullable=False),
        sa.Column("engine", sa.Text, nullable=False),
        sa.Column("author", CODE, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("closed_at", Instant),
        sa.Column("closed_by", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("seq", sa.BigInteger),
        sa.Column("only", Json),
        sa.Column("supersedes", CODE),
        sa.Column("reverts", Json, nullable=False),
        sa.Column("inverse", Json),
        sa.Column("restore", Json),
        sa.Column("refs", Json, nullable=False),
        sa.Column("totals", Json, nullable=False),
        sa.Column("changes_total", sa.Integer, nullable=False),
        sa.Column("warnings", Json, nullable=False),
        sa.Column("revisions", Json, nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_patch_sets_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_patch_sets"),
        sa.UniqueConstraint("workspace_id", "seq", name="uq_patch_sets_workspace_id_seq"),
    )
    op.create_index("ix_patch_sets_author", "patch_sets", ["workspace_id", "author", "created_at", "id"])
    op.create_index("ix_patch_sets_newest", "patch_sets", ["workspace_id", "created_at", "id"])
    op.create_index("ix_patch_sets_state", "patch_sets", ["workspace_id", "state", "created_at", "id"])
    op.create_table(
        "projects",
        sa.Column("workspace_id", CODE, nullable=False),
        sa.Column("id", CODE, nullable=False),
        sa.Column("key", CODE, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("status", CODE, nullable=False),
        sa.Column("priority", CODE, nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("start_date", sa.Date),
        sa.Column("due_date", sa.Date),
        sa.Column("links", Json, nullable=False),
        sa.Column("task_schema", Json),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("next_number", sa.BigInteger, nullable=False),
        sa.Column("task_count", sa.Integer, nullable=False),
        sa.Column("completed_task_count", sa.Integer, nullable=False),
        sa.Column("leaf_count", sa.Integer, nullable=False),
        sa.Column("leaf_completed", sa.Integer, nullable=False),
        sa.Column("estimated_minutes", sa.BigInteger, nullable=False),
        sa.Column("deleted_at", Instant),
        sa.Column("deletion_id", CODE),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_projects_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_projects"),
        sa.UniqueConstraint("workspace_id", "key", name="uq_projects_workspace_id_key"),
    )
    op.create_index("ix_projects_newest", "projects", ["workspace_id", "created_at", "id"])
    op.create_index("ix_projects_priority", "projects", ["workspace_id", "priority"])
    op.create_index("ix_projects_recent", "projects", ["workspace_id", "updated_at", "id"])
    op.create_index("ix_projects_status", "projects", ["workspace_id", "status"])
    op.create_table(
        "patch_set_changes",
        sa.Column("workspace_id", CODE, nullable=False),
        sa.Column("patch_set_id", CODE, nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("project_id", CODE, nullable=False),
        sa.Column("kind", CODE, nullable=False),
        sa.Column("entity_id", CODE, nullable=False),
        sa.Column("key", CODE, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("action", CODE, nullable=False),
        sa.Column("fields", Json, nullable=False),
        sa.Column("patch_indexes", Json, nullable=False),
        sa.Column("cascaded", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "patch_set_id"],
            ["patch_sets.workspace_id", "patch_sets.id"],
            name="fk_patch_set_changes_workspace_id_patch_set_id",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "project_id"],
            ["projects.workspace_id", "projects.id"],
            name="fk_patch_set_changes_workspace_id_project_id",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "patch_set_id", "ordinal", name="pk_patch_set_changes"),
    )
    op.create_index("ix_patch_set_changes_entity", "patch_set_changes", ["workspace_id", "kind", "entity_id", "revision"])
    op.create_table(
        "patch_set_projects",
        sa.Column("workspace_id", CODE, nullable=False),
        sa.Column("patch_set_id", CODE, nullable=False),
        sa.Column("project_id", CODE, nullable=False),
        sa.Column("revision_before", sa.BigInteger),
        sa.Column("revision_after", sa.BigInteger),
        sa.ForeignKeyConstraint(
            ["workspace_id", "patch_set_id"],
            ["patch_sets.workspace_id", "patch_sets.id"],
            name="fk_patch_set_projects_workspace_id_patch_set_id",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "project_id"],
            ["projects.workspace_id", "projects.id"],
            name="fk_patch_set_projects_workspace_id_project_id",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "patch_set_id", "project_id", name="pk_patch_set_projects"),
    )
    op.create_index(
        "ix_patch_set_projects_history", "patch_set_projects", ["workspace_id", "project_id", "revision_after", "patch_set_id"]
    )
    op.create_table(
        "tasks",
        sa.Column("workspace_id", CODE, nullable=False),
        sa.Column("id", CODE, nullable=False),
        sa.Column("key", CODE, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("project_id", CODE, nullable=False),
        sa.Column("parent_id", CODE),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("depth", sa.Integer, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("acceptance_criteria", Json, nullable=False),
        sa.Column("status", CODE, nullable=False),
        sa.Column("priority", CODE, nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("assignee", CODE),
        sa.Column("start_date", sa.Date),
        sa.Column("due_date", sa.Date),
        sa.Column("estimated_minutes", sa.Integer),
        sa.Column("actual_minutes", sa.Integer),
        sa.Column("links", Json, nullable=False),
        sa.Column("custom", Json, nullable=False),
        sa.Column("claimed_by", sa.Text),
        sa.Column("claim_expires_at", Instant),
        sa.Column("completed_at", Instant),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("deleted_at", Instant),
        sa.Column("deletion_id", CODE),
        sa.Column("subtask_count", sa.Integer, nullable=False),
        sa.Column("leaf_count", sa.Integer, nullable=False),
        sa.Column("leaf_completed", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "parent_id"],
            ["tasks.workspace_id", "tasks.id"],
            name="fk_tasks_workspace_id_parent_id",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "project_id"], ["projects.workspace_id", "projects.id"], name="fk_tasks_workspace_id_project_id"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_tasks"),
        sa.UniqueConstraint("workspace_id", "key", name="uq_tasks_workspace_id_key"),
    )
    op.create_index(
        "ix_tasks_assignee",
        "tasks",
        ["workspace_id", "assignee"],
        sqlite_where=sa.text("assignee IS NOT NULL"),
        postgresql_where=sa.text("assignee IS NOT NULL"),
    )
    op.create_index(
        "ix_tasks_children",
        "tasks",
        ["workspace_id", "parent_id", "position", "id"],
        sqlite_where=sa.text("parent_id IS NOT NULL"),
        postgresql_where=sa.text("parent_id IS NOT NULL"),
    )
    op.create_index(
        "ix_tasks_deletion",
        "tasks",
        ["workspace_id", "deletion_id"],
        sqlite_where=sa.text("deletion_id IS NOT NULL"),
        postgresql_where=sa.text("deletion_id IS NOT NULL"),
    )
    op.create_index(
        "ix_tasks_due",
        "tasks",
        ["workspace_id", "due_date"],
        sqlite_where=sa.text("due_date IS NOT NULL"),
        postgresql_where=sa.text("due_date IS NOT NULL"),
    )
    op.create_index(
        "ix_tasks_newest",
        "tasks",
        ["workspace_id", "created_at", "id"],
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_tasks_priority", "tasks", ["workspace_id", "priority", "project_id"])
    op.create_index("ix_tasks_project_newest", "tasks", ["workspace_id", "project_id", "deleted_at", "created_at", "id"])
    op.create_index("ix_tasks_recent", "tasks", ["workspace_id", "updated_at", "id"])
    op.create_index("ix_tasks_status", "tasks", ["workspace_id", "status", "project_id"])
    op.create_index(
        "ix_tasks_top_level",
        "tasks",
        ["workspace_id", "project_id", "position", "id"],
        sqlite_where=sa.text("parent_id IS NULL"),
        postgresql_where=sa.text("parent_id IS NULL"),
    )
    op.create_table(
        "comments",
        sa.Column("workspace_id", CODE, nullable=False),
        sa.Column("id", CODE, nullable=False),
        sa.Column("task_id", CODE, nullable=False),
        sa.Column("project_id", CODE, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "project_id"], ["projects.workspace_id", "projects.id"], name="fk_comments_workspace_id_project_id"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "task_id"], ["tasks.workspace_id", "tasks.id"], name="fk_comments_workspace_id_task_id"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_comments"),
    )
    op.create_index("ix_comments_project", "comments", ["workspace_id", "project_id", "created_at", "id"])
    op.create_index("ix_comments_task", "comments", ["workspace_id", "task_id", "created_at", "id"])
    op.create_table(
        "dependencies",
        sa.Column("workspace_id", CODE, nullable=False),
        sa.Column("task_id", CODE, nullable=False),
        sa.Column("depends_on_id", CODE, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "depends_on_id"],
            ["tasks.workspace_id", "tasks.id"],
            name="fk_dependencies_workspace_id_depends_on_id",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "task_id"], ["tasks.workspace_id", "tasks.id"], name="fk_dependencies_workspace_id_task_id"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "task_id", "depends_on_id", name="pk_dependencies"),
    )
    op.create_index("ix_dependencies_dependents", "dependencies", ["workspace_id", "depends_on_id", "task_id"])
    workspaces = sa.table("workspaces", sa.column("id", CODE), sa.column("created_at", Instant))
    op.bulk_insert(workspaces, [{"id": DEFAULT_WORKSPACE, "created_at": datetime.now(UTC)}])


def downgrade() -> None:
    for table in (
        "dependencies",
        "comments",
        "patch_set_changes",
        "patch_set_projects",
        "tasks",
        "projects",
        "patch_sets",
        "workspaces",
    ):
        op.drop_table(table)
