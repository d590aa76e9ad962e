"""The product once more, naively: plain dicts, whole copies, no index, nothing kept up to date.

Written from DESIGN sections 3 and 4 and docs/operations.md, to be compared with the product after every step. A full
copy of the state is kept for each revision, so conflicts, reverts and the past need no history of changes.

Where the text leaves something open, this is how it was read:

- *Position* "ordered with id as tie-break; append = max + 2^32, between = midpoint, a run evenly spaced; renumbering is no
  change". Here a position is a fraction, and never exhausted; only the order is compared. Deleted siblings keep their
  place in it, as neighbours too. A move to where the task stands already is a move all the same (its number changes).
- *P of the table of conflicts*: "reaching the same parent, but another neighbour, is another place". A move that finds its
  task moved by others, right beside the anchor it names (or last, where it names none), has nothing left to do.
- *"Existence is the field `deleted`"*: what was not there at the base counts as deleted there. The other fields of such an
  item are at the base what a new item has, and nothing (null) where its creation said something else.
- *"An item is deleted that my patch names .. or the project of any of them"* is a conflict instead of DELETED_RESOURCE
  only where the author has seen the item alive.
- *Proposing* "fills missing [base revisions] with the revisions previewed": of every project that the set names.
- *Revert* "applies the stored inverse as a new set": what the set deleted is restored, fields go back, added dependencies
  go, places come back, removed dependencies return, and what the set made or revived is deleted. Among what it made only
  the topmost items are named, so a task that others have moved away from below one stays (table: "a task moved out", `·`).
- *"Restoring revives exactly what that deletion removed"*: undoing a restoration deletes under the old deletion again.
- *`revert --to N`* plays the inverses of all later sets, newest first, in one set; of each the part in this project.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.model import form
from tests.model.plays import Outcome, Past, Play
from tests.model.state import (
    PROJECT_DEFAULTS,
    SYSTEM_DEFAULTS,
    TASK_DEFAULTS,
    Derived,
    Item,
    State,
    above,
    deletion_root,
    is_live,
    live_tasks,
)

Patches = Sequence[Any]
System = dict[int, Item]


class Refused(Exception):
    """A call that changes nothing, with its answering code and, where a set was validated, all that was found."""

    def __init__(self, code: str, outcome: Outcome | None = None) -> None:
        super().__init__(code)
        self.code, self.outcome = code, outcome


@dataclass
class Set:
    """A stored patch set."""

    id: str
    patches: list[Any]
    base: dict[str, int]
    state: str = "proposed"
    only: list[int] | None = None
    reverts: tuple[str, ...] = ()
    supersedes: str | None = None
    is_claim: bool = False
    inverse: list[Any] = field(default_factory=list)
    system: System = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    before: State = field(default_factory=State)
    after: State = field(default_factory=State)
    applied_at: datetime | None = None


class Reference:
    """One workspace."""

    def __init__(self, *, author: str, max_depth: int) -> None:
        self.author, self.max_depth = author, max_depth
        self.state = State()
        self.at: dict[str, list[State]] = {}  # by project key: the whole state at each of its revisions, from 0 on
        self.sets: dict[str, Set] = {}
        self.applied: list[Set] = []
        self.now = datetime.min
        self._deletions = 0

    # -- what callers can do; each raises Refused and then changes nothing

    def validate(self, patches: Patches, base: Mapping[str, int], only: Sequence[int] | None = None) -> Outcome:
        """Return what the set would do now, sound or not."""
        return self._play(patches, base, only)

    def apply(
        self, set_id: str, patches: Patches, base: Mapping[str, int], only: Sequence[int] | None = None, *, dry_run: bool = False
    ) -> tuple[Set, bool]:
        """Return the set as applied, and whether it had been applied before."""
        chosen = None if only is None else sorted(set(only))
        stored = self.sets.get(set_id)
        if stored is not None:
            if not _same(stored.patches, patches):
                raise Refused("IDEMPOTENCY_KEY_REUSED")
            if stored.state == "applied" and stored.only == chosen:
                return stored, True
            if stored.state != "proposed":
                raise Refused("PATCH_SET_CLOSED")
            base = stored.base
        new = Set(set_id, list(patches), dict(base), supersedes=stored.supersedes if stored else None)
        return self._apply(new, chosen, {}, dry_run=dry_run), False

    def propose(self, set_id: str, patches: Patches, base: Mapping[str, int], supersedes: str | None = None) -> Set:
        stored = self.sets.get(set_id)
        if stored is not None:
            if not _same(stored.patches, patches):
                raise Refused("IDEMPOTENCY_KEY_REUSED")
            return stored
        _sound(self._play(patches, base))
        if supersedes is not None:
            older = self._named(supersedes)
            self._still_open(older)
            older.state = "superseded"
        seen = {name.upper(): revision for name, revision in base.items()}
        for key in self._projects_named(patches) - seen.keys():
            seen[key] = self.state.projects[key]["revision"]
        made = self.sets[set_id] = Set(set_id, list(patches), seen, supersedes=supersedes)
        return made

    def reject(self, set_id: str) -> Set:
        found = self._named(set_id)
        if found.state != "rejected":
            self._still_open(found)
            found.state = "rejected"
        return found

    def rebase(self, set_id: str, new_id: str) -> Set:
        old = self._named(set_id)
        if old.state == "applied":
            raise Refused("PATCH_SET_CLOSED")
        return self.propose(new_id, old.patches, {}, old.id if old.state == "proposed" else None)

    def revert(self, set_id: str, new_id: str, *, dry_run: bool = False) -> Set:
        old = self._named(set_id)
        if old.state != "applied":
            raise Refused("PATCH_SET_CLOSED")
        if not old.inverse:
            raise Refused("INVALID_PATCH")
        new = Set(new_id, old.inverse, old.revisions, reverts=(old.id,))
        return self._apply(new, None, old.system, dry_run=dry_run)

    def revert_to(self, project: str, revision: int, new_id: str, *, dry_run: bool = False) -> Set:
        key = project.upper()
        if key not in self.state.projects:
            raise Refused("NOT_FOUND")
        if not 1 <= revision < self.state.projects[key]["revision"]:
            raise Refused("VALIDATION_ERROR")
        patches: list[Any] = []
        system: System = {}
        reverts: list[str] = []
        for old in reversed(self.applied):
            if old.revisions.get(key, 0) > revision:
                own = [index for index, patch in enumerate(old.inverse) if _project_of(patch) == key]
                system |= {len(patches) + place: old.system[index] for place, index in enumerate(own) if index in old.system}
                patches += [old.inverse[index] for index in own]
                reverts += [old.id] if own else []
        if not patches:
            raise Refused("INVALID_PATCH")
        base = {key: self.state.projects[key]["revision"]}
        return self._apply(Set(new_id, patches, base, reverts=tuple(reverts)), None, system, dry_run=dry_run)

    def candidates(self, project: str | None) -> list[Item]:
        """Return what may be claimed by anybody, in no order."""
        if project is not None:
            if project not in self.state.projects:
                raise Refused("NOT_FOUND")
            if not is_live(self.state.projects[project]):
                raise Refused("DELETED_RESOURCE")
        derived = Derived(self.state)
        return [task for task in live_tasks(self.state, project) if derived.is_claimable(task, None, self.now)]

    def claim(self, task: str, agent: str, lease_minutes: int, new_id: str) -> Set:
        found = self.state.tasks.get(task)
        if found is None:
            raise Refused("NOT_FOUND")
        if not is_live(found):
            raise Refused("DELETED_RESOURCE")
        if not Derived(self.state).is_claimable(found, agent, self.now):
            raise Refused("CONCURRENT_UPDATE")
        fields = {"status": "in_progress"} | ({"assignee": agent} if found["assignee"] is None else {})
        lease = {"claimed_by": agent, "claim_expires_at": self.now + timedelta(minutes=lease_minutes)}
        patches = [{"op": "update_task", "task": task, "fields": fields}]
        return self._apply(Set(new_id, patches, {}, is_claim=True), None, {0: lease}, dry_run=False)

    # -- steps

    def _play(self, patches: Patches, base: Mapping[str, int], only: Sequence[int] | None = None, system: System | None = None) -> Outcome:
        since: dict[str, Sequence[State]] = {}
        wrong: set[tuple[int | None, str]] = set()
        for name, revision in base.items():
            key = name.upper()
            if key not in self.state.projects:
                wrong.add((None, "NOT_FOUND"))
            elif revision > self.state.projects[key]["revision"]:
                wrong.add((None, "VALIDATION_ERROR"))
            elif revision < self.state.projects[key]["revision"]:
                since[key] = self.at[key][revision:]
        outcome = Play(
            self.state,
            patches,
            now=self.now,
            author=self.author,
            new_deletion=self._new_deletion,
            max_depth=self.max_depth,
            past=Past(since),
            only=only,
            system=system,
        ).run()
        outcome.errors |= wrong
        return outcome

    def _apply(self, new: Set, only: list[int] | None, system: System, *, dry_run: bool) -> Set:
        outcome = self._play(new.patches, new.base, only, system)
        _sound(outcome)
        new.base = {name.upper(): revision for name, revision in new.base.items()}
        new.before, new.after, new.refs = self.state, outcome.state, outcome.refs
        new.state, new.only = "applied", only
        for key in touched_projects(new.before, new.after):
            project = new.after.projects[key]
            project["revision"] += 1
            project["updated_at"] = self.now
            new.revisions[key] = project["revision"]
        for key, task in new.after.tasks.items():
            if task_differs(new.before, new.after, key):
                task["revision"] = new.revisions[task["project"]]
                task["updated_at"] = self.now
        new.inverse, new.system = inverse(new.before, new.after)
        if not dry_run:
            self.state = new.after
            for key in new.revisions:
                self.at.setdefault(key, [State()]).append(self.state)
            self.sets[new.id] = new
            self.applied.append(new)
        return new

    def _new_deletion(self) -> int:
        self._deletions += 1
        return self._deletions

    def _named(self, set_id: str) -> Set:
        if set_id not in self.sets:
            raise Refused("NOT_FOUND")
        return self.sets[set_id]

    def _still_open(self, found: Set) -> None:
        if found.state != "proposed":
            raise Refused("PATCH_SET_CLOSED")

    def _projects_named(self, patches: Patches) -> set[str]:
        """Return the keys of the existing projects whose items, or which themselves, a set names."""
        names: set[str] = set()
        for patch in patches:
            for _, name in form.mentions(patch):
                names.add(name)
            names |= set(patch["depends_on"]) if isinstance(patch.get("depends_on"), list) else set()
        return {key for key in (name.rpartition("-")[0].upper() or name.upper() for name in names) if key in self.state.projects}


def _sound(outcome: Outcome) -> None:
    if outcome.code is not None:
        raise Refused(outcome.code, outcome)


def _same(stored: Patches, sent: Patches) -> bool:
    def plain(patches: Patches) -> list[Any]:
        try:
            return [form.read(patch) for patch in patches]
        except form.Malformed:
            return ["malformed"]

    return plain(stored) == plain(sent)


def _project_of(patch: Mapping[str, Any]) -> str:
    return str(patch.get("project") or patch["task"].rpartition("-")[0])


# -- what differs between two states

_MOVING = {"revision", "updated_at", "next_number"}  # follow from a change, and are none


def _without(item: Item | None, names: set[str]) -> Item | None:
    return None if item is None else {name: value for name, value in item.items() if name not in names}


def task_differs(before: State, after: State, key: str) -> bool:
    """Whether a task's own values, place, existence or dependencies differ."""
    old, new = before.tasks.get(key), after.tasks[key]
    if old != new and _without(old, _MOVING) != _without(new, _MOVING):
        return True
    return _ends(before, key) != _ends(after, key)


def project_differs(before: State, after: State, key: str) -> bool:
    return _without(before.projects.get(key), _MOVING) != _without(after.projects[key], _MOVING)


def _ends(state: State, key: str) -> set[str]:
    """Return what a task waits for, deleted tasks included."""
    return {end for one, end in state.edges if one == key}


def touched_projects(before: State, after: State) -> set[str]:
    """Return the keys of the projects in which anything has changed."""
    found = {key for key in after.projects if project_differs(before, after, key)}
    found |= {task["project"] for key, task in after.tasks.items() if task_differs(before, after, key)}
    return found | {after.tasks[comment["task"]]["project"] for comment in after.comments[len(before.comments) :]}


# -- the way back


def inverse(before: State, after: State) -> tuple[list[Any], System]:
    """Return the patches that turn `after` into `before`, and by index what only a revert may set with them."""
    back = _WayBack(before, after)
    for step in (back.revive, back.reset, back.unlink, back.move, back.relink, back.remove):
        step()
    return back.patches, back.system


class _WayBack:
    def __init__(self, before: State, after: State) -> None:
        self.before, self.after = before, after
        self.patches: list[Any] = []
        self.system: System = {}
        self.changed = [(before.tasks[key], after.tasks[key]) for key in before.tasks]
        self.changed_projects = [(before.projects[key], after.projects[key]) for key in before.projects]
        self.made = [task for key, task in after.tasks.items() if key not in before.tasks]
        self.made_projects = [project for key, project in after.projects.items() if key not in before.projects]

    def add(self, op: str, system: Item | None = None, **members: Any) -> None:
        if system:
            self.system[len(self.patches)] = system
        self.patches.append({"op": op, **members})

    def revive(self) -> None:
        """Restore what the set deleted: projects first, then the root of each deletion, the upper ones first."""
        for old, new in self.changed_projects:
            if new["deletion"] not in (None, old["deletion"]):
                self.add("restore_project", project=new["key"])
        gone = [new for old, new in self.changed if new["deletion"] not in (None, old["deletion"])]
        roots = [task for task in gone if deletion_root(self.after, task) is task]
        for task in sorted(roots, key=lambda task: len(list(above(self.after, task)))):
            self.add("restore_task", task=task["key"])

    def reset(self) -> None:
        for old, new in self.changed_projects:
            if fields := _fields_back(old, new, PROJECT_DEFAULTS):
                self.add("update_project", project=new["key"], fields=fields)
        for old, new in self.changed:
            fields = _fields_back(old, new, TASK_DEFAULTS)
            system = {name: old[name] for name in SYSTEM_DEFAULTS if old[name] != new[name]}
            if fields or system:
                self.add("update_task", system, task=new["key"], fields=fields)

    def unlink(self) -> None:
        for task, end in sorted(self.after.edges - self.before.edges):
            if task in self.before.tasks and end in self.before.tasks:
                self.add("remove_dependency", task=task, depends_on=end)

    def move(self) -> None:
        for old, new in self.changed:
            if (old["parent"], old["position"]) != (new["parent"], new["position"]):
                self.add("move_task", {"position": old["position"]}, task=new["key"], parent=old["parent"])

    def relink(self) -> None:
        for task, end in sorted(self.before.edges - self.after.edges):
            self.add("add_dependency", task=task, depends_on=end)

    def remove(self) -> None:
        """Delete what the set made or revived, lower items first, and nothing else."""
        there = {task["key"] for task in self.made if is_live(task) or self._comes_back(task)}
        new_projects = {project["key"] for project in self.made_projects}
        for task in self.made:
            if task["key"] in there and task["parent"] not in there and task["project"] not in new_projects:
                rows = {key for key in there if key == task["key"] or task in list(above(self.after, self.after.tasks[key]))}
                self.add("delete_task", {"rows": rows}, task=task["key"])
        revived = [(old, new) for old, new in self.changed if old["deletion"] not in (None, new["deletion"])]
        revived_projects = [(old, new) for old, new in self.changed_projects if old["deletion"] not in (None, new["deletion"])]
        with_projects = {old["deletion"] for old, _ in revived_projects}
        for old, new in sorted(revived, key=lambda pair: -len(list(above(self.after, pair[1])))):
            if old["deletion"] not in with_projects and deletion_root(self.before, old) is old:
                self.add("delete_task", self._again(old["deletion"]), task=new["key"])
        for old, new in revived_projects:
            self.add("delete_project", self._again(old["deletion"]), project=new["key"])
        for project in self.made_projects:
            if is_live(project):
                rows = {task["key"] for task in live_tasks(self.after, project["key"])}
                self.add("delete_project", {"rows": rows}, project=project["key"])

    def _again(self, deletion: int) -> Item:
        return {"deletion": deletion, "rows": {task["key"] for task, _ in self.changed if task["deletion"] == deletion}}

    def _comes_back(self, task: Item) -> bool:
        """Whether restoring an older item revives this one too, which the same set had made and deleted."""
        root = deletion_root(self.after, task)
        return root["key"] in self.before.tasks or root["key"] in self.before.projects


def _fields_back(old: Item, new: Item, names: Mapping[str, Any]) -> Item:
    return {
        name: _merge_back(new[name], old[name]) if name in ("links", "custom") else old[name]
        for name in names
        if old[name] != new[name]
    }


def _merge_back(new: Item, old: Item) -> Item:
    """Return the RFC 7396 patch that turns `new` into `old`."""
    patch: Item = dict.fromkeys(new.keys() - old.keys())
    for name, value in old.items():
        if new.get(name) != value:
            both = isinstance(value, dict) and isinstance(new.get(name), dict)
            patch[name] = _merge_back(new[name], value) if both else value
    return patch

