"""P3: where no conflict is reported, everything that others have done still holds after my set."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from core.patches.plan import Plan
from schemas.changes import Action, Change, EntityKind
from tests.core.patches.test_laws import operations, started
from tests.core.patches.world import World

Patches = list[dict[str, Any]]
few = st.lists(operations, min_size=1, max_size=3)
deletions = st.lists(st.sampled_from([{"op": "delete_task", "task": f"WEB-{number}"} for number in (2, 5, 8)]), max_size=1)
# They follow from the status and from whether it is deleted, which are compared: a set may restore and delete a task again.
CONSEQUENCES = ("completed_at", "claimed_by", "claim_expires_at", "deleted_at")


def tried(world: World, patches: Patches, **options: Any) -> Plan | None:
    """Apply a random set if it is sound and conflicts with nothing."""
    plan = world.plan(*patches, **options)
    if plan.errors() or plan.conflicts:
        return None
    world.store(plan)
    return plan


def two_sides(gone: Patches) -> tuple[World, dict[str, int]]:
    """Return a plan with something in its trash, and the base both sides have seen."""
    world = started()
    if gone:
        world.apply(*gone)
    return world, {"WEB": world.project("WEB").revision}


def still_true(world: World, change: Change) -> Iterator[tuple[str, bool]]:
    """Yield each effect of a change with whether it holds in `world`."""
    if change.kind is EntityKind.COMMENT:
        return  # comments are never taken away
    item: Any = world.projects[change.id] if change.kind is EntityKind.PROJECT else world.tasks[change.id]
    if change.action is Action.DELETED:
        yield "deleted", item.deleted_at is not None
    if item.deleted_at is not None:
        return  # deleting takes the latest edits along, and is no overwriting
    if change.action in (Action.CREATED, Action.RESTORED):
        yield "deleted", item.deleted_at is None
    for name, values in change.fields.items():
        before, after = values["before"], values["after"]
        match name:
            case "tags":
                was, now = set(before or ()), set(after or ())  # type: ignore[arg-type]
                yield name, now - was <= set(item.tags) and not (was - now) & set(item.tags)
            case "links" | "custom":
                was, now = before or {}, after or {}  # type: ignore[assignment]
                held = getattr(item, name)
                yield name, all(held.get(unit) == now.get(unit) for unit in {*was, *now} if was.get(unit) != now.get(unit))  # type: ignore[attr-defined]
            case "depends_on":
                was, now = set(before or ()), set(after or ())  # type: ignore[arg-type]
                yield name, now - was <= set(world.waits_for(item.key)) and not (was - now) & set(world.waits_for(item.key))
            case "parent":
                yield name, (world.tasks[item.parent_id].key if item.parent_id else None) == after
            case _ if name not in CONSEQUENCES:
                held = getattr(item, name)
                yield name, (held.isoformat() if hasattr(held, "isoformat") else held) == after


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.filter_too_much])
@given(deletions, few, few)
def test_what_others_did_holds_after_a_set_without_conflicts(gone: Patches, theirs: Patches, mine: Patches) -> None:
    world, base = two_sides(gone)
    done = tried(world, theirs)
    assume(done is not None and done.changes)
    assert done is not None
    applied = tried(world, mine, base=base)
    event("applied" if applied else "refused")
    assume(applied is not None)

    lost = [(change.key, name) for change in done.changes for name, holds in still_true(world, change) if not holds]

    assert not lost


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.filter_too_much])
@given(deletions, few, few)
def test_sets_that_do_not_conflict_come_to_the_same_in_either_order(gone: Patches, one: Patches, other: Patches) -> None:
    results = []
    for first, second in ((one, other), (other, one)):
        world, base = two_sides(gone)
        assume(tried(world, first, base=base) is not None and tried(world, second, base=base) is not None)
        results.append(outcome(world))

    assert results[0] == results[1]


def outcome(world: World) -> dict[str, Any]:
    """Return what does not depend on who came first: neither keys, instants and order of new items, nor the order of tags."""
    hidden = {"id", "number", "position", "created_at", "updated_at", "deleted_at", "deletion_id", "revision", *CONSEQUENCES}
    live = [task for task in world.tasks.values() if task.deleted_at is None]
    old = {task.id for task in live if task.number <= 8}
    facts: list[Any] = []
    for task in live:
        shown = {name: getattr(task, name) for name in task.__slots__ if name not in hidden}
        shown["tags"] = sorted(task.tags)
        if task.id not in old:
            shown["key"] = None
        if task.parent_id not in old:
            shown["parent_id"] = task.parent_id and "new"
        facts.append(json.dumps(shown, sort_keys=True, default=str))
    edges = sorted((a if a in old else "new", b if b in old else "new") for a, b in world.edges)
    project = world.project("WEB")
    return {
        "tasks": sorted(facts),
        "edges": edges,
        "project": (
            project.name,
            sorted(project.tags),
            project.deleted_at is None,
            project.task_count,
            project.estimated_minutes,
        ),
    }
