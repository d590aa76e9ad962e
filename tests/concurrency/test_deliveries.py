"""One patch set delivered fifty times at once, to two servers: exactly one effect, and every answer says so."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.concurrency.doors import DONE, REPLAYED, Door, Outcome, Rest, mcp_door, rest_door
from tests.support.audit import audit
from tests.support.servers import running_server

DELIVERIES = 50
ROUNDS = 8  # where the outcome may fall either way
CLOSED, REUSED = "PATCH_SET_CLOSED", "IDEMPOTENCY_KEY_REUSED"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def gateway(shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(shared_url, folder=tmp_path_factory.mktemp("gateway")) as base_url:
        yield base_url


class Store:
    """A project of its own in a database, and the two servers that serve it."""

    def __init__(self, rest: Rest, doors: list[Door], key: str) -> None:
        self.rest = rest
        self._doors = doors
        self.key = key

    def create(self, *titles: str, id: str | None = None) -> dict[str, Any]:
        """Return a patch set that creates tasks: applied twice it would show."""
        patches = [{"op": "create_task", "project": self.key, "fields": {"title": title}} for title in titles]
        return {"patches": patches} | ({"id": id} if id else {})

    async def proposed(self, *titles: str) -> str:
        proposal = await self.rest.propose(self.create(*titles))
        assert proposal.said == DONE
        return str(proposal.facts["id"])

    async def deliver(self, *calls: Callable[[Door], Awaitable[Outcome]], times: int = DELIVERIES) -> list[Outcome]:
        """Make the calls at once, in turn until there are so many, each to the servers in turn."""
        pairs = itertools.product(calls, self._doors)
        return await asyncio.gather(*(call(door) for call, door in itertools.islice(itertools.cycle(pairs), times)))

    async def titles(self) -> list[str]:
        return sorted(task["title"] for task in (await self.rest.get(f"/tasks?project_id={self.key}&per_page=100"))["tasks"])

    async def state(self, id: str) -> str:
        return str((await self.rest.get(f"/patch-sets/{id}"))["proposal"]["state"])

    async def applied(self) -> int:
        """Return how many sets have been applied to the project after its creation."""
        revision: int = (await self.rest.get(f"/projects/{self.key}"))["revision"]
        return revision - 1


@pytest.fixture
async def store(shared_url: str, gateway: str, tmp_path: Path) -> AsyncIterator[Store]:
    key = f"P{next(_numbers)}"
    async with rest_door(gateway) as rest, mcp_door(shared_url, tmp_path) as mcp:
        made = await rest.apply({"patches": [{"op": "create_project", "key": key, "fields": {"name": key}}]})
        assert made.said == DONE
        yield Store(rest, [rest, mcp], key)
    audit(shared_url)


def new_id() -> str:
    return f"ps_{next(_numbers):016d}"


def said(outcomes: list[Outcome]) -> Counter[str]:
    return Counter(outcome.said for outcome in outcomes)


async def test_a_set_is_applied_once(store: Store) -> None:
    patch_set = store.create("One", id=new_id())

    outcomes = await store.deliver(lambda door: door.apply(patch_set))

    assert said(outcomes) == {DONE: 1, REPLAYED: DELIVERIES - 1}
    assert {tuple(outcome.facts["revisions"].items()) for outcome in outcomes} == {((store.key, 2),)}
    assert await store.titles() == ["One"]


async def test_a_new_project_is_made_once(store: Store) -> None:
    """Of what does not exist yet, nothing can be locked."""
    patch_set = {"id": new_id(), "patches": [{"op": "create_project", "fields": {"name": f"Twin of {store.key}"}}]}

    outcomes = await store.deliver(lambda door: door.apply(patch_set))

    assert said(outcomes) == {DONE: 1, REPLAYED: DELIVERIES - 1}
    assert len({tuple(outcome.facts["revisions"]) for outcome in outcomes}) == 1


async def test_of_two_bodies_under_one_id_one_is_applied(store: Store) -> None:
    id = new_id()
    bodies = store.create("One", id=id), store.create("Other", id=id)

    outcomes = await store.deliver(lambda door: door.apply(bodies[0]), lambda door: door.apply(bodies[1]))

    assert said(outcomes)[DONE] == 1
    assert said(outcomes)[REUSED] in (DELIVERIES // 2, DELIVERIES // 2 - 1, DELIVERIES // 2 + 1)
    assert said(outcomes).keys() == {DONE, REPLAYED, REUSED}
    assert len(await store.titles()) == 1


async def test_a_proposal_is_applied_once(store: Store) -> None:
    id = await store.proposed("One", "Two")

    outcomes = await store.deliver(lambda door: door.apply_proposal(id))

    assert said(outcomes) == {DONE: 1, REPLAYED: DELIVERIES - 1}
    assert await store.titles() == ["One", "Two"]


async def test_of_two_selections_from_a_proposal_one_is_applied(store: Store) -> None:
    id = await store.proposed("One", "Two")

    outcomes = await store.deliver(lambda door: door.apply_proposal(id, [0]), lambda door: door.apply_proposal(id, [1]))

    half = len(outcomes[0::4] + outcomes[1::4])
    assert said(outcomes)[DONE] == 1
    assert said(outcomes)[CLOSED] in (half, DELIVERIES - half)
    assert said(outcomes).keys() == {DONE, REPLAYED, CLOSED}
    assert len(await store.titles()) == 1


async def test_a_proposal_is_applied_or_rejected(store: Store) -> None:
    for number in range(ROUNDS):
        id = await store.proposed(f"Task {number}")
        before = await store.applied()

        outcomes = await store.deliver(lambda door: door.apply_proposal(id), lambda door: door.reject(id), times=8)  # noqa: B023  # at once

        applied, rejected = said(outcomes[0::4] + outcomes[1::4]), said(outcomes[2::4] + outcomes[3::4])
        if await store.state(id) == "applied":
            assert (applied, rejected) == ({DONE: 1, REPLAYED: 3}, {CLOSED: 4})
        else:
            assert (applied, rejected) == ({CLOSED: 4}, {DONE: 4})
        assert await store.applied() - before == applied[DONE]


async def test_a_proposal_is_superseded_once(store: Store) -> None:
    id = await store.proposed("One")

    outcomes = await store.deliver(lambda door: door.rebase(id), times=20)

    assert said(outcomes).keys() <= {DONE, CLOSED}
    assert await store.state(id) == "superseded"
    assert await store.titles() == []


async def test_a_set_is_reverted_once(store: Store) -> None:
    id = new_id()
    (done,) = await store.deliver(lambda door: door.apply(store.create("One", "Two", id=id)), times=1)
    assert done.said == DONE

    outcomes = await store.deliver(lambda door: door.revert(id))

    counted = said(outcomes)
    assert counted.keys() <= {DONE, "INVALID_PATCH"}  # whoever comes later is told that it is taken back already
    assert counted[DONE] == 1
    assert await store.titles() == []
    assert await store.applied() == 2


async def test_of_two_proposals_under_one_id_one_is_stored(store: Store) -> None:
    """Over MCP the server makes the ids of proposals."""
    for number in range(ROUNDS):
        bodies = [store.create(f"{name} {number}", id=new_id()) for name in ("One", "Other")]
        bodies[1]["id"] = id = bodies[0]["id"]

        outcomes = await asyncio.gather(*(store.rest.propose(bodies[turn % 2]) for turn in range(8)))

        shown = await store.rest.get(f"/patch-sets/{id}")
        first = [body["patches"] == shown["patches"] for body in bodies].index(True)
        assert said(outcomes[first::2]) == {DONE: 4}
        assert said(outcomes[1 - first :: 2]) == {REUSED: 4}
        assert {outcome.facts["proposal"]["created_at"] for outcome in outcomes[first::2]} == {shown["proposal"]["created_at"]}


async def test_an_id_names_a_proposal_or_an_applied_set_never_both(store: Store) -> None:
    for number in range(ROUNDS):
        proposed = store.create(f"Proposed {number}", id=new_id())
        applied = store.create(f"Applied {number}", id=proposed["id"])

        outcomes = await asyncio.gather(
            *(store.rest.propose(proposed) if turn % 2 else store.rest.apply(applied) for turn in range(8))
        )

        if await store.state(proposed["id"]) == "applied":
            assert (said(outcomes[0::2]), said(outcomes[1::2])) == ({DONE: 1, REPLAYED: 3}, {REUSED: 4})
        else:
            assert (said(outcomes[0::2]), said(outcomes[1::2])) == ({REUSED: 4}, {DONE: 4})
