"""Who may come into a workspace: its API keys and its members. For those who hold the scope admin."""

from collections.abc import Collection
from datetime import timedelta

from core.api_keys import StoredKey, hash_of, new_key
from core.context import LOCAL, Context, Scope
from core.errors import DuplicateResource, NotFound, ValidationFailed
from core.storage.interface import Transaction
from schemas.access import ApiKey, ApiKeyList, Member, MemberList, NewApiKey, Role


def create_api_key(ctx: Context, name: str, scopes: Collection[Scope], *, lifetime: timedelta | None = None) -> NewApiKey:
    """Make a key, and its workspace if this is the first one; the key itself is never shown again.

    Raises:
        DuplicateResource: a live key of the workspace has this name, which is the author of what a key writes.
        ValidationFailed: the name would sign as the local owner does.
    """
    ctx.principal.require(Scope.ADMIN)
    _refuse_local(name)
    key_id, text = new_key()
    key = ApiKey(
        id=key_id,
        workspace=ctx.principal.workspace,
        name=name,
        scopes=[scope for scope in Scope if scope in scopes],
        created_at=ctx.now,
        expires_at=None if lifetime is None else ctx.now + lifetime,
    )

    def work(tx: Transaction) -> bool:
        tx.make_workspace(ctx.now)
        return tx.add_api_key(StoredKey(key, hash_of(text)))

    if not ctx.write(work):
        raise DuplicateResource(
            f"There is a key of the name {name} already.", hint="revoke it first, or give the new one another name"
        )
    return NewApiKey(key=text, api_key=key)


def list_api_keys(ctx: Context) -> ApiKeyList:
    """Return the keys of the workspace, oldest first, revoked ones included."""
    ctx.principal.require(Scope.ADMIN)
    return ApiKeyList(api_keys=ctx.read(lambda tx: tx.list_api_keys()))


def revoke_api_key(ctx: Context, key_id: str) -> ApiKey:
    """Revoke a key for ever; revoking twice is the same as once. Raises NotFound when the workspace has none of this id."""
    ctx.principal.require(Scope.ADMIN)

    def work(tx: Transaction) -> ApiKey | None:
        tx.revoke_api_key(key_id, ctx.now)
        return next((key for key in tx.list_api_keys() if key.id == key_id), None)

    key = ctx.write(work)
    if key is None:
        raise NotFound("There is no key of this id here.", hint="`orchestrator keys list` shows the ids")
    return key


def set_member(ctx: Context, subject: str, role: Role) -> Member:
    """Give a subject its role in the workspace, which is made if it is new."""
    ctx.principal.require(Scope.ADMIN)
    _refuse_local(subject)
    member = Member(workspace=ctx.principal.workspace, subject=subject, role=role, created_at=ctx.now)

    def work(tx: Transaction) -> None:
        tx.make_workspace(ctx.now)
        tx.set_member(member)

    ctx.write(work)
    return member


def list_members(ctx: Context) -> MemberList:
    """Return the members of the workspace, by subject."""
    ctx.principal.require(Scope.ADMIN)
    return MemberList(members=ctx.read(lambda tx: tx.list_members()))


def remove_member(ctx: Context, subject: str) -> Member:
    """Take a subject's role away. Raises NotFound when it has none."""
    ctx.principal.require(Scope.ADMIN)

    def work(tx: Transaction) -> Member | None:
        member = tx.find_member(subject)
        tx.remove_member(subject)
        return member

    member = ctx.write(work)
    if member is None:
        raise NotFound("There is no member of this subject here.", hint="`orchestrator members list` shows them")
    return member


def _refuse_local(name: str) -> None:
    if name == LOCAL:
        raise ValidationFailed(f"The name {LOCAL} is reserved for the command line.")
