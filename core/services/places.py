"""Places as people name them: behind which sibling, where the plan knows numbers only."""

from typing import Any

from core.patches.snapshot import Snapshot
from core.storage.interface import Transaction
from schemas.errors import Conflict


def with_named_places(tx: Transaction, snapshot: Snapshot, conflict: Conflict) -> Conflict:
    """Return a conflict about the place of a task with `{"parent": .., "after": ..}` for base, current and proposed.

    `after` is the task that stands before that place now, null where it is the first.
    """
    home = conflict.key.rpartition("-")[0]
    project_id = next(project.id for project in snapshot.projects.values() if project.key == home)

    def named(place: Any) -> Any:
        if place is None:
            return None
        parent, position = place["parent"], place["position"]
        return {"parent": parent, "after": tx.earlier_sibling(project_id, parent, position, besides=conflict.key)}

    sides = {name: named(getattr(conflict, name)) for name in ("base", "current", "proposed")}
    return conflict.model_copy(update=sides)
