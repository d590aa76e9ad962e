"""Questions about plans, answered from the same reads that every door has."""

from typing import assert_never

from core.context import Context
from core.patches.text import safe, safe_title, show_count, show_facts, show_listed, show_minutes
from core.rules.questions import Blockers, Next, Overdue, Projects, Show
from core.services.claiming import list_next_tasks
from core.services.projects import get_project, list_projects
from core.services.tasks import get_task, list_tasks, live_task
from core.storage.interface import Transaction
from schemas.primitives import CLOSED_STATUSES
from schemas.projects import ProjectQuery
from schemas.tasks import Task, TaskQuery, TaskSort

SHOWN = 10
OUTLINE_SHOWN = 50

Lookup = Projects | Next | Overdue | Blockers | Show


def look_up(ctx: Context, question: Lookup) -> str:
    """Return the answer as Markdown.

    Raises NotFound or DeletedResource for what the question names.
    """
    match question:
        case Projects():
            return _projects(ctx)
        case Next(project):
            return _next(ctx, project)
        case Overdue(project):
            return _overdue(ctx, project)
        case Blockers(task):
            return _blockers(ctx, task)
        case Show(item):
            if item is None:
                return _projects(ctx)
            return _task(ctx, item) if "-" in item else _project(ctx, item)
        case _:
            assert_never(question)


def _projects(ctx: Context) -> str:
    page = list_projects(ctx, ProjectQuery(per_page=SHOWN))
    if not page.projects:
        return "There is no project yet."
    lines = [
        f"- {project.key} {safe_title(project.name)} [{project.status}] {project.progress}%, "
        f"{show_count(project.task_count, 'task')}"
        for project in page.projects
    ]
    return "\n".join([*lines, *_more(page.total - len(lines))])


def _next(ctx: Context, project: str | None) -> str:
    found = list_next_tasks(ctx, project=project, limit=SHOWN).tasks
    where = f" in {project}" if project else ""
    if not found:
        return f"Nothing can be started{where} now."
    lines = [f"{task.rank}. {_line(task)}" + (" (on the critical path)" if task.why.on_critical_path else "") for task in found]
    return "\n".join([f"What can be started{where}, best first:", *lines])


def _overdue(ctx: Context, project: str | None) -> str:
    page = list_tasks(ctx, TaskQuery(project=project, overdue=True, sort=TaskSort.DUE_DATE, per_page=SHOWN))
    where = f" in {project}" if project else ""
    if not page.tasks:
        return f"Nothing is overdue{where}."
    return "\n".join([f"Overdue{where}:", *(f"- {_line(task)}" for task in page.tasks), *_more(page.total - len(page.tasks))])


def _blockers(ctx: Context, name: str) -> str:
    """Name the open tasks that a task, or one above it, waits for."""

    def work(tx: Transaction) -> tuple[Task, list[tuple[Task, Task]]]:
        task = live_task(ctx, tx, name)
        waits: list[tuple[Task, Task]] = []
        above: Task | None = task
        while above is not None:
            for key in above.depends_on:
                other = live_task(ctx, tx, key)
                if other.status not in CLOSED_STATUSES:
                    waits.append((above, other))
            above = live_task(ctx, tx, above.parent_id) if above.parent_id else None
        return task, waits

    task, waits = ctx.read(work)
    if waits:
        lines = [f"- {_line(other)}" + (f" (through {above.key})" if above.key != task.key else "") for above, other in waits]
        return "\n".join([f"{task.key} {safe_title(task.title)} waits for:", *lines[:SHOWN], *_more(len(lines) - SHOWN)])
    if task.is_ready:
        return f"Nothing blocks {task.key} {safe_title(task.title)}; it can be started."
    why = f"has {show_count(task.subtask_count, 'subtask')}" if task.subtask_count else f"is {task.status}"
    return f"{task.key} {safe_title(task.title)} waits for no other task; it {why}."


def _project(ctx: Context, name: str) -> str:
    project = get_project(ctx, name, include_tasks=True, tasks_limit=OUTLINE_SHOWN)
    tasks = project.tasks or []
    due = f", due {project.due_date}" if project.due_date else ""
    head = (
        f"{project.key} {safe_title(project.name)} [{project.status}] {project.progress}%: "
        f"{project.completed_task_count} of {show_count(project.task_count, 'task')} completed, "
        f"{show_minutes(project.estimated_minutes)} estimated{due} (revision {project.revision})"
    )
    lines = [f"{'  ' * task.depth}- {_line(task)}" for task in tasks]
    return "\n".join([head, *lines, *_more(project.task_count - len(lines))])


def _task(ctx: Context, name: str) -> str:
    task = get_task(ctx, name)
    lines = [_line(task)]
    if task.description.strip():
        lines.append(f"  {safe(task.description.strip()[:300])}")
    lines += [f"- [ ] {safe(criterion)}" for criterion in task.acceptance_criteria[:SHOWN]]
    if task.blocks:
        lines.append(f"Waiting for it: {show_listed(task.blocks)}")
    lines += [f"- {_line(subtask)}" for subtask in (task.subtasks or [])[:SHOWN]]
    return "\n".join([*lines, *_more(task.subtask_count - SHOWN)])


def _line(task: Task) -> str:
    return f"{task.key} {safe_title(task.title)} {show_facts(task.__dict__)}"


def _more(count: int) -> list[str]:
    return [f"... {count:,} more"] if count > 0 else []
