"""The patches that undo a plan, computed from the net difference rather than patch by patch.

What a caller could not send (exact positions, completion instants, claims, deletion ids, and which
rows a deletion may take) travels in a private map that only the revert service passes back.
"""

from typing import Any

from core.patches.changes import PROJECT_FIELDS, TASK_FIELDS, wire
from core.patches.fields import MERGED
from core.patches.snapshot import ProjectRecord, TaskRecord
from core.patches.state import WorkingState
from core.patches.values import same

SYSTEM_FIELDS = ("completed_at", "claimed_by", "claim_expires_at")
Inverse = tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]


def invert(state: WorkingState) -> Inverse:
    """Return inverse patches in the order to play them, and the private fields by patch index."""
    inversion = _Inversion(state)
    something_kept = bool(inversion.kept or inversion.kept_projects)
    if something_kept:
        inversion.revive()
        inversion.reset_fields()
        inversion.unlink()
        inversion.move_back()
        inversion.relink()
    inversion.remove_new_tasks()
    if something_kept:
        inversion.remove_restored()
    inversion.remove_new_projects()
    return inversion.patches, inversion.restore


class _Inversion:
    def __init__(self, state: WorkingState) -> None:
        self.state = state
        self.patches: list[dict[str, Any]] = []
        self.restore: dict[str, dict[str, Any]] = {}
        before, after = state.snapshot.tasks, state.tasks
        self.created = [after[item] for item in state.task_causes if item not in before]
        self.kept = [(before[item], after[item]) for item in state.task_causes if item in before]
        projects = [item for item, causes in state.project_causes.items() if causes]  # else only its counters differ
        stored = state.snapshot.projects
        self.new_projects = dict.fromkeys([item for item in projects if item not in stored])
        self.kept_projects = [(stored[item], state.projects[item]) for item in projects if item in stored]

    def add(self, patch: dict[str, Any], system: dict[str, Any] | None = None) -> None:
        if system:
            self.restore[str(len(self.patches))] = system
        self.patches.append(patch)

    def revive(self) -> None:
        """Restore what the set deleted: projects, then the roots of each deletion, outer ones first."""
        for before, after in self.kept_projects:
            if after.deletion_id not in (None, before.deletion_id):
                self.add({"op": "restore_project", "project": after.key})
        gone = [after for before, after in self.kept if after.deletion_id not in (None, before.deletion_id)]
        roots = [task for task in gone if self.state.deletion_root(task) is task]
        for task in sorted(roots, key=lambda root: root.depth):
            self.add({"op": "restore_task", "task": task.key})

    def reset_fields(self) -> None:
        for project_before, project_after in self.kept_projects:
            fields = _old_fields(project_before, project_after, PROJECT_FIELDS)
            if fields:
                self.add({"op": "update_project", "project": project_after.key, "fields": fields})
        for before, after in self.kept:
            fields = _old_fields(before, after, TASK_FIELDS)
            system = {
                name: wire(getattr(before, name)) for name in SYSTEM_FIELDS if getattr(before, name) != getattr(after, name)
            }
            if fields or system:
                self.add({"op": "update_task", "task": after.key, "fields": fields}, system)

    def unlink(self) -> None:
        for task_id, target_id in self.state.added_edges:
            if task_id in self.state.snapshot.tasks and target_id in self.state.snapshot.tasks:
                self.add(self._dependency("remove_dependency", task_id, target_id))

    def relink(self) -> None:
        for task_id, target_id in self.state.removed_edges:
            self.add(self._dependency("add_dependency", task_id, target_id))

    def move_back(self) -> None:
        for before, after in self.kept:
            if before.parent_id != after.parent_id or (
                before.position != after.position and before.id not in self.state.renumbered
            ):
                parent = self.state.tasks[before.parent_id].key if before.parent_id else None
                self.add({"op": "move_task", "task": after.key, "parent": parent}, {"position": before.position})

    def remove_new_tasks(self) -> None:
        """Delete the tasks the set created, and nothing else."""
        created = {task.id for task in self.created if task.deleted_at is None or self._comes_back(task)}
        for task in self.created:
            if task.id in created and task.parent_id not in created and task.project_id not in self.new_projects:
                rows = [task.id, *(item for item in self.state.below(task.id) if item in created)]
                self.add({"op": "delete_task", "task": task.key}, {"rows": rows})

    def remove_restored(self) -> None:
        """Delete what the set restored, inner items first, and nothing else."""
        revived = [(before, after) for before, after in self.kept if before.deletion_id not in (None, after.deletion_id)]
        groups: dict[str, list[str]] = {}
        for before, _ in revived:
            groups.setdefault(before.deletion_id or "", []).append(before.id)
        restored_projects = [(old, new) for old, new in self.kept_projects if old.deletion_id not in (None, new.deletion_id)]
        by_project = {old.deletion_id for old, _ in restored_projects}
        for before, after in sorted(revived, key=lambda pair: -pair[1].depth):
            parent = self.state.snapshot.tasks.get(before.parent_id or "")
            if before.deletion_id in by_project or (parent is not None and parent.deletion_id == before.deletion_id):
                continue
            system = {"deletion_id": before.deletion_id, "rows": groups[before.deletion_id or ""]}
            self.add({"op": "delete_task", "task": after.key}, system)
        for old, new in restored_projects:
            rows = groups.get(old.deletion_id or "", [])
            self.add({"op": "delete_project", "project": new.key}, {"deletion_id": old.deletion_id, "rows": rows})

    def remove_new_projects(self) -> None:
        for project_id in self.new_projects:
            project = self.state.projects[project_id]
            if project.deleted_at is None:
                rows = [task.id for task in self.created if task.project_id == project_id and task.deleted_at is None]
                self.add({"op": "delete_project", "project": project.key}, {"rows": rows})

    def _comes_back(self, task: TaskRecord) -> bool:
        """Whether restoring an older item that this set deleted revives this new task too."""
        root = self.state.deletion_root(task)
        return root.id in self.state.snapshot.tasks or root.id in self.state.snapshot.projects

    def _dependency(self, op: str, task_id: str, target_id: str) -> dict[str, Any]:
        return {"op": op, "task": self.state.tasks[task_id].key, "depends_on": self.state.tasks[target_id].key}


def _old_fields(before: TaskRecord | ProjectRecord, after: TaskRecord | ProjectRecord, names: tuple[str, ...]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in names:
        old, new = getattr(before, name), getattr(after, name)
        if name not in SYSTEM_FIELDS and not same(old, new):
            fields[name] = merge_back(new, old) if name in MERGED else wire(old)
    return fields


def merge_back(after: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Return the RFC 7396 merge patch that turns `after` into `before`."""
    patch: dict[str, Any] = {name: None for name in after if name not in before}
    for name, old in before.items():
        new = after.get(name)
        if not same(new, old):
            patch[name] = merge_back(new, old) if isinstance(new, dict) and isinstance(old, dict) else old
    return patch
