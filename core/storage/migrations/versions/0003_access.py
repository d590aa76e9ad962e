"""Access: API keys by their hash, and the roles of members."""

import sqlalchemy as sa
from alembic import op

from core.storage.sql.types import CODE, Instant, Json

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("workspace_id", CODE, nullable=False),
        sa.Column("id", CODE, nullable=False),
        sa.Column("name", CODE, nullable=False),
        sa.Column("hash", CODE, nullable=False),
        sa.Column("scopes", Json, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant),
        sa.Column("revoked_at", Instant),
        sa.Column("last_used_at", Instant),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_api_keys_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_api_keys"),
        sa.UniqueConstraint("id", name="uq_api_keys_id"),
    )
    live = sa.text("revoked_at IS NULL")
    op.create_index(
        "ix_api_keys_live_name", "api_keys", ["workspace_id", "name"], unique=True, sqlite_where=live, postgresql_where=live
    )
    op.create_table(
        "memberships",
        sa.Column("workspace_id", CODE, nullable=False),
        sa.Column("subject", CODE, nullable=False),
        sa.Column("role", CODE, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_memberships_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "subject", name="pk_memberships"),
    )


def downgrade() -> None:
    op.drop_table("memberships")
    op.drop_table("api_keys")
