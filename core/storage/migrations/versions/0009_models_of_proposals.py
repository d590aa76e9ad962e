"""Which model has written a proposal, and what that took."""

import sqlalchemy as sa
from alembic import op

from core.storage.sql.types import Json

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("patch_sets", sa.Column("model", sa.Text))
    op.add_column("patch_sets", sa.Column("usage", Json))


def downgrade() -> None:
    op.drop_column("patch_sets", "usage")
    op.drop_column("patch_sets", "model")
