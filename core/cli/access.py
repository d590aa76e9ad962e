"""`orchestrator keys` and `orchestrator members`: who may come in through the servers.

Whoever runs them holds the database itself, and so is the owner of every workspace in it.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from core.cli import options
from core.cli.session import Json, Session, answer, show

if TYPE_CHECKING:
    from schemas.access import ApiKey, ApiKeyList, Member, MemberList, NewApiKey

keys = typer.Typer(help="API keys, for servers with AUTH=api_key.", no_args_is_help=True, rich_markup_mode=None)
members = typer.Typer(
    help="Roles of those whose tokens name no scopes, for servers with AUTH=jwt.", no_args_is_help=True, rich_markup_mode=None
)

Workspace = Annotated[str, typer.Option(metavar="NAME", help="The workspace; its first key or member makes it.")]
Subject = Annotated[str, typer.Argument(metavar="SUBJECT", help="Who: the claim sub of the tokens.")]


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="Who will hold it; the author of what it writes.")],
    scopes: Annotated[
        str,
        typer.Option(metavar="ROLE|SCOPE,...", help="viewer, editor or owner, or scopes such as projects:read,patches:propose."),
    ],
    workspace: Workspace = "default",
    days: Annotated[
        int | None,
        options.number(least=1, most=3_650, help="Days until it expires; without it, never."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key. It is shown this once."""

    def work(session: Session) -> "NewApiKey":
        from datetime import timedelta

        from core.cli.inputs import parse_scopes, parse_subject, parse_workspace
        from core.services.access import create_api_key

        home, holder, granted = parse_workspace(workspace), parse_subject(name), parse_scopes(scopes)
        lifetime = None if days is None else timedelta(days=days)
        return session.call_as_owner(home, create_api_key, holder, granted, lifetime=lifetime)

    from core.cli import access_views

    show(answer(work, as_json=as_json, create=True), access_views.new_key, as_json=as_json)


@keys.command("list")
def list_keys(workspace: Workspace = "default", as_json: Json = False) -> None:
    """List the keys of a workspace, and when they were last used."""

    def work(session: Session) -> "ApiKeyList":
        from core.cli.inputs import parse_workspace
        from core.services.access import list_api_keys

        return session.call_as_owner(parse_workspace(workspace), list_api_keys)

    from core.cli import access_views

    show(answer(work, as_json=as_json), access_views.keys, as_json=as_json)


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a key, as `keys list` shows it.")],
    workspace: Workspace = "default",
    as_json: Json = False,
) -> None:
    """Revoke a key for ever; running servers refuse it within seconds."""

    def work(session: Session) -> "ApiKey":
        from core.cli.inputs import parse_workspace
        from core.services.access import revoke_api_key

        return session.call_as_owner(parse_workspace(workspace), revoke_api_key, key_id)

    from core.cli import access_views

    show(answer(work, as_json=as_json), access_views.revoked, as_json=as_json)


@members.command("set")
def set_member(
    subject: Subject,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="viewer, editor or owner.")],
    workspace: Workspace = "default",
    as_json: Json = False,
) -> None:
    """Give somebody a role in a workspace."""

    def work(session: Session) -> "Member":
        from core.cli.inputs import parse_role, parse_subject, parse_workspace
        from core.services import access

        home, who, granted = parse_workspace(workspace), parse_subject(subject), parse_role(role)
        return session.call_as_owner(home, access.set_member, who, granted)

    from core.cli import access_views

    show(answer(work, as_json=as_json, create=True), access_views.member, as_json=as_json)


@members.command("list")
def list_members(workspace: Workspace = "default", as_json: Json = False) -> None:
    """List the members of a workspace."""

    def work(session: Session) -> "MemberList":
        from core.cli.inputs import parse_workspace
        from core.services import access

        return session.call_as_owner(parse_workspace(workspace), access.list_members)

    from core.cli import access_views

    show(answer(work, as_json=as_json), access_views.members, as_json=as_json)


@members.command("remove")
def remove_member(subject: Subject, workspace: Workspace = "default", as_json: Json = False) -> None:
    """Take somebody's role away; running servers notice within seconds."""

    def work(session: Session) -> "Member":
        from core.cli.inputs import parse_workspace
        from core.services import access

        return session.call_as_owner(parse_workspace(workspace), access.remove_member, subject)

    from core.cli import access_views

    show(answer(work, as_json=as_json), access_views.removed, as_json=as_json)
