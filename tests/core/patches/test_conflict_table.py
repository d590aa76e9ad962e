"""Mine against theirs since my base, pair by pair, as the table in docs/operations.md says.

A cell `·` of the table is proved by one example of the pair; every letter by the cases below, which
name each conflict in full. The table and the cases are held against each other.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from core.patches.plan import Plan
from schemas.errors import ErrorCode, Severity
from schemas.patches import OPS
from tests.core.patches.world import World

Patch = dict[str, Any]
DOCS = Path(__file__).parents[3] / "docs" / "operations.md"


class Clash(NamedTuple):
    """What a conflict names."""

    key: str
    field: str
    base: Any
    current: Any
    proposed: Any


@dataclass(frozen=True)
class Case:
    name: str
    mine: Patch
    theirs: list[Patch]  # each applied as a set of its own, after my base
    letter: str  # as in the table
    clashes: tuple[Clash, ...] = ()
    before: tuple[Patch, ...] = ()  # applied before my base

    @property
    def pair(self) -> tuple[str, str]:
        return self.mine["op"], self.theirs[-1]["op"]


def update(task: str, **fields: Any) -> Patch:
    return {"op": "update_task", "task": task, "fields": fields}


def rename(**fields: Any) -> Patch:
    return {"op": "update_project", "project": "WEB", "fields": fields}


def create(**place: Any) -> Patch:
    return {"op": "create_task", "fields": {"title": "New"}} | (place or {"project": "WEB"})


def move(task: str, **place: Any) -> Patch:
    return {"op": "move_task", "task": task, **place}


def delete(task: str) -> Patch:
    return {"op": "delete_task", "task": task}


def restore(task: str) -> Patch:
    return {"op": "restore_task", "task": task}


def link(task: str, depends_on: str) -> Patch:
    return {"op": "add_dependency", "task": task, "depends_on": depends_on}


def unlink(task: str, depends_on: str) -> Patch:
    return {"op": "remove_dependency", "task": task, "depends_on": depends_on}


def comment(task: str) -> Patch:
    return {"op": "add_comment", "task": task, "body": "Hm"}


DELETE_PROJECT: Patch = {"op": "delete_project", "project": "WEB"}
RESTORE_PROJECT: Patch = {"op": "restore_project", "project": "WEB"}


def world() -> World:
    """WEB: 1 API (2 Auth, 3 Routes), 4 Docs (5 Pages), 6 Launch; 2 waits for 6. Deleted: 7, below 1."""
    world = World()
    world.apply({"op": "create_project", "key": "WEB", "fields": {"name": "Website"}})
    world.apply(
        {"op": "create_task", "project": "WEB", "ref": "$api", "fields": {"title": "API"}},
        {"op": "create_task", "parent": "$api", "fields": {"title": "Auth"}, "depends_on": ["$launch"]},
        {"op": "create_task", "parent": "$api", "fields": {"title": "Routes"}},
        {"op": "create_task", "project": "WEB", "ref": "$docs", "fields": {"title": "Docs"}},
        {"op": "create_task", "parent": "$docs", "fields": {"title": "Pages"}},
        {"op": "create_task", "project": "WEB", "ref": "$launch", "fields": {"title": "Launch"}},
        {"op": "create_task", "parent": "$api", "fields": {"title": "Gone"}},
    )
    world.apply(delete("WEB-7"))
    return world


def play(case: Case) -> Plan:
    """Return the plan of my patch, with the base before theirs."""
    there = world()
    for patch in case.before:
        there.apply(patch)
    base = {"WEB": there.project("WEB").revision}
    for patch in case.theirs:
        there.apply(patch)
    return there.plan(case.mine, base=base)


def clashes(plan: Plan) -> tuple[Clash, ...]:
    return tuple(Clash(c.key, c.field, c.base, c.current, c.proposed) for c in plan.conflicts)


def gone(key: str) -> Clash:
    """They have deleted what my patch relies on."""
    return Clash(key, "deleted", base=False, current=True, proposed=False)


def unseen(key: str) -> Clash:
    """I would delete what was not there at my base."""
    return Clash(key, "deleted", base=True, current=False, proposed=True)


# -- one example of each operation, about WEB-2 and what is around it

MINE: dict[str, Patch] = {
    "create_project": {"op": "create_project", "key": "MINE", "fields": {"name": "Mine"}},
    "update_project": rename(name="Mine"),
    "delete_project": DELETE_PROJECT,
    "restore_project": RESTORE_PROJECT,
    "create_task": create(after="WEB-2", depends_on=["WEB-3"]),
    "update_task": update("WEB-2", title="Mine"),
    "move_task": move("WEB-2", parent="WEB-4", before="WEB-5"),
    "delete_task": delete("WEB-1"),
    "restore_task": restore("WEB-7"),
    "add_dependency": link("WEB-2", "WEB-5"),
    "remove_dependency": unlink("WEB-2", "WEB-6"),
    "add_comment": comment("WEB-2"),
}
THEIRS: dict[str, Patch] = {
    "create_project": {"op": "create_project", "key": "OTHER", "fields": {"name": "Other"}},
    "update_project": rename(description="Theirs", tags=["theirs"]),
    "delete_project": DELETE_PROJECT,
    "restore_project": RESTORE_PROJECT,
    "create_task": create(after="WEB-2", depends_on=["WEB-4"]),
    "update_task": update("WEB-2", description="Theirs", tags=["theirs"], status="in_progress"),
    "move_task": move("WEB-2", parent="WEB-1"),
    "delete_task": delete("WEB-2"),
    "restore_task": restore("WEB-7"),
    "add_dependency": link("WEB-2", "WEB-3"),
    "remove_dependency": unlink("WEB-2", "WEB-6"),
    "add_comment": comment("WEB-2"),
}


def example(mine: str, theirs: str) -> Case:
    """Return an example of a pair whose patches do not meet; a restoration needs a deletion before the base."""
    patches = [THEIRS[theirs]]
    before: tuple[Patch, ...] = ()
    if "restore_project" in (mine, theirs):
        before = (DELETE_PROJECT,)
        if theirs not in ("restore_project", "create_project"):
            patches.insert(0, RESTORE_PROJECT)
    return Case(f"{mine} and {theirs}", MINE[mine], patches, "·", before=before)


# -- every pair that meets


def at(parent: str | None, steps: float) -> dict[str, Any]:
    """Return a place: the parent, and the number there, in steps of appended tasks."""
    return {"parent": parent, "position": int(steps * (1 << 32))}


NAMED = [
    ("create beside", "WEB-2", MINE["create_task"]),
    ("create that waits", "WEB-3", MINE["create_task"]),
    ("create below", "WEB-4", create(parent="WEB-4")),
    ("update", "WEB-2", MINE["update_task"]),
    ("move", "WEB-2", MINE["move_task"]),
    ("move below", "WEB-4", move("WEB-2", parent="WEB-4")),
    ("move beside", "WEB-3", move("WEB-6", before="WEB-3")),
    ("restore below", "WEB-1", MINE["restore_task"]),
    ("link", "WEB-2", MINE["add_dependency"]),
    ("link to", "WEB-5", MINE["add_dependency"]),
    ("unlink", "WEB-2", MINE["remove_dependency"]),
    ("unlink from", "WEB-6", MINE["remove_dependency"]),
    ("comment", "WEB-2", MINE["add_comment"]),
]
WITHIN = [
    (rename(name="Mine"), ["WEB"]),
    (create(), ["WEB"]),
    (create(parent="WEB-4"), ["WEB-4"]),
    (MINE["update_task"], ["WEB-2"]),
    (MINE["move_task"], ["WEB-2", "WEB-4", "WEB-5"]),
    (MINE["restore_task"], ["WEB"]),
    (MINE["add_dependency"], ["WEB-2", "WEB-5"]),
    (MINE["remove_dependency"], ["WEB-2", "WEB-6"]),
    (MINE["add_comment"], ["WEB-2"]),
]
CASES = [
    # the same field
    Case("two names", rename(name="Mine"), [rename(name="Theirs")], "F", (Clash("WEB", "name", "Website", "Theirs", "Mine"),)),
    Case("two titles", update("WEB-2", title="Mine"), [update("WEB-2", title="Theirs")], "F",
         (Clash("WEB-2", "title", "Auth", "Theirs", "Mine"),)),
    Case("cleared here, set there", update("WEB-2", due_date=None), [update("WEB-2", due_date="2026-05-01")], "F",
         (Clash("WEB-2", "due_date", "2026-04-01", "2026-05-01", None),), before=(update("WEB-2", due_date="2026-04-01"),)),
    Case("the same member of custom", update("WEB-2", custom={"size": 2}), [update("WEB-2", custom={"size": 3})], "F",
         (Clash("WEB-2", "custom.size", None, 3, 2),)),
    Case("inside the same member of custom", update("WEB-2", custom={"at": {"x": 1}}), [update("WEB-2", custom={"at": {"y": 1}})],
         "F", (Clash("WEB-2", "custom.at", None, {"y": 1}, {"x": 1, "y": 1}),)),
    Case("a link added to links I clear", update("WEB-2", links=None), [update("WEB-2", links={"jira": "J-1"})], "F",
         (Clash("WEB-2", "links.jira", None, "J-1", None),)),
    Case("whole lists", update("WEB-2", acceptance_criteria=["a"]), [update("WEB-2", acceptance_criteria=["b"])], "F",
         (Clash("WEB-2", "acceptance_criteria", [], ["b"], ["a"]),)),
    Case("changed twice", update("WEB-2", title="Mine"), [update("WEB-2", title="One"), update("WEB-2", title="Two")], "F",
         (Clash("WEB-2", "title", "Auth", "Two", "Mine"),)),
    Case("a field of a task I never saw", update("WEB-8", title="Mine"), [create()], "F",
         (Clash("WEB-8", "title", None, "New", "Mine"),)),
    Case("other fields", update("WEB-2", title="Mine"), [update("WEB-2", description="Theirs")], "·"),
    Case("the same value", update("WEB-2", title="Ours"), [update("WEB-2", title="Ours")], "·"),
    Case("changed and changed back", update("WEB-2", title="Mine"),
         [update("WEB-2", title="Theirs"), update("WEB-2", title="Auth")], "·"),
    Case("other members of links", update("WEB-2", links={"jira": "J-1"}), [update("WEB-2", links={"git": "G-1"})], "·"),
    Case("tags of both", update("WEB-2", tags=["a"]), [update("WEB-2", tags=["b"])], "·"),
    Case("tags of a task I never saw", update("WEB-8", tags=["a"]),
         [create() | {"fields": {"title": "New", "tags": ["b"]}}], "·"),
    Case("names of two projects", rename(name="Mine"), [rename(status="active", tags=["b"])], "·"),
    # the same place
    Case("moved apart", move("WEB-2", parent="WEB-4"), [move("WEB-2", parent=None)], "P",
         (Clash("WEB-2", "parent", "WEB-1", None, "WEB-4"),
          Clash("WEB-2", "position", at("WEB-1", 1), at(None, 4), at("WEB-4", 2)))),
    Case("another order", move("WEB-1", after="WEB-4"), [move("WEB-1")], "P",
         (Clash("WEB-1", "position", at(None, 1), at(None, 4), at(None, 2.5)),)),
    Case("to the end of siblings it has left", move("WEB-2"), [move("WEB-2", parent="WEB-4")], "P",
         (Clash("WEB-2", "parent", "WEB-1", "WEB-4", "WEB-1"),)),
    Case("the place of a task I never saw", move("WEB-8", before="WEB-4"), [create()], "P",
         (Clash("WEB-8", "position", None, at(None, 4), at(None, 1.5)),)),
    Case("moved to the same end", move("WEB-2", parent="WEB-4"), [move("WEB-2", parent="WEB-4")], "·"),
    Case("moved beside the same task", move("WEB-6", before="WEB-2"), [move("WEB-6", before="WEB-2")], "·"),
    Case("moved and moved back", move("WEB-2", parent="WEB-4"), [move("WEB-2", parent=None), move("WEB-2", before="WEB-3")], "·"),
    Case("a sibling moved", move("WEB-2", parent=None), [move("WEB-3", parent="WEB-4")], "·"),
    Case("the new parent moved", move("WEB-3", parent="WEB-4"), [move("WEB-4", parent="WEB-6")], "·"),
    # the anchor
    Case("my anchor left", move("WEB-6", before="WEB-2"), [move("WEB-2", parent="WEB-4")], "A",
         (Clash("WEB-2", "parent", "WEB-1", "WEB-4", "WEB-1"),)),
    Case("my anchor left the parent I named", move("WEB-6", parent="WEB-1", after="WEB-2"), [move("WEB-2", parent=None)], "A",
         (Clash("WEB-2", "parent", "WEB-1", None, "WEB-1"),)),
    Case("a new task beside an anchor that left", create(after="WEB-5"), [move("WEB-5", parent=None)], "A",
         (Clash("WEB-5", "parent", "WEB-4", None, "WEB-4"),)),
    Case("my anchor came to the parent I named", move("WEB-6", parent="WEB-4", after="WEB-2"),
         [move("WEB-2", parent="WEB-4")], "·"),
    Case("my anchor among its siblings", create(before="WEB-3"), [move("WEB-3", before="WEB-2")], "·"),
    Case("an anchor I never saw", create(after="WEB-8"), [create(parent="WEB-4")], "·"),
    # the same dependency
    Case("they removed what I add", link("WEB-2", "WEB-6"), [unlink("WEB-2", "WEB-6")], "E",
         (Clash("WEB-2", "depends_on.WEB-6", True, False, True),)),
    Case("they added what I remove", unlink("WEB-2", "WEB-4"), [link("WEB-2", "WEB-4")], "E",
         (Clash("WEB-2", "depends_on.WEB-4", False, True, False),)),
    Case("they created what I unlink", unlink("WEB-8", "WEB-4"), [create() | {"depends_on": ["WEB-4"]}], "E",
         (Clash("WEB-8", "depends_on.WEB-4", False, True, False),)),
    Case("both add it", link("WEB-2", "WEB-4"), [link("WEB-2", "WEB-4")], "·"),
    Case("both remove it", unlink("WEB-2", "WEB-6"), [unlink("WEB-2", "WEB-6")], "·"),
    Case("removed and added again", unlink("WEB-2", "WEB-6"), [unlink("WEB-2", "WEB-6"), link("WEB-2", "WEB-6")], "·"),
    Case("another dependency", unlink("WEB-2", "WEB-6"), [link("WEB-2", "WEB-4")], "·"),
    # what a patch names is gone
    *(Case(f"{key} deleted: {name}", patch, [delete(key)], "D", (gone(key),)) for name, key, patch in NAMED),
    *(Case(f"with WEB {keys}: {mine['op']}", mine, [DELETE_PROJECT], "D", tuple(map(gone, keys))) for mine, keys in WITHIN),
    Case("deleted again, which I saw alive", RESTORE_PROJECT, [DELETE_PROJECT], "D",
         (gone("WEB"), *map(gone, ["WEB-1", "WEB-2", "WEB-3", "WEB-4", "WEB-5", "WEB-6"]))),
    Case("deleted with the task above", update("WEB-2", title="Mine"), [delete("WEB-1")], "D", (gone("WEB-2"),)),
    Case("deleted and restored", update("WEB-2", title="Mine"), [delete("WEB-2"), restore("WEB-2")], "·"),
    # deleted along unseen
    Case("a new task below", delete("WEB-1"), [create(parent="WEB-2")], "N", (unseen("WEB-8"),)),
    Case("a new task in the project", DELETE_PROJECT, [create()], "N", (unseen("WEB-8"),)),
    Case("a restored task below", delete("WEB-1"), [restore("WEB-7")], "N", (unseen("WEB-7"),)),
    Case("a restored task in the project", DELETE_PROJECT, [restore("WEB-7")], "N", (unseen("WEB-7"),)),
    Case("a task moved below", delete("WEB-1"), [move("WEB-5", parent="WEB-2")], "N",
         (Clash("WEB-5", "parent", "WEB-4", "WEB-2", "WEB-4"),)),
    Case("restored with its project", delete("WEB-4"), [RESTORE_PROJECT], "N", (unseen("WEB-4"), unseen("WEB-5")),
         before=(DELETE_PROJECT,)),
    Case("a restored project", DELETE_PROJECT, [RESTORE_PROJECT], "N",
         (unseen("WEB"), *map(unseen, ["WEB-1", "WEB-2", "WEB-3", "WEB-4", "WEB-5", "WEB-6"])), before=(DELETE_PROJECT,)),
    Case("a task moved within", delete("WEB-1"), [move("WEB-3", parent="WEB-2")], "·"),
    Case("a task moved out", delete("WEB-1"), [move("WEB-3", parent=None)], "·"),
    Case("a task moved in and out", delete("WEB-1"), [move("WEB-5", parent="WEB-1"), move("WEB-5", parent="WEB-4")], "·"),
    Case("a task moved elsewhere in the project", DELETE_PROJECT, [move("WEB-5", parent="WEB-1")], "·"),
    Case("an edited task", delete("WEB-1"), [update("WEB-2", title="Theirs")], "·"),
    Case("a task below deleted already", delete("WEB-1"), [delete("WEB-2")], "·"),
    # both did it
    Case("both delete the task", delete("WEB-2"), [delete("WEB-2")], "="),
    Case("theirs deleted the task above", delete("WEB-2"), [delete("WEB-1")], "="),
    Case("theirs deleted its project", delete("WEB-2"), [DELETE_PROJECT], "="),
    Case("both delete the project", DELETE_PROJECT, [DELETE_PROJECT], "="),
    Case("both restore the task", restore("WEB-7"), [restore("WEB-7")], "="),
    Case("both restore the project", RESTORE_PROJECT, [RESTORE_PROJECT], "=", before=(DELETE_PROJECT,)),
    Case("comments of both", comment("WEB-2"), [comment("WEB-2")], "·"),
]  # fmt: skip


def table() -> dict[tuple[str, str], set[str]]:
    """Return the letters of each pair, as the documentation has them."""
    rows = re.findall(r"^\| `(\w+)` \|((?: [·A-Z= ]+ \|){12})$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    cells = {mine: [set(cell.split()) for cell in line.split("|")[:-1]] for mine, line in rows}
    return {(mine, theirs): cells[mine][column] for mine in OPS for column, theirs in enumerate(OPS)}


def quiet_pairs() -> Iterator[Case]:
    return (example(mine, theirs) for (mine, theirs), letters in table().items() if letters == {"·"})


@pytest.mark.parametrize("case", [*CASES, *quiet_pairs()], ids=lambda case: case.name)
def test_a_set_conflicts_exactly_where_both_sides_meet(case: Case) -> None:
    plan = play(case)

    assert not plan.errors()
    assert clashes(plan) == case.clashes


@pytest.mark.parametrize("case", [case for case in CASES if case.letter == "="], ids=lambda case: case.name)
def test_what_both_did_is_left_as_it_is_with_a_warning(case: Case) -> None:
    plan = play(case)

    assert [issue.severity for issue in plan.issues] == [Severity.WARNING]
    assert not plan.changes


def test_the_table_in_the_documentation_has_a_case_for_each_letter_and_no_other() -> None:
    proved: dict[tuple[str, str], set[str]] = {}
    for case in CASES:
        proved.setdefault(case.pair, set()).add(case.letter)

    for pair, letters in table().items():
        assert proved.get(pair, set()) - {"·"} == letters - {"·"}, pair


def test_without_a_base_nothing_conflicts() -> None:
    for case in CASES:
        there = world()
        for patch in (*case.before, *case.theirs):
            there.apply(patch)

        assert not there.plan(case.mine).conflicts, case.name


def test_rules_on_the_merged_result_are_no_conflicts() -> None:
    refused = [
        play(Case("each waits for the other", link("WEB-2", "WEB-4"), [link("WEB-4", "WEB-2")], "·")),
        play(Case("each below the other", move("WEB-4", parent="WEB-1"), [move("WEB-1", parent="WEB-4")], "·")),
        play(Case("a child below", delete("WEB-5") | {"cascade": False}, [create(parent="WEB-5")], "·")),
    ]

    assert [[issue.code for issue in plan.errors()] for plan in refused] == [
        [ErrorCode.DEPENDENCY_CYCLE],
        [ErrorCode.INVALID_HIERARCHY],
        [ErrorCode.HAS_CHILDREN],
    ]
    assert [clashes(plan) for plan in refused] == [(), (), ()]


def test_more_tags_than_allowed_cannot_come_together() -> None:
    mine, theirs = [f"m{number}" for number in range(30)], [f"t{number}" for number in range(30)]

    plan = play(Case("many tags", update("WEB-2", tags=mine), [update("WEB-2", tags=theirs)], "·"))

    assert [(issue.path, issue.code) for issue in plan.errors()] == [("/patches/0/fields/tags", ErrorCode.VALIDATION_ERROR)]


def test_a_set_that_undoes_its_own_deletion_conflicts_with_nothing() -> None:
    there = world()
    base = {"WEB": there.project("WEB").revision}
    there.apply(delete("WEB-2"))
    there.apply(restore("WEB-2"))

    plan = there.plan(delete("WEB-2"), restore("WEB-2"), update("WEB-2", title="Mine"), base=base)

    assert not plan.errors()
    assert not plan.conflicts
    assert [change.fields for change in plan.changes] == [{"title": {"before": "Auth", "after": "Mine"}}]


@pytest.mark.parametrize("base", [None, {"WEB": 3}], ids=["without a base", "with a base"])
def test_an_expectation_is_checked_with_and_without_a_base(base: dict[str, int] | None) -> None:
    there = world()
    there.apply(update("WEB-2", status="in_progress"))

    held = there.plan(update("WEB-2", title="Mine") | {"expect": {"status": "in_progress", "assignee": None}}, base=base)
    broken = there.plan(
        update("WEB-2", title="Mine", status="done") | {"expect": {"title": "Auth", "parent": "WEB-4"}}, base=base
    )

    assert clashes(held) == ()
    assert Clash("WEB-2", "parent", base="WEB-4", current="WEB-1", proposed="WEB-1") in clashes(broken)
