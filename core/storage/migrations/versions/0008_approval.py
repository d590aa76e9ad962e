"""How an applied patch set was approved; who approved it was kept from the start."""

import sqlalchemy as sa
from alembic import op

from core.storage.sql.types import CODE

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("patch_sets", sa.Column("approval", CODE))


def downgrade() -> None:
    op.drop_column("patch_sets", "approval")
