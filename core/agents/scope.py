"""What may be changed: everything of one project, or one task and what is below it. Enforced here, whatever is argued."""

from core.agents.view import PlanView
from core.agents.wire import Lowered, Patch, Problem
from schemas.tasks import Task


def outside(lowered: Lowered, view: PlanView, focus: Task | None) -> list[Problem]:
    """Return the changes that reach beyond `focus`, or beyond the project without one.

    What a task waits for may be outside: that changes only the task.
    """
    whole = focus is None
    inside = {task.key for task in view.tasks} if focus is None else view.below(focus)
    project = view.project.key if view.project is not None else None
    inside |= _created_inside(lowered.patches, inside, whole=whole)
    problems = []
    for patch, place in zip(lowered.patches, lowered.places, strict=True):
        if patch["op"] == "update_project":
            allowed = whole and patch["project"] == project
        elif patch["op"] == "create_task":
            allowed = patch.get("parent") in inside or (whole and "parent" not in patch)
        else:
            allowed = patch["task"] in inside and _may_move(patch, inside, whole=whole)
        if not allowed:
            problems.append(Problem(f"ops[{place}]", "this is outside of what may be changed here; leave it out"))
    return problems


def _created_inside(patches: list[Patch], inside: set[str], *, whole: bool) -> set[str]:
    """Return the refs of tasks that are created below something inside, or below each other there."""
    parents = {patch["ref"]: patch.get("parent") for patch in patches if patch["op"] == "create_task" and "ref" in patch}
    found = {ref for ref, parent in parents.items() if whole and parent is None}
    while new := {ref for ref, parent in parents.items() if parent in inside | found} - found:
        found |= new
    return found


def _may_move(patch: Patch, inside: set[str], *, whole: bool) -> bool:
    if patch["op"] != "move_task":
        return True
    return patch["parent"] in inside or (whole and patch["parent"] is None)
