"""A refusal as a tool result: the same code and details as over HTTP, and a text a model can act on."""

from collections.abc import Mapping, Sequence
from typing import Any

from mcp.types import CallToolResult, TextContent

from mcp_server.rendering import CUT, MAX_TEXT, bounded
from schemas.errors import ErrorCode, ErrorDetail, Issue, Severity
from schemas.violations import issues_of, pointer

MAX_ISSUES = 100  # structured; the text shows as many as its bound allows

NEXT_CALL = {
    ErrorCode.NOT_FOUND: "list_projects and list_tasks show the keys that exist, list_history the ids of patch sets.",
    ErrorCode.DELETED_RESOURCE: "propose restore_task or restore_project first, or leave the item out.",
    ErrorCode.PATCH_SET_CLOSED: "get_patch_set shows what became of it, and its patches; propose what is still wanted.",
    ErrorCode.DEPENDENCY_CYCLE: "leave out one dependency of the chain and send the whole set again.",
    ErrorCode.INVALID_PATCH: "correct every issue and send the whole set again; nothing was stored.",
    ErrorCode.INVALID_HIERARCHY: "get_project shows the outline; correct the patch and send the whole set again.",
    ErrorCode.INVALID_CURSOR: "repeat the call without cursor.",
    ErrorCode.IDEMPOTENCY_KEY_REUSED: "leave out id, and the server makes a new one.",
    ErrorCode.UNAUTHORIZED: "tell the user: the server's ORCHESTRATOR_API_KEY must hold a valid key.",
    ErrorCode.TOKEN_EXPIRED: "tell the user: the server's ORCHESTRATOR_API_KEY has expired and must be replaced.",
    ErrorCode.STORAGE_BUSY: "repeat the same call in a moment.",
    ErrorCode.DATABASE_ERROR: "tell the user: the server's DATABASE_URL decides which database is used.",
}


def refusal(error: ErrorDetail, *, step: str | None = None) -> CallToolResult:
    """Return the tool result that refuses a call; `step` says what to do next, unless the code says it."""
    text = _text(error, step or _next_call(error))
    shown = error.model_copy(update={"details": error.details[:MAX_ISSUES]}).model_dump(mode="json", exclude_none=True)
    shown |= {"details_total": len(error.details)} if len(error.details) > MAX_ISSUES else {}
    return CallToolResult(content=[TextContent(text=text)], structured_content=bounded(shown), is_error=True)


def _next_call(error: ErrorDetail) -> str | None:
    in_a_set = any(issue.path for issue in error.details)
    if error.code is ErrorCode.INVALID_PATCH and not in_a_set:  # a revert: nothing was sent that could be corrected
        return None
    return NEXT_CALL.get(error.code)


def invalid_arguments(tool: str, known: Sequence[str], unknown: Sequence[str], wrong: Sequence[Mapping[str, Any]]) -> ErrorDetail:
    """Return the refusal of a call whose arguments do not fit the tool; `wrong` is what pydantic found."""
    hint = f"{tool} takes: {', '.join(known)}"
    details = [
        Issue(path=pointer([name]), code=ErrorCode.VALIDATION_ERROR, message="is not an argument of this tool", hint=hint)
        for name in unknown
    ]
    message = f"The arguments of {tool} are not valid; nothing was done."
    return ErrorDetail(code=ErrorCode.VALIDATION_ERROR, message=message, details=[*details, *issues_of(wrong)])


def internal_error(request_id: str) -> ErrorDetail:
    """Return the refusal that says nothing of the failure's inside."""
    message = f"The server failed on this call; its log has the reason under request {request_id}."
    return ErrorDetail(code=ErrorCode.INTERNAL_ERROR, message=message)


def issue_line(issue: Issue, *, under: ErrorCode | None = None) -> str:
    """Return one issue as a line: where, its code unless it stands under that, what is wrong, what would be right."""
    where = issue.path or ("whole request" if issue.patch_index is None else f"patch {issue.patch_index}")
    code = f"{issue.code}: " if issue.severity is Severity.ERROR and issue.code is not under else ""
    line = f"- {where}: {code}{issue.message}"
    return f"{line} ({issue.hint})" if issue.hint else line


def _text(error: ErrorDetail, step: str | None) -> str:
    lines = [f"{error.code}: {error.message}"]
    for number, issue in enumerate(error.details):
        line = f"- {issue.hint}" if not issue.path and issue.message == error.message else issue_line(issue, under=error.code)
        if sum(map(len, lines)) + len(lines) + len(line) > MAX_TEXT - CUT:
            lines.append(f"... {len(error.details) - number:,} more issues; correct these first.")
            break
        lines.append(line)
    return "\n".join([*lines, f"Next: {step}"] if step else lines)
