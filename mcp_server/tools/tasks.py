"""Tools for tasks: find, read, claim, comment. Every other change to a task is a patch."""

from datetime import datetime
from typing import Annotated, Any

from mcp.types import CallToolResult
from pydantic import Field

from core.patches.text import safe_word
from mcp_server.calls import CallContext, claiming, services_context, tasks
from mcp_server.rendering import (
    FEWER,
    MAX_TEXT,
    answer,
    body_lines,
    capped,
    compact_json,
    facts,
    listed,
    more_line,
    next_page,
    patch_set_link,
    task_facts,
    task_line,
)
from mcp_server.tools.arguments import Cursor, Limit, Person, TaskName, Words
from schemas.primitives import CommentBody, ItemName, TaskStatusInput
from schemas.tasks import Comment, Task, TaskDetail, TaskQuery

COMMENTS_SHOWN = 50  # as many as the service gives with a task


async def list_tasks(
    ctx: CallContext,
    project: Annotated[ItemName | None, Field(description="key; a task key lists its subtasks")] = None,
    status: list[TaskStatusInput] | None = None,
    assignee: Person = "",
    ready: Annotated[bool | None, Field(description="true: can start now, nothing it waits for is open")] = None,
    query: Annotated[Words, Field(description="text in key, title or description")] = "",
    limit: Limit = 20,
    cursor: Cursor = "",
) -> CallToolResult:
    """Find tasks, one line each: key [status] priority @assignee due title. All filters must hold. Use it to search or to
    see what can start; for a project's tree use get_project. Example: {"project": "WEB", "ready": true}"""
    core = await services_context(ctx)
    found = TaskQuery(
        **_place(project),
        status=status or [],
        assignee=assignee or None,
        ready=ready,
        query=query or None,
        per_page=limit,
        cursor=cursor or None,
    )
    page = await core.run(tasks.list_tasks, found)
    head = [] if page.tasks else ["No task matches."]
    foot = more_line(len(page.tasks), page.total, "tasks", page.next_cursor)
    rows = (task_line(task, placed=True) for task in page.tasks)
    text = capped(head, rows, foot, narrow=f"{FEWER}; or filter by status, assignee or query.")
    structured = {"tasks": [task_facts(task) for task in page.tasks], "total": page.total}
    return answer(text, structured | next_page(page.next_cursor))


def _place(name: str | None) -> dict[str, Any]:
    """Return the filter for a project, or for the subtasks of a task: only keys of tasks hold one `-`."""
    return {"parent": name} if name and name.count("-") == 1 else {"project": name}


async def get_task(ctx: CallContext, task: TaskName) -> CallToolResult:
    """Read one task in full: description, acceptance criteria, dates, dependencies, subtasks, newest
    comments and the revision that last changed it. For several tasks use list_tasks. Example: {"task": "WEB-14"}"""
    core = await services_context(ctx)
    found = await core.run(tasks.get_task, task)
    return answer(task_text(found), task_structure(found))


def task_text(task: TaskDetail, *, most: int = MAX_TEXT) -> str:
    """Return everything there is to know about a task."""
    head = [task_line(task)]
    instants = {"completed": task.completed_at, "claimed until": task.claim_expires_at}
    head += [f"{label}: {_moment(when)}" for label, when in instants.items() if when]
    head += [f"parent: {task.parent}"] if task.parent else []
    head += [f"blocks: {listed(task.blocks)}"] if task.blocks else []
    head += [f"spent: {task.actual_minutes} minutes"] if task.actual_minutes else []
    head += [f"tags: {listed(task.tags, 50)}"] if task.tags else []
    head.append(f"revision {task.revision}, updated {_moment(task.updated_at)}")
    head.append(f"created {_moment(task.created_at)} by {safe_word(task.created_by)}")
    rows = body_lines("description", task.description)
    rows += body_lines("acceptance criteria", "\n".join(task.acceptance_criteria))
    rows += body_lines("links", "\n".join(f"{name}: {target}" for name, target in task.links.items()))
    rows += body_lines("custom", "\n".join(f"{name}: {_as_text(value)}" for name, value in task.custom.items()))
    if task.subtasks:
        rows += ["subtasks:", *(f"  {task_line(child)}" for child in task.subtasks)]
    for comment in task.comments:
        rows += body_lines(f"comment by {safe_word(comment.author)} at {comment.created_at:%Y-%m-%d %H:%M}", comment.body)
    if len(task.comments) == COMMENTS_SHOWN:
        rows.append(f"(the newest {COMMENTS_SHOWN} comments; there may be older ones)")
    narrow = f'list_tasks(project="{task.key}") pages through subtasks; orchestrator://tasks/{task.key} is the whole of it.'
    return capped(head, rows, narrow=narrow, most=most)


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else compact_json(value)


def task_structure(task: TaskDetail) -> dict[str, Any]:
    """Return a task as data, without ids and empty fields."""
    structured = facts(task)
    for name in ("id", "project_id", "parent_id", "position", "depth"):
        structured.pop(name, None)
    if task.subtasks:
        structured["subtasks"] = [task_facts(child) for child in task.subtasks[:100]]
    if task.comments:
        structured["comments"] = [_comment_facts(comment) for comment in task.comments]
    return structured


def _comment_facts(comment: Comment) -> dict[str, Any]:
    return facts(comment, {"author", "body", "created_at"})


async def claim_task(
    ctx: CallContext,
    project: Annotated[ItemName | None, Field(description="choose within it")] = None,
    task: Annotated[ItemName | None, Field(description="claim this one")] = None,
    agent: Annotated[Person, Field(description="who works on it; default: the caller")] = "",
    lease_minutes: Annotated[int, Field(ge=1, le=10_080)] = 60,
) -> CallToolResult:
    """Take the best ready task (priority, critical path, due date): it becomes in_progress and is yours until the lease
    ends. Call again with task to renew. Returns the task, or that nothing is ready.
    Example: {"project": "WEB", "agent": "ana"}"""
    core = await services_context(ctx)
    claimed = await core.run(claiming.claim_task, project=project, task=task, agent=agent or None, lease_minutes=lease_minutes)
    if claimed is None or claimed.item is None:
        text = "Nothing is ready to be claimed; list_tasks with status in_progress or blocked shows what is in the way."
        return answer(text, {"task": None})
    return answer(_claim_text(claimed.item), {"task": task_facts(claimed.item, "claim_expires_at", "description")})


def _claim_text(task: Task) -> str:
    until = _moment(task.claim_expires_at) if task.claim_expires_at else "the lease ends"
    head = [f"Claimed until {until}:", task_line(task)]
    foot = [f'get_task(task="{task.key}") has the details; when done, propose update_task with status completed.']
    return capped(head, body_lines("description", task.description), foot, narrow="get_task shows it all.")


async def add_comment(ctx: CallContext, task: TaskName, body: CommentBody) -> CallToolResult:
    """Add a note to a task's discussion, at once and without approval. For changes to the task itself use
    propose_patch_set. Returns the patch set id. Example: {"task": "WEB-14", "body": "Waiting for the vendor"}"""
    core = await services_context(ctx)
    written = await core.run(tasks.add_comment, task, body)
    effect = written.effect
    author = written.item.author if written.item else core.principal.subject
    revisions = ", ".join(f"{key} revision {revision}" for key, revision in effect.revisions.items())
    text = f"Commented on {task.upper()} as {author}; {revisions}. Set {effect.patch_set_id}; comments cannot be undone."
    structured = {"task": task.upper(), "author": author, "patch_set_id": effect.patch_set_id, "revisions": effect.revisions}
    return answer(text, structured, links=[patch_set_link(effect.patch_set_id)] if effect.patch_set_id else [])
