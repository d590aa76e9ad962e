"""The text of answers: one line per item, keys instead of ids, bounded, and never silent about what was cut."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mcp.types import CallToolResult, ContentBlock, ResourceLink, TextContent

from core.patches.text import safe, safe_title, safe_word, show_count, show_minutes
from schemas.changes import Change, Totals
from schemas.patches import PatchSetSummary
from schemas.primitives import Model, Priority
from schemas.projects import Project
from schemas.schedule import ScheduledTask
from schemas.tasks import Task

MAX_TEXT = 8_000  # characters of one answer
CUT = 300  # room for the sentence that says what was cut
MAX_VALUE = 500  # characters of one string inside a structured change

TASK_FACTS = {
    "key", "title", "status", "priority", "assignee", "parent", "start_date", "due_date", "estimated_minutes",
    "depends_on", "is_ready", "is_overdue", "claimed_by", "revision",
}  # fmt: skip
PATCH_SET_FACTS = {
    "id", "summary", "state", "engine", "author", "created_at", "closed_at", "closed_by", "changes_total", "reverts", "revisions",
}  # fmt: skip
PROJECT_FACTS = {
    "key", "name", "status", "priority", "start_date", "due_date", "revision", "task_count", "completed_task_count",
    "progress", "estimated_minutes",
}  # fmt: skip


def answer(text: str, structured: Mapping[str, Any], *, links: Sequence[ResourceLink] = ()) -> CallToolResult:
    """Return a tool result whose text and structure state the same facts."""
    content: list[ContentBlock] = [TextContent(text=text), *links]
    return CallToolResult(content=content, structured_content=dict(structured))


def patch_set_link(patch_set_id: str) -> ResourceLink:
    """Return the link to a patch set's full record."""
    uri = f"orchestrator://patch-sets/{patch_set_id}"
    return ResourceLink(type="resource_link", uri=uri, name=patch_set_id, mime_type="application/json")


def facts(model: Model, fields: set[str] | None = None) -> dict[str, Any]:
    """Return the fields of `model` that say something: not null, false or empty."""
    values = model.model_dump(mode="json", include=fields, exclude_none=True)
    return {name: value for name, value in values.items() if value not in ("", [], {}) and value is not False}


def task_facts(task: Task, *more: str) -> dict[str, Any]:
    """Return what `task_line` says of a task, as data, and the fields `more`."""
    return facts(task, TASK_FACTS | set(more) | ({"progress", "subtask_count"} if task.subtask_count else set()))


def compact_json(value: Any, *, limit: int | None = None) -> str:
    """Return `value` as JSON without blanks, cut after `limit` characters."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if limit is None or len(text) <= limit else f"{text[:limit]}..."


def capped(head: Sequence[str], rows: Iterable[str], foot: Sequence[str] = (), *, narrow: str, most: int = MAX_TEXT) -> str:
    """Return the lines as text of at most `most` characters; `narrow` says how to see rows that were cut."""
    rows = list(rows)
    ends = "\n".join(foot)
    room = most - CUT - len(ends) - sum(len(line) + 1 for line in head)
    shown: list[str] = []
    for row in rows:
        room -= len(row) + 1
        if room < 0:
            cut = show_count(len(rows) - len(shown), "line")
            shown.append(f"... {cut} of {len(rows):,} cut to stay below {most:,} characters; {narrow}")
            break
        shown.append(row)
    text = "\n".join([*head, *shown, *foot])
    return text if len(text) <= most else f"{text[: most - CUT]}\n... cut at {most:,} characters"


def more_line(shown: int, total: int, noun: str, cursor: str | None) -> list[str]:
    """Return `20 of 137 tasks; next: cursor="..."`, or nothing when all are shown."""
    return [] if cursor is None else [f'{shown:,} of {total:,} {noun}; continue with cursor="{cursor}"']


def next_page(cursor: str | None) -> dict[str, str]:
    """Return the structured half of `more_line`."""
    return {} if cursor is None else {"next_cursor": cursor}


def task_line(task: Task) -> str:
    """Return `WEB-14 [todo] high @ana due 2026-12-01 Title (8h, waits for WEB-3, ready)`."""
    words = [task.key, f"[{task.status}]"]
    words += [str(task.priority)] if task.priority is not Priority.MEDIUM else []
    words += [f"@{safe_word(task.assignee)}"] if task.assignee else []
    words += [f"due {task.due_date}"] if task.due_date else []
    words.append(safe_title(task.title))
    notes = [show_minutes(task.estimated_minutes)] if task.estimated_minutes else []
    notes += [f"{show_count(task.subtask_count, 'subtask')}, {task.progress}%"] if task.subtask_count else []
    notes += [f"waits for {listed(task.depends_on)}"] if task.depends_on else []
    notes += [f"claimed by {safe_word(task.claimed_by)}"] if task.claimed_by else []
    notes += [note for note, holds in (("ready", task.is_ready), ("overdue", task.is_overdue)) if holds]
    return " ".join(words) + (f" ({', '.join(notes)})" if notes else "")


def project_line(project: Project) -> str:
    """Return `WEB [active] high due 2026-12-01 Launch: 3/12 tasks done, 25%, revision 41`."""
    words = [project.key, f"[{project.status}]"]
    words += [str(project.priority)] if project.priority is not Priority.MEDIUM else []
    words += [f"due {project.due_date}"] if project.due_date else []
    done = f"{project.completed_task_count}/{project.task_count} tasks done, {project.progress}%"
    estimate = f", {show_minutes(project.estimated_minutes)} estimated" if project.estimated_minutes else ""
    return f"{' '.join(words)} {safe_title(project.name)}: {done}{estimate}, revision {project.revision}"


def patch_set_line(patch_set: PatchSetSummary) -> str:
    """Return one line of a history: when, id, effect on revisions, author, summary."""
    when = (patch_set.closed_at or patch_set.created_at).strftime("%Y-%m-%d %H:%M")
    revisions = "".join(f" {key} r{revision}" for key, revision in patch_set.revisions.items())
    by = safe_word(patch_set.closed_by or patch_set.author)
    undone = f" (reverts {listed(patch_set.reverts)})" if patch_set.reverts else ""
    state = f"[{patch_set.state}]{revisions} {show_count(patch_set.changes_total, 'change')} by {by}"
    return f"{when} {patch_set.id} {state}: {safe_title(patch_set.summary) or 'no summary'}{undone}"


def schedule_line(task: ScheduledTask) -> str:
    """Return `WEB-3 2026-12-01..2026-12-02 critical @ana Title (8h, waits for WEB-1)`."""
    slack = "critical" if task.is_critical else f"slack {show_minutes(task.slack)}"
    words = [task.key, f"{task.start_date}..{task.finish_date}", slack]
    words += [f"@{safe_word(task.assignee)}"] if task.assignee else []
    notes = [show_minutes(task.estimated_minutes) if task.estimated_minutes else "no estimate"]
    notes += [f"waits for {listed(task.depends_on)}"] if task.depends_on else []
    return f"{' '.join(words)} {safe_title(task.title)} ({', '.join(notes)})"


def totals_text(totals: Totals) -> str:
    """Return `3 created, 1 deleted, 2 dependencies added`; `no changes` when nothing differs."""
    counts = totals.model_dump(exclude_defaults=True)
    return ", ".join(f"{count:,} {_effect(name, count)}" for name, count in counts.items()) or "no changes"


def _effect(name: str, count: int) -> str:
    noun, _, verb = name.rpartition("_")  # created, or dependencies_added
    singular = {"dependencies": "dependency", "comments": "comment"}
    return f"{singular.get(noun, noun) if count == 1 else noun} {verb}".strip()


def listed(keys: Sequence[str], most: int = 10) -> str:
    """Return the first keys, and how many more there are."""
    return ", ".join(keys[:most]) + (f" and {len(keys) - most:,} more" if len(keys) > most else "")


def body_lines(title: str, text: str) -> list[str]:
    """Return a text of a user as quoted lines: data, which cannot be taken for the answer's own words."""
    return [f"{title}:", *(f"  | {safe(line)}" for line in text.splitlines())] if text else []


def change_facts(change: Change) -> dict[str, Any]:
    """Return a change without its id; long strings are shortened, the full ones are in the patch set's resource."""
    values = change.model_dump(mode="json", exclude={"id"}, exclude_defaults=True)
    values["fields"] = _shortened(values["fields"])
    return values


def _shortened(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MAX_VALUE:
        return f"{value[:MAX_VALUE]}... (+{len(value) - MAX_VALUE:,} characters)"
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    return value
