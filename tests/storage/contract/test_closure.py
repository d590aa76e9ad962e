"""The cycle check gets everything that is reachable, and no more than that."""

import itertools
import random
from collections.abc import Iterable
from typing import Any

from core.patches.snapshot import Snapshot, TaskRecord
from tests.storage.builders import NOW, Database, project, task

GONE: dict[str, Any] = {"deleted_at": NOW, "deletion_id": "d"}


def reachable(snapshot: Snapshot, starts: Iterable[str], ends: Iterable[str]) -> set[tuple[str, str]]:
    """Return the start and end nodes that the loaded graph reaches, by the arrows of DESIGN section 3."""
    seen: set[tuple[str, str]] = set()
    waiting = [("start", item) for item in starts] + [("end", item) for item in ends]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        side, item = node
        if side == "start":
            waiting += [("start", child) for child in snapshot.graph_children.get(item, [])] + [("end", item)]
        else:
            parent = snapshot.graph[item].parent_id
            waiting += [("end", parent)] if parent in snapshot.graph else []
            waiting += [("start", dependent) for dependent in snapshot.graph_dependents.get(item, [])]
    return seen


def expected(tasks: list[TaskRecord], edges: list[tuple[str, str]], start: str) -> set[tuple[str, str]]:
    """The same by brute force from all rows."""
    whole = Snapshot()
    live = {item.id for item in tasks if item.deleted_at is None}
    for item in tasks:
        if item.id in live:
            whole.graph[item.id] = item  # type: ignore[assignment]  # a task has what a node has
            if item.parent_id in live:
                whole.graph_children[item.parent_id].append(item.id)
    for waiting, awaited in edges:
        if waiting in live and awaited in live:
            whole.graph_dependents[awaited].append(waiting)
    return reachable(whole, [start], [])


def test_the_closure_follows_dependents_children_and_the_end_of_parents(database: Database) -> None:
    web = project()
    first = task(web)
    phase = task(web)
    inner, other = task(web, phase), task(web, phase)
    after_phase, unrelated = task(web), task(web)
    edges = [(inner.id, first.id), (after_phase.id, phase.id), (first.id, unrelated.id)]
    database.create([web], [first, phase, inner, other, after_phase, unrelated], new_edges=edges)

    snapshot = database.load(starts=[first.key])

    assert reachable(snapshot, [first.id], []) == {
        ("start", first.id), ("end", first.id), ("start", inner.id), ("end", inner.id),
        ("end", phase.id), ("start", after_phase.id), ("end", after_phase.id),
    }  # fmt: skip
    assert {node.key for node in snapshot.graph.values()} == {item.key for item in (first, phase, inner, after_phase)}


def test_an_end_reaches_no_children(database: Database) -> None:
    web = project()
    phase = task(web)
    inner = task(web, phase)
    after_phase = task(web)
    database.create([web], [phase, inner, after_phase], new_edges=[(after_phase.id, phase.id)])

    snapshot = database.load(ends=[phase.key])

    assert snapshot.graph.keys() == {phase.id, after_phase.id}
    assert reachable(database.load(starts=[phase.key]), [phase.id], []) >= {("start", inner.id), ("start", after_phase.id)}


def test_deleted_tasks_are_inert_until_they_are_restored(database: Database) -> None:
    web = project()
    first, gone, last = task(web), task(web, **GONE), task(web)
    database.create([web], [first, gone, last], new_edges=[(gone.id, first.id), (last.id, gone.id)])

    inert = database.load(starts=[first.key])
    restored = database.load(starts=[first.key], deletions=[gone.key])

    assert inert.graph.keys() == {first.id}
    assert reachable(restored, [first.id], []) >= {("start", gone.id), ("start", last.id)}
    assert restored.graph[gone.id].live is False


def test_a_long_chain_is_loaded_to_its_end(database: Database) -> None:
    web = project()
    chain = [task(web) for _ in range(300)]
    edges = [(later.id, earlier.id) for earlier, later in itertools.pairwise(chain)]
    database.create([web], chain, new_edges=edges)

    snapshot = database.load(starts=[chain[0].key])

    assert reachable(snapshot, [chain[0].id], []) == expected(chain, edges, chain[0].id)


def test_the_closure_of_any_graph_is_complete(database: Database) -> None:
    dice = random.Random(7)  # noqa: S311  # a fixed sequence
    for key in ("ONE", "TWO", "THREE"):
        web = project(key)
        tasks: list[TaskRecord] = []
        for _ in range(60):
            parents = [item for item in tasks if item.depth < 4 and item.deleted_at is None]
            parent = dice.choice(parents) if parents and dice.random() < 0.6 else None
            tasks.append(task(web, parent, **(GONE if dice.random() < 0.1 else {})))
        pairs = {(dice.choice(tasks).id, dice.choice(tasks).id) for _ in range(50)}
        edges = sorted(pair for pair in pairs if pair[0] != pair[1])
        database.create([web], tasks, new_edges=edges)

        for start in dice.sample([item for item in tasks if item.deleted_at is None], 10):
            snapshot = database.load(starts=[start.id])
            assert reachable(snapshot, [start.id], []) == expected(tasks, edges, start.id)
