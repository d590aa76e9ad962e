"""Run migrations on the connection that `core.storage.sql.upgrade` has opened and locked."""

from alembic import context

from core.storage.sql.tables import metadata

# SQLite's DDL is transactional too: two processes that start at once never see half a schema.
context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
