"""The cycle rule on start and end nodes.

A task's start comes after its parent's start and after the end of everything it waits for; its end
comes before its parent's end. So a dependency on an ancestor or a descendant is a cycle like any
other. Strongly connected components (Tarjan, 1972), iterative; linear in the part of the graph that
is reachable from what the set changes.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

Node = tuple[str, str]  # ("S" or "E", task id)
Arrows = Callable[[Node], Iterable[Node]]


def components_with_cycles(roots: Iterable[Node], arrows: Arrows) -> list[set[Node]]:
    """Return the strongly connected components of more than one node reachable from `roots`."""
    order: dict[Node, int] = {}
    low: dict[Node, int] = {}
    stack: list[Node] = []
    on_stack: set[Node] = set()
    found: list[set[Node]] = []
    for root in roots:
        if root in order:
            continue
        work: list[tuple[Node, Iterator[Node]]] = [_enter(root, order, low, stack, on_stack, arrows)]
        while work:
            node, heads = work[-1]
            for head in heads:
                if head not in order:
                    work.append(_enter(head, order, low, stack, on_stack, arrows))
                    break
                if head in on_stack:
                    low[node] = min(low[node], order[head])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == order[node]:
                    component = _leave(node, stack, on_stack)
                    if len(component) > 1:
                        found.append(component)
    return found


def _enter(
    node: Node, order: dict[Node, int], low: dict[Node, int], stack: list[Node], on_stack: set[Node], arrows: Arrows
) -> tuple[Node, Iterator[Node]]:
    order[node] = low[node] = len(order)
    stack.append(node)
    on_stack.add(node)
    return node, iter(arrows(node))


def _leave(node: Node, stack: list[Node], on_stack: set[Node]) -> set[Node]:
    component: set[Node] = set()
    while True:
        member = stack.pop()
        on_stack.discard(member)
        component.add(member)
        if member == node:
            return component


def path_within(component: set[Node], start: Node, goal: Node, arrows: Arrows) -> list[Node]:
    """Return a shortest path from `start` to `goal` inside a component that holds both; if they are one, a way round."""
    came: dict[Node, Node] = {}
    queue = deque([start])
    while goal not in came:
        node = queue.popleft()
        for head in arrows(node):
            if head in component and head not in came:
                came[head] = node
                queue.append(head)
    path = [goal, came[goal]]
    while path[-1] != start:
        path.append(came[path[-1]])
    return path[::-1]
