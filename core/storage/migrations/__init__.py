"""The schema's history. `VERSIONS` lets a start compare versions without importing Alembic; a test holds it true."""

VERSIONS = ("0001", "0002", "0003", "0006", "0007", "0008", "0009", "0010")
