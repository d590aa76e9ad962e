"""Order among siblings: where new and moved tasks go, and which position numbers they get.

Positions are 64-bit integers a server owns. New tasks get the middle of a gap, a run of them is
spaced evenly, and an exhausted gap renumbers its siblings. Each place is a chain of slots, so that
every placement costs O(1), however many there are.
"""

from collections.abc import Iterator

from core.patches.snapshot import Place, Snapshot

STEP = 2**32


class _Slot:
    """A task at a place. One that has moved away stays as a marker, so that its gap keeps its bounds."""

    __slots__ = ("next", "place", "position", "prev", "task_id")

    def __init__(self, place: Place, task_id: str | None, position: int | None) -> None:
        self.place = place
        self.task_id = task_id
        self.position = position  # None until assigned
        self.prev: _Slot | None = None
        self.next: _Slot | None = None


class _Chain:
    def __init__(self) -> None:
        self.head: _Slot | None = None
        self.tail: _Slot | None = None

    def __iter__(self) -> Iterator[_Slot]:
        slot = self.head
        while slot is not None:
            yield slot
            slot = slot.next

    def insert_after(self, anchor: _Slot | None, slot: _Slot) -> None:
        """Link `slot` behind `anchor`, or as the first when there is none."""
        slot.prev = anchor
        slot.next = self.head if anchor is None else anchor.next
        if anchor is None:
            self.head = slot
        else:
            anchor.next = slot
        if slot.next is None:
            self.tail = slot
        else:
            slot.next.prev = slot

    def unlink(self, slot: _Slot) -> None:
        if slot.prev is None:
            self.head = slot.next
        else:
            slot.prev.next = slot.next
        if slot.next is None:
            self.tail = slot.prev
        else:
            slot.next.prev = slot.prev

    def end(self) -> None:
        """Take the ways back: in a circle of references slots would wait for the collector, after each small plan."""
        for slot in self:
            slot.prev = None


class Places:
    """The order of siblings while a patch set is planned."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._chains: dict[Place, _Chain] = {}
        self._slots: dict[str, _Slot] = {}
        self._left: set[str] = set()  # no longer where the snapshot has them
        self._fixed: dict[str, int] = {}
        self._changed: dict[Place, None] = {}

    def append(self, place: Place, task_id: str) -> None:
        """Put a task last."""
        self._leave(task_id)
        chain = self._chains.get(place) or self._open(place)
        self._settle(place, chain, chain.tail, task_id)

    def put(self, place: Place, task_id: str, anchor_id: str, *, before: bool) -> None:
        """Put a task beside an anchor that is at the same place."""
        chain = self._chains.get(place) or self._open(place)
        self._leave(task_id)
        anchor = self._slots[anchor_id]
        self._settle(place, chain, anchor.prev if before else anchor, task_id)

    def fix(self, task_id: str, position: int) -> None:
        """Put a task at an exact position, as only a revert does."""
        self._leave(task_id)
        self._fixed[task_id] = position

    def stands(self, place: Place, task_id: str, position: int, anchor_id: str | None, *, before: bool) -> bool:
        """Whether a task is last at a place (or right beside the anchor) as stored, as far as its order is known."""
        if task_id in self._left:
            return False
        chain = self._chains.get(place) or self._open(place)
        if anchor_id is None:
            slot = chain.tail
            return slot is not None and (slot.task_id == task_id or (slot.task_id is None and slot.position == position))
        anchor = self._slots[anchor_id]
        beside = anchor.prev if before else anchor.next
        return beside is not None and beside.task_id == task_id

    def assign(self) -> tuple[dict[str, int], dict[Place, dict[str, int]]]:
        """Return positions of placed tasks, and by place those of siblings that were only renumbered; nothing is put any more."""
        placed = dict(self._fixed)
        renumbered: dict[Place, dict[str, int]] = {}
        for place in self._changed:
            chain = self._chains[place]
            if not self._space(chain, placed):
                renumbered[place] = self._renumber(chain, placed)
        for chain in self._chains.values():
            chain.end()
        return placed, renumbered

    def _settle(self, place: Place, chain: _Chain, behind: _Slot | None, task_id: str) -> None:
        slot = _Slot(place, task_id, None)
        chain.insert_after(behind, slot)
        self._slots[task_id] = slot
        self._changed[place] = None

    def _leave(self, task_id: str) -> None:
        self._left.add(task_id)
        slot = self._slots.pop(task_id, None)
        if slot is None:
            return
        if slot.position is None:  # placed earlier in this very set: no gap to remember
            self._chains[slot.place].unlink(slot)
        else:
            slot.task_id = None

    def _open(self, place: Place) -> _Chain:
        chain = self._chains[place] = _Chain()
        known = self._snapshot.siblings.get(place, [])
        for position, task_id in known:
            slot = _Slot(place, None if task_id in self._left else task_id, position)
            chain.insert_after(chain.tail, slot)
            if slot.task_id is not None:
                self._slots[task_id] = slot
        last = self._snapshot.last_position.get(place)
        if last is not None and (not known or known[-1][0] < last):
            chain.insert_after(chain.tail, _Slot(place, None, last))
        return chain

    def _space(self, chain: _Chain, placed: dict[str, int]) -> bool:
        """Number each run of new slots evenly between its bounds; False if a gap is too narrow."""
        run: list[_Slot] = []
        low: int | None = None
        for slot in chain:
            if slot.position is None:
                run.append(slot)
                continue
            if run and not _spread(run, low, slot.position, placed):
                return False
            run, low = [], slot.position
        return not run or _spread(run, low, None, placed)

    def _renumber(self, chain: _Chain, placed: dict[str, int]) -> dict[str, int]:
        """Number a whole place anew, placed tasks included; return the new numbers of the others."""
        order = [slot.task_id for slot in chain if slot.task_id is not None]
        moving = {slot.task_id for slot in chain if slot.position is None}
        stored = self._snapshot.tasks
        held = {item: stored[item].position for item in order if item in moving and item in stored}
        first = 1
        while any(held.get(item) == STEP * number for number, item in enumerate(order, first)):
            first += 1  # a task that moves gets another number than it had, or nobody could tell that it moved
        numbers = {item: STEP * number for number, item in enumerate(order, first)}
        placed.update((item, number) for item, number in numbers.items() if item in moving)
        return {item: number for item, number in numbers.items() if item not in moving}


def _spread(run: list[_Slot], low: int | None, high: int | None, placed: dict[str, int]) -> bool:
    count = len(run)
    if high is None:
        start, step = low or 0, STEP
    elif low is None:
        start, step = high - STEP * (count + 1), STEP
    else:
        start, step = low, (high - low) // (count + 1)
        if step < 1:
            return False
    for offset, slot in enumerate(run, 1):
        placed[slot.task_id or ""] = start + step * offset
    return True
