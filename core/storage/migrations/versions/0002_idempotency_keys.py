"""Idempotency keys: how each keyed call ended, for as long as it may be repeated."""

import sqlalchemy as sa
from alembic import op

from core.storage.sql.types import CODE, Instant

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("workspace_id", CODE, nullable=False),
        sa.Column("subject", CODE, nullable=False),
        sa.Column("key", CODE, nullable=False),
        sa.Column("fingerprint", CODE, nullable=False),
        sa.Column("refused", sa.Boolean, nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("expires_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_idempotency_keys_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "subject", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_expiry", "idempotency_keys", ["workspace_id", "expires_at"])


def downgrade() -> None:
    op.drop_table("idempotency_keys")
