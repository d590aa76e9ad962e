"""The net effect of several patch sets: what differs between two revisions, however often it went to and fro."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence, Set
from typing import Any

from core.patches.values import same
from schemas.changes import Action, Change, EntityKind, FieldChange, Totals
from schemas.primitives import Priority, ProjectStatus, TaskStatus

# What a new item has without being told, in wire form; a creation does not list it.
_UNTOLD = {
    EntityKind.TASK: {"status": TaskStatus.TODO.value, "priority": Priority.MEDIUM.value},
    EntityKind.PROJECT: {"status": ProjectStatus.PLANNING.value, "priority": Priority.MEDIUM.value},
}
_EMPTY: tuple[Any, ...] = (None, "", [], {})
_PLACE = frozenset({"parent", "position"})
_STAYING = frozenset({Action.MOVED, Action.UPDATED})


def net_changes(changes: Iterable[Change]) -> list[Change]:
    """Return one change for each item that `changes`, oldest first, leave different; in the order of their first change."""
    by_item: dict[tuple[EntityKind, str], list[Change]] = {}
    for change in changes:
        by_item.setdefault((change.kind, change.id), []).append(change)
    tasks = [steps for (kind, _), steps in by_item.items() if kind is EntityKind.TASK]  # comments bear the key of theirs
    was_gone = {steps[0].key for steps in tasks if not _lived_before(steps[0])}
    is_gone = {steps[-1].key for steps in tasks if not _lives_after(steps[-1])}
    nets = (_net(steps, was_gone, is_gone) for steps in by_item.values())
    return [net for net in nets if net is not None]


# Ids of the live tasks of a project in outline order, each with that of its parent.
Order = Mapping[str, str | None]


def only_renumbered(changes: Iterable[Change]) -> bool:
    """Whether a change names another position among the same siblings: perhaps another number for the same place."""
    return any(change.fields.keys() & _PLACE == {"position"} for change in changes if change.action in _STAYING)


def without_idle_moves(changes: Iterable[Change], before: Order, after: Order) -> list[Change]:
    """Return the changes without moves among siblings whose order is the same at both ends.

    A task that went away and came back, or whose siblings were numbered anew, stands where it stood.
    """
    was, now = _siblings(before), _siblings(after)
    kept = []
    for change in changes:
        parent = after.get(change.id)
        same_siblings = change.action in _STAYING and change.fields.keys() & _PLACE == {"position"}
        if same_siblings and _common(was[parent], now[parent]) == _common(now[parent], was[parent]):
            fields = {name: sides for name, sides in change.fields.items() if name != "position"}
            if fields:
                kept.append(change.model_copy(update={"action": Action.UPDATED, "fields": fields}))
        else:
            kept.append(change)
    return kept


def _siblings(order: Order) -> dict[str | None, dict[str, None]]:
    found: dict[str | None, dict[str, None]] = defaultdict(dict)
    for item, parent in order.items():
        found[parent][item] = None
    return found


def _common(items: Iterable[str], others: Container[str]) -> list[str]:
    return [item for item in items if item in others]


def count_totals(changes: Iterable[Change]) -> Totals:
    """Return the number of items by effect, as a plan counts them."""
    counts = dict.fromkeys(Totals.model_fields, 0)
    for change in changes:
        if change.kind is EntityKind.COMMENT:
            counts["comments_added"] += 1
            continue
        if change.action in (Action.CREATED, Action.DELETED, Action.RESTORED):
            counts[change.action.value] += 1
        if change.action is not Action.CREATED:
            counts["moved"] += bool(change.fields.keys() & _PLACE)
            counts["updated"] += bool(change.fields.keys() - _PLACE - {"depends_on"})
        if "depends_on" in change.fields:
            before, after = (_keys(change.fields["depends_on"][side]) for side in ("before", "after"))
            counts["dependencies_added"] += len(after - before)
            counts["dependencies_removed"] += len(before - after)
    return Totals(**counts)


def _net(steps: Sequence[Change], was_gone: Set[str], is_gone: Set[str]) -> Change | None:
    """Return what the changes of one item come to, None if nobody would see a difference.

    Edges to tasks that are not live are stored but shown to nobody: `was_gone` and `is_gone` name those of either end.
    """
    first, last = steps[0], steps[-1]
    lived, lives = _lived_before(first), _lives_after(last)
    if not (lived or lives):
        return None
    created = first.action is Action.CREATED
    merged = _merged(steps)
    if "depends_on" in merged:
        before, after = merged["depends_on"]["before"], merged["depends_on"]["after"]
        merged["depends_on"] = {"before": _without(before, was_gone), "after": _without(after, is_gone)}
    fields = _shown(merged, _UNTOLD.get(first.kind, {}) if created else None)
    if created:
        action = Action.CREATED
    elif lived != lives:
        action = Action.RESTORED if lives else Action.DELETED
    elif fields:
        action = Action.MOVED if fields.keys() & _PLACE else Action.UPDATED
    else:
        return None
    return last.model_copy(update={"action": action, "fields": fields, "patch_indexes": []})


def _lived_before(step: Change) -> bool:
    """Whether the item was there, not deleted, before this change of it."""
    return step.action is Action.DELETED or (step.action in (Action.MOVED, Action.UPDATED) and "deleted_at" not in step.fields)


def _lives_after(step: Change) -> bool:
    return step.action is not Action.DELETED and "deleted_at" not in step.fields


def _merged(steps: Sequence[Change]) -> dict[str, FieldChange]:
    """Return each field's first "before" and last "after"."""
    merged: dict[str, FieldChange] = {}
    for step in steps:
        for name, sides in step.fields.items():
            before = merged[name]["before"] if name in merged else sides["before"]
            merged[name] = {"before": before, "after": sides["after"]}
    merged.pop("deleted_at", None)
    return merged


def _without(keys: Any, gone: Set[str]) -> Any:
    return [key for key in keys or () if key not in gone]


def _shown(merged: dict[str, FieldChange], untold: dict[str, str] | None) -> dict[str, FieldChange]:
    """Return the fields that differ; of a creation (which has `untold` defaults) those that were set to something."""
    if untold is None:
        return {name: sides for name, sides in merged.items() if _differ(name, sides)}
    return {
        name: {"before": None, "after": sides["after"]}
        for name, sides in merged.items()
        if sides["after"] not in _EMPTY and sides["after"] != untold.get(name)
    }


def _differ(name: str, sides: FieldChange) -> bool:
    if name == "depends_on":
        return _keys(sides["before"]) != _keys(sides["after"])
    return not same(sides["before"], sides["after"])


def _keys(value: Any) -> set[str]:
    return set(value or ())
