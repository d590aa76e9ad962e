"""One patch set played on a copy of the whole state: two passes, then every rule by brute force.

Where an author's base is known, what the set does is compared with three whole states: the one at the base, the
stored one, and the one it would leave behind. See `reference` for the sentences this is written from.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tests.model import form
from tests.model.form import Malformed, Patch
from tests.model.rules import broken_rules
from tests.model.state import (
    PROJECT_DEFAULTS,
    SYSTEM_DEFAULTS,
    TASK_DEFAULTS,
    Item,
    State,
    below,
    deletion_root,
    is_live,
    live_edges,
    live_tasks,
    new_project,
    new_task,
    place,
    siblings,
)

Found = tuple[int | None, str]  # (index of the patch, code)
DEFAULTS = {"project": PROJECT_DEFAULTS, "task": {**TASK_DEFAULTS, **SYSTEM_DEFAULTS, "parent": None}}


@dataclass(frozen=True)
class Touch:
    """A value that a patch sets, or relies on."""

    index: int
    kind: str
    key: str
    field: str
    unit: str | None = None
    relies: bool = False


@dataclass
class Outcome:
    """What a set would do, or why it is refused."""

    state: State
    errors: set[Found] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)  # codes of broken rules; which patch is to blame is the product's choice
    warnings: set[Found] = field(default_factory=set)
    conflicts: set[tuple[int, str, str]] = field(default_factory=set)  # index, key, field
    refs: dict[str, str] = field(default_factory=dict)

    @property
    def code(self) -> str | None:
        """The answering code: that of the issues if they share one, conflicts only when nothing else is wrong."""
        codes = {code for _, code in self.errors} | self.broken
        if not codes:
            return "CONCURRENT_UPDATE" if self.conflicts else None
        return codes.pop() if len(codes) == 1 else "INVALID_PATCH"


class Past:
    """What the author saw: by project, every state since the base revision, oldest first; empty without a base."""

    def __init__(self, since: Mapping[str, Sequence[State]]) -> None:
        self._since = since

    def _states(self, kind: str, key: str) -> Sequence[State]:
        project = key if kind == "project" else key.rpartition("-")[0]
        return self._since.get(project, ())

    def knows(self, kind: str, key: str) -> bool:
        return bool(self._states(kind, key))

    def base(self, kind: str, key: str) -> Item | None:
        """Return the item as the author saw it; None if it was not there."""
        return self._states(kind, key)[0].items(kind).get(key)

    def base_state(self, kind: str, key: str) -> State:
        return self._states(kind, key)[0]

    def birth(self, kind: str, key: str) -> State:
        """Return the first state in which an item the author never saw exists."""
        return next(state for state in self._states(kind, key) if key in state.items(kind))

    def places(self, key: str) -> list[Any]:
        """Return where a task has stood since the base, one place per state."""
        return [_where(state.tasks[key]) if key in state.tasks else None for state in self._states("task", key)]


def _where(task: Item) -> Any:
    return task["parent"], task["position"]


class Skip(Exception):
    """The patch has been reported and does nothing."""


class Play:
    def __init__(
        self,
        stored: State,
        raw: Sequence[Any],
        *,
        now: Any,
        author: str,
        new_deletion: Callable[[], int],
        max_depth: int,
        past: Past,
        only: Sequence[int] | None = None,
        system: Mapping[int, Item] | None = None,
    ) -> None:
        self.stored, self.state = stored, stored.copy()
        self.raw, self.now, self.author, self.past = raw, now, author, past
        self.new_deletion, self.max_depth = new_deletion, max_depth
        self.system = system or {}
        self.selected = range(len(raw)) if only is None else sorted(set(only))
        self.out = Outcome(self.state)
        self.declared: dict[str, int] = {}
        self.refs: dict[str, tuple[str, str]] = {}
        self.new_keys: set[str] = set()
        self.made: dict[int, str] = {}
        self.touches: list[Touch] = []
        self.changed_custom: set[str] = set()
        self.moved: dict[str, int] = {}
        self.order: dict[tuple[str, str | None], list[Any]] = {}  # of places where something was put
        self.fixed: dict[str, Fraction] = {}

    def run(self) -> Outcome:
        patches = self._read()
        self._check_expectations(patches)
        creations = {index: patch for index, patch in patches.items() if patch["op"].startswith("create_")}
        for index in self._creation_order(creations):
            self._play(index, creations[index])
        for index, patch in creations.items():
            self._link_created(index, patch)
        for index, patch in patches.items():
            if index not in creations:
                self._play(index, patch)
        for index in self.selected:
            if index not in patches and (index, "VALIDATION_ERROR") in self.out.errors:
                for kind, name in form.mentions(self.raw[index]):
                    self._quietly(lambda kind=kind, name=name, index=index: self.live(kind, name, index))
        self._assign_positions()
        self.out.broken = broken_rules(self.state, self.moved, self.max_depth)
        self._compare()
        self.out.refs = {name: key for name, (_, key) in self.refs.items()}
        return self.out

    # -- reading

    def _read(self) -> dict[int, Patch]:
        for index, raw in enumerate(self.raw):
            if isinstance(raw, dict) and isinstance(raw.get("ref"), str) and raw.get("op") in ("create_task", "create_project"):
                self.declared.setdefault(raw["ref"], index)
        patches = {}
        for index in self.selected:
            if not 0 <= index < len(self.raw):
                self.out.errors.add((None, "VALIDATION_ERROR"))
                continue
            try:
                patch = form.read(self.raw[index])
            except Malformed:
                self.error(index, "VALIDATION_ERROR")
                continue
            if patch.get("ref") and self.declared[patch["ref"]] != index:
                self.error(index, "INVALID_PATCH")
                continue
            patches[index] = patch
        return patches

    def _creation_order(self, creations: Mapping[int, Patch]) -> list[int]:
        """Return creations so that each follows those its place names; ties by index."""
        names: dict[str, int] = {}
        for index, patch in creations.items():
            if patch.get("ref"):
                names[patch["ref"]] = index
            if patch.get("key"):
                names.setdefault(patch["key"], index)
        waits: dict[int, set[int]] = {}
        for index, patch in creations.items():
            members = ("project", "parent", "before", "after") if patch["op"] == "create_task" else ()
            named = [patch[member] for member in members if patch.get(member)]
            waits[index] = {names[name] for name in (n if n[0] == "$" else n.upper() for n in named) if name in names}
        order: list[int] = []
        while ready := [index for index in waits if index not in order and waits[index] <= set(order)]:
            order.append(min(ready))
        for index in waits.keys() - set(order):
            self.error(index, "INVALID_HIERARCHY")
        return order

    def _check_expectations(self, patches: Mapping[int, Patch]) -> None:
        for index, patch in patches.items():
            expect = patch.get("expect")
            if expect is None:
                continue
            kind = "project" if "project" in patch else "task"
            if patch[kind].startswith("$"):
                self.error(index, "VALIDATION_ERROR")
            elif (item := self.stored.items(kind).get(patch[kind].upper())) is not None:
                for name, wanted in expect.items():
                    if self._expected(name, wanted) != self._stored_value(item, name):
                        self.out.conflicts.add((index, item["key"], name))

    def _expected(self, name: str, wanted: Any) -> Any:
        if name == "parent":
            return None if wanted is None else wanted.upper()
        if name == "depends_on":
            return sorted(end.upper() for end in wanted or [])
        return bool(wanted) if name == "deleted" else _emptied(wanted)

    def _stored_value(self, item: Item, name: str) -> Any:
        if name == "depends_on":
            ends = {end for one, end in self.stored.edges if one == item["key"]}
            return sorted(end for end in ends if is_live(self.stored.tasks[end]))
        return not is_live(item) if name == "deleted" else _emptied(item[name])

    # -- reporting

    def error(self, index: int, code: str) -> None:
        self.out.errors.add((index, code))

    def refuse(self, index: int, code: str) -> None:
        self.error(index, code)
        raise Skip

    def warn(self, index: int) -> None:
        self.out.warnings.add((index, "INVALID_PATCH"))

    def touch(self, index: int, kind: str, key: str, field: str, *, unit: str | None = None, relies: bool = False) -> None:
        self.touches.append(Touch(index, kind, key, field, unit, relies))

    # -- names

    def find(self, kind: str, name: str, index: int) -> Item:
        """Return the named item, deleted or not."""
        if name.startswith("$"):
            if name in self.refs:
                found, key = self.refs[name]
                if found != kind:
                    self.refuse(index, "INVALID_PATCH")
                return self.state.items(kind)[key]
            if name not in self.declared or self.declared[name] not in self.selected:
                self.refuse(index, "INVALID_PATCH")
            raise Skip  # its creation has been reported
        item = self.state.items(kind).get(name.upper())
        if item is None or (kind == "task" and name.upper() not in self.stored.tasks):  # new tasks go by their refs
            self.refuse(index, "NOT_FOUND")
        assert item is not None
        return item

    def live(self, kind: str, name: str, index: int) -> Item:
        """As `find`; a deleted item is a conflict if the author saw it alive, else an issue."""
        item = self.find(kind, name, index)
        if not is_live(item):
            if self.lost(index, kind, item["key"]):
                raise Skip
            self.refuse(index, "DELETED_RESOURCE")
        return item

    def lost(self, index: int, kind: str, key: str) -> bool:
        if not self._others_made(kind, key, deleted=True):
            return False
        self.touch(index, kind, key, "deleted", relies=True)
        return True

    def done_by_others(self, index: int, kind: str, item: Item, *, deleted: bool) -> bool:
        if is_live(item) is deleted or not self._others_made(kind, item["key"], deleted=deleted):
            return False
        self.warn(index)
        return True

    def _others_made(self, kind: str, key: str, *, deleted: bool) -> bool:
        """Whether existence differs between base and store, and the store has it so. What was not there was deleted."""
        if not self.past.knows(kind, key) or key not in self.stored.items(kind):
            return False
        base = self.past.base(kind, key)
        was_deleted = base is None or not is_live(base)
        is_deleted = not is_live(self.stored.items(kind)[key])
        return is_deleted is deleted and was_deleted is not deleted

    # -- playing

    def _quietly(self, step: Callable[[], object]) -> None:
        try:
            step()
        except Skip:
            pass

    def _play(self, index: int, patch: Patch) -> None:
        self._quietly(lambda: getattr(self, patch["op"])(index, patch))

    def create_project(self, index: int, patch: Patch) -> None:
        key = patch.get("key")
        if key is None:
            key = free_key(derived_key(patch["fields"]["name"]), self.state.projects)
        elif key in self.state.projects:
            self.refuse(index, "DUPLICATE_RESOURCE")
        assert isinstance(key, str)
        self.state.projects[key] = new_project(key, author=self.author, now=self.now)
        if patch.get("ref"):
            self.refs[patch["ref"]] = ("project", key)
        self.set_fields(index, "project", self.state.projects[key], patch["fields"])

    def update_project(self, index: int, patch: Patch) -> None:
        self.set_fields(index, "project", self.live("project", patch["project"], index), patch["fields"])

    def delete_project(self, index: int, patch: Patch) -> None:
        project = self.find("project", patch["project"], index)
        if self.done_by_others(index, "project", project, deleted=True):
            return
        self.live("project", patch["project"], index)
        going = live_tasks(self.state, project["key"])
        if going and not patch.get("cascade", True):
            self.refuse(index, "HAS_CHILDREN")
        self._only_own(index, going)
        self.touch(index, "project", project["key"], "deleted")
        self._delete(index, [project, *going])

    def restore_project(self, index: int, patch: Patch) -> None:
        project = self.find("project", patch["project"], index)
        if self.done_by_others(index, "project", project, deleted=False):
            return
        if is_live(project):
            self.refuse(index, "INVALID_PATCH")
        deletion = project["deletion"]
        self._restore(index, [project, *(task for task in self.state.tasks.values() if task["deletion"] == deletion)])

    def create_task(self, index: int, patch: Patch) -> None:
        project, sound = None, True
        if patch.get("project") is not None:
            project = self._try_live("project", patch["project"], index)
            sound = project is not None
        parent, anchor = self._parent_and_anchor(index, patch)
        if not sound:
            raise Skip
        if anchor is not None and "parent" not in patch:
            parent = self.state.tasks[anchor["parent"]] if anchor["parent"] else None
        beside = parent or anchor
        if project is None:
            if beside is None:
                self.refuse(index, "VALIDATION_ERROR")
            assert beside is not None
            project = self.state.projects[beside["project"]]
        home = parent["key"] if parent else None
        self._same_project(index, project["key"], parent, anchor)
        self._anchor_fits(index, anchor, home, named="parent" in patch)
        task = new_task(project, home, author=self.author, now=self.now)
        self.state.tasks[task["key"]] = task
        self.made[index] = task["key"]
        if patch.get("ref"):
            self.refs[patch["ref"]] = ("task", task["key"])
        self.set_fields(index, "task", task, patch["fields"])
        self._put(task, anchor, before=patch.get("before") is not None)

    def _link_created(self, index: int, patch: Patch) -> None:
        for name in patch.get("depends_on") or ():
            end = self._try_live("task", name, index)
            if end is not None and index in self.made:
                self._quietly(lambda end=end: self._link(index, self.state.tasks[self.made[index]], end))

    def update_task(self, index: int, patch: Patch) -> None:
        task = self.live("task", patch["task"], index)
        self.set_fields(index, "task", task, patch["fields"])
        for name, value in self.system.get(index, {}).items():
            self.touch(index, "task", task["key"], name)
            task[name] = value

    def move_task(self, index: int, patch: Patch) -> None:
        task = self._try_live("task", patch["task"], index)
        parent, anchor = self._parent_and_anchor(index, patch)
        if task is None:
            raise Skip
        if anchor is task:
            self.refuse(index, "INVALID_HIERARCHY")
        named = "parent" in patch
        home = parent["key"] if parent else None
        if not named:
            home = anchor["parent"] if anchor else task["parent"]
        self._same_project(index, task["project"], parent, anchor)
        self._anchor_fits(index, anchor, home, named=named)
        self.touch(index, "task", task["key"], "parent", relies=not named and anchor is None)
        position = self.system.get(index, {}).get("position")
        before = patch.get("before") is not None
        if position is None and home == task["parent"] and self._stands_there(task, anchor, before=before):
            return
        self.touch(index, "task", task["key"], "position")
        self._leave(task)
        if home != task["parent"]:
            task["parent"] = home
            self.moved[task["key"]] = index
        if position is None:
            self._put(task, anchor, before=before)
        else:
            self.fixed[task["key"]] = position

    def delete_task(self, index: int, patch: Patch) -> None:
        task = self.find("task", patch["task"], index)
        if self.done_by_others(index, "task", task, deleted=True):
            return
        self.live("task", patch["task"], index)
        going = [item for item in below(self.state, task["key"]) if is_live(item)]
        if going and not patch.get("cascade", True):
            self.refuse(index, "HAS_CHILDREN")
        self._only_own(index, [task, *going])
        self._touch_arrivals(index, task, going)
        self._delete(index, [task, *going])

    def restore_task(self, index: int, patch: Patch) -> None:
        task = self.find("task", patch["task"], index)
        if self.done_by_others(index, "task", task, deleted=False):
            return
        if is_live(task):
            self.refuse(index, "INVALID_PATCH")
        project = self.state.projects[task["project"]]
        parent = self.state.tasks[task["parent"]] if task["parent"] else None
        if [1 for kind, up in (("project", project), ("task", parent)) if up and not is_live(up) and self.lost(index, kind, up["key"])]:
            raise Skip
        together = deletion_root(self.state, task) is not task
        if together or not is_live(project) or (parent is not None and not is_live(parent)):
            self.refuse(index, "DELETED_RESOURCE")
        deletion = task["deletion"]
        self._restore(index, [task, *(item for item in below(self.state, task["key"]) if item["deletion"] == deletion)])

    def add_dependency(self, index: int, patch: Patch) -> None:
        task, end = self._try_live("task", patch["task"], index), self._try_live("task", patch["depends_on"], index)
        if task is not None and end is not None:
            self._link(index, task, end)

    def remove_dependency(self, index: int, patch: Patch) -> None:
        task, end = self._try_live("task", patch["task"], index), self._try_live("task", patch["depends_on"], index)
        if task is None or end is None:
            return
        self.touch(index, "task", task["key"], "depends_on", unit=end["key"])
        if (task["key"], end["key"]) in self.state.edges:
            self.state.edges.discard((task["key"], end["key"]))
        else:
            self.warn(index)

    def add_comment(self, index: int, patch: Patch) -> None:
        task = self.live("task", patch["task"], index)
        made = {"task": task["key"], "author": self.author, "body": patch["body"], "created_at": self.now}
        self.state.comments.append(made)

    # -- steps

    def _try_live(self, kind: str, name: str, index: int) -> Item | None:
        try:
            return self.live(kind, name, index)
        except Skip:
            return None

    def _parent_and_anchor(self, index: int, patch: Patch) -> tuple[Item | None, Item | None]:
        parent_name, before, after = patch.get("parent"), patch.get("before"), patch.get("after")
        if before is not None and after is not None:
            self.refuse(index, "VALIDATION_ERROR")
        name = before or after
        parent = self._try_live("task", parent_name, index) if parent_name is not None else None
        anchor = self._try_live("task", name, index) if name is not None else None
        if (parent_name is not None and parent is None) or (name is not None and anchor is None):
            raise Skip
        return parent, anchor

    def _same_project(self, index: int, project: str, *items: Item | None) -> None:
        if any(item is not None and item["project"] != project for item in items):
            self.refuse(index, "INVALID_HIERARCHY")

    def _anchor_fits(self, index: int, anchor: Item | None, home: str | None, *, named: bool) -> None:
        """The anchor must be where the patch means to go; one that others have moved away is a conflict."""
        if anchor is None or (named and anchor["parent"] == home):
            return
        left = Touch(index, "task", anchor["key"], "parent", relies=True)
        self.touches.append(left)
        if anchor["parent"] != home:
            if not self._clashes(left):
                self.error(index, "INVALID_HIERARCHY")
            raise Skip

    def _touch_arrivals(self, index: int, root: Item, going: Sequence[Item]) -> None:
        """Tasks that go along only because others have moved them below `root` were never seen there."""
        keys = {root["key"], *(item["key"] for item in going)}
        for item in going:
            if self.past.knows("task", item["key"]):
                base = self.past.base("task", item["key"])
                if base is not None and base["parent"] not in keys:
                    self.touch(index, "task", item["key"], "parent", relies=True)

    def _only_own(self, index: int, going: Sequence[Item]) -> None:
        """A revert deletes what its set has made, and nothing that others have put there since."""
        rows = self.system.get(index, {}).get("rows")
        if rows is not None and any(item["key"] not in rows for item in going if "number" in item):
            self.refuse(index, "HAS_CHILDREN")

    def _delete(self, index: int, items: Sequence[Item]) -> None:
        deletion = self.system.get(index, {}).get("deletion") or self.new_deletion()
        for item in items:
            self.touch(index, "task" if "number" in item else "project", item["key"], "deleted")
            item["deleted_at"], item["deletion"] = self.now, deletion

    def _restore(self, index: int, items: Sequence[Item]) -> None:
        for item in items:
            self.touch(index, "task" if "number" in item else "project", item["key"], "deleted")
            item["deleted_at"] = item["deletion"] = None

    def _link(self, index: int, task: Item, end: Item) -> None:
        if task["project"] != end["project"]:
            self.refuse(index, "INVALID_HIERARCHY")
        self.touch(index, "task", task["key"], "depends_on", unit=end["key"])
        self.state.edges.add((task["key"], end["key"]))

    # -- fields

    def set_fields(self, index: int, kind: str, item: Item, fields: Mapping[str, Any]) -> None:
        status = item.get("status")
        for name, value in fields.items():
            if name in ("links", "custom"):
                for member in item[name] if value is None else value:
                    self.touch(index, kind, item["key"], name, unit=member)
                item[name] = {} if value is None else merged(item[name], value)
            elif name == "tags":
                item[name] = self._merged_tags(kind, item, value or [])
            else:
                self.touch(index, kind, item["key"], name)
                item[name] = DEFAULTS[kind][name] if value is None else value
        if kind == "task" and item["status"] != status:
            item["completed_at"] = (item["completed_at"] or self.now) if item["status"] == "completed" else None
            if item["status"] != "in_progress":
                item["claimed_by"] = item["claim_expires_at"] = None

    def _merged_tags(self, kind: str, item: Item, proposed: list[str]) -> list[str]:
        """Merge three ways: what each side added or removed holds."""
        stored = self.stored.items(kind).get(item["key"])
        if stored is None or not self.past.knows(kind, item["key"]):
            return proposed
        base_item = self.past.base(kind, item["key"])
        base, current = base_item["tags"] if base_item else [], stored["tags"]
        if base == current:
            return proposed
        kept = [tag for tag in current if tag in proposed or tag not in base]
        return kept + [tag for tag in proposed if tag not in base and tag not in current]

    # -- order

    def _slots(self, where: tuple[str, str | None]) -> list[Any]:
        """Return the order at a place: keys, and the bare positions of those that have moved away."""
        if where not in self.order:
            stored = siblings(self.stored, where)
            self.order[where] = [task["key"] if self._is_at(task, where) else task["position"] for task in stored]
        return self.order[where]

    def _is_at(self, stored: Item, where: tuple[str, str | None]) -> bool:
        return place(self.state.tasks[stored["key"]]) == where and stored["key"] not in self.fixed

    def _leave(self, task: Item) -> None:
        slots = self._slots(place(task))
        self.fixed.pop(task["key"], None)
        if task["key"] in slots:
            stored = self.stored.tasks.get(task["key"])
            at = slots.index(task["key"])
            if stored is not None and place(stored) == place(task) and task["position"] is not None:
                slots[at] = task["position"]
            else:
                del slots[at]
        task["position"] = None

    def _put(self, task: Item, anchor: Item | None, *, before: bool) -> None:
        slots = self._slots(place(task))
        if anchor is None:
            slots.append(task["key"])
        else:
            slots.insert(slots.index(anchor["key"]) + (not before), task["key"])

    def _stands_there(self, task: Item, anchor: Item | None, *, before: bool) -> bool:
        """Whether others have moved the task since the base, to just where this patch wants it."""
        stored = self.stored.tasks.get(task["key"])
        if stored is None or task["position"] is None or not self.past.knows("task", task["key"]):
            return False
        if len(set(self.past.places(task["key"]))) == 1:
            return False
        slots = self._slots(place(task))
        if anchor is None:
            return bool(slots[-1] == task["key"])
        beside = slots.index(anchor["key"]) + (-1 if before else 1)
        return 0 <= beside < len(slots) and bool(slots[beside] == task["key"])

    def _assign_positions(self) -> None:
        """Give every task that was put somewhere a number: runs are spaced evenly between their neighbours."""
        tasks = self.state.tasks
        for slots in self.order.values():
            at = 0
            while at < len(slots):
                run = at
                while run < len(slots) and _is_new(tasks, slots[run]):
                    run += 1
                low = _number(tasks, slots[at - 1]) if at else None
                high = _number(tasks, slots[run]) if run < len(slots) else None
                count = run - at
                for step, key in enumerate(slots[at:run], 1):
                    if high is None:
                        tasks[key]["position"] = (low or Fraction(0)) + step
                    elif low is None:
                        tasks[key]["position"] = high - (count + 1) + step
                    else:
                        tasks[key]["position"] = low + (high - low) * Fraction(step, count + 1)
                at = run + 1
        for key, position in self.fixed.items():
            tasks[key]["position"] = position

    # -- conflicts

    def _compare(self) -> None:
        for touch in self.touches:
            if self._clashes(touch):
                name = touch.field if touch.unit is None else f"{touch.field}.{touch.unit}"
                self.out.conflicts.add((touch.index, touch.key, name))

    def _clashes(self, touch: Touch) -> bool:
        """Base differs from current, and current from proposed (what is only relied on should be as at the base)."""
        if not self.past.knows(touch.kind, touch.key) or touch.key not in self.stored.items(touch.kind):
            return False
        item = self.past.base(touch.kind, touch.key)
        if item is None and touch.relies and touch.field != "deleted":
            return False
        base = self._base_value(touch, item)
        current = value_of(self.stored, touch)
        return current not in (base, base if touch.relies else value_of(self.state, touch))

    def _base_value(self, touch: Touch, item: Item | None) -> Any:
        if item is not None:
            return value_of(self.past.base_state(touch.kind, touch.key), touch)
        if touch.field == "deleted":
            return True
        if touch.field == "position":
            return None
        if touch.field == "depends_on":
            return False
        born = self.past.birth(touch.kind, touch.key)
        default = DEFAULTS[touch.kind][touch.field]
        if touch.unit is not None:
            return None
        return default if born.items(touch.kind)[touch.key][touch.field] == default else None


def value_of(state: State, touch: Touch) -> Any:
    item = state.items(touch.kind)[touch.key]
    if touch.field == "deleted":
        return not is_live(item)
    if touch.field == "position":
        return _where(item)
    if touch.field == "depends_on":
        return (touch.key, touch.unit) in state.edges
    return item[touch.field] if touch.unit is None else item[touch.field].get(touch.unit)


def _is_new(tasks: Mapping[str, Item], slot: Any) -> bool:
    return isinstance(slot, str) and tasks[slot]["position"] is None


def _number(tasks: Mapping[str, Item], slot: Any) -> Any:
    return tasks[slot]["position"] if isinstance(slot, str) else slot


def _emptied(value: Any) -> Any:
    return None if value in ("", [], {}) else value


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396, as its text has it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def derived_key(name: str) -> str:
    """Initials of the first four ASCII words, else the first four letters, else PRJ."""
    words = re.findall(r"[A-Za-z][A-Za-z0-9]*", name)
    for wish in ("".join(word[0] for word in words[:4]), "".join(words)[:4]):
        if len(wish) >= 2:
            return wish.upper()
    return "PRJ"


def free_key(wish: str, taken: Mapping[str, Any]) -> str:
    number = 1
    key = wish
    while key in taken:
        number += 1
        key = f"{wish[: 10 - len(str(number))]}{number}"
    return key


