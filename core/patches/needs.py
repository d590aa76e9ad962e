"""Say which stored rows a patch set touches, so that storage can load those and no others."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from core.patches.keys import derived_key
from core.patches.parse import ParsedPatches
from core.patches.snapshot import Needs
from schemas.changes import EntityKind
from schemas.patches import Patch
from schemas.tasks import TaskExpect


class _Names:
    """Collects names by why they are needed, which is a field of `Needs`; refs are not stored, so they need nothing."""

    def __init__(self) -> None:
        self._by_reason: dict[str, set[str]] = defaultdict(set)

    def add(self, name: str | None, *reasons: str) -> None:
        if name is None or name[:1] == "$":
            return
        for reason in reasons:
            self._by_reason[reason].add(name)

    def needs(self, placements: int, base_revisions: Mapping[str, int]) -> Needs:
        found: dict[str, Any] = {reason: frozenset(names) for reason, names in self._by_reason.items()}
        return Needs(placements=placements, base_revisions=dict(base_revisions), **found)


def needs_of(parsed: ParsedPatches, base_revisions: Mapping[str, int]) -> Needs:
    """Return what must be loaded to plan `parsed`; linear in its patches."""
    names = _Names()
    placements = 0
    patches = [patch for _, patch in parsed.patches]
    below = ("tasks", "append_to_tasks", *(["ends"] if _may_close_cycles(patches) else []))
    # a move to the end may find its task where an earlier patch of the set has put it: beside an anchor, or newly made
    last = ("append_beside",) if _moves_to_an_end(patches) else ()
    for mention in parsed.mentions:
        names.add(mention.name, "projects" if mention.kind is EntityKind.PROJECT else "tasks")
    for patch in patches:
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
                placements += _place(names, patch.before, patch.after, last)
                names.add(patch.project, "projects", *(() if patch.parent else ("append_to_projects",)))
                names.add(patch.parent, *below, *last)
                for target in patch.depends_on:
                    names.add(target, "tasks")
            case "update_task":
                names.add(patch.task, "tasks")
                _expect(names, patch.task, patch.expect)
            case "move_task":
                placements += _place(names, patch.before, patch.after, last)
                names.add(patch.task, "tasks", "subtrees", "starts", "append_beside")
                names.add(patch.parent, "tasks", "append_to_tasks", "ends")
                _expect(names, patch.task, patch.expect)
            case "delete_task":
                names.add(patch.task, "tasks", "subtrees")
                _expect(names, patch.task, patch.expect)
            case "restore_task":
                names.add(patch.task, "tasks", "deletions", "starts")
                _expect(names, patch.task, patch.expect)
            case "add_dependency":
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
    return names.needs(placements, base_revisions)


def _may_close_cycles(patches: Sequence[Patch]) -> bool:
    """A creation alone cannot close a cycle; with a new dependency, or a task moved below or beside it, it can."""
    return any(
        patch.op == "add_dependency"
        or (patch.op == "create_task" and patch.depends_on)
        or (patch.op == "move_task" and any(name and name[0] == "$" for name in (patch.parent, patch.before, patch.after)))
        for patch in patches
    )


def _moves_to_an_end(patches: Sequence[Patch]) -> bool:
    return any(patch.op == "move_task" and patch.before is None and patch.after is None for patch in patches)


def _place(names: _Names, before: str | None, after: str | None, last: tuple[str, ...]) -> int:
    if before is None and after is None:
        return 0
    for anchor in (before, after):
        names.add(anchor, "tasks", "anchors", "ends", *last)
    return 1


def _expect(names: _Names, task: str, expect: TaskExpect | None) -> None:
    if expect is None:
        return
    names.add(expect.parent, "tasks")
    if "depends_on" in expect.model_fields_set:
        names.add(task, "edges")
        for target in expect.depends_on or []:
            names.add(target, "tasks")
