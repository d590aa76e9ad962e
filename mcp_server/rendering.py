"""The text of answers: one line per item, keys instead of ids, bounded, and never silent about what was cut."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mcp.types import CallToolResult, ContentBlock, ResourceLink, TextContent

from core.patches.text import safe, safe_title, safe_word, show_count, show_minutes
from schemas.changes import Change, Totals
from schemas.patches import HistoryEntry, PatchSetSummary, ProposalState
from schemas.primitives import Model, Priority
from schemas.projects import Project
from schemas.tasks import Task

MAX_TEXT = 8_000  # characters of one answer
CUT = 300  # room for the sentence that says what was cut
MAX_VALUE = 500  # characters of one string inside a structured change
MAX_STRUCTURE = 60_000  # characters of the structured half of an answer, as JSON
MAX_TEXT_VALUE = 2_000  # characters of one string inside a structure that is too large
FEWER = "repeat with limit={shown}, for a cursor goes on after them"  # where each row is an item of a page
OLDEST_FIRST = {"comments"}  # lists whose first items are left out first

TASK_FACTS = {
    "key", "title", "status", "priority", "assignee", "parent", "start_date", "due_date", "estimated_minutes",
    "depends_on", "is_ready", "is_overdue", "claimed_by",
}  # fmt: skip
PATCH_SET_FACTS = {
    "id",
    "summary",
    "rationale",
    "state",
    "engine",
    "author",
    "created_at",
    "closed_at",
    "closed_by",
    "approval",
    "reverts",
    "revisions",
}
SCHEDULED_FACTS = {
    "key", "title", "assignee", "estimated_minutes", "slack", "is_critical", "start_date", "finish_date", "depends_on",
}  # fmt: skip
PROJECT_FACTS = {
    "key", "name", "status", "priority", "start_date", "due_date", "revision", "task_count", "completed_task_count",
    "progress", "estimated_minutes",
}  # fmt: skip


def answer(text: str, structured: Mapping[str, Any], *, links: Sequence[ResourceLink] = ()) -> CallToolResult:
    """Return a tool result whose text and structure state the same facts."""
    content: list[ContentBlock] = [TextContent(text=text), *links]
    return CallToolResult(content=content, structured_content=bounded(structured))


def bounded(structured: Mapping[str, Any]) -> dict[str, Any]:
    """Return what fits of a structure: long texts are shortened, then lists, and `cut` says what was left out."""
    if _size(structured) <= MAX_STRUCTURE:
        return dict(structured)
    values: dict[str, Any] = _shortened(dict(structured), MAX_TEXT_VALUE)
    counts = {name: len(value) for name, value in values.items() if isinstance(value, list)}
    while _size(values) > MAX_STRUCTURE and (longest := max(counts, key=lambda name: _size(values[name]), default="")):
        if not (items := values[longest]):
            break
        half = len(items) // 2
        values[longest] = items[-half:] if half and longest in OLDEST_FIRST else items[:half]
    left_out = [
        f"{total - len(values[name]):,} of {total:,} {name}" for name, total in counts.items() if len(values[name]) < total
    ]
    what = " and ".join(left_out) or "parts of long texts"
    return values | {"cut": f"{what} left out; use a smaller limit, or read the item's resource"}


def _size(value: Any) -> int:
    return len(compact_json(value))


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


def compact_json(value: Any) -> str:
    """Return `value` as JSON without blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def capped(head: Sequence[str], rows: Iterable[str], foot: Sequence[str] = (), *, narrow: str, most: int = MAX_TEXT) -> str:
    """Return the lines as text of at most `most` characters; `narrow` says how to see rows that were cut.

    In it `{shown}` stands for the number of rows that were not.
    """
    rows = list(rows)
    ends = "\n".join(foot)
    room = most - CUT - len(ends) - sum(len(line) + 1 for line in head)
    shown: list[str] = []
    for row in rows:
        room -= len(row) + 1
        if room < 0:
            cut = show_count(len(rows) - len(shown), "line")
            way = narrow.replace("{shown}", str(len(shown)))
            shown.append(f"... {cut} of {len(rows):,} cut to stay below {most:,} characters; {way}")
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


def task_line(task: Task, *, placed: bool = False) -> str:
    """Return `WEB-14 [todo] high @ana due 2026-12-01 Title (8h, waits for WEB-3, ready)`; `placed` also names its parent."""
    words = [task.key, f"[{task.status}]"]
    words += [str(task.priority)] if task.priority is not Priority.MEDIUM else []
    words += [f"@{safe_word(task.assignee)}"] if task.assignee else []
    words += [f"start {task.start_date}"] if task.start_date else []
    words += [f"due {task.due_date}"] if task.due_date else []
    words.append(safe_title(task.title))
    notes = [f"under {task.parent}"] if placed and task.parent else []
    notes += [show_minutes(task.estimated_minutes)] if task.estimated_minutes else []
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


def patch_set_facts(patch_set: PatchSetSummary) -> dict[str, Any]:
    """Return what `patch_set_line` says, as data, and why it was written."""
    told: dict[str, Any] = _shortened(facts(patch_set, PATCH_SET_FACTS), MAX_VALUE)
    if patch_set.state is not ProposalState.APPLIED:  # it has changed nothing, but holds patches
        return told | {"patch_count": patch_set.patch_count}
    effect = {"changes_total": patch_set.changes_total, "totals": patch_set.totals.model_dump(exclude_defaults=True)}
    return told | effect | (facts(patch_set, {"revision_before", "revision"}) if isinstance(patch_set, HistoryEntry) else {})


def patch_set_line(patch_set: PatchSetSummary) -> str:
    """Return one line of a history: when, id, effect on revisions and items, who, summary."""
    when = (patch_set.closed_at or patch_set.created_at).strftime("%Y-%m-%d %H:%M")
    if isinstance(patch_set, HistoryEntry):
        revisions = f" r{patch_set.revision_before}->r{patch_set.revision}"
    else:
        revisions = "".join(f" {key} r{revision}" for key, revision in patch_set.revisions.items())
    by = safe_word(patch_set.author) + (f" ({safe_word(patch_set.engine)})" if patch_set.engine != "caller" else "")
    if patch_set.closed_by not in (None, patch_set.author):
        by += f", {patch_set.state} by {safe_word(patch_set.closed_by or '')}"
    by += f" via {patch_set.approval}" if patch_set.approval else ""
    undone = f" (reverts {listed(patch_set.reverts)})" if patch_set.reverts else ""
    applied = patch_set.state is ProposalState.APPLIED
    size = totals_text(patch_set.totals) if applied else show_count(patch_set.patch_count, "patch", "patches")
    state = f"[{patch_set.state}]{revisions} {size} by {by}"
    return f"{when} {patch_set.id} {state}: {safe_title(patch_set.summary) or 'no summary'}{undone}"


def totals_text(totals: Totals) -> str:
    """Return `3 created, 1 deleted, 2 dependencies added`; `no changes` when nothing differs."""
    counts = totals.model_dump(exclude_defaults=True)
    return ", ".join(f"{count:,} {_effect(name, count)}" for name, count in counts.items()) or "no changes"


def _effect(name: str, count: int) -> str:
    noun, _, verb = name.rpartition("_")  # created, or dependencies_added
    singular = {"dependencies": "dependency", "comments": "comment"}
    return f"{singular.get(noun, noun) if count == 1 else noun} {verb}".strip()


def listed(keys: Sequence[str], most: int = 10, *, total: int | None = None) -> str:
    """Return the first keys, and how many more there are of `total`."""
    more = (len(keys) if total is None else total) - min(len(keys), most)
    return ", ".join(keys[:most]) + (f" and {more:,} more" if more > 0 else "")


def body_lines(title: str, text: str) -> list[str]:
    """Return a text of a user as quoted lines: data, which cannot be taken for the answer's own words."""
    return [f"{title}:", *(f"  | {safe(line)}" for line in text.splitlines())] if text else []


def change_facts(change: Change) -> dict[str, Any]:
    """Return a change without its id; long strings are shortened, the full ones are in the patch set's resource."""
    values = change.model_dump(mode="json", exclude={"id"}, exclude_defaults=True)
    values["fields"] = _shortened(values["fields"], MAX_VALUE)
    return values


def _shortened(value: Any, most: int) -> Any:
    if isinstance(value, str) and len(value) > most:
        return f"{value[:most]}... (+{len(value) - most:,} characters)"
    if isinstance(value, dict):
        return {name: _shortened(item, most) for name, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item, most) for item in value]
    return value
