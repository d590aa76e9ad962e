"""The databases of the model tests."""

from tests.storage.conftest import migrated_file, migrated_postgres, postgres_server

__all__ = ["migrated_file", "migrated_postgres", "postgres_server"]
