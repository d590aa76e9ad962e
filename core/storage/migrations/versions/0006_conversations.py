"""Conversations with the agents, calls that go on after they were answered, and what models were used for."""

import sqlalchemy as sa
from alembic import op

from core.storage.sql.types import CODE, Instant, Json

revision = "0006"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("workspace_id", CODE, nullable=False),
        sa.Column("id", CODE, nullable=False),
        sa.Column("subject", CODE, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("project_id", CODE),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("summarized", sa.Integer, nullable=False),
        sa.Column("message_count", sa.Integer, nullable=False),
        sa.Column("turn", CODE),
        sa.Column("turn_ends_at", Instant),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_conversations_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_conversations"),
    )
    op.create_index("ix_conversations_list", "conversations", ["workspace_id", "subject", "updated_at", "id"])
    op.create_table(
        "messages",
        sa.Column("workspace_id", CODE, nullable=False),
        sa.Column("conversation_id", CODE, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("role", CODE, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("about", Json, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "conversation_id"],
            ["conversations.workspace_id", "conversations.id"],
            name="fk_messages_workspace_id_conversation_id",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "conversation_id", "number", name="pk_messages"),
    )
    op.create_table(
        "jobs",
        sa.Column("workspace_id", CODE, nullable=False),
        sa.Column("id", CODE, nullable=False),
        sa.Column("subject", CODE, nullable=False),
        sa.Column("operation", CODE, nullable=False),
        sa.Column("state", CODE, nullable=False),
        sa.Column("lease_ends_at", Instant, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("ended_at", Instant),
        sa.Column("result", Json),
        sa.Column("warnings", Json),
        sa.Column("error", Json),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_jobs_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_age", "jobs", ["workspace_id", "created_at"])
    op.create_table(
        "usage",
        sa.Column("workspace_id", CODE, nullable=False),
        sa.Column("subject", CODE, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("answers", sa.Integer, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_usage_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "subject", "day", name="pk_usage"),
    )


def downgrade() -> None:
    for table in ("usage", "jobs", "messages", "conversations"):
        op.drop_table(table)
