"""Random patches on what is there: most are sound, some are wrong in one of many ways.

A patch comes from one number. So a failing example still shrinks to few steps of few patches, while all choices within a
patch are evenly spread: hypothesis likes to repeat what it drew before, which here would send one mistake over and over.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, TypeVar

from tests.model.forms import Patch
from tests.model.reference import Reference

T = TypeVar("T")
MOST_LIVE_TASKS = 24
MOST_PROJECTS = 5
_SCHEMAS = [
    {"type": "object", "properties": {"size": {"type": "integer", "maximum": 2}}},
    {"required": ["size"]},
    {"properties": {"at": {"type": "object"}}},
]
_SHARED: dict[str, list[Any]] = {
    "description": ["text", "other", "", None],
    "priority": ["critical", "HIGH", "medium", "backlog"],
    "tags": [["a"], ["b", "a"], ["b", "c"], ["c", "c"], [], None, [f"t{number}" for number in range(30)]],
    "start_date": ["2026-01-15", "2026-02-01", "2026-05-02", None],
    "due_date": ["2026-02-20", "2026-05-01", "2026-06-01", None],
    "links": [
        *({"x": "1"}, {"x": "2", "y": None}, {"y": "3"}, {"x": None}, None),
        {f"l{number}": "t" for number in range(15)},
        {f"m{number}": "t" for number in range(8)},
    ],
}
TASK_VALUES = _SHARED | {
    "title": ["One", "Two", "Three"],
    "status": ["todo", "in_progress", "completed", "done", "In-Review", "cancelled", "blocked"],
    "assignee": ["ann", "bob", None],
    "estimated_minutes": [30, 60, None],
    "actual_minutes": [0, 45, None],
    "acceptance_criteria": [["it works"], ["it works", "fast"], None],
    "custom": [
        *({"size": 1}, {"size": True}, {"size": 2}, {"size": 3}, {"size": None}, {"at": {"r": 1}}, {"at": {"s": 2}}),
        *({"at": {"r": None}}, {"at": "home", "size": 2}, {}, None),
    ],
}
PROJECT_VALUES = _SHARED | {
    "name": ["Web Site", "App", "Web Shop Two", "Übung"],
    "status": ["active", "on hold", "completed"],
    "task_schema": [*_SCHEMAS, None, None, {"type": "nothing"}],
}
BAD_VALUES: list[tuple[str, Any]] = [
    *(("title", value) for value in (None, " ", "x" * 256, 7)),
    *(("name", value) for value in (None, "")),
    *(("status", value) for value in ("nonsense", None)),
    *(("due_date", value) for value in ("tomorrow", "2026-02-30", 5)),
    *(("estimated_minutes", value) for value in (0, 1.5, "60", 525_601)),
    *(("tags", ["a", ""]), ("links", {"x": 1}), ("custom", []), ("colour", "red")),
]
_STRANGE: list[Any] = [
    *(None, "delete everything", {"op": "explode", "task": "WEB-1"}),
    *({"op": "update_task"}, {"op": "move_task", "task": 5}),
]
_SPOILT: list[tuple[str, Any]] = [("colour", "red"), ("expect", {"colour": 1}), ("task", ""), ("ref", "a"), ("cascade", "no")]
_WEIGHTS = {
    "create_task": 8,
    "update_task": 8,
    "move_task": 8,
    "delete_task": 3,
    "restore_task": 4,
    "add_dependency": 5,
    "remove_dependency": 2,
    "add_comment": 2,
    "update_project": 3,
    "delete_project": 1,
    "restore_project": 4,
    "create_project": 1,
}
# How a set says what its author saw: not at all, the present, some revisions ago (of one project or all), or nonsense.
_BASES = ["none"] * 10 + ["0", "0", "1", "1", "2", "2", "3", "5", "8"] * 3 + ["web"] * 3 + ["ahead", "zero", "nobody", "twice"]


class Writer:
    """Writes sets for the present state of a workspace."""

    def __init__(self, reference: Reference) -> None:
        self._state = reference.state
        self._ids = reference.ids
        self._id_of = {key: item_id for item_id, key in reference.ids.items()}
        self._tasks = [key for key in self._state.tasks if not self._state.is_gone(key)]
        self._deleted_tasks = [key for key in self._state.tasks if self._state.is_gone(key)]
        self._projects = [key for key in self._state.projects if not self._state.is_gone(key)]
        self._deleted_projects = [key for key in self._state.projects if self._state.is_gone(key)]

    def write(self, seeds: Sequence[int]) -> list[Any]:
        """Return one patch for each seed. A new item may have a ref, and any patch of the set may use it."""
        randoms = [Random(seed) for seed in seeds]  # noqa: S311  # repeatable
        ops = [random.choices(*self._weights())[0] for random in randoms]
        refs = {f"${'abc'[number % 3]}": op.removeprefix("create_") for number, op in enumerate(ops) if op.startswith("create_")}
        return [
            _PatchWriter(self, random, refs, number).patch(op)
            for number, (random, op) in enumerate(zip(randoms, ops, strict=True))
        ]

    def _weights(self) -> tuple[list[str], list[int]]:
        weights = dict(_WEIGHTS)
        weights["create_task"] //= 1 if len(self._tasks) < MOST_LIVE_TASKS else 99
        weights["create_project"] //= 1 if len(self._state.projects) < MOST_PROJECTS else 99
        weights["restore_task"] //= 1 if self._deleted_tasks else 4
        weights["restore_project"] //= 1 if self._deleted_projects else 4
        return list(weights), list(weights.values())

    def bases(self, random: Random) -> dict[str, int]:
        """Return the base revisions of a set."""
        current = {key: project["revision"] for key, project in self._state.projects.items()}
        match random.choice(_BASES):
            case "none":
                return {}
            case "ahead":
                return current | {"WEB": current["WEB"] + 1}
            case "zero":
                return current | {"WEB": 0}
            case "nobody":
                return {"NOBODY": 1}
            case "twice":
                return {"WEB": current["WEB"], "web": current["WEB"]}
            case "web":
                return {self._id_of["WEB"]: max(1, current["WEB"] - random.randrange(4))}
            case ago:
                return {key: max(1, revision - int(ago)) for key, revision in current.items()}


class _PatchWriter:
    """Writes one patch of a set."""

    def __init__(self, writer: Writer, random: Random, refs: Mapping[str, str], number: int) -> None:
        self._of = writer
        self._state = writer._state
        self._random = random
        self._refs = refs
        self._number = number

    def patch(self, op: str) -> Any:
        if self._chance(40):
            return self._random.choice(_STRANGE)
        patch: Patch = {"op": op} | getattr(self, f"_{op}")()
        if "expect" not in patch and op.split("_", maxsplit=1)[0] in ("update", "move", "delete", "restore") and self._chance(6):
            patch["expect"] = self._expect(op.endswith("task"), str(patch.get("task") or patch.get("project")))
        if "fields" in patch and self._chance(25):
            patch["fields"] |= dict([self._random.choice(BAD_VALUES)])
        return patch | dict([self._random.choice(_SPOILT)]) if self._chance(50) else patch

    def _chance(self, one_in: int) -> bool:
        return self._random.randrange(one_in) == 0

    # -- by op

    def _create_project(self) -> Patch:
        key = self._random.choice([{}, {}, {}, {"key": "NEW"}, {"key": "new2"}, {"key": "WEB"}, {"key": "1X"}])
        return {"fields": {"name": "Web Site"} | self._values(PROJECT_VALUES, 0)} | key | self._ref()

    def _update_project(self) -> Patch:
        return {"project": self._project(), "fields": self._values(PROJECT_VALUES, 1)}

    def _delete_project(self) -> Patch:
        return {"project": self._project()} | self._cascade()

    def _restore_project(self) -> Patch:
        return {"project": self._project(deleted=True)}

    def _create_task(self) -> Patch:
        place: Patch = {"project": self._project()} if self._chance(2) else {"parent": self._task()}
        if self._chance(3):
            place = self._place()
            if place.get("parent", "") is None:
                place |= {"project": self._project()}
        waiting = {"depends_on": [self._task() for _ in range(self._random.randint(1, 2))]} if self._chance(5) else {}
        return {"fields": {"title": "New"} | self._values(TASK_VALUES, 0)} | place | waiting | self._ref()

    def _update_task(self) -> Patch:
        return {"task": self._task(), "fields": self._values(TASK_VALUES, 1)}

    def _move_task(self) -> Patch:
        return {"task": self._task()} | self._place()

    def _delete_task(self) -> Patch:
        return {"task": self._task()} | self._cascade()

    def _restore_task(self) -> Patch:
        return {"task": self._task(deleted=True)}

    def _add_dependency(self) -> Patch:
        return {"task": self._task(), "depends_on": self._task()}

    def _remove_dependency(self) -> Patch:
        if self._state.edges and not self._chance(3):
            task, target = self._random.choice(sorted(self._state.edges))
            return {"task": self._spelt(task), "depends_on": self._spelt(target)}
        return self._add_dependency()

    def _add_comment(self) -> Patch:
        return {"task": self._task(), "body": self._random.choice(["hm", "done?"])}

    # -- parts

    def _ref(self) -> Patch:
        ref = f"${'abc'[self._number % 3]}"
        return {"ref": ref} if ref in self._refs and not self._chance(10) else {}

    def _cascade(self) -> Patch:
        return self._random.choice([{}, {}, {"cascade": True}, {"cascade": False}])

    def _place(self) -> Patch:
        """Return a place: the end of a parent or of the top level, beside a task, or (at times) nowhere."""
        side = self._random.choice(["before", "after"])
        match self._random.randrange(12):
            case 0:
                return {}
            case 1 | 2 | 3:
                return {"parent": self._task()}
            case 4 | 5:
                return {"parent": None}
            case 6 | 7 | 8:
                return {side: self._task()}
            case 9 | 10:
                parent = None if self._chance(3) else self._task()
                key = self._of._ids.get(parent, parent.upper()) if parent else None
                there = [task for task in self._of._tasks if self._state.tasks[task]["parent"] == key]
                return {"parent": parent, side: self._spelt(self._random.choice(there)) if there else self._task()}
            case _:
                return {"before": self._task(), "after": self._task()} if self._chance(3) else {"after": self._task()}

    def _values(self, among: Mapping[str, list[Any]], least: int) -> dict[str, Any]:
        names = self._random.sample(sorted(among), self._random.randint(least, 3))
        return {name: self._random.choice(among[name]) for name in names}

    def _task(self, *, deleted: bool = False) -> str:
        roots = [key for key in self._of._deleted_tasks if self._state.root(key) == key]
        some = self._of._deleted_tasks if self._chance(6) or not roots else roots
        return self._name("task", self._of._tasks, some, deleted)

    def _project(self, *, deleted: bool = False) -> str:
        live = self._of._projects
        return self._name("project", live[:1] if self._chance(2) else live, self._of._deleted_projects, deleted)

    def _name(self, kind: str, live: list[str], gone: list[str], deleted: bool) -> str:
        if self._chance(40):
            return self._random.choice(["WEB-999", "NOBODY", "$nobody", "WEB-0", *self._refs])
        refs = [ref for ref, of in self._refs.items() if of == kind]
        if refs and not deleted and self._chance(4):
            return self._random.choice(refs)
        deleted = deleted is not self._chance(25)
        among = (gone or live) if deleted else (live or gone)
        return self._spelt(self._random.choice(among)) if among else "WEB-1"

    def _spelt(self, key: str) -> str:
        return self._random.choice([key, key, key, key.lower(), self._of._id_of[key]])

    def _expect(self, of_task: bool, name: str) -> dict[str, Any]:
        """Expect some values as they are, or others."""
        values = TASK_VALUES if of_task else PROJECT_VALUES
        fields = self._random.sample([*values, "deleted", *(["parent", "depends_on"] if of_task else [])], 2)
        key = self._of._ids.get(name, name.upper())
        item = self._state.item(key)
        if item is None or ("-" in key) is not of_task or self._chance(4):
            other: dict[str, list[Any]] = {
                "deleted": [True, None],
                "parent": ["WEB-1", None],
                "depends_on": [["web-2"], []],
                "links": [{"x": "1"}],
            }
            return {field: self._random.choice((values | other)[field]) for field in fields}
        waits = [target for task, target in self._state.edges if task == key and not self._state.is_gone(target)]
        known = dict(item) | {"deleted": item["deletion"] is not None, "depends_on": sorted(waits)}
        return {field: known[field] for field in fields}
