"""Commands in a message, read against the tasks they may name."""

from collections.abc import Iterable

from core.context import Context
from core.rules.commands import NamedTask, ParsedCommands, parse_commands
from core.rules.sentences import mentioned_keys
from core.storage.interface import Transaction
from schemas.tasks import Task


def tasks_named(ctx: Context, tx: Transaction, text: str) -> list[Task]:
    """Return the live tasks whose keys stand in `text`; commands that name others are answered as not understood."""
    found = (tx.find_task(key, today=ctx.today) for key in mentioned_keys(text))
    return [task for task in found if task is not None and task.deleted_at is None]


def read_commands(ctx: Context, text: str, *, project: str | None, elsewhere: bool) -> ParsedCommands:
    """Return the patches that the commands of a message ask for.

    `project` is the key of the one that is meant; without it, that of the only one whose tasks are named. Tasks of others
    are known by their keys if `elsewhere`. All tasks of the project are read only where a command may name them by title.
    """
    named = ctx.read(lambda tx: tasks_named(ctx, tx, text))
    homes = {task.key.rpartition("-")[0] for task in named}
    home = project or (homes.pop() if len(homes) == 1 else None)
    inside = [task for task in named if elsewhere or task.key.rpartition("-")[0] == home]
    parsed = _parse(ctx, text, inside, home)
    if home is None or not parsed.unparsed:
        return parsed
    return _parse(ctx, text, [*inside, *ctx.read(lambda tx: _tasks_of(ctx, tx, home))], home)


def _tasks_of(ctx: Context, tx: Transaction, key: str) -> list[Task]:
    project = tx.find_project(key)
    return [] if project is None or project.deleted_at is not None else tx.outline(project.id, today=ctx.today)[0]


def _parse(ctx: Context, text: str, tasks: Iterable[Task], project: str | None) -> ParsedCommands:
    return parse_commands(
        text,
        tasks={task.key: NamedTask(task.title, task.tags, task.due_date) for task in tasks},
        project=project,
        today=ctx.today,
        hours_per_day=ctx.settings.hours_per_day,
        days_per_week=ctx.settings.days_per_week,
    )
