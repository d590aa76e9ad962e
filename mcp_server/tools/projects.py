"""Tools that read projects: the list, the outline, the schedule, the history."""

from typing import Annotated, Any, Literal

from mcp.types import CallToolResult
from pydantic import Field

from core.errors import InvalidCursor
from core.schedule_rendering import schedule_head, schedule_line
from mcp_server.calls import CallContext, history, patch_sets, projects, services_context
from mcp_server.pictures import board, flowchart, gantt, timeline
from mcp_server.rendering import (
    FEWER,
    MAX_TEXT,
    PROJECT_FACTS,
    SCHEDULED_FACTS,
    answer,
    body_lines,
    capped,
    facts,
    listed,
    more_line,
    next_page,
    patch_set_facts,
    patch_set_line,
    project_line,
    task_facts,
    task_line,
)
from mcp_server.tools.arguments import Cursor, Limit, Person, ProjectName, TaskName, Then, Words
from schemas.patches import HistoryResponse, PatchSetListResponse, PatchSetQuery, ProposalState
from schemas.primitives import Day, ItemName, ProjectStatusInput
from schemas.projects import ProjectDetail, ProjectQuery
from schemas.schedule import Schedule, ScheduledTask

MAX_KEYS = 40  # of the critical path and other lists of keys


async def list_projects(
    ctx: CallContext,
    query: Annotated[Words, Field(description="text in key, name or description")] = "",
    status: list[ProjectStatusInput] | None = None,
    limit: Limit = 20,
    cursor: Cursor = "",
) -> CallToolResult:
    """List projects, newest first, one line each with status and progress. Use it to find a project's key; for tasks use
    list_tasks. Example: {"query": "website"}"""
    core = await services_context(ctx)
    found = ProjectQuery(query=query or None, status=status or [], per_page=limit, cursor=cursor or None)
    page = await core.run(projects.list_projects, found)
    head = [] if page.projects else ["No project matches; propose_patch_set or import_outline creates one."]
    foot = more_line(len(page.projects), page.total, "projects", page.next_cursor)
    text = capped(head, map(project_line, page.projects), foot, narrow=f"{FEWER}; or filter by query or status.")
    structured = {"projects": [facts(project, PROJECT_FACTS) for project in page.projects], "total": page.total}
    return answer(text, structured | next_page(page.next_cursor))


async def get_project(
    ctx: CallContext,
    project: ProjectName,
    revision: Then = None,
    format: Literal["text", "mermaid", "board"] = "text",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> CallToolResult:
    """Read one project: progress, revision and its tasks as an outline (children indented). Use it before planning; for
    filtered tasks use list_tasks, for one task get_task. mermaid draws the dependency graph, board columns by status.
    Example: {"project": "WEB"}"""
    core = await services_context(ctx)
    run = core.run if revision is None else core.run_long
    found = await run(
        projects.get_project, project, include_tasks=True, tasks_cursor=cursor or None, tasks_limit=limit, revision=revision
    )
    return answer(_project_as(format, found), project_structure(found))


def _project_as(format: str, project: ProjectDetail) -> str:
    tasks = project.tasks or []
    match format:
        case "mermaid":
            return flowchart(tasks, _more_tasks(project))
        case "board":
            return board([project_line(project)], tasks, _more_tasks(project))
        case _:
            return project_text(project)


def _more_tasks(project: ProjectDetail) -> list[str]:
    return more_line(len(project.tasks or []), project.task_count, "tasks", project.tasks_next_cursor)


def project_text(project: ProjectDetail, *, most: int = MAX_TEXT) -> str:
    """Return the header of a project and the outline of its tasks."""
    tasks = project.tasks or []
    head = [project_line(project)]
    head += [f"start: {project.start_date}"] if project.start_date else []
    head += [f"tags: {listed(project.tags, 50)}"] if project.tags else []
    about = body_lines("description", project.description)
    rows = [f"{'  ' * task.depth}{task_line(task)}" for task in tasks]
    narrow = "use a smaller limit, or list_tasks with a filter."
    return capped(head, [*about, *(rows or ["(no tasks)"])], _more_tasks(project), narrow=narrow, most=most)


def project_structure(project: ProjectDetail) -> dict[str, Any]:
    """Return what `project_text` says as data; the outline's order and `parent` give the tree."""
    structured = facts(project, PROJECT_FACTS | {"tags", "description"})
    structured["tasks"] = [task_facts(task) for task in project.tasks or []]
    return structured | next_page(project.tasks_next_cursor)


async def get_schedule(
    ctx: CallContext,
    project: ProjectName,
    start_date: Annotated[Day | None, Field(description="default: the project's, else today")] = None,
    format: Literal["text", "mermaid", "timeline"] = "text",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> CallToolResult:
    """Compute when each open task can run, the critical path, slack, load per person and the finish date. Use it to find
    what decides the end; it changes nothing. mermaid gives a gantt chart, timeline bars.
    Example: {"project": "WEB", "format": "mermaid"}"""
    core = await services_context(ctx)
    schedule = await core.run_long(projects.get_schedule, project, start_date=start_date)
    first = _offset(cursor, schedule.revision)
    page = schedule.tasks[first : first + limit]
    last = first + len(page)
    following = f"{schedule.revision}.{last}" if last < len(schedule.tasks) else None
    structured = schedule_structure(schedule, page) | next_page(following)
    foot = more_line(len(page), len(schedule.tasks), "open tasks", following)
    return answer(_schedule_as(format, schedule, page, foot), structured)


def _schedule_as(format: str, schedule: Schedule, page: list[ScheduledTask], foot: list[str]) -> str:
    match format:
        case "mermaid":
            return gantt(schedule, page, foot)
        case "timeline":
            return timeline(schedule, page, foot)
        case _:
            head = schedule_head(schedule, most=MAX_KEYS)
            return capped(head, map(schedule_line, page), foot, narrow=f"{FEWER}.")


def schedule_structure(schedule: Schedule, page: list[ScheduledTask]) -> dict[str, Any]:
    """Return a schedule as data with one page of its tasks; lists of keys are cut as in the text, and counted."""
    structured = schedule.model_dump(mode="json", exclude={"tasks", "updated_at", "hours_per_day", "days_per_week"})
    for name in ("critical_path", "unestimated"):
        structured[f"{name}_total"] = len(structured[name])
        structured[name] = structured[name][:MAX_KEYS]
    structured["load"] = dict(list(schedule.load.items())[:MAX_KEYS])
    return structured | {"tasks": [facts(task, SCHEDULED_FACTS) for task in page], "total": len(schedule.tasks)}


def _offset(cursor: str, revision: int) -> int:
    """Return where a schedule continues; a cursor is bound to the revision that it pages through."""
    made_for, _, offset = cursor.partition(".")
    if not cursor:
        return 0
    if made_for != str(revision) or not offset.isdecimal():
        raise InvalidCursor()
    return int(offset)


async def list_history(
    ctx: CallContext,
    project: Annotated[ItemName | None, Field(description="key; default: all")] = None,
    task: Annotated[TaskName | None, Field(description="only sets that changed it")] = None,
    author: Person | None = None,
    state: ProposalState = ProposalState.APPLIED,
    limit: Limit = 20,
    cursor: Cursor = "",
) -> CallToolResult:
    """List patch sets, newest first: who applied what and when, with the id that get_patch_set and revert_patch_set take.
    Use state=proposed to find open proposals, also of new projects. Example: {"project": "WEB", "limit": 5}"""
    core = await services_context(ctx)
    query = PatchSetQuery(project=project, task=task, author=author, state=[state], per_page=limit, cursor=cursor or None)
    page: HistoryResponse | PatchSetListResponse
    if project is not None and state is ProposalState.APPLIED:
        page = await core.run(history.list_history, project, query)
    else:
        page = await core.run(patch_sets.list_patch_sets, query)
    head = [] if page.patch_sets else [f"No patch set is {state} here."]
    foot = more_line(len(page.patch_sets), page.total, "patch sets", page.next_cursor)
    text = capped(head, map(patch_set_line, page.patch_sets), foot, narrow=f"{FEWER}.")
    structured = {"patch_sets": [patch_set_facts(patch_set) for patch_set in page.patch_sets], "total": page.total}
    return answer(text, structured | next_page(page.next_cursor))
