"""Who may do what: scopes, the roles that bundle them, API keys and members of a workspace."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.primitives import Model

# The subject of a caller is shown as the author of what it writes; no control characters, so that a log stays one line.
Subject = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
WorkspaceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class Scope(StrEnum):
    PROJECTS_READ = "projects:read"
    PATCHES_PROPOSE = "patches:propose"
    PATCHES_APPLY = "patches:apply"
    AGENT_CHAT = "agent:chat"
    ADMIN = "admin"


class Role(StrEnum):
    VIEWER = "viewer"
    EDITOR = "editor"
    OWNER = "owner"


ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    Role.VIEWER: frozenset({Scope.PROJECTS_READ}),
    Role.EDITOR: frozenset(Scope) - {Scope.ADMIN},
    Role.OWNER: frozenset(Scope),
}


class ApiKey(Model):
    """A key as it can be shown: the secret itself is known only to whoever holds it."""

    id: str
    workspace: str
    name: str = Field(description="the author of what this key writes")
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = Field(default=None, description="to the minute")


class NewApiKey(Model):
    key: str = Field(description="shown this once; only its hash is stored")
    api_key: ApiKey


class ApiKeyList(Model):
    api_keys: list[ApiKey]


class Member(Model):
    """What a caller may do whose token names no scopes."""

    workspace: str
    subject: str
    role: Role
    created_at: datetime


class MemberList(Model):
    members: list[Member]
