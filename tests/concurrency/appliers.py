"""What each of several processes does to the store they share.

An applier has its own connections, as an MCP server has. It works as a caller must: it reads, says with `base_revisions`
or `expect` what it has seen, and on CONCURRENT_UPDATE reads again. It remembers what was acknowledged, so that the
end can be compared with what all of them were told.
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from core.context import Context
from core.errors import DomainError
from core.ids import RandomIds
from core.services import patch_sets, reverting, tasks
from core.wiring import Orchestrator
from schemas.changes import ApplyResponse
from schemas.errors import ErrorCode
from schemas.patches import PatchSet
from schemas.tasks import TaskDetail
from tests.concurrency.calls import Caller
from tests.concurrency.processes import Meet
from tests.crash.workload import opened

X = TypeVar("X")

TASKS = [f"WEB-{number}" for number in range(1, 21)]  # changed by all, deleted by nobody
HOT = TASKS[:5]  # where all change the same fields
SHIFTING = [f"WEB-{number}" for number in range(21, 25)]  # deleted and restored by all
PURSES = ("WEB-25", "APP-1")  # minutes go from one to the other, and none is lost
BALANCE = 10_000
SET_UP = "set up"
# Applier n alone writes field n of all TASKS; the second member gives the values, one after the other.
OWN: list[tuple[str, Callable[[int], Any]]] = [
    ("title", lambda n: f"title {n}"),
    ("acceptance_criteria", lambda n: [f"criterion {n}"]),
    ("priority", lambda n: ("critical", "high", "low", "backlog")[n % 4]),
    ("assignee", lambda n: f"person {n}"),
    ("due_date", lambda n: f"2027-{n % 12 + 1:02}-01"),
    ("estimated_minutes", lambda n: n),
    ("links", lambda n: {"seen": f"link {n}"}),
    ("custom", lambda n: {"seen": n}),
]


def own_part(value: Any) -> Any:
    """Return what belongs to one applier: of an object, one member."""
    return value.get("seen") if isinstance(value, dict) else value


STALE = {ErrorCode.CONCURRENT_UPDATE}
# How often each step is taken, and how it may be refused. Without a code it never is, whatever the others do meanwhile.
STEPS: dict[str, tuple[int, set[ErrorCode]]] = {
    "count": (20, STALE),
    "append": (10, STALE),
    "transfer": (8, STALE),
    "own_field": (16, set()),
    "revert": (5, set()),
    "tag": (8, set()),
    "comment": (8, set()),
    "create": (7, set()),
    "delete": (4, set()),
    "link": (5, STALE | {ErrorCode.DEPENDENCY_CYCLE}),
    "move": (5, STALE | {ErrorCode.DEPENDENCY_CYCLE, ErrorCode.INVALID_HIERARCHY}),
    # Another's move may have put the task back where it was: then there is nothing left to take back.
    "undo_move": (4, STALE | {ErrorCode.DEPENDENCY_CYCLE, ErrorCode.INVALID_HIERARCHY, ErrorCode.INVALID_PATCH}),
    "shift": (4, STALE | {ErrorCode.DELETED_RESOURCE, ErrorCode.INVALID_PATCH}),
}


@dataclass
class Order:
    url: str
    number: int  # 0 to 7
    sets: int  # how many it gets acknowledged
    seed: str


@dataclass
class Report:
    """What one applier was told."""

    acknowledged: list[str] = field(default_factory=list)  # ids of sets
    refusals: Counter[str] = field(default_factory=Counter)  # "step code"
    told_busy: int = 0
    counted: Counter[str] = field(default_factory=Counter)  # by task: how often it added one
    appended: list[tuple[str, str]] = field(default_factory=list)  # task and word
    own: dict[str, Any] = field(default_factory=dict)  # by task: the value its own field has now
    tagged: dict[str, bool] = field(default_factory=dict)  # by task: whether its own tag is there
    comments: list[str] = field(default_factory=list)
    created: dict[str, bool] = field(default_factory=dict)  # by title: whether it is still there


def set_up(url: str) -> None:
    """Make what the appliers work on."""
    fields = [{"title": f"Task {number}", "actual_minutes": 0} for number in range(1, 25)]
    purse = {"title": "Purse", "estimated_minutes": BALANCE}
    orchestrator = opened(url)
    patches = [
        *({"op": "create_project", "ref": f"${key}", "key": key, "fields": {"name": key}} for key in ("WEB", "APP")),
        *({"op": "create_task", "project": "WEB", "fields": given} for given in [*fields, purse]),
        {"op": "create_task", "project": "APP", "fields": purse},
    ]
    patch_sets.apply_patch_set(orchestrator.context(), PatchSet(summary=SET_UP, patches=patches))
    orchestrator.close()


def apply_many(order: Order, meet: Meet) -> Report:
    """Live as one of the appliers."""
    orchestrator = opened(order.url)
    try:
        return asyncio.run(_Applier(orchestrator, order).live(meet))
    finally:
        orchestrator.close()


class _Applier:
    def __init__(self, orchestrator: Orchestrator, order: Order) -> None:
        self._caller = Caller(orchestrator)
        self._order = order
        self._name = f"p{order.number}"
        self._random = random.Random(f"{order.seed} {order.number}")  # noqa: S311  # what to do next, not secrets
        self._ids = RandomIds()
        self._seen: dict[str, int] = {}  # the revisions of its last acknowledged set: old news, mostly
        self._past: deque[dict[str, int]] = deque([{}], maxlen=10)  # and those of sets before it
        self._step = ""
        self._values: Counter[str] = Counter()
        self._undoable: dict[str, str] = {}  # by task: the set that changed its own field last
        self._moved: list[str] = []  # sets with a move that was not undone
        self._made: list[tuple[str, str]] = []  # key and title of tasks it has created and not deleted
        self.report = Report()

    async def live(self, meet: Meet) -> Report:
        meet()
        weights = [weight for weight, _ in STEPS.values()]
        while len(self.report.acknowledged) < self._order.sets:
            (self._step,) = self._random.choices(list(STEPS), weights)
            await getattr(self, f"_{self._step}")()
        self.report.told_busy = self._caller.told_busy
        return self.report

    # -- steps that others may be in the way of

    async def _count(self) -> None:
        """Add one to what is there; nobody's one may get lost."""
        key, by_expectation = self._pick(HOT), self._random.random() < 0.5
        while True:
            task = await self._read(key)
            assert task.actual_minutes is not None
            patch = _update(key, actual_minutes=task.actual_minutes + 1)
            if by_expectation:
                answer = await self._apply({**patch, "expect": {"actual_minutes": task.actual_minutes}})
            else:  # what another set to the same value is no conflict; the answer says that nothing was changed
                answer = await self._apply(patch, base={"WEB": task.revision})
            if answer is not None and answer.changes_total:
                self.report.counted[key] += 1
                return

    async def _append(self) -> None:
        """Add a word of its own to a text that all write in."""
        key, word, answer = self._pick(HOT), f"{self._name}-{len(self.report.appended)}", None
        while answer is None:
            task = await self._read(key)
            answer = await self._apply(_update(key, description=f"{task.description} {word}"), base={"WEB": task.revision})
        self.report.appended.append((key, word))

    async def _transfer(self) -> None:
        """Move minutes between tasks of two projects."""
        answer = None
        while answer is None:
            order = self._random.sample(PURSES, 2)  # projects are named in either order
            purses = [await self._read(key) for key in order]
            minutes = [purse.estimated_minutes or 0 for purse in purses]
            amount = self._random.randint(1, max(minutes) - 1)
            give = amount if minutes[0] > amount else -amount
            patches = [
                {**_update(key, estimated_minutes=there + change), "expect": {"estimated_minutes": there}}
                for key, there, change in zip(order, minutes, (-give, give), strict=True)
            ]
            answer = await self._apply(*patches)

    async def _link(self) -> None:
        """Add or remove a dependency, perhaps one that closes a cycle."""
        task, target = self._random.sample(TASKS, 2)
        op = self._pick(("add_dependency", "add_dependency", "remove_dependency"))
        await self._apply({"op": op, "task": task, "depends_on": target}, base=self._pick(self._past))

    async def _move(self) -> None:
        """Move a task below or beside another, perhaps below itself."""
        task, other = self._random.sample(TASKS, 2)
        place, there = self._pick([("parent", other), ("before", other), ("after", other), ("parent", None)])
        answer = await self._apply({"op": "move_task", "task": task, place: there}, base=self._pick(self._past))
        if answer is not None and answer.changes_total:
            self._moved.append(str(answer.patch_set_id))

    async def _undo_move(self) -> None:
        """Put a task back where it was before one of its own moves, if that still makes sense."""
        if self._moved:
            await self._called(reverting.revert_patch_set, self._moved.pop())

    async def _shift(self) -> None:
        """Delete, restore or use a task that others delete and restore."""
        key = self._pick(SHIFTING)
        below: dict[str, Any] = {"op": "create_task", "parent": key, "fields": {"title": "Below"}}
        patch = self._pick([{"op": "delete_task", "task": key}, {"op": "restore_task", "task": key}, below])
        await self._apply(patch, _update(self._pick(HOT), custom={"shifted": self._name}), base=self._pick(self._past))

    # -- steps that are nobody else's business

    async def _own_field(self) -> None:
        key, (name, value) = self._pick(TASKS), OWN[self._order.number]
        self._values[key] += 1
        while own_part(value(self._values[key])) == self.report.own.get(key):
            self._values[key] += 1
        changed = value(self._values[key])
        answer = await self._applied(_update(key, **{name: changed}), base=self._seen)
        self.report.own[key] = own_part(changed)
        self._undoable[key] = str(answer.patch_set_id)

    async def _revert(self) -> None:
        if not self._undoable:
            await self._own_field()
        key, undone = self._undoable.popitem()
        answer = self._surely(await self._called(reverting.revert_patch_set, undone))
        self.report.own[key] = own_part(answer.changes[0].fields[OWN[self._order.number][0]]["after"])

    async def _tag(self) -> None:
        """Put its own tag on a task, or take it away: the tags of others stay as they make them."""
        key = self._pick(TASKS)
        task, there = await self._read(key), self.report.tagged.get(key, False)
        assert (self._name in task.tags) is there
        tags = [tag for tag in task.tags if tag != self._name] if there else [*task.tags, self._name]
        await self._applied(_update(key, tags=tags), base={"WEB": task.revision})
        self.report.tagged[key] = not there

    async def _comment(self) -> None:
        body = f"{self._name} says {len(self.report.comments)}"
        await self._applied({"op": "add_comment", "task": self._pick(TASKS), "body": body}, base=self._pick(self._past))
        self.report.comments.append(body)

    async def _create(self) -> None:
        title = f"{self._name} made {len(self.report.created)}"
        create = {"op": "create_task", "ref": "$new", "project": "WEB", "fields": {"title": title}}
        link = {"op": "add_dependency", "task": "$new", "depends_on": self._pick(TASKS)}
        answer = await self._applied(create, link, base=self._pick(self._past))
        self._made.append((answer.refs["$new"].key, title))
        self.report.created[title] = True

    async def _delete(self) -> None:
        if not self._made:
            await self._create()
        key, title = self._made.pop(self._random.randrange(len(self._made)))
        await self._applied({"op": "delete_task", "task": key}, base=self._seen)
        self.report.created[title] = False

    # -- how it speaks to the store

    async def _read(self, key: str) -> TaskDetail:
        return await self._caller.call(tasks.get_task, key, include_subtasks=False)

    async def _applied(self, *patches: dict[str, Any], base: dict[str, int]) -> ApplyResponse:
        return self._surely(await self._apply(*patches, base=base))

    async def _apply(self, *patches: dict[str, Any], base: dict[str, int] | None = None) -> ApplyResponse | None:
        new_id = self._ids.new_patch_set_id()
        patch_set = PatchSet(id=new_id, summary=self._step, base_revisions=base or {}, patches=list(patches))
        return await self._called(patch_sets.apply_patch_set, patch_set)

    async def _called(self, service: Callable[[Context, X], ApplyResponse], argument: X) -> ApplyResponse | None:
        """Return the answer, or None for a refusal that this step may meet."""
        try:
            answer = await self._caller.call(service, argument)
        except DomainError as refusal:
            if refusal.code not in STEPS[self._step][1]:
                raise
            self.report.refusals[f"{self._step} {refusal.code}"] += 1
            return None
        self.report.acknowledged.append(str(answer.patch_set_id))
        self._seen |= answer.revisions
        self._past.append(dict(self._seen))
        return answer

    def _surely(self, answer: ApplyResponse | None) -> ApplyResponse:
        assert answer is not None, f"{self._step} is refused by nothing that others do"
        return answer

    def _pick(self, choices: Sequence[X]) -> X:
        return self._random.choice(choices)


def _update(task: str, **fields: Any) -> dict[str, Any]:
    return {"op": "update_task", "task": task, "fields": fields}
