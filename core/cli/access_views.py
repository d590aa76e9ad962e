"""Keys and members as text for people."""

from core.patches.text import safe
from schemas.access import ApiKey, ApiKeyList, Member, MemberList, NewApiKey


def new_key(made: NewApiKey) -> str:
    return f"{made.key}\n\n{_line(made.api_key)}\nKeep it: it is not shown again. Callers send it as `Authorization: Bearer KEY`."


def keys(listed: ApiKeyList) -> str:
    return "\n".join(_line(key) for key in listed.api_keys) or "There are no keys."


def revoked(key: ApiKey) -> str:
    return f"Revoked. {_line(key)}"


def _line(key: ApiKey) -> str:
    facts = [f"created {key.created_at:%Y-%m-%d}"]
    facts += [f"expires {key.expires_at:%Y-%m-%d %H:%M}"] if key.expires_at else []
    facts += [f"last used {key.last_used_at:%Y-%m-%d %H:%M}"] if key.last_used_at else ["never used"]
    facts += [f"REVOKED {key.revoked_at:%Y-%m-%d %H:%M}"] if key.revoked_at else []
    return f"{key.id}  {safe(key.name)} in {key.workspace} [{', '.join(key.scopes)}]  {', '.join(facts)}"


def members(listed: MemberList) -> str:
    return "\n".join(member(one) for one in listed.members) or "There are no members."


def member(one: Member) -> str:
    return f"{safe(one.subject)} is {one.role} in {one.workspace}"


def removed(one: Member) -> str:
    return f"{safe(one.subject)} is no member of {one.workspace} any more"
