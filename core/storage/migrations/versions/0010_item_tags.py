"""Tags in a table of their own, filled with those there are, and an index of deleted projects: lists filter by both."""

import sqlalchemy as sa
from alembic import op

from core.storage.sql.types import CODE

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    tags = op.create_table(
        "item_tags",
        sa.Column("workspace_id", CODE, nullable=False),
        sa.Column("tag", CODE, nullable=False),
        sa.Column("item_id", CODE, nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_item_tags_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "tag", "item_id", name="pk_item_tags"),
    )
    op.create_index("ix_item_tags_item", "item_tags", ["workspace_id", "item_id"])
    deleted = sa.text("deletion_id IS NOT NULL")
    op.create_index(
        "ix_projects_deletion", "projects", ["workspace_id", "deletion_id"], sqlite_where=deleted, postgresql_where=deleted
    )
    for table in ("projects", "tasks"):
        item = sa.table(table, sa.column("workspace_id"), sa.column("id"), sa.column("tags"))
        unfold = sa.func.json_each if op.get_bind().dialect.name == "sqlite" else sa.func.json_array_elements_text
        one = unfold(item.c.tags).table_valued("value")
        rows = sa.select(item.c.workspace_id, one.c.value, item.c.id).distinct().select_from(item.join(one, sa.true()))
        op.execute(sa.insert(tags).from_select(["workspace_id", "tag", "item_id"], rows))


def downgrade() -> None:
    op.drop_index("ix_projects_deletion", "projects")
    op.drop_table("item_tags")
