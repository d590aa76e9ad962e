"""API keys, members, and the workspaces they belong to. All of it is read and written rarely, so nothing is tuned."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql

from core.api_keys import StoredKey
from core.storage.sql.session import Session
from core.storage.sql.tables import api_keys, memberships, workspaces
from schemas.access import ApiKey, Member, Role, Scope

_A = api_keys.c
_M = memberships.c
_KEY = (_A.hash, _A.id, _A.workspace_id, _A.name, _A.scopes, _A.created_at, _A.expires_at, _A.revoked_at, _A.last_used_at)
_MEMBER = (_M.workspace_id, _M.subject, _M.role, _M.created_at)


class AccessRecords(Session):
    """The part of a transaction that knows who may come in."""

    def has_workspace(self) -> bool:
        """Return whether the workspace of this transaction exists."""
        return bool(self.query(select(workspaces.c.id).where(workspaces.c.id == self.workspace)))

    def make_workspace(self, now: datetime) -> None:
        """Create the workspace of this transaction unless it exists."""
        self.write(postgresql.insert(workspaces).values(id=self.workspace, created_at=now).on_conflict_do_nothing())

    def add_api_key(self, stored: StoredKey) -> bool:
        """Store a new key; False, and nothing is stored, when a live key of the workspace has its name."""
        key = stored.key
        values = {
            "workspace_id": self.workspace,
            "id": key.id,
            "name": key.name,
            "hash": stored.hash,
            "scopes": [scope.value for scope in key.scopes],
            "created_at": key.created_at,
            "expires_at": key.expires_at,
        }
        return self.write(postgresql.insert(api_keys).values(values).on_conflict_do_nothing()) == 1

    def find_api_key(self, key_id: str) -> StoredKey | None:
        """Return the key of this id, of whatever workspace: it is the key that tells a caller's workspace."""
        return next(iter(_stored(row) for row in self.query(select(*_KEY).where(_A.id == key_id))), None)

    def list_api_keys(self) -> list[ApiKey]:
        """Return all keys of the workspace, oldest first, revoked ones included."""
        own = select(*_KEY).where(_A.workspace_id == self.workspace).order_by(_A.created_at, _A.id)
        return [_stored(row).key for row in self.query(own)]

    def revoke_api_key(self, key_id: str, now: datetime) -> bool:
        """Revoke a live key of the workspace; False when there is none of this id."""
        live = (_A.workspace_id == self.workspace, _A.id == key_id, _A.revoked_at.is_(None))
        return self.write(update(api_keys).where(*live).values(revoked_at=now)) == 1

    def record_key_use(self, key_id: str, now: datetime) -> None:
        """Store that a key of the workspace has been used."""
        self.write(update(api_keys).where(_A.workspace_id == self.workspace, _A.id == key_id).values(last_used_at=now))

    def set_member(self, member: Member) -> None:
        """Add a member to the workspace, or give the one of this subject another role."""
        insert = postgresql.insert(memberships).values(
            workspace_id=self.workspace, subject=member.subject, role=member.role.value, created_at=member.created_at
        )
        self.write(insert.on_conflict_do_update(index_elements=["workspace_id", "subject"], set_={"role": insert.excluded.role}))

    def find_member(self, subject: str) -> Member | None:
        """Return the member of this subject."""
        own = select(*_MEMBER).where(_M.workspace_id == self.workspace, _M.subject == subject)
        return next(iter(_member(row) for row in self.query(own)), None)

    def list_members(self) -> list[Member]:
        """Return all members of the workspace, by subject."""
        return [
            _member(row) for row in self.query(select(*_MEMBER).where(_M.workspace_id == self.workspace).order_by(_M.subject))
        ]

    def remove_member(self, subject: str) -> bool:
        """Remove a member from the workspace; False when there is none of this subject."""
        return self.write(delete(memberships).where(_M.workspace_id == self.workspace, _M.subject == subject)) == 1


def _stored(row: tuple[Any, ...]) -> StoredKey:
    hashed, key_id, workspace, name, scopes, created_at, expires_at, revoked_at, last_used_at = row
    key = ApiKey(
        id=key_id,
        workspace=workspace,
        name=name,
        scopes=[Scope(scope) for scope in scopes],
        created_at=created_at,
        expires_at=expires_at,
        revoked_at=revoked_at,
        last_used_at=last_used_at,
    )
    return StoredKey(key, hashed)


def _member(row: tuple[Any, ...]) -> Member:
    workspace, subject, role, created_at = row
    return Member(workspace=workspace, subject=subject, role=Role(role), created_at=created_at)
