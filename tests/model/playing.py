"""Play patches on a state as DESIGN sections 3 and 4 and docs/operations.md say. Part of the reference.

What a patch sets or relies on is noted on the way and compared with the state at its author's base at the end; so are
the rules about the result (`judging.py`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from unicodedata import category, normalize

from tests.model.forms import CREATIONS, Patch, names_in, place_names
from tests.model.order import Order
from tests.model.state import NEW_PROJECT, NEW_TASK, Item, State, merged, project_of


@dataclass(frozen=True)
class Touch:
    """A value (field "deleted": existence) that a patch sets; or one that it only `relies` on."""

    index: int
    key: str
    field: str
    unit: str | None = None
    relies: bool = False


@dataclass(frozen=True)
class Given:
    """What a set says besides its patches, and who says it when."""

    bases: Mapping[str, State]  # project -> the state its author saw
    now: datetime
    author: str
    deletion: str  # begins the names of the deletions it makes
    private: Mapping[int, Item]  # by index: what only a revert may say
    ids: Mapping[str, str]  # id -> key of every stored item


class Play:
    """The state while a set is played on it."""

    def __init__(self, stored: State, given: Given, refs: Mapping[str, int], selected: Sequence[int]) -> None:
        self.stored = stored
        self.state = stored.copy()
        self.given = given
        self.declared = refs  # ref -> the patch that creates it
        self.selected = selected
        self.refs: dict[str, str] = {}  # ref -> key
        self.made: dict[int, str] = {}  # creation -> key of its task
        self.order = Order(self.stored.tasks)
        self.issues: set[tuple[int, str]] = set()
        self.touches: list[Touch] = []

    # -- order of a set

    def run(self, sound: Mapping[int, Patch], malformed: Mapping[int, Any]) -> None:
        creations = {index: patch for index, patch in sound.items() if patch["op"] in CREATIONS}
        self._create(creations)
        for index, patch in creations.items():
            self._link_created(index, patch)
        for index, patch in malformed.items():
            if isinstance(patch, dict) and patch.get("op") in CREATIONS:
                self._look_up(index, patch)
        for index in sorted(sound.keys() | malformed.keys()):
            if index in malformed and not (isinstance(malformed[index], dict) and malformed[index].get("op") in CREATIONS):
                self._look_up(index, malformed[index])
            elif index in sound and index not in creations:
                getattr(self, f"_{sound[index]['op']}")(index, sound[index])

    def _create(self, creations: Mapping[int, Patch]) -> None:
        """Play creations after those their places name, else by index; what goes round in circles cannot be placed."""
        names = {patch["ref"]: index for index, patch in creations.items() if patch.get("ref")}
        for index, patch in creations.items():
            if patch["op"] == "create_project" and patch.get("key"):
                names.setdefault(patch["key"], index)
        waiting = {index: {names[name] for name in place_names(patch) if name in names} for index, patch in creations.items()}
        while ready := [index for index, others in waiting.items() if not others & waiting.keys()]:
            index = min(ready)
            del waiting[index]
            getattr(self, f"_{creations[index]['op']}")(index, creations[index])
        self.issues |= {(index, "INVALID_HIERARCHY") for index in waiting}

    def _look_up(self, index: int, patch: Any) -> None:
        """Say which names of a malformed patch are unknown, beside what is wrong with its form."""
        for member, name in names_in(patch):
            key = self._find(index, name, "project" if member == "project" else "task")
            if key is not None and self.state.is_gone(key) and not patch["op"].startswith("restore"):
                self._deleted(index, key)

    # -- names

    def _find(self, index: int, name: str, kind: str) -> str | None:
        if name.startswith("$"):
            key = self.refs.get(name)
            if key is not None and ("task" if "-" in key else "project") == kind:
                return key
            if key is not None or name not in self.declared or self.declared[name] not in self.selected:
                self.issues.add((index, "INVALID_PATCH"))
            return None
        key = self.given.ids.get(name, name.upper())
        known = self.state.projects if kind == "project" else self.stored.tasks  # keys of new tasks are not known yet
        if key in known:
            return key
        self.issues.add((index, "NOT_FOUND"))
        return None

    def _live(self, index: int, name: str, kind: str = "task") -> str | None:
        key = self._find(index, name, kind)
        if key is not None and self.state.is_gone(key):
            self._deleted(index, key)
            return None
        return key

    def _deleted(self, index: int, key: str) -> None:
        """What is deleted was lost to others if the author saw it alive, else named by mistake."""
        if not self._lost(index, key):
            self.issues.add((index, "DELETED_RESOURCE"))

    def _lost(self, index: int, key: str) -> bool:
        if not self._done_by_others(key, deleted=True):
            return False
        self.touches.append(Touch(index, key, "deleted", relies=True))
        return True

    def _done_by_others(self, key: str, *, deleted: bool) -> bool:
        """Whether others have deleted (or restored) an item since the base."""
        base = self.given.bases.get(project_of(key))
        if base is None or self.stored.item(key) is None:
            return False
        return base.is_gone(key) is not deleted and self.stored.is_gone(key) is deleted

    def _changed(self, key: str, field: str) -> bool:
        """Whether a field of an item that was there at the base has another value now, by others."""
        base = self.given.bases.get(project_of(key))
        item = base.item(key) if base is not None else None
        return item is not None and item[field] != self.stored.tasks[key][field]

    def _touch(self, index: int, key: str, field: str, unit: str | None = None, *, relies: bool = False) -> None:
        if self.stored.item(key) is not None:
            self.touches.append(Touch(index, key, field, unit, relies))

    # -- projects

    def _create_project(self, index: int, patch: Patch) -> None:
        key = patch.get("key") or self._free_key(patch["fields"]["name"])
        if key in self.state.projects:
            self.issues.add((index, "DUPLICATE_RESOURCE"))
            return
        made = {"created_at": self.given.now, "updated_at": self.given.now, "created_by": self.given.author}
        self.state.projects[key] = NEW_PROJECT | made
        if patch.get("ref"):
            self.refs[patch["ref"]] = key
        self._set_fields(index, key, patch["fields"])

    def _free_key(self, name: str) -> str:
        without_accents = "".join(c for c in normalize("NFKD", name.casefold()) if category(c) != "Mn")
        words = re.findall("[a-z][a-z0-9]*", without_accents)
        initials, letters = "".join(word[0] for word in words[:4]), "".join(words)[:4]
        liked = next((text.upper() for text in (initials, letters) if len(text) > 1), "PRJ")
        key, number = liked, 2
        while key in self.state.projects:
            key, number = f"{liked}{number}", number + 1
        return key

    def _update_project(self, index: int, patch: Patch) -> None:
        key = self._live(index, patch["project"], "project")
        if key is not None:
            self._set_fields(index, key, patch["fields"])

    def _delete_project(self, index: int, patch: Patch) -> None:
        key = self._find(index, patch["project"], "project")
        if key is None or (self.state.is_gone(key) and self._done_by_others(key, deleted=True)):
            return
        if self.state.is_gone(key):
            self._deleted(index, key)
            return
        tasks = [task for task, item in self.state.tasks.items() if item["project"] == key and item["deletion"] is None]
        if self._may_delete(index, patch, tasks, tasks):
            self._delete(index, [key, *tasks])

    def _restore_project(self, index: int, patch: Patch) -> None:
        key = self._find(index, patch["project"], "project")
        if key is None:
            return
        if not self.state.is_gone(key):
            if not self._done_by_others(key, deleted=False):
                self.issues.add((index, "INVALID_PATCH"))
            return
        deletion = self.state.projects[key]["deletion"]
        self._restore(index, [key, *(task for task, item in self.state.tasks.items() if item["deletion"] == deletion)])

    # -- tasks

    def _create_task(self, index: int, patch: Patch) -> None:
        project = self._live(index, patch["project"], "project") if patch.get("project") else None
        parent, anchor, sound = self._place(index, patch)
        if not sound or (patch.get("project") and project is None):
            return
        if anchor is not None and "parent" not in patch:
            parent = self.state.tasks[anchor]["parent"]
        beside = parent or anchor
        if project is None and beside is None:
            self.issues.add((index, "VALIDATION_ERROR"))
            return
        project = project or project_of(beside or "")
        if not self._fits(index, patch, project, parent, anchor):
            return
        home = self.state.projects[project]
        key, number = f"{project}-{home['next_number']}", home["next_number"]
        home["next_number"] += 1
        made = {"created_at": self.given.now, "updated_at": self.given.now, "created_by": self.given.author}
        self.state.tasks[key] = NEW_TASK | made | {"project": project, "number": number, "parent": parent}
        self.made[index] = key
        if patch.get("ref"):
            self.refs[patch["ref"]] = key
        self._set_fields(index, key, patch["fields"])
        self._put(key, patch, anchor)

    def _link_created(self, index: int, patch: Patch) -> None:
        for name in patch.get("depends_on", ()):
            target = self._live(index, name)
            if target is not None and index in self.made:
                self._link(index, self.made[index], target)

    def _update_task(self, index: int, patch: Patch) -> None:
        key = self._live(index, patch["task"])
        if key is not None:
            self._set_fields(index, key, patch["fields"])
            for name, value in self.given.private.get(index, {}).items():
                self._touch(index, key, name)
                self.state.tasks[key][name] = value

    def _move_task(self, index: int, patch: Patch) -> None:
        key = self._live(index, patch["task"])
        parent, anchor, sound = self._place(index, patch)
        if key is None or not sound:
            return
        if anchor == key:
            self.issues.add((index, "INVALID_HIERARCHY"))
            return
        task = self.state.tasks[key]
        if "parent" not in patch:
            parent = self.state.tasks[anchor]["parent"] if anchor is not None else task["parent"]
        if not self._fits(index, patch, task["project"], parent, anchor):
            return
        self._touch(index, key, "parent", relies="parent" not in patch and anchor is None)
        position = self.given.private.get(index, {}).get("position")
        was_moved = position is None and parent == task["parent"] and self._moved_by_others(key)
        if was_moved and self.order.stands((task["project"], parent), key, anchor, before=bool(patch.get("before"))):
            return
        self._touch(index, key, "position")
        task["parent"] = parent
        if position is None:
            self._put(key, patch, anchor)
        else:
            self.order.exactly(key, position)

    def _delete_task(self, index: int, patch: Patch) -> None:
        key = self._find(index, patch["task"], "task")
        if key is None or (self.state.is_gone(key) and self._done_by_others(key, deleted=True)):
            return
        if self.state.is_gone(key):
            self._deleted(index, key)
            return
        below = [task for task in self.state.below(key) if not self.state.is_gone(task)]
        if not self._may_delete(index, patch, below, [key, *below]):
            return
        for task in below:  # it goes along only because others have moved it here
            base = self.given.bases.get(project_of(task), self.stored)
            if task in base.tasks and base.tasks[task]["parent"] not in [key, *below]:
                self._touch(index, task, "parent", relies=True)
        self._delete(index, [key, *below])

    def _restore_task(self, index: int, patch: Patch) -> None:
        key = self._find(index, patch["task"], "task")
        if key is None:
            return
        task = self.state.tasks[key]
        if task["deletion"] is None:
            if not self._done_by_others(key, deleted=False):
                self.issues.add((index, "INVALID_PATCH"))
            return
        above = [item for item in (task["project"], task["parent"]) if item is not None and self.state.is_gone(item)]
        if any(self._lost(index, item) for item in above):
            return
        if above or self.state.root(key) != key:
            self.issues.add((index, "DELETED_RESOURCE"))
            return
        with_it = [item for item in self.state.below(key) if self.state.tasks[item]["deletion"] == task["deletion"]]
        self._restore(index, [key, *with_it])

    # -- dependencies and comments

    def _add_dependency(self, index: int, patch: Patch) -> None:
        task, target = self._live(index, patch["task"]), self._live(index, patch["depends_on"])
        if task is not None and target is not None:
            self._link(index, task, target)

    def _remove_dependency(self, index: int, patch: Patch) -> None:
        task, target = self._live(index, patch["task"]), self._live(index, patch["depends_on"])
        if task is not None and target is not None:
            self._touch(index, task, "depends_on", target)
            self.state.edges.discard((task, target))

    def _add_comment(self, index: int, patch: Patch) -> None:
        task = self._live(index, patch["task"])
        if task is not None:
            self.state.comments.append((task, self.given.author, patch["body"], self.given.now))

    # -- shared steps

    def _place(self, index: int, patch: Patch) -> tuple[str | None, str | None, bool]:
        """Return the named parent and anchor, and whether all names given were sound."""
        found = {name: self._live(index, patch[name]) for name in ("parent", "before", "after") if patch.get(name)}
        if patch.get("before") and patch.get("after"):
            self.issues.add((index, "VALIDATION_ERROR"))
            return None, None, False
        return found.get("parent"), found.get("before") or found.get("after"), None not in found.values()

    def _fits(self, index: int, patch: Patch, project: str, parent: str | None, anchor: str | None) -> bool:
        """Whether parent and anchor are in the project, and the anchor under the parent."""
        if any(item is not None and project_of(item) != project for item in (parent, anchor)):
            self.issues.add((index, "INVALID_HIERARCHY"))
            return False
        there = anchor is None or self.state.tasks[anchor]["parent"] == parent
        if anchor is None or ("parent" in patch and there):
            return True
        self._touch(index, anchor, "parent", relies=True)
        if not there and not (anchor in self.stored.tasks and self._changed(anchor, "parent")):
            self.issues.add((index, "INVALID_HIERARCHY"))
        return there

    def _put(self, key: str, patch: Patch, anchor: str | None) -> None:
        place = (self.state.tasks[key]["project"], self.state.tasks[key]["parent"])
        if anchor is None:
            self.order.last(place, key)
        else:
            self.order.beside(place, key, anchor, before=bool(patch.get("before")))

    def _moved_by_others(self, key: str) -> bool:
        base = self.given.bases.get(project_of(key))
        if base is None or key not in self.stored.tasks:
            return False
        return key not in base.tasks or self._changed(key, "parent") or self._changed(key, "position")

    def _link(self, index: int, task: str, target: str) -> None:
        if project_of(task) != project_of(target):
            self.issues.add((index, "INVALID_HIERARCHY"))
            return
        self._touch(index, task, "depends_on", target)
        self.state.edges.add((task, target))

    def _may_delete(self, index: int, patch: Patch, below: list[str], going: list[str]) -> bool:
        rows = self.given.private.get(index, {}).get("rows")
        if (below and not patch.get("cascade", True)) or (rows is not None and set(going) - set(rows)):
            self.issues.add((index, "HAS_CHILDREN"))
            return False
        return True

    def _delete(self, index: int, keys: list[str]) -> None:
        deletion = self.given.private.get(index, {}).get("deletion") or f"{self.given.deletion}/{index}"
        for key in keys:
            self._touch(index, key, "deleted")
            self._item(key).update(deletion=deletion, deleted_at=self.given.now)

    def _restore(self, index: int, keys: list[str]) -> None:
        for key in keys:
            self._touch(index, key, "deleted")
            self._item(key).update(deletion=None, deleted_at=None)

    def _item(self, key: str) -> Item:
        return (self.state.tasks if "-" in key else self.state.projects)[key]

    def _set_fields(self, index: int, key: str, fields: Mapping[str, Any]) -> None:
        item = self._item(key)
        status, empty = item["status"], NEW_TASK if "-" in key else NEW_PROJECT
        for name, value in fields.items():
            if name in ("links", "custom"):
                for unit in item[name] if value is None else value:
                    self._touch(index, key, name, unit)
                item[name] = {} if value is None else merged(item[name], value)
            elif name == "tags":
                item[name] = self._merged_tags(key, value or [])
            else:
                self._touch(index, key, name)
                item[name] = empty[name] if value is None else value
        if "-" in key and item["status"] != status:
            item["completed_at"] = self.given.now if item["status"] == "completed" else None
            if item["status"] != "in_progress":
                item["claimed_by"] = item["claim_expires_at"] = None

    def _merged_tags(self, key: str, wanted: list[str]) -> list[str]:
        """Return the tags with what each side, since the base, has added and taken away."""
        base, current = self.given.bases.get(project_of(key)), self.stored.item(key)
        if base is None or current is None:
            return wanted
        then = (base.item(key) or NEW_TASK)["tags"]
        if then == current["tags"]:
            return wanted
        kept = [tag for tag in current["tags"] if tag in wanted or tag not in then]
        return kept + [tag for tag in wanted if tag not in then and tag not in kept]
