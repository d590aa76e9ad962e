"""Places of tasks: as people name them, behind which sibling, and older ones in the position numbers of today."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from core.patches.past import carried_over
from core.patches.snapshot import LaterChange, Snapshot
from core.storage.interface import Transaction
from schemas.changes import EntityKind
from schemas.errors import Conflict


class _Move(NamedTuple):
    """A move that others have made since the base: one entry of the later history of a task that the set names."""

    history: list[LaterChange]
    at: int
    home: str  # key of the parent it left; at the top level, of the project

    @property
    def entry(self) -> LaterChange:
        return self.history[self.at]


def tell_places_of_today(tx: Transaction, snapshot: Snapshot) -> None:
    """Put the places that others' moves have left into the numbers that stand there now.

    Renumbering siblings changes nothing, but the numbers in the history before it mean other places now.
    """
    moves = list(_moves(snapshot)) if snapshot.later else []
    if not moves:
        return
    oldest = min(move.entry.revision for move in moves)
    renumbered = tx.renumberings({move.home for move in moves}, after=oldest - 1)
    for move in moves:
        entry, sides = move.entry, move.entry.fields["position"]
        since = [numbers for revision, numbers in renumbered.get(move.home, ()) if revision >= entry.revision]
        left = {**sides, "before": carried_over(sides["before"], since)}
        move.history[move.at] = replace(entry, fields={**entry.fields, "position": left})


def _moves(snapshot: Snapshot) -> Iterator[_Move]:
    for task_id in {*snapshot.task_names.values()}:  # only of what is named are places compared
        task, history = snapshot.tasks[task_id], snapshot.later.get((EntityKind.TASK, task_id), [])
        parent = snapshot.tasks[task.parent_id].key if task.parent_id else None
        for at in reversed(range(len(history))):
            fields = history[at].fields
            if "parent" in fields:
                parent = fields["parent"]["before"]
            if "position" in fields and fields["position"]["before"] is not None:  # a new task had none
                yield _Move(history, at, parent or snapshot.projects[task.project_id].key)


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
