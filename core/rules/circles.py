"""Dependencies that cannot hold: on the task itself, on its own ancestor or descendant, in a circle.

A dependency on something that stands earlier in the document can never close a circle by itself: the
document order is a valid order of work for hierarchy and such dependencies together. So in a circle it
is the dependencies on later items that are left out. Linear.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

Edge = tuple[int, int]  # task, what it waits for


def impossible(edges: Iterable[Edge], parents: Sequence[int | None]) -> dict[Edge, str]:
    """Return the edges that must be left out, with the reason. Items are numbered in document order."""
    refused: dict[Edge, str] = {}
    rest = []
    for task, other in edges:
        if task == other:
            refused[task, other] = "would wait for itself"
        elif _is_above(other, task, parents) or _is_above(task, other, parents):
            refused[task, other] = "would wait for its own parent or subtask"
        else:
            rest.append((task, other))
    for edge in _in_circles(rest, parents):
        if edge[1] > edge[0]:
            refused[edge] = "would close a circle of tasks that wait for each other"
    return refused


def _is_above(upper: int, lower: int, parents: Sequence[int | None]) -> bool:
    parent = parents[lower]
    while parent is not None and parent != upper:
        parent = parents[parent]
    return parent is not None


def _in_circles(edges: list[Edge], parents: Sequence[int | None]) -> list[Edge]:
    """Return the edges on a circle, or between two circles, of starts (2n) and ends (2n + 1) of tasks."""
    after: dict[int, list[int]] = defaultdict(list)
    for index, parent in enumerate(parents):
        after[2 * index].append(2 * index + 1)
        if parent is not None:
            after[2 * parent].append(2 * index)
            after[2 * index + 1].append(2 * parent + 1)
    for task, other in edges:
        after[2 * other + 1].append(2 * task)
    left = _peel(after, set(range(2 * len(parents))))
    before: dict[int, list[int]] = defaultdict(list)
    for node in left:
        for later in after[node]:
            if later in left:
                before[later].append(node)
    left = _peel(before, left)
    return [(task, other) for task, other in edges if 2 * other + 1 in left and 2 * task in left]


def _peel(after: dict[int, list[int]], nodes: set[int]) -> set[int]:
    """Return what is left when nodes that nothing leads to are removed again and again."""
    incoming: dict[int, int] = defaultdict(int)
    for node in nodes:
        for later in after.get(node, ()):
            incoming[later] += 1
    ready = [node for node in nodes if not incoming[node]]
    left = set(nodes)
    while ready:
        node = ready.pop()
        left.discard(node)
        for later in after.get(node, ()):
            incoming[later] -= 1
            if not incoming[later]:
                ready.append(later)
    return left
