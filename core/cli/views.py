"""What services return, as text for people. User text is always shown safe, in one line or indented."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from core.cli.session import coloured, issue_line
from core.errors import conflict_issue
from core.patches.outlook import critical_path_lines
from core.patches.text import FACT_FIELDS, safe, safe_excerpt, safe_title, safe_word, show_count, show_facts, show_minutes
from schemas.changes import ApplyResponse, PlanEffect, RevisionDiff, Totals, ValidationResponse
from schemas.paging import Paging
from schemas.patches import HistoryResponse, PatchSetDetail, PatchSetListResponse, ProposalState, StoredPatchSet
from schemas.planning import PlannerResponse
from schemas.primitives import Priority, TaskStatus
from schemas.projects import Project, ProjectHierarchy, ProjectListResponse
from schemas.tasks import Comment, NextTasksResponse, Task, TaskDetail, TaskNode, WhyNext

EXCERPT_LINES = 6
_BOXES = {TaskStatus.COMPLETED: "[x]", TaskStatus.CANCELLED: "[-]"}


# Patch sets


def planned(response: PlannerResponse) -> str:
    """Return a stored proposal with everything a reviewer decides on, and how to go on."""
    lines = [f"Proposal {response.patch_set.id}: {safe(response.summary)}", "", *_effect(response.validation)]
    lines += _issues(response.validation)
    if response.unparsed:
        lines += ["", f"Not used ({show_count(len(response.unparsed), 'line')}):"]
        lines += [f"  line {line.line}: {safe_excerpt(line.text)}  ({safe(line.reason)})" for line in response.unparsed]
    if response.questions:
        lines += ["", "Questions:", *(f"  - {safe(question)}" for question in response.questions)]
    return "\n".join([*lines, "", *_next_steps(response.patch_set.id)])


def stored(detail: PatchSetDetail) -> str:
    """Return a stored patch set: where it stands, and what it would do or did."""
    proposal = detail.proposal
    lines = [
        f"Patch set {detail.id} [{proposal.state}]: {safe(detail.summary)}",
        f"written by {safe(proposal.author)} ({safe(proposal.engine)}) at {instant(proposal.created_at)}",
    ]
    if proposal.closed_at is not None:
        by = f" by {safe(proposal.closed_by)}" if proposal.closed_by else ""
        by += f" via {proposal.approval}" if proposal.approval else ""
        lines.append(
            f"{proposal.state}{by} at {instant(proposal.closed_at)}" + (f": {safe(proposal.reason)}" if proposal.reason else "")
        )
    if proposal.reverts:
        lines.append(f"reverts {_first(proposal.reverts)}")
    lines += _indented(detail.rationale)
    effect = detail.applied or detail.preview
    if effect is not None:
        lines += ["", *_effect(effect)]
    if detail.preview is not None:
        lines += _issues(detail.preview)
    if proposal.state is ProposalState.PROPOSED:
        lines += ["", *(_rebase_steps(detail.id) if proposal.stale else _next_steps(detail.id))]
    elif detail.applied is not None and detail.applied.totals.can_be_undone:
        lines += ["", f"Undo it:  orchestrator revert {detail.id}"]
    return "\n".join(lines)


def difference(answer: PatchSetDetail | RevisionDiff) -> str:
    if isinstance(answer, PatchSetDetail):
        return stored(answer)
    head = f"{answer.project} from revision {answer.from_revision} to {answer.to_revision}"
    return "\n".join([head, "", coloured(answer.diff), "", _totals(answer.totals)])


def applied(response: ApplyResponse) -> str:
    """Return what an applied patch set did, or would do in a dry run."""
    if response.patch_set_id is None:
        head = "Dry run: nothing is stored."
    elif response.replayed:
        head = f"{response.patch_set_id} had been applied before; this is what it did then."
    else:
        head = f"Applied {response.patch_set_id}."
    is_at = "would be at" if response.patch_set_id is None else "became" if response.replayed else "is at"
    revisions = [f"{key} {is_at} revision {revision}" for key, revision in response.revisions.items()]
    lines = [head, "", *_effect(response, *revisions)]
    lines += [f"warning: {issue_line(issue)}" for issue in response.warnings]
    if response.patch_set_id is not None and response.totals.can_be_undone:
        lines += ["", f"Undo it:  orchestrator revert {response.patch_set_id}"]
    return "\n".join(lines)


def _effect(effect: PlanEffect, *more: str) -> list[str]:
    """Return the diff of a set, and below it how many items it changes, `more`, and how it moves critical paths."""
    counts = "; ".join([_totals(effect.totals), *more])
    return [coloured(effect.diff), "", counts, *critical_path_lines(effect.critical_paths)]


def rejected(patch_set: StoredPatchSet) -> str:
    return f"Rejected {patch_set.id}; nothing was changed."


def validated(response: ValidationResponse) -> str:
    """Return every broken rule of a patch set, or what it would do."""
    if not response.valid:
        count = len(response.issues) + len(response.conflicts)
        return "\n".join([f"Not valid: {show_count(count, 'issue')}.", *_issues(response)])
    return "\n".join(["Valid. It would do this:", "", *_effect(response), *_issues(response)])


def patch_sets(response: PatchSetListResponse) -> str:
    """Return one line for each patch set, newest first."""
    lines = []
    for item in response.patch_sets:
        revisions = ", ".join(f"{key} revision {revision}" for key, revision in item.revisions.items())
        reverts = f" reverts {_first(item.reverts)}" if item.reverts else ""
        applied = item.state is ProposalState.APPLIED
        size = show_count(item.changes_total, "change") if applied else show_count(item.patch_count, "patch", "patches")
        facts = ", ".join(fact for fact in (item.state, size, revisions) if fact)
        when = instant(item.closed_at or item.created_at)
        lines.append(f"{item.id}  {when}  {safe(item.author)}: {safe(item.summary) or '(no summary)'}{reverts}  ({facts})")
    return "\n".join([*(lines or none("no patch sets", response)), *more(response)])


def history(response: HistoryResponse) -> str:
    """Return the applied sets of a project, newest first: revisions, when, who, what, and why."""
    lines = []
    for entry in response.patch_sets:
        reverts = f" (reverts {_first(entry.reverts)})" if entry.reverts else ""
        by = f", applied by {safe(entry.closed_by)}" if entry.closed_by and entry.closed_by != entry.author else ""
        by += f", via {entry.approval}" if entry.approval else ""
        engine = f", {safe(entry.engine)}" if entry.engine != "caller" else ""
        lines.append(
            f"{entry.revision_before} -> {entry.revision}  {instant(entry.closed_at)}  {entry.id}  "
            f"{safe(entry.author)}{engine}{by}: {safe(entry.summary) or '(no summary)'}{reverts}  ({_totals(entry.totals)})"
        )
        lines += _indented(entry.rationale)[:EXCERPT_LINES]
    more = [f"... {response.total:,} in all; next: --cursor {response.next_cursor}"] if response.next_cursor else []
    return "\n".join([*(lines or ["no patch sets"]), *more])


def _first(ids: Sequence[str], most: int = 3) -> str:
    return ", ".join(ids[:most]) + (f" and {len(ids) - most:,} more" if len(ids) > most else "")


def _next_steps(patch_set_id: str) -> list[str]:
    return [f"Apply it:   orchestrator apply {patch_set_id}", f"Reject it:  orchestrator reject {patch_set_id}"]


def _rebase_steps(patch_set_id: str) -> list[str]:
    return [
        "Stale: what it touches has changed since, so it cannot be applied as it is.",
        f"Rebase it:  orchestrator rebase {patch_set_id}",
        f"Reject it:  orchestrator reject {patch_set_id}",
    ]


def _totals(totals: Totals) -> str:
    counts = [
        f"{count:,} {name}"
        for name, count in (
            ("created", totals.created),
            ("updated", totals.updated),
            ("moved", totals.moved),
            ("deleted", totals.deleted),
            ("restored", totals.restored),
        )
        if count
    ]
    if totals.dependencies_added:
        counts.append(show_count(totals.dependencies_added, "dependency", "dependencies") + " added")
    if totals.dependencies_removed:
        counts.append(show_count(totals.dependencies_removed, "dependency", "dependencies") + " removed")
    if totals.comments_added:
        counts.append(show_count(totals.comments_added, "comment") + " added")
    return ", ".join(counts) or "nothing changes"


def _issues(response: ValidationResponse) -> Iterator[str]:
    for issue in [*response.issues, *map(conflict_issue, response.conflicts)]:
        yield f"{issue.severity} {issue.code}: {issue_line(issue)}"


# Projects and tasks


def projects(response: ProjectListResponse) -> str:
    """Return one line for each project."""
    lines = [f"{project.key}  {safe_title(project.name)}  {_project_facts(project)}" for project in response.projects]
    return "\n".join([*(lines or none("no projects", response)), *more(response)])


def item(response: ProjectHierarchy | TaskDetail) -> str:
    return hierarchy(response) if isinstance(response, ProjectHierarchy) else task(response)


def hierarchy(response: ProjectHierarchy) -> str:
    """Return a project's header and its tree of tasks."""
    project = response.project
    lines = [f"{project.key}  {safe_title(project.name)}", f"{_project_facts(project)}, revision {project.revision}"]
    lines += _excerpt(project.description)
    lines += ["", *_tree(response.tasks)] if response.tasks else ["", "no tasks"]
    return "\n".join(lines)


def next_tasks(response: NextTasksResponse) -> str:
    """Return one line for each task that may be claimed, best first, with the reasons for its rank."""
    lines = [f"{task.rank}. {_task_line(task)}  ({_reasons(task.why)})" for task in response.tasks]
    return "\n".join(lines or ["nothing is ready"])


def _reasons(why: WhyNext) -> str:
    reasons = [f"{why.priority} priority"]
    if why.on_critical_path:
        reasons.append("on the critical path")
    elif why.slack is not None:
        reasons.append(f"{show_minutes(why.slack)} of slack")
    if why.due_date is not None:
        reasons.append(f"due {why.due_date}")
    if why.ended_lease is not None:
        reasons.append(f"lease of {safe(why.ended_lease.claimed_by)} ended {instant(why.ended_lease.ended_at)}")
    return ", ".join(reasons)


def _project_facts(project: Project) -> str:
    done = f"{project.completed_task_count:,} of {show_count(project.task_count, 'task')} completed"
    facts = [f"[{project.status}] {project.progress}%", done]
    if project.estimated_minutes:
        facts.append(f"estimate {show_minutes(project.estimated_minutes)}")
    if project.priority is not Priority.MEDIUM:
        facts.append(f"{project.priority} priority")
    if project.start_date:
        facts.append(f"from {project.start_date}")
    if project.due_date:
        facts.append(f"due {project.due_date}")
    if project.tags:
        facts.append(" ".join(f"#{safe_word(tag)}" for tag in project.tags))
    return ", ".join(facts) + (" (deleted)" if project.deleted_at else "")


def _tree(roots: Sequence[TaskNode]) -> Iterator[str]:
    waiting = [(node, 0) for node in reversed(roots)]
    while waiting:
        node, depth = waiting.pop()
        yield "  " * depth + _task_line(node)
        waiting += [(child, depth + 1) for child in reversed(node.children)]


def _task_line(task: Task) -> str:
    usual = {"status": (TaskStatus.TODO, TaskStatus.COMPLETED, TaskStatus.CANCELLED), "priority": (Priority.MEDIUM,)}
    fields = {name: getattr(task, name) for name in FACT_FIELDS if getattr(task, name) not in usual.get(name, ())}
    facts = show_facts(fields)
    return f"{_BOXES.get(task.status, '[ ]')} {task.key} {safe_title(task.title)}" + (f"  {facts}" if facts else "")


def task(detail: TaskDetail) -> str:
    """Return everything about one task."""
    lines = [
        f"{detail.key}  {safe_title(detail.title)}"
        + (f"  (deleted at {instant(detail.deleted_at)})" if detail.deleted_at else "")
    ]
    lines += [f"  {label}: {value}" for label, value in _task_facts(detail).items() if value]
    if detail.description:
        lines += ["", *_indented(detail.description)]
    if detail.acceptance_criteria:
        lines += ["", "Acceptance criteria:", *(f"  - {safe(criterion)}" for criterion in detail.acceptance_criteria)]
    if detail.subtasks:
        lines += ["", "Subtasks:", *(f"  {_task_line(subtask)}" for subtask in detail.subtasks)]
    if detail.comments:
        lines += ["", "Comments:", *(line for comment in detail.comments for line in _comment(comment))]
    return "\n".join(lines)


def _task_facts(detail: TaskDetail) -> dict[str, str]:
    state = [*(["ready"] if detail.is_ready else []), *(["overdue"] if detail.is_overdue else [])]
    return {
        "status": f"{detail.status}, {detail.progress}%" + (f" ({', '.join(state)})" if state else ""),
        "priority": str(detail.priority),
        "parent": detail.parent or "",
        "assignee": safe(detail.assignee or ""),
        "claimed by": safe(detail.claimed_by or "")
        and f"{safe(detail.claimed_by or '')} until {instant(detail.claim_expires_at)}",
        "start": str(detail.start_date or ""),
        "due": str(detail.due_date or ""),
        "estimate": show_minutes(detail.estimated_minutes) if detail.estimated_minutes else "",
        "spent": show_minutes(detail.actual_minutes) if detail.actual_minutes is not None else "",
        "tags": " ".join(f"#{safe_word(tag)}" for tag in detail.tags),
        "waits for": ", ".join(detail.depends_on),
        "blocks": ", ".join(detail.blocks),
        "links": ", ".join(f"{safe_word(name)}: {safe(target)}" for name, target in detail.links.items()),
        "custom": safe(str(detail.custom)) if detail.custom else "",
        "completed": instant(detail.completed_at),
        "created": f"{instant(detail.created_at)} by {safe(detail.created_by)}",
    }


def _comment(comment: Comment) -> Iterator[str]:
    yield f"  {safe(comment.author)} at {instant(comment.created_at)}:"
    yield from (f"  {line}" for line in _indented(comment.body))


def _excerpt(text: str) -> list[str]:
    """Return the first lines: above a tree, a long text would hide what was asked for."""
    lines = _indented(text)
    if len(lines) <= EXCERPT_LINES:
        return lines
    return [*lines[:EXCERPT_LINES], f"  ... {len(lines) - EXCERPT_LINES:,} more lines (orchestrator export shows all)"]


def _indented(text: str) -> list[str]:
    return [f"  {safe(line)}" for line in text.splitlines()]


def instant(moment: datetime | None) -> str:
    """Return a moment to the minute; "" for none."""
    return moment.strftime("%Y-%m-%d %H:%M UTC") if moment else ""


def none(nothing: str, paging: Paging) -> list[str]:
    """Return the line of an empty answer: there is `nothing`, or only on this page."""
    return [f"{nothing} on page {paging.page}; there are {paging.total:,} in all" if paging.total else nothing]


def more(paging: Paging) -> list[str]:
    """Return the line that leads to the next page, if there is one."""
    return (
        [f"... page {paging.page} of {paging.total:,} in all; next: --page {paging.page + 1}"]
        if paging.has_next and paging.page
        else []
    )
