"""Say which stored rows a patch set touches, so that storage can load those and no others."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, assert_never

from core.patches.keys import derived_key
from core.patches.parse import ParsedPatches
from core.patches.snapshot import Needs
from schemas.changes import EntityKind
from schemas.patches import CreateTask, MoveTask
from schemas.tasks import TaskExpect


class _Names:
    """Collects names by why they are needed, which is a field of `Needs`; refs are not stored, so they need nothing."""

    def __init__(self) -> None:
        self._by_reason: dict[str, set[str]] = defaultdict(set)
        self._homes: set[tuple[str | None, str | None]] = set()  # project and parent of creations: thousands may share one
        self._anchors: set[str | None] = set()
        self._placements = 0
        self._moves_to_an_end = False
        # a creation alone cannot; with a new dependency, or a task moved below or beside it, it can
        self.may_close_cycles = False

    def add(self, name: str | None, *reasons: str) -> None:
        if name is None or _is_ref(name):
            return
        for reason in reasons:
            self._by_reason[reason].add(name)

    def create(self, patch: CreateTask) -> None:
        self._homes.add((patch.project, patch.parent))
        if patch.before or patch.after:
            self._place(patch)
        for target in patch.depends_on:
            self.may_close_cycles = True
            self.add(target, "tasks")

    def move(self, patch: MoveTask) -> None:
        if patch.before or patch.after:
            self._place(patch)
        else:
            self._moves_to_an_end = True
        if any(name and _is_ref(name) for name in (patch.parent, patch.before, patch.after)):
            self.may_close_cycles = True
        self.add(patch.task, "tasks", "subtrees", "starts", "append_beside")
        self.add(patch.parent, "tasks", "append_to_tasks", "ends")

    def _place(self, patch: CreateTask | MoveTask) -> None:
        self._placements += 1
        self._anchors.update((patch.before, patch.after))

    def needs(self, base_revisions: Mapping[str, int]) -> Needs:
        # a move to the end may find its task where an earlier patch of the set has put it: beside an anchor, or newly made
        last = ("append_beside",) if self._moves_to_an_end else ()
        below = ("tasks", "append_to_tasks", *(["ends"] if self.may_close_cycles else []), *last)
        for project, parent in self._homes:
            self.add(project, "projects", *(() if parent else ("append_to_projects",)))
            self.add(parent, *below)
        for anchor in self._anchors:
            self.add(anchor, "tasks", "anchors", "ends", *last)
        found: dict[str, Any] = {reason: frozenset(names) for reason, names in self._by_reason.items()}
        return Needs(placements=self._placements, base_revisions=dict(base_revisions), **found)


def _is_ref(name: str) -> bool:
    return name[:1] == "$"


def needs_of(parsed: ParsedPatches, base_revisions: Mapping[str, int]) -> Needs:
    """Return what must be loaded to plan `parsed`; linear in its patches."""
    names = _Names()
    for mention in parsed.mentions:
        names.add(mention.name, "projects" if mention.kind is EntityKind.PROJECT else "tasks")
    for _, patch in parsed.patches:
        match patch.op:
            case "create_project":
                names.add(patch.key or derived_key(patch.fields.name), "key_bases")
            case "update_project":
                checks_all = "task_schema" in patch.fields.model_fields_set
                names.add(patch.project, "projects", *(["whole_projects"] if checks_all else []))
            case "delete_project":
                names.add(patch.project, "projects", "whole_projects")
            case "restore_project":
                names.add(patch.project, "projects", "project_deletions")
            case "create_task":
                names.create(patch)
            case "update_task":
                names.add(patch.task, "tasks")
                _expect(names, patch.task, patch.expect)
            case "move_task":
                names.move(patch)
                _expect(names, patch.task, patch.expect)
            case "delete_task":
                names.add(patch.task, "tasks", "subtrees")
                _expect(names, patch.task, patch.expect)
            case "restore_task":
                names.add(patch.task, "tasks", "deletions", "starts")
                _expect(names, patch.task, patch.expect)
            case "add_dependency":
                names.may_close_cycles = True
                names.add(patch.task, "tasks", "edges", "starts")
                names.add(patch.depends_on, "tasks")
            case "remove_dependency":
                names.add(patch.task, "tasks", "edges")
                names.add(patch.depends_on, "tasks")
            case "add_comment":
                names.add(patch.task, "tasks")
            case _:
                assert_never(patch)
    for project in base_revisions:
        names.add(project, "projects")
    return names.needs(base_revisions)


def _expect(names: _Names, task: str, expect: TaskExpect | None) -> None:
    if expect is None:
        return
    names.add(expect.parent, "tasks")
    if "depends_on" in expect.model_fields_set:
        names.add(task, "edges")
        for target in expect.depends_on or []:
            names.add(target, "tasks")
