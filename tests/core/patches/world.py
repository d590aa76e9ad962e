"""A store in memory for tests of the pure code: it hands out whole snapshots and keeps what plans change."""

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from core.patches.needs import needs_of
from core.patches.parse import parse_patches
from core.patches.past import RENUMBERING, Past, Stamp, Step
from core.patches.plan import Plan, plan
from core.patches.snapshot import GraphNode, LaterChange, Needs, ProjectRecord, Renumbering, Snapshot, TaskRecord
from schemas.changes import Change, EntityKind

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


class CountingIds:
    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def new_id(self) -> str:
        return f"id-{next(self._numbers):06}"


class World:
    """Projects, tasks, dependencies and history, changed only by plans."""

    def __init__(self, *, max_depth: int = 5) -> None:
        self.projects: dict[str, ProjectRecord] = {}
        self.tasks: dict[str, TaskRecord] = {}
        self.edges: list[tuple[str, str]] = []
        self.history: list[tuple[EntityKind, str, LaterChange]] = []
        self.changes: list[tuple[str, int, Change]] = []  # project id, its revision, and what changed; oldest first
        self.renumberings: list[tuple[int, Renumbering]] = []
        self.instants: dict[tuple[str, int], datetime] = {}  # (project id, revision) -> when it was made
        self.ids = CountingIds()
        self.now = START
        self.max_depth = max_depth

    def project(self, key: str) -> ProjectRecord:
        return next(project for project in self.projects.values() if project.key == key)

    def task(self, key: str) -> TaskRecord:
        return next(task for task in self.tasks.values() if task.key == key)

    def children(self, key: str | None, project: str = "WEB") -> list[str]:
        """Return the keys of live children in order; None = the top level."""
        parent = self.task(key).id if key else None
        found = [t for t in self.tasks.values() if t.parent_id == parent and t.deleted_at is None]
        found = [t for t in found if self.projects[t.project_id].key == project]
        return [t.key for t in sorted(found, key=lambda t: (t.position, t.id))]

    def waits_for(self, key: str) -> list[str]:
        task = self.task(key)
        return sorted(self.tasks[target].key for source, target in self.edges if source == task.id)

    def plan(
        self,
        *patches: Any,
        base: Mapping[str, int] | None = None,
        only: Sequence[int] | None = None,
        system: Mapping[int, dict[str, Any]] | None = None,
        preview: bool = False,
    ) -> Plan:
        parsed = parse_patches(patches)
        if only is not None:
            parsed = parsed.select(only, len(patches))
        needs = needs_of(parsed, base or {})
        return plan(
            self.snapshot(needs),
            parsed,
            ids=self.ids,
            now=self.now,
            author="ann",
            max_depth=self.max_depth,
            preview=preview,
            system=system,
        )

    def apply(self, *patches: Any, **options: Any) -> Plan:
        """Plan and store; the plan must be sound."""
        result = self.plan(*patches, **options)
        assert not result.errors(), result.errors()
        assert not result.conflicts, result.conflicts
        self.store(result)
        return result

    def revert(self, applied: Plan) -> Plan:
        system = {int(index): _instants(fields) for index, fields in applied.restore.items()}
        base = {applied.effects.project_keys[key]: after for key, (_, after) in applied.effects.revisions.items()}
        return self.apply(*applied.inverse, base=base, system=system)

    def store(self, result: Plan) -> None:
        effects = result.effects
        for project in effects.new_projects + effects.changed_projects:
            self.projects[project.id] = project.copy()
        for task in effects.new_tasks + effects.changed_tasks + effects.recounted_tasks:
            self.tasks[task.id] = task.copy()
        self.edges = [edge for edge in self.edges if edge not in effects.removed_edges] + effects.new_edges
        for change, project_id in zip(result.changes, result.change_projects, strict=True):
            revision = effects.revisions[project_id][1]
            entry = LaterChange(revision, change.action, {name: dict(values) for name, values in change.fields.items()})
            self.history.append((change.kind, change.id, entry))
            self.changes.append((project_id, revision, change))
        for renumbering in effects.renumberings:
            self.renumberings.append((effects.revisions[renumbering.project_id][1], renumbering))
        self.instants |= {(project_id, after): self.now for project_id, (_, after) in effects.revisions.items()}
        self.now += timedelta(minutes=1)

    def past(self, key: str, revision: int) -> Past:
        """Return a project as it was at a revision."""
        project_id = self.project(key).id
        tasks = {task.id: task.copy() for task in self.tasks.values() if task.project_id == project_id}
        past = Past(self.project(key).copy(), tasks)
        for source, target in self.edges:
            if source in tasks:
                past.edges[source].append(target)
        past.rewind(step for made, step in self._steps(project_id) if made > revision)
        stamps = {
            change.id: Stamp(made, self.instants[project_id, made])
            for owner, made, change in self.changes
            if owner == project_id and made <= revision and change.id in past.changed
        }
        past.stamp(Stamp(revision, self.instants[project_id, revision]), stamps)
        past.recount()
        return past

    def _steps(self, project_id: str) -> list[tuple[int, Step]]:
        """Return the steps of a project's history, newest first."""
        steps = [
            (made, Step(change.kind.value, change.id, change.action.value, change.fields))
            for owner, made, change in self.changes
            if owner == project_id
        ]
        for made, renumbering in self.renumberings:
            numbers = {item: {"before": old, "after": new} for item, (old, new) in renumbering.positions.items()}
            if renumbering.project_id == project_id:
                steps.append((made, Step(RENUMBERING, renumbering.home, "renumbered", numbers)))
        return sorted(steps, key=lambda item: -item[0])

    def snapshot(self, needs: Needs) -> Snapshot:
        """Return everything: a plan must not depend on what was left out."""
        found = Snapshot(projects=dict(self.projects), tasks=dict(self.tasks))
        for name in needs.projects | needs.append_to_projects:
            for project in self.projects.values():
                if name == project.id or name.upper() == project.key:
                    found.project_names[name] = project.id
        for name in needs.tasks:
            for task in self.tasks.values():
                if name == task.id or name.upper() == task.key:
                    found.task_names[name] = task.id
        for source, target in self.edges:
            found.edges[source].append(target)
            found.graph_dependents[target].append(source)
        for task in sorted(self.tasks.values(), key=lambda t: (t.position, t.id)):
            place = (task.project_id, task.parent_id)
            found.siblings.setdefault(place, []).append((task.position, task.id))
            found.last_position[place] = task.position
            found.complete_places.add(place)
            found.graph[task.id] = GraphNode(task.id, task.key, task.parent_id, task.deleted_at is None)
            if task.parent_id is not None:
                found.graph_children[task.parent_id].append(task.id)
        found.taken_keys = {project.key for project in self.projects.values()}
        self._add_later(found, needs)
        return found

    def _add_later(self, found: Snapshot, needs: Needs) -> None:
        for name, revision in needs.base_revisions.items():
            if name in found.project_names:
                found.base[found.project_names[name]] = revision
        for kind, item_id, entry in self.history:
            item = self.projects.get(item_id) or self.tasks.get(item_id)
            if item is None:
                continue
            project_id = item.id if isinstance(item, ProjectRecord) else item.project_id
            if project_id in found.base and entry.revision > found.base[project_id]:
                found.later.setdefault((kind, item_id), []).append(entry)


def _instants(fields: dict[str, Any]) -> dict[str, Any]:
    names = ("completed_at", "claim_expires_at")
    return {key: datetime.fromisoformat(value) if key in names and value else value for key, value in fields.items()}


def live_state(world: World) -> dict[str, Any]:
    """Return what P8 compares: live items without revision, updated_at and numbers."""
    live = {task.id: task for task in world.tasks.values() if task.deleted_at is None}
    hidden = {"revision", "updated_at", "next_number"}
    tasks = {key: {name: getattr(task, name) for name in task.__slots__ if name not in hidden} for key, task in live.items()}
    projects = {
        project.id: {name: getattr(project, name) for name in project.__slots__ if name not in hidden}
        for project in world.projects.values()
        if project.deleted_at is None
    }
    edges = sorted(edge for edge in world.edges if edge[0] in live and edge[1] in live)
    return {"projects": projects, "tasks": tasks, "edges": edges}
