"""Resources: projects and tasks as text, patch sets and their schema as JSON; completions for the keys in their addresses."""

import json
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any, TypeVar

from mcp import MCPError
from mcp.server import MCPServer, ServerRequestContext
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.types import (
    INTERNAL_ERROR,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    ResourceTemplateReference,
)

from core.context import Context
from core.errors import DomainError
from core.wiring import Orchestrator
from mcp_server.calls import CallContext, caller_context, patch_sets, projects, services_context, tasks
from mcp_server.era import serve_completions
from mcp_server.rendering import compact_json
from mcp_server.tools.projects import project_text
from mcp_server.tools.tasks import task_text
from schemas.errors import ErrorCode
from schemas.patches import PatchSetQuery, ProposalState
from schemas.projects import ProjectQuery
from schemas.tasks import TaskQuery

T = TypeVar("T")

MAX_COMPLETIONS = 20
WHOLE = 2_000_000  # characters: resources are read on purpose, so they are not cut as answers are
MISSING = {ErrorCode.NOT_FOUND, ErrorCode.DELETED_RESOURCE, ErrorCode.VALIDATION_ERROR}


def add_resources(server: MCPServer[Any]) -> None:
    """Register the resources, their templates and the completions of `server`."""
    server.resource(
        "orchestrator://schemas/patch-set",
        title="Patch set schema",
        description="JSON Schema of patch sets: the exact form of each of the twelve operations",
        mime_type="application/schema+json",
    )(patch_set_schema)
    server.resource(
        "orchestrator://projects/{key}", title="Project", description="Progress and outline of a project", mime_type="text/plain"
    )(project)
    server.resource(
        "orchestrator://tasks/{key}",
        title="Task",
        description="A task in full, with subtasks and comments",
        mime_type="text/plain",
    )(task)
    server.resource(
        "orchestrator://patch-sets/{id}",
        title="Patch set",
        description="A stored patch set: its patches as sent, state and effect",
        mime_type="application/json",
    )(patch_set)

    serve_completions(server, complete)


async def complete(ctx: ServerRequestContext[Orchestrator, Any], params: CompleteRequestParams) -> CompleteResult:
    """Answer `completion/complete` with the keys that begin as the argument does;"""
    kind = params.argument.name
    if isinstance(params.ref, ResourceTemplateReference):
        kind = params.ref.uri.removeprefix("orchestrator://").partition("/")[0]
    find = COMPLETERS.get(kind.rstrip("s").replace("-", "_"))
    try:
        values = await find(await caller_context(ctx), params.argument.value) if find is not None else []
    except DomainError as refused:
        raise MCPError(INTERNAL_ERROR, f"{refused.code}: {refused.message}") from None
    return CompleteResult(completion=Completion(values=values[:MAX_COMPLETIONS], has_more=len(values) > MAX_COMPLETIONS))


def patch_set_schema() -> str:
    """Return the published schema, which names the exact union of patches."""
    text = (files("schemas") / "json" / "patch-set.schema.json").read_text(encoding="utf-8")
    return compact_json(json.loads(text))


async def project(key: str, ctx: CallContext) -> str:
    core = await _found(services_context(ctx))
    return project_text(await _found(core.run(projects.get_project, key, include_tasks=True)), most=WHOLE)


async def task(key: str, ctx: CallContext) -> str:
    core = await _found(services_context(ctx))
    return task_text(await _found(core.run(tasks.get_task, key)), most=WHOLE)


async def patch_set(id: str, ctx: CallContext) -> str:
    core = await _found(services_context(ctx))
    return (await _found(core.run(patch_sets.get_patch_set, id))).model_dump_json(exclude_none=True)


async def _found(reading: Awaitable[T]) -> T:
    try:
        return await reading
    except DomainError as refused:
        kind = ResourceNotFoundError if refused.code in MISSING else ResourceError
        raise kind(f"{refused.code}: {refused.message}") from None


async def _project_keys(core: Context, begun: str) -> list[str]:
    page = await core.run(projects.list_projects, ProjectQuery(query=begun[:200] or None, per_page=100))
    return [project.key for project in page.projects if project.key.startswith(begun.upper())]


async def _task_keys(core: Context, begun: str) -> list[str]:
    page = await core.run(tasks.list_tasks, TaskQuery(query=begun[:200] or None, per_page=100))
    return [task.key for task in page.tasks if task.key.startswith(begun.upper())]


async def _proposals(core: Context, begun: str) -> list[str]:
    query = PatchSetQuery(state=[ProposalState.PROPOSED, ProposalState.APPLIED], per_page=100)
    page = await core.run(patch_sets.list_patch_sets, query)
    return [patch_set.id for patch_set in page.patch_sets if patch_set.id.startswith(begun)]


COMPLETERS: dict[str, Callable[[Context, str], Awaitable[list[str]]]] = {
    "project": _project_keys,
    "task": _task_keys,
    "patch_set": _proposals,
}
