"""The state of a plan while its patches are played on it.

Records are copied before their first change, so the snapshot stays as the "before" of everything.
Rules that concern the result (cycles, depth, dates, schemas) are checked later, on the final
state: a set may pass through a forbidden middle.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from core.patches.conflicts import Touch
from core.patches.keys import FreeKeys
from core.patches.parse import ParsedPatches
from core.patches.places import Places
from core.patches.snapshot import CommentRecord, ProjectRecord, Snapshot, TaskRecord
from core.patches.touches import PROJECT, TASK, lost
from schemas.changes import EntityKind
from schemas.errors import ErrorCode, Issue, Severity


class Ids(Protocol):
    def new_id(self) -> str: ...


class WorkingState:
    """Current records, what was touched by which patch, and the issues found so far."""

    def __init__(
        self,
        snapshot: Snapshot,
        parsed: ParsedPatches,
        *,
        ids: Ids,
        now: datetime,
        author: str,
        system: Mapping[int, dict[str, Any]],
    ) -> None:
        self.snapshot = snapshot
        self.ids = ids
        self.now = now
        self.author = author
        self.declared = parsed.refs
        self.skipped = parsed.skipped
        self.system = system
        self.projects: dict[str, ProjectRecord] = dict(snapshot.projects)
        self.tasks: dict[str, TaskRecord] = dict(snapshot.tasks)
        self.project_causes: dict[str, list[int]] = {}
        self.task_causes: dict[str, list[int]] = {}
        self.cascaded: set[str] = set()
        self.refs: dict[str, tuple[EntityKind, str]] = {}
        self.new_keys: dict[str, str] = {}  # key given to a new project -> its id
        new_keys, stored_keys = self.new_keys, snapshot.taken_keys
        # Made of these alone: with a way back to the state, each would wait for the collector.
        self.free_keys = FreeKeys(lambda key: key in new_keys or key in stored_keys)
        self.comments: list[tuple[int, CommentRecord]] = []
        self.added_edges: dict[tuple[str, str], int] = {}
        self.removed_edges: dict[tuple[str, str], int] = {}
        self.created_by_patch: dict[int, str] = {}  # index of a create_task that waits for others -> id
        self.linked: dict[tuple[str, str], tuple[int, str]] = {}  # new dependency -> patch and path
        self.quiet: dict[str, TaskRecord] = {}  # only counters, depth or position differ, which is no change
        self.bad_schemas: set[str] = set()  # projects whose new task_schema is no schema
        self.moved: dict[str, int] = {}  # tasks under another parent, or restored -> patch
        self.origins: dict[tuple[str, str], tuple[int, str]] = {}  # (item id, field) -> patch and path that set it
        self.touches: list[Touch] = []
        self.places = Places(snapshot)
        self.renumbered: set[str] = set()  # tasks whose position is another number at the same place in the order
        self.issues: list[Issue] = []
        self._children: dict[str, dict[str, None]] | None = None

    # -- issues

    def issue(
        self, code: ErrorCode, index: int, path: str, message: str, hint: str | None = None, severity: Severity = Severity.ERROR
    ) -> None:
        full = f"/patches/{index}{path}"
        self.issues.append(Issue(path=full, code=code, message=message, hint=hint, patch_index=index, severity=severity))

    # -- changing records

    def own_project(self, project_id: str, index: int) -> ProjectRecord:
        """Return a record of the project that may be changed."""
        causes = self.project_causes.get(project_id)
        if causes is None:
            self.project_causes[project_id] = [index]
            self.projects[project_id] = self.projects[project_id].copy()
        else:
            causes.append(index)
        return self.projects[project_id]

    def own_task(self, task_id: str, index: int) -> TaskRecord:
        """Return a record of the task that may be changed."""
        causes = self.task_causes.get(task_id)
        if causes is None:
            self.task_causes[task_id] = [index]
            self.tasks[task_id] = self.tasks[task_id].copy()
        elif causes[-1] != index:
            causes.append(index)
        return self.tasks[task_id]

    def own_quietly(self, task_id: str) -> TaskRecord:
        """Return a record whose derived numbers may be changed; that alone is no change of the task."""
        if task_id in self.task_causes or task_id in self.quiet:
            return self.tasks[task_id]
        task = self.quiet[task_id] = self.tasks[task_id] = self.tasks[task_id].copy()
        return task

    def own_project_quietly(self, project_id: str) -> ProjectRecord:
        """The same for a project."""
        if project_id not in self.project_causes:
            self.project_causes[project_id] = []
            self.projects[project_id] = self.projects[project_id].copy()
        return self.projects[project_id]

    def add_task(self, task: TaskRecord, index: int) -> None:
        self.tasks[task.id] = task
        self.task_causes[task.id] = [index]

    def reparent(self, task: TaskRecord, parent_id: str | None) -> None:
        children = self.children_index()
        if task.parent_id is not None:
            children.get(task.parent_id, {}).pop(task.id, None)
        if parent_id is not None:
            children.setdefault(parent_id, {})[task.id] = None
        task.parent_id = parent_id

    def children_index(self) -> dict[str, dict[str, None]]:
        """Return parent id -> ids of loaded children, deleted ones included; built when first needed."""
        if self._children is None:
            self._children = {}
            for task in self.tasks.values():
                if task.parent_id is not None:
                    self._children.setdefault(task.parent_id, {})[task.id] = None
        return self._children

    def below(self, task_id: str) -> list[str]:
        """Return ids of all loaded tasks below one, parents before children."""
        children = self.children_index()
        found: list[str] = []
        waiting = list(children.get(task_id, ()))
        seen = {task_id}  # a parent cycle is reported by the rules; it must not hang the walk
        while waiting:
            child = waiting.pop()
            if child in seen:
                continue
            seen.add(child)
            found.append(child)
            waiting += children.get(child, ())
        return found

    # -- dependencies

    def waits_for(self, task_id: str) -> list[str]:
        """Return ids this task waits for now, as far as loaded."""
        stored = [dep for dep in self.snapshot.edges.get(task_id, ()) if (task_id, dep) not in self.removed_edges]
        return stored + [dep for (task, dep) in self.added_edges if task == task_id]

    def has_edge(self, edge: tuple[str, str]) -> bool:
        if edge in self.added_edges:
            return True
        return edge not in self.removed_edges and edge[1] in self.snapshot.edges.get(edge[0], ())

    # -- names

    def find_project(self, name: str, index: int, path: str) -> ProjectRecord | None:
        """Return the named project, or None after reporting why not."""
        project_id = self.snapshot.project_names.get(name) or self._new_project_id(name, index, path)
        return self.projects[project_id] if project_id else None

    def find_task(self, name: str, index: int, path: str) -> TaskRecord | None:
        """Return the named task, or None after reporting why not."""
        task_id = self.snapshot.task_names.get(name) or self._new_task_id(name, index, path)
        return self.tasks[task_id] if task_id else None

    def live_project(self, name: str, index: int, path: str) -> ProjectRecord | None:
        """As `find_project`, and it must not be deleted."""
        project = self.find_project(name, index, path)
        if project is not None and project.deleted_at is not None:
            self._deleted(project, index, path, f"restore_project {project.key}")
            return None
        return project

    def live_task(self, name: str, index: int, path: str) -> TaskRecord | None:
        """As `find_task`, and it must not be deleted."""
        task = self.find_task(name, index, path)
        if task is not None and task.deleted_at is not None:
            self._deleted(task, index, path, self.restore_advice(task))
            return None
        return task

    def restore_advice(self, task: TaskRecord) -> str:
        """Say which operation revives a deleted task."""
        root = self.deletion_root(task)
        if isinstance(root, ProjectRecord):
            return f"restore_project {root.key}"
        return f"restore_task {root.key}"

    def deletion_root(self, task: TaskRecord) -> TaskRecord | ProjectRecord:
        """Return the item whose deletion took this task along; itself, if it was named."""
        project = self.projects[task.project_id]
        if project.deletion_id is not None and project.deletion_id == task.deletion_id:
            return project
        root, seen = task, {task.id}  # moves of the same set may have closed a circle, which the rules report
        while root.parent_id is not None and root.parent_id not in seen:
            parent = self.tasks.get(root.parent_id)
            if parent is None or parent.deletion_id != task.deletion_id:
                break
            root = parent
            seen.add(root.id)
        return root

    def _deleted(self, item: TaskRecord | ProjectRecord, index: int, path: str, advice: str) -> None:
        """Report a deleted target: a conflict if the author saw it alive, else an issue."""
        if not lost(self, index, item, path):
            self.issue(ErrorCode.DELETED_RESOURCE, index, path, f"{item.key} has been deleted", f"use {advice} first")

    def _by_ref(self, name: str, kind: EntityKind, index: int, path: str) -> str | None:
        known = self.refs.get(name)
        if known is not None:
            if known[0] == kind:
                return known[1]
            self.issue(ErrorCode.INVALID_PATCH, index, path, f"{name} is a {known[0]}, but a {kind} is needed here")
        elif name not in self.declared:
            self.issue(
                ErrorCode.INVALID_PATCH,
                index,
                path,
                f"{name} is used but never created",
                f'add a create_{kind} with "ref": "{name}" to this set, or name an existing {kind} by its key',
            )
        elif self.declared[name] in self.skipped:
            self.issue(
                ErrorCode.INVALID_PATCH,
                index,
                path,
                f"{name} is created by patch {self.declared[name]}, which is not part of this selection",
                f"select patch {self.declared[name]} as well",
            )
        return None  # else its creation is malformed, and that has been reported

    def _new_project_id(self, name: str, index: int, path: str) -> str | None:
        if name[0] == "$":
            return self._by_ref(name, PROJECT, index, path)
        found = self.new_keys.get(name.upper())
        if found is None:
            self._unknown("project", name, index, path)
        return found

    def _new_task_id(self, name: str, index: int, path: str) -> str | None:
        if name[0] == "$":
            return self._by_ref(name, TASK, index, path)
        self._unknown("task", name, index, path)
        return None

    def _unknown(self, kind: str, name: str, index: int, path: str) -> None:
        nearest = self.snapshot.suggestions.get(name)
        hint = f"nearest: {', '.join(nearest)}" if nearest else f"list the {kind}s to see which exist"
        self.issue(ErrorCode.NOT_FOUND, index, path, f"there is no {kind} {name!r}", hint)
