"""Search: which items are in the index, the index itself, and how far it has followed the history.

The index begins empty and far behind: whoever searches first brings it up to date, with all that was
there before this migration, by the very code that keeps it so. Deleting all three tables' rows builds it anew.
"""

import sqlalchemy as sa
from alembic import op

from core.storage.sql.types import CODE

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "search_documents",
        sa.Column("number", number, sa.Identity(), nullable=False),
        sa.Column("workspace_id", CODE, nullable=False),
        sa.Column("kind", CODE, nullable=False),
        sa.Column("entity_id", CODE, nullable=False),
        sa.Column("project_id", CODE, nullable=False),
        sa.Column("task_id", CODE),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_search_documents_workspace_id"),
        sa.PrimaryKeyConstraint("number", name="pk_search_documents"),
        sa.UniqueConstraint("workspace_id", "entity_id", name="uq_search_documents_workspace_id_entity_id"),
    )
    op.create_table(
        "search_progress",
        sa.Column("workspace_id", CODE, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("ordinal", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_search_progress_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", name="pk_search_progress"),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute("CREATE VIRTUAL TABLE search_words USING fts5(title, body, tokenize = \"ascii tokenchars '-'\")")
    else:
        op.execute("CREATE TABLE search_words (number BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)")
        op.execute("CREATE INDEX ix_search_words_words ON search_words USING gin (words)")


def downgrade() -> None:
    op.drop_table("search_words")
    op.drop_table("search_progress")
    op.drop_table("search_documents")
