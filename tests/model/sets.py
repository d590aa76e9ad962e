"""Patch sets worth trying: few items, so that everything meets everything, and mistakes in some of them."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from hypothesis import strategies as st

from tests.model.reference import Reference
from tests.model.state import Item, is_live

T = TypeVar("T")
Patch = dict[str, Any]
MANY_TASKS = 14  # above, more is deleted than created

WORDS = ("One", "Two", "Three")
DAYS = ("2026-03-01", "2026-03-02", "2026-03-05")
SCHEMAS = (
    None,
    {"type": "object", "properties": {"p": {"type": "integer"}}},
    {"type": "object", "required": ["p"]},
    {"type": "object", "properties": {"q": {"type": "string"}}},
)
VALUES: Mapping[str, Sequence[Any]] = {
    "title": WORDS,
    "description": ("", "text", None),
    "acceptance_criteria": ([], ["a"], ["a", "b"], None),
    "status": ("todo", "in_progress", "completed", "cancelled", "Done", "In-Review", "blocked"),
    "priority": ("medium", "high", "LOW"),
    "tags": (["a"], ["b"], ["a", "b"], ["c", "a", "c"], [], None),
    "assignee": ("ann", "bob", None),
    "start_date": (None, *DAYS),
    "due_date": (None, *reversed(DAYS)),
    "estimated_minutes": (None, 30, 60),
    "actual_minutes": (None, 0, 45),
    "links": ({"x": "1"}, {"y": "2"}, {"x": None}, {"x": "3", "y": None}, {}, None),
    "custom": ({"p": 1}, {"q": "text"}, {"p": {"r": 1}}, {"p": {"r": None, "s": 2}}, {"q": None}, {}, None),
}
PROJECT_VALUES: Mapping[str, Sequence[Any]] = {
    "name": ("Alpha Beta", "Web", "Gamma"),
    "description": VALUES["description"],
    "status": ("planning", "active", "ON-HOLD"),
    "priority": VALUES["priority"],
    "tags": VALUES["tags"],
    "start_date": VALUES["start_date"],
    "due_date": VALUES["due_date"],
    "links": VALUES["links"],
    "task_schema": SCHEMAS,
}
WRONG_VALUES: Mapping[str, Sequence[Any]] = {
    "title": (None, "", "  ", 5, "x" * 256),
    "name": (None, " ", 5),
    "status": ("gone", None, 1),
    "priority": (None, "urgent"),
    "tags": ("a", [""], [1]),
    "due_date": ("2026-02-30", "soon", 20260301),
    "start_date": ("2026-1-1",),
    "estimated_minutes": (0, "30", 525_601),
    "actual_minutes": (-1, 1.5),
    "links": ({"x": 1}, []),
    "custom": ([], "text"),
    "assignee": ("",),
    "unheard_of": (1,),
    "task_schema": ({"type": "nothing"}, []),
}
UNKNOWN = ("WEB-99", "NO-1", "$nobody", "NOPE")


class Dice:
    """Choices in which the first is the simplest."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def below(self, count: int) -> int:
        return 0 if count < 2 else self._draw(_below(count))

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def once_in(self, count: int) -> bool:
        return self.below(count) == count - 1


@cache
def _below(count: int) -> st.SearchStrategy[int]:
    return st.integers(0, count - 1)


class Author:
    """Writes one patch set about the items there are."""

    def __init__(self, dice: Dice, reference: Reference, *, careless: bool) -> None:
        self.dice, self.careless = dice, careless
        tasks = list(reference.state.tasks.values())
        self.state = reference.state
        self.live = [task["key"] for task in tasks if is_live(task)]
        self.gone = [task["key"] for task in tasks if not is_live(task)]
        self.projects = [key for key, item in reference.state.projects.items() if is_live(item)]
        self.gone_projects = [key for key, item in reference.state.projects.items() if not is_live(item)]
        self.task_refs: list[str] = []
        self.project_refs: list[str] = []

    def slip(self) -> bool:
        return self.careless and self.dice.once_in(16)

    def write(self) -> list[Patch]:
        ops = [self._op() for _ in range(self.dice.pick((1, 1, 1, 2, 2, 3, 4, 6)))]
        refs: list[str | None] = []
        for op in ops:
            named = op.startswith("create_") and not self.dice.once_in(4)
            refs.append(f"${'abcdef'[len(self.task_refs) + len(self.project_refs)]}" if named else None)
            if refs[-1]:
                (self.task_refs if op == "create_task" else self.project_refs).append(refs[-1])
        return [self._patch(op, ref) for op, ref in zip(ops, refs, strict=True)]

    def _op(self) -> str:
        few = len(self.live) <= MANY_TASKS
        weights = {
            "create_task": 8 if few else 2,
            "update_task": 7,
            "move_task": 6,
            "add_dependency": 5,
            "delete_task": 3 if few else 9,
            "restore_task": 4 if self.gone else 0,
            "remove_dependency": 2 if self.state.edges else 0,
            "update_project": 2,
            "add_comment": 1,
            "restore_project": 5 if self.gone_projects else 0,
            "delete_project": 1 if len(self.projects) > 1 else 0,
            "create_project": 1 if len(self.state.projects) < 3 or not self.projects else 0,
        }
        if not self.live:
            weights = {"create_task": 3, "restore_project": 3, "restore_task": 1, "create_project": 1}
        return self.dice.pick([op for op, weight in weights.items() for _ in range(weight)])

    def _patch(self, op: str, ref: str | None) -> Patch:
        patch: Patch = {"op": op}
        if ref:
            patch["ref"] = "$a" if self.slip() else ref
        getattr(self, f"_{op}")(patch)
        if self.slip():
            self._spoil(patch)
        return patch

    def _spoil(self, patch: Patch) -> None:
        kind = self.dice.below(6)
        if kind == 0:
            patch["extra"] = 1
        elif kind == 1:
            patch["op"] = "rename"
        elif kind == 2 and len(patch) > 1:
            del patch[list(patch)[-1]]
        elif "fields" in patch:
            name = self.dice.pick(tuple(WRONG_VALUES))
            patch["fields"] = patch["fields"] | {name: self.dice.pick(WRONG_VALUES[name])}

    # -- names

    def task(self) -> str:
        if self.slip():
            return self.dice.pick((*self.gone[-4:], *self.projects[:1], *self.project_refs, *UNKNOWN))
        if self.task_refs and self.dice.once_in(3):
            return self.dice.pick(self.task_refs)
        if not self.live:
            return self.dice.pick((*self.task_refs, "WEB-1"))
        name = self.dice.pick(self.live[-MANY_TASKS:])
        return name.lower() if self.dice.once_in(12) else name

    def sibling_of(self, name: str) -> str:
        """Return a task that is likely to be near another one."""
        task = self.state.tasks.get(name.upper())
        near = [key for key in self.live if task and self.state.tasks[key]["project"] == task["project"] and key != task["key"]]
        return self.dice.pick(near) if near and not self.dice.once_in(6) else self.task()

    def project(self) -> str:
        if self.slip():
            return self.dice.pick((*self.gone_projects, *self.task_refs, *self.live[:1], *UNKNOWN))
        return self.dice.pick((*self.projects, *self.project_refs) or ("WEB",))

    # -- one per op

    def _create_project(self, patch: Patch) -> None:
        patch["fields"] = {"name": self.dice.pick(PROJECT_VALUES["name"])} | self._fields(PROJECT_VALUES, 2)
        if not self.dice.once_in(3):
            taken = (*self.projects, *self.gone_projects)
            free = [key for key in ("WEB", "APP", "OPS") if key not in taken]
            patch["key"] = self.dice.pick(taken or ("web",)) if self.slip() or not free else self.dice.pick(free)

    def _update_project(self, patch: Patch) -> None:
        patch |= {"project": self.project(), "fields": self._fields(PROJECT_VALUES, 2)}
        self._expect(patch, self.state.projects.get(patch["project"]), PROJECT_VALUES)

    def _delete_project(self, patch: Patch) -> None:
        patch["project"] = self.project()
        self._cascade(patch)
        self._expect(patch, self.state.projects.get(patch["project"]), PROJECT_VALUES)

    def _restore_project(self, patch: Patch) -> None:
        patch["project"] = self.dice.pick(self.gone_projects or self.projects or ("WEB",))

    def _create_task(self, patch: Patch) -> None:
        patch["fields"] = {"title": self.dice.pick(WORDS)} | self._fields(VALUES, 2)
        self._place(patch, self.sibling_of)
        if not patch.keys() & {"parent", "before", "after"} or self.slip():
            patch["project"] = self.project()
        if self.dice.once_in(4):
            beside = patch.get("parent") or patch.get("before") or patch.get("after") or ""
            patch["depends_on"] = [self.sibling_of(beside) for _ in range(1 + self.dice.below(2))]

    def _update_task(self, patch: Patch) -> None:
        patch |= {"task": self.task(), "fields": self._fields(VALUES, 1 + self.dice.below(3))}
        self._expect(patch, self.state.tasks.get(patch["task"].upper()), VALUES)

    def _move_task(self, patch: Patch) -> None:
        patch["task"] = self.task()
        self._place(patch, lambda _: self.sibling_of(patch["task"]))
        self._expect(patch, self.state.tasks.get(patch["task"].upper()), VALUES)

    def _delete_task(self, patch: Patch) -> None:
        patch["task"] = self.task()
        self._cascade(patch)
        self._expect(patch, self.state.tasks.get(patch["task"].upper()), VALUES)

    def _restore_task(self, patch: Patch) -> None:
        roots = [key for key in self.gone if self._is_root(self.state.tasks[key])]
        patch["task"] = self.dice.pick(roots[-6:]) if roots and not self.slip() else self.dice.pick(self.gone[-6:] or self.live or ("WEB-1",))

    def _is_root(self, task: Item) -> bool:
        parent = self.state.tasks.get(task["parent"] or "")
        return is_live(self.state.projects[task["project"]]) and (parent is None or is_live(parent))

    def _add_dependency(self, patch: Patch) -> None:
        patch["task"] = self.task()
        patch["depends_on"] = self.sibling_of(patch["task"])

    def _remove_dependency(self, patch: Patch) -> None:
        edges = sorted(self.state.edges)
        if edges and not self.dice.once_in(5):
            patch["task"], patch["depends_on"] = self.dice.pick(edges)
        else:
            self._add_dependency(patch)

    def _add_comment(self, patch: Patch) -> None:
        patch |= {"task": self.task(), "body": self.dice.pick(WORDS)}

    # -- members

    def _place(self, patch: Patch, near: Callable[[str], str]) -> None:
        kind = self.dice.below(7)
        if kind == 1:
            patch["parent"] = None
        elif kind in (2, 3):
            patch["parent"] = near("")
        elif kind >= 4:
            anchor = near("")
            patch[("before", "after")[self.dice.below(2)]] = anchor
            if kind == 6:
                stored = self.state.tasks.get(anchor.upper())
                patch["parent"] = stored["parent"] if stored and not self.slip() else near("")
            if self.slip():
                patch |= {"before": anchor, "after": anchor}

    def _cascade(self, patch: Patch) -> None:
        if self.dice.once_in(4):
            patch["cascade"] = bool(self.dice.below(2))

    def _fields(self, values: Mapping[str, Sequence[Any]], count: int) -> Item:
        names = [self.dice.pick(tuple(values)) for _ in range(self.dice.below(count + 1))]
        return {name: self.dice.pick(values[name]) for name in names}

    def _expect(self, patch: Patch, item: Item | None, values: Mapping[str, Sequence[Any]]) -> None:
        if not self.dice.once_in(6):
            return
        name = self.dice.pick((*values, "deleted", *(("parent", "depends_on", "claimed_by") if values is VALUES else ())))
        wrong = self.slip() or item is None
        if name == "depends_on":
            patch["expect"] = {name: [] if wrong or item is None else [end for one, end in self.state.edges if one == item["key"]]}
        elif name == "deleted":
            patch["expect"] = {name: wrong or item is None or not is_live(item)}
        elif wrong or item is None:
            patch["expect"] = {name: self.dice.pick([value for value in values.get(name, (None,)) if name != "links"] or [None])}
        else:
            patch["expect"] = {name: item[name]}


@st.composite
def patch_sets(draw: st.DrawFn, reference: Reference, *, careless: bool) -> list[Patch]:
    return Author(Dice(draw), reference, careless=careless).write()


@st.composite
def bases(draw: st.DrawFn, reference: Reference, *, stale: bool) -> dict[str, int]:
    """Return revisions an author may have seen: some time ago where `stale`, else none or today's."""
    dice = Dice(draw)
    if not stale and dice.below(2):
        return {}
    found = {}
    for key, project in reference.state.projects.items():
        if not dice.once_in(5):
            found[key.lower() if dice.once_in(9) else key] = max(0, project["revision"] - (dice.below(6) if stale else 0))
    if dice.once_in(40):
        found |= {"NOPE": 1} if dice.below(2) else dict.fromkeys(found, 1_000)
    return found


@st.composite
def selections(draw: st.DrawFn, count: int) -> list[int] | None:
    """Return which patches of a set to apply; usually all."""
    dice = Dice(draw)
    if dice.below(3) < 2:
        return None
    chosen = [index for index in range(count) if not dice.once_in(3)]
    return [*(chosen or [0]), *([count] if dice.once_in(15) else [])]
