"""`orchestrator search` and `orchestrator trash`: find items by their words, and those that were deleted."""

from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import Page
from core.cli.session import DryRun, Json, Session, answer, show

if TYPE_CHECKING:
    from schemas.changes import ApplyResponse
    from schemas.search import SearchResponse
    from schemas.trash import TrashResponse

trash = typer.Typer(help="What was deleted, and how it comes back.", no_args_is_help=True, rich_markup_mode=None)

Project = Annotated[str | None, typer.Option(metavar="KEY", help="Only of this project.")]


def search(
    text: Annotated[list[str], typer.Argument(metavar="TEXT...", help="Words that must all occur; the last may be unfinished.")],
    project: Project = None,
    kind: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Only of this kind: project, task or comment; may repeat.")
    ] = None,
    page: Page = 1,
    as_json: Json = False,
) -> None:
    """Find projects, tasks and comments by their words, the most relevant first."""

    def work(session: Session) -> "SearchResponse":
        from core.services.search import search
        from schemas.search import SearchQuery

        given = {"query": " ".join(text), "project": project, "kind": kind or [], "page": page}
        return session.run(search, SearchQuery.model_validate(given))

    from core.cli import finding_views

    show(answer(work, as_json=as_json), finding_views.found, as_json=as_json)


@trash.command("list")
def list_trash(project: Project = None, page: Page = 1, as_json: Json = False) -> None:
    """List what was deleted and can be restored, the latest deletion first."""

    def work(session: Session) -> "TrashResponse":
        from core.services import trash
        from schemas.trash import TrashQuery

        return session.call(trash.list_trash, TrashQuery(project=project, page=page))

    from core.cli import finding_views

    show(answer(work, as_json=as_json), finding_views.trash, as_json=as_json)


@trash.command("restore")
def restore(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Key or id of a deleted project or task.")],
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Bring back a deleted project or task, with everything that was deleted with it."""

    def work(session: Session) -> "ApplyResponse":
        from core.cli.inputs import either_kind
        from core.services.patch_sets import whole_effect
        from core.services.projects import restore_project
        from core.services.tasks import restore_task

        return either_kind(
            key,
            project=lambda: session.call(whole_effect, session.call(restore_project, key, dry_run=dry_run)),
            task=lambda: session.call(whole_effect, session.call(restore_task, key, dry_run=dry_run)),
        )

    from core.cli import views

    show(answer(work, as_json=as_json), views.applied, as_json=as_json)
