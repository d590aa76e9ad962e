"""The order in which a reader knows tasks: parents before their children, siblings by position."""

from collections import defaultdict
from collections.abc import Iterable
from operator import attrgetter
from typing import Protocol, TypeVar


class Placed(Protocol):
    """What has a place among tasks."""

    @property
    def id(self) -> str: ...
    @property
    def parent_id(self) -> str | None: ...
    @property
    def position(self) -> int: ...


PlacedT = TypeVar("PlacedT", bound=Placed)


def in_outline_order(items: Iterable[PlacedT]) -> list[PlacedT]:
    """Return the items depth first, siblings by position; those whose parent is not among them are at the top."""
    left = {item.id: item for item in items}
    children: dict[str | None, list[PlacedT]] = defaultdict(list)
    for item in sorted(left.values(), key=attrgetter("position", "id"), reverse=True):
        children[item.parent_id if item.parent_id in left else None].append(item)
    ordered: list[PlacedT] = []
    waiting = children[None]
    while waiting:
        item = waiting.pop()
        ordered.append(left.pop(item.id))
        waiting += children.get(item.id, ())
    return [*ordered, *left.values()]  # a parent cycle is reported by the rules; what is in it must not be lost here
