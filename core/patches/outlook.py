"""How a patch set moves the critical path of a project: in previews only, for it takes a look at every live task."""

from collections.abc import Mapping

from core.patches.outline import in_outline_order
from core.patches.plan import Effects, Plan
from core.patches.ranking import LightProject, Standing, connected
from core.patches.schedule import critical_path_of
from core.patches.snapshot import ProjectRecord, TaskRecord
from core.patches.text import show_listed, show_minutes
from schemas.changes import Action, Change, CriticalPath, CriticalPathChange, EntityKind

MAX_KEYS = 200  # of one path in an answer
_ALWAYS = frozenset({Action.CREATED, Action.DELETED, Action.RESTORED, Action.MOVED})
_FIELDS = frozenset({"status", "estimated_minutes", "depends_on", "parent"})


def rescheduled_projects(result: Plan) -> list[ProjectRecord]:
    """Return, as planned, the projects whose critical path the set may change: none if it only rewords tasks."""
    pairs = zip(result.change_projects, result.changes, strict=True)
    ids = {project_id for project_id, change in pairs if _reschedules(change)}
    return [project for project in (*result.effects.new_projects, *result.effects.changed_projects) if project.id in ids]


def _reschedules(change: Change) -> bool:
    return change.kind is EntityKind.TASK and (change.action in _ALWAYS or not _FIELDS.isdisjoint(change.fields))


def critical_path_change(project_id: str, stored: LightProject, effects: Effects) -> CriticalPathChange:
    """Return the critical path of a project as stored, and as the set would leave it.

    As `make_schedule` finds it; new tasks are named by their provisional keys. O(tasks log tasks + dependencies).
    """
    before = _critical_path(stored)
    return CriticalPathChange(before=before, after=_critical_path(_changed(project_id, stored, effects)))


def _critical_path(project: LightProject) -> CriticalPath:
    minutes, keys = critical_path_of(in_outline_order(connected(project)))
    return CriticalPath(minutes=minutes, tasks=keys[:MAX_KEYS], tasks_total=len(keys))


def _changed(project_id: str, stored: LightProject, effects: Effects) -> LightProject:
    records = (*effects.new_tasks, *effects.changed_tasks, *effects.recounted_tasks)
    written = {record.id: record for record in records if record.project_id == project_id}
    steps = [step for step in stored.steps if step.id not in written]
    steps += [_standing(record) for record in written.values() if record.deleted_at is None]
    removed = set(effects.removed_edges)
    return LightProject(steps, [edge for edge in stored.edges if edge not in removed] + effects.new_edges)


def _standing(record: TaskRecord) -> Standing:
    return Standing(
        id=record.id,
        key=record.key,
        parent_id=record.parent_id,
        position=record.position,
        status=record.status,
        priority=record.priority,
        due_date=record.due_date,
        estimated_minutes=record.estimated_minutes,
        claimed_by=record.claimed_by,
        claim_expires_at=record.claim_expires_at,
    )


def critical_path_lines(moved: Mapping[str, CriticalPathChange | None]) -> list[str]:
    """Return `critical path of WEB: 12h -> 15h (WEB-3, WEB-9)` for each project whose path is another afterwards."""
    lines = []
    for project, change in moved.items():
        if change is None or change.before == change.after:
            continue
        minutes = f"{show_minutes(change.before.minutes)} -> {show_minutes(change.after.minutes)}"
        keys = f" ({show_listed(change.after.tasks, total=change.after.tasks_total)})" if change.after.tasks else ""
        lines.append(f"critical path of {project}: {minutes}{keys}")
    return lines
