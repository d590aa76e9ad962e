"""The commands: each reads its arguments, calls one service, and shows the answer."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli import access, finding, options
from core.cli.options import Page
from core.cli.session import REFUSED, DryRun, Json, Session, answer, show, write

if TYPE_CHECKING:
    from schemas.changes import ApplyResponse, RevisionDiff, ValidationResponse
    from schemas.patches import HistoryResponse, PatchSetDetail, PatchSetListResponse
    from schemas.planning import PlannerResponse
    from schemas.projects import ProjectHierarchy
    from schemas.tasks import TaskDetail

app = typer.Typer(
    help="Plan projects by reviewed patch sets: import a plan, look at the diff, apply it, revert it.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.add_typer(access.keys, name="keys")
app.add_typer(access.members, name="members")

PatchSetId = Annotated[str, typer.Argument(metavar="PS_ID", help="Id of a stored patch set, ps_...")]
ProjectKey = Annotated[str, typer.Argument(metavar="KEY", help="Key or id of a project.")]
Then = Annotated[int | None, options.revision(help="As the project was at this revision.")]
ItemKey = Annotated[str, typer.Argument(metavar="KEY", help="Key or id of a project or task.")]

_PATCH_SET_ID = re.compile(r"ps_[0-9a-z]+")


# Proposing and applying


@app.command("import")
def import_plan(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The plan, in Markdown or another format; - reads standard input.")],
    project: Annotated[str | None, typer.Option(metavar="KEY", help="Add to this project instead of creating one.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the new project, unless the plan has a title.")] = None,
    sequential: Annotated[bool, typer.Option("--sequential", help="Numbered items wait for the one before them.")] = False,
    format: Annotated[
        str | None,
        options.choice(
            *("markdown", "outline", "taskpaper", "todotxt", "opml", "csv", "json"),
            help="How it is written, unless its name or the text says it.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Turn a written plan, or the export of a project, into a proposal. Nothing is applied."""

    def work(session: Session) -> "PlannerResponse":
        from core.cli.inputs import format_of, read_text
        from schemas.planning import MAX_IMPORT_BYTES, ImportRequest, OutlineFormat

        text = read_text(file, MAX_IMPORT_BYTES, "split the plan and import the parts with --project KEY")
        kind = OutlineFormat(format) if format else format_of(file)
        request = ImportRequest(content=text, format=kind, project=project, name=name, sequential=sequential)
        from core.services.planning import import_outline

        return session.call(import_outline, request)

    from core.cli import views

    show(answer(work, as_json=as_json, create=True), views.planned, as_json=as_json)


@app.command()
def apply(
    what: Annotated[
        str, typer.Argument(metavar="PS_ID|FILE", help="A proposal, a JSON file with a patch set, or - for standard input.")
    ],
    only: Annotated[str | None, typer.Option(metavar="0,2,5", help="Apply only these patches, numbered from 0.")] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Apply a proposal, or a patch set in a file: whole, or not at all."""

    def work(session: Session) -> "ApplyResponse":
        from core.cli.inputs import parse_indexes, read_patch_set
        from core.services import patch_sets

        indexes = parse_indexes(only)
        if _PATCH_SET_ID.fullmatch(what):
            return session.call(patch_sets.apply_proposal, what, only=indexes, dry_run=dry_run)
        return session.call(patch_sets.apply_patch_set, read_patch_set(what), only=indexes, dry_run=dry_run)

    from core.cli import views

    show(answer(work, as_json=as_json), views.applied, as_json=as_json)


@app.command()
def validate(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A JSON file with a patch set, or - for standard input.")],
    as_json: Json = False,
) -> None:
    """Say whether a patch set would be accepted now, and what it would do. Ends with 1 if not."""

    def work(session: Session) -> "ValidationResponse":
        from core.cli.inputs import read_patch_set
        from core.services.patch_sets import validate_patch_set

        return session.call(validate_patch_set, read_patch_set(file))

    from core.cli import views

    response = answer(work, as_json=as_json)
    show(response, views.validated, as_json=as_json)
    if not response.valid:
        raise typer.Exit(REFUSED)


@app.command()
def reject(
    patch_set_id: PatchSetId,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    as_json: Json = False,
) -> None:
    """Close a proposal without applying it."""
    from core.cli import views
    from core.services.patch_sets import reject_patch_set

    show(
        answer(lambda session: session.call(reject_patch_set, patch_set_id, reason=reason), as_json=as_json),
        views.rejected,
        as_json=as_json,
    )


@app.command()
def rebase(patch_set_id: PatchSetId, as_json: Json = False) -> None:
    """Propose the same patches on the present state, in place of a proposal that has become stale."""
    from core.cli import views
    from core.services.patch_sets import rebase_patch_set

    show(
        answer(lambda session: session.call(rebase_patch_set, patch_set_id), as_json=as_json),
        views.stored,
        as_json=as_json,
    )


@app.command()
def revert(
    what: Annotated[
        str, typer.Argument(metavar="PS_ID|KEY", help="An applied patch set, or with --to the key or id of a project.")
    ],
    to: Annotated[int | None, options.revision(help="Bring the project back to this revision.")] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Undo an applied patch set by applying its inverse; with --to, all of a project's later ones at once."""

    def work(session: Session) -> "ApplyResponse":
        from core.cli.inputs import missing_option
        from core.services import reverting

        if to is not None:
            return session.call(reverting.revert_to_revision, what, to, dry_run=dry_run)
        if not _PATCH_SET_ID.fullmatch(what):
            raise missing_option("--to", f"to bring {what} back to a revision")
        return session.call(reverting.revert_patch_set, what, dry_run=dry_run)

    from core.cli import views

    show(answer(work, as_json=as_json), views.applied, as_json=as_json)


@app.command()
def diff(
    what: Annotated[str, typer.Argument(metavar="PS_ID|KEY", help="A patch set, or with --from the key or id of a project.")],
    start: Annotated[int | None, options.revision("--from", help="The older revision of the project.")] = None,
    end: Annotated[
        int | None,
        options.revision("--to", help="The newer one, unless it is the present one."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a patch set would change or has changed, or what differs between two revisions of a project."""

    def work(session: Session) -> "PatchSetDetail | RevisionDiff":
        from core.cli.inputs import missing_option

        if start is None and (end is not None or not _PATCH_SET_ID.fullmatch(what)):
            raise missing_option("--from", f"to compare revisions of {what}")
        if start is not None:
            from core.services.history import diff_revisions

            return session.call(diff_revisions, what, from_revision=start, to_revision=end)
        from core.services.patch_sets import get_patch_set

        return session.call(get_patch_set, what)

    from core.cli import views

    show(answer(work, as_json=as_json), views.difference, as_json=as_json)


@app.command("patch-sets")
def list_patch_sets(
    project: Annotated[str | None, typer.Argument(metavar="[KEY]", help="Only those that touch this project.")] = None,
    page: Page = 1,
    as_json: Json = False,
) -> None:
    """List proposals and applied patch sets, newest first."""

    def work(session: Session) -> "PatchSetListResponse":
        from core.services import patch_sets
        from schemas.patches import PatchSetQuery

        return session.call(patch_sets.list_patch_sets, PatchSetQuery(project=project, page=page))

    from core.cli import views

    show(answer(work, as_json=as_json), views.patch_sets, as_json=as_json)


@app.command()
def history(
    key: ItemKey,
    author: Annotated[str | None, typer.Option(help="Only sets that this author has written.")] = None,
    limit: Annotated[int, options.number(least=1, most=100, help="Sets in one answer, up to 100.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Continue here: next_cursor of the answer before.")] = None,
    as_json: Json = False,
) -> None:
    """List the patch sets applied to a project, or to one task, newest first."""

    def work(session: Session) -> "HistoryResponse":
        from core.cli.inputs import TASK_KEY
        from core.services.history import list_history
        from schemas.patches import PatchSetQuery

        task = TASK_KEY.fullmatch(key)
        query = PatchSetQuery(task=key if task else None, author=author, per_page=limit, cursor=cursor)
        return session.call(list_history, task[1] if task else key, query)

    from core.cli import views

    show(answer(work, as_json=as_json), views.history, as_json=as_json)


# Reading


@app.command("list")
def list_projects(page: Page = 1, as_json: Json = False) -> None:
    """List the projects, newest first."""
    from core.cli import views
    from core.services import projects
    from schemas.projects import ProjectQuery

    show(
        answer(lambda session: session.call(projects.list_projects, ProjectQuery(page=page)), as_json=as_json),
        views.projects,
        as_json=as_json,
    )


@app.command("show")
def show_item(key: ItemKey, revision: Then = None, as_json: Json = False) -> None:
    """Show a project with its tree of tasks, or one task with its details."""

    def work(session: Session) -> "ProjectHierarchy | TaskDetail":
        from core.cli.inputs import either_kind, project_name
        from core.services.projects import get_hierarchy
        from core.services.tasks import get_task

        if revision is not None:
            return session.call(get_hierarchy, project_name("--revision", key), revision=revision)
        return either_kind(key, project=lambda: session.call(get_hierarchy, key), task=lambda: session.call(get_task, key))

    from core.cli import views

    show(answer(work, as_json=as_json), views.item, as_json=as_json)


@app.command("next")
def next_tasks(
    key: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="Only of this project; then the critical path counts.")
    ] = None,
    limit: Annotated[int, options.number(least=1, most=50, help="Tasks in the answer, up to 50.")] = 20,
    as_json: Json = False,
) -> None:
    """List the tasks to work on next, best first, with the reasons."""
    from core.cli import views
    from core.services.claiming import list_next_tasks

    show(
        answer(lambda session: session.call(list_next_tasks, project=key, limit=limit), as_json=as_json),
        views.next_tasks,
        as_json=as_json,
    )


@app.command()
def schedule(
    key: ProjectKey,
    format: Annotated[
        str,
        options.choice(
            "text",
            "json",
            "timeline",
            "mermaid",
            "ics",
            help="text to read, json for programs, timeline for bars, mermaid for a gantt chart, ics for calendars.",
        ),
    ] = "text",
    start_date: Annotated[
        str | None, typer.Option(metavar="DAY", help="First working day, YYYY-MM-DD, unless that of the project or today.")
    ] = None,
    hours_per_day: Annotated[
        int | None, options.number(least=1, most=24, metavar="HOURS", help="Working hours in a day, unless HOURS_PER_DAY.")
    ] = None,
    revision: Then = None,
    as_json: Json = False,
) -> None:
    """Show when each open task can start and must end, and the chain of tasks that decides the end."""

    def work(session: Session) -> str:
        from core.cli.inputs import parse_day
        from core.schedule_rendering import render_schedule
        from core.services.projects import get_schedule
        from schemas.schedule import ScheduleFormat

        day = parse_day("--start-date", start_date)
        found = session.call(get_schedule, key, start_date=day, hours_per_day=hours_per_day, revision=revision)
        return found.model_dump_json() if as_json else render_schedule(found, ScheduleFormat(format))

    write(answer(work, as_json=as_json))


@app.command()
def export(
    key: ProjectKey,
    format: Annotated[
        str, options.choice("md", "json", "csv", help="md to read, json for everything, csv for spreadsheets.")
    ] = "md",
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write to this file instead of standard output.")] = None,
    revision: Then = None,
    as_json: Json = False,
) -> None:
    """Write a whole project as Markdown, JSON or CSV."""

    def work(session: Session) -> str:
        from core.cli.inputs import write_text
        from core.exports.rendering import render_export
        from core.services.projects import export_project
        from schemas.export import ExportFormat

        document = session.call(export_project, key, revision=revision)
        text = document.model_dump_json() if as_json else render_export(document, ExportFormat(format))
        if output is not None:
            write_text(output, text)
        return text

    text = answer(work, as_json=as_json)
    if output is None:
        write(text)


app.command()(finding.search)
app.add_typer(finding.trash, name="trash")


# The database


@app.command()
def migrate(as_json: Json = False) -> None:
    """Create the database or bring it up to date (servers do this for SQLite by themselves)."""
    answer(lambda session: session.migrate(), as_json=as_json)
    write('{"up_to_date":true}' if as_json else "The database is up to date.")
