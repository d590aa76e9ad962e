"""Storage loads what each operation touches, named by nothing but that operation."""

from typing import Any

import pytest

from core.context import Context
from core.errors import ConcurrentUpdate, InvalidPatch
from core.patches.needs import needs_of
from core.patches.parse import parse_patches
from core.patches.snapshot import Needs
from core.services import patch_sets, projects
from schemas.changes import ApplyResponse
from schemas.patches import PatchSet
from schemas.tasks import Task


def apply(ctx: Context, *patches: dict[str, Any]) -> ApplyResponse:
    return patch_sets.apply_patch_set(ctx, PatchSet(patches=list(patches)))


def tasks(ctx: Context) -> dict[str, Task]:
    return {task.key: task for task in projects.get_project(ctx, "WEB", include_tasks=True).tasks or []}


def siblings(ctx: Context, parent: str | None) -> list[str]:
    return [key for key, task in tasks(ctx).items() if task.parent == parent]


@pytest.mark.parametrize(
    ("patch", "totals"),
    [
        ({"op": "update_task", "task": "WEB-2", "fields": {"title": "x"}}, {"updated": 1}),
        ({"op": "delete_task", "task": "WEB-1"}, {"deleted": 3}),
        ({"op": "add_dependency", "task": "WEB-2", "depends_on": "WEB-3"}, {"dependencies_added": 1}),
        ({"op": "add_dependency", "task": "WEB-4", "depends_on": "WEB-1"}, {}),
        ({"op": "remove_dependency", "task": "WEB-4", "depends_on": "WEB-1"}, {"dependencies_removed": 1}),
        ({"op": "add_comment", "task": "WEB-2", "body": "x"}, {"comments_added": 1}),
        ({"op": "update_project", "project": "WEB", "fields": {"name": "x"}}, {"updated": 1}),
        ({"op": "delete_project", "project": "WEB"}, {"deleted": 5}),
        (
            {"op": "create_task", "project": "WEB", "fields": {"title": "x"}, "depends_on": ["WEB-2"]},
            {"created": 1, "dependencies_added": 1},
        ),
    ],
)
def test_each_operation_alone_finds_what_it_needs(
    ctx: Context, web: ApplyResponse, patch: dict[str, Any], totals: dict[str, int]
) -> None:
    assert apply(ctx, patch).totals.model_dump(exclude_defaults=True) == totals


@pytest.mark.parametrize(
    ("place", "parent", "order"),
    [
        ({"project": "WEB"}, None, ["WEB-1", "WEB-4", "WEB-5"]),
        ({"parent": "WEB-1"}, "WEB-1", ["WEB-2", "WEB-3", "WEB-5"]),
        ({"before": "WEB-3"}, "WEB-1", ["WEB-2", "WEB-5", "WEB-3"]),
        ({"after": "WEB-2"}, "WEB-1", ["WEB-2", "WEB-5", "WEB-3"]),
    ],
)
def test_a_new_task_finds_its_place(
    ctx: Context, web: ApplyResponse, place: dict[str, str], parent: str | None, order: list[str]
) -> None:
    apply(ctx, {"op": "create_task", "fields": {"title": "New"}, **place})

    assert siblings(ctx, parent) == order


@pytest.mark.parametrize(
    ("place", "parent", "order"),
    [
        ({}, None, ["WEB-4", "WEB-1"]),
        ({"after": "WEB-4"}, None, ["WEB-4", "WEB-1"]),
        ({"parent": "WEB-5"}, "WEB-5", ["WEB-6", "WEB-1"]),
        ({"before": "WEB-6"}, "WEB-5", ["WEB-1", "WEB-6"]),
    ],
)
def test_a_moved_task_finds_its_place_and_takes_everything_along(
    ctx: Context, web: ApplyResponse, place: dict[str, str], parent: str | None, order: list[str]
) -> None:
    apply(ctx, {"op": "remove_dependency", "task": "WEB-4", "depends_on": "WEB-1"})
    apply(
        ctx,
        {"op": "create_task", "parent": "WEB-4", "ref": "$five", "fields": {"title": "Five"}},
        {"op": "create_task", "parent": "$five", "fields": {"title": "Six"}},
    )

    apply(ctx, {"op": "move_task", "task": "WEB-1", **place})

    assert siblings(ctx, parent) == order
    depth = 0 if parent is None else 2
    assert [tasks(ctx)[key].depth for key in ("WEB-1", "WEB-2", "WEB-3")] == [depth, depth + 1, depth + 1]


def test_what_was_deleted_together_is_restored_together(ctx: Context, web: ApplyResponse) -> None:
    apply(ctx, {"op": "delete_task", "task": "WEB-3"})
    apply(ctx, {"op": "delete_task", "task": "WEB-1"})
    apply(ctx, {"op": "restore_task", "task": "WEB-1"})
    assert list(tasks(ctx)) == ["WEB-1", "WEB-2", "WEB-4"]

    apply(ctx, {"op": "delete_project", "project": "WEB"})
    apply(ctx, {"op": "restore_project", "project": "WEB"})

    assert list(tasks(ctx)) == ["WEB-1", "WEB-2", "WEB-4"]


def test_a_cycle_is_found_through_tasks_that_no_patch_names(ctx: Context, web: ApplyResponse) -> None:
    apply(
        ctx,
        {"op": "create_task", "project": "WEB", "fields": {"title": "Five"}, "depends_on": ["WEB-4"]},
        {"op": "create_task", "project": "WEB", "fields": {"title": "Six"}},
    )  # 5 waits for 4, and 4 for 1, the parent of 2
    cycles: list[list[dict[str, Any]]] = [
        [{"op": "add_dependency", "task": "WEB-2", "depends_on": "WEB-5"}],
        [{"op": "move_task", "task": "WEB-5", "parent": "WEB-2"}],
        [{"op": "move_task", "task": "WEB-5", "before": "WEB-2"}],
        [
            {"op": "create_task", "parent": "WEB-2", "ref": "$new", "fields": {"title": "New"}},
            {"op": "add_dependency", "task": "$new", "depends_on": "WEB-5"},
        ],
        [{"op": "create_task", "before": "WEB-2", "fields": {"title": "New"}, "depends_on": ["WEB-5"]}],
    ]

    for patches in cycles:
        with pytest.raises(InvalidPatch, match="would make a cycle"):
            apply(ctx, *patches)

    apply(ctx, {"op": "delete_task", "task": "WEB-4"})
    apply(ctx, {"op": "add_dependency", "task": "WEB-1", "depends_on": "WEB-5"})
    with pytest.raises(InvalidPatch):
        apply(ctx, {"op": "restore_task", "task": "WEB-4"})


def test_a_new_schema_is_held_against_tasks_that_no_patch_names(ctx: Context, web: ApplyResponse) -> None:
    with pytest.raises(InvalidPatch) as refusal:
        apply(ctx, {"op": "update_project", "project": "WEB", "fields": {"task_schema": {"required": ["points"]}}})

    assert len(refusal.value.details) == 4


def test_a_derived_key_is_free_of_stored_ones(ctx: Context, web: ApplyResponse) -> None:
    created = apply(ctx, {"op": "create_project", "ref": "$a", "fields": {"name": "Web"}})

    assert created.refs["$a"].key == "WEB2"
    with pytest.raises(InvalidPatch):
        apply(ctx, {"op": "create_project", "key": "WEB", "fields": {"name": "Other"}})


@pytest.mark.parametrize("op", ["update_task", "move_task", "delete_task", "restore_task"])
def test_what_is_expected_is_compared_with_what_is_stored(ctx: Context, web: ApplyResponse, op: str) -> None:
    if op == "restore_task":
        apply(ctx, {"op": "delete_task", "task": "WEB-4"})
    patch = {"op": op, "task": "WEB-4", **({"fields": {"title": "x"}} if op == "update_task" else {})}

    for wrong in ({"depends_on": ["WEB-2"]}, {"depends_on": None}, {"parent": "WEB-1"}):
        with pytest.raises(ConcurrentUpdate):
            apply(ctx, {**patch, "expect": wrong})
    api = web.refs["$api"].id
    apply(ctx, {**patch, "expect": {"depends_on": [api], "parent": None}})
    apply(ctx, {"op": "update_task", "task": "WEB-2", "fields": {"title": "x"}, "expect": {"parent": api}})


def test_what_a_malformed_patch_names_is_looked_up(ctx: Context, web: ApplyResponse) -> None:
    long = "x" * 300

    with pytest.raises(InvalidPatch) as refusal:
        apply(
            ctx,
            {"op": "update_task", "task": "WEB-2", "fields": {"title": long}},
            {"op": "update_project", "project": "WEB", "fields": {"name": long}},
            {"op": "update_task", "task": "WEB-99", "fields": {"title": long}},
        )

    assert [issue.path for issue in refusal.value.details] == [
        "/patches/0/fields/title",
        "/patches/1/fields/name",
        "/patches/2/fields/title",
        "/patches/2/task",
    ]


@pytest.mark.parametrize(
    "arrival",
    [
        {"op": "create_task", "before": "WEB-3", "ref": "$new", "fields": {"title": "New"}},
        {"op": "create_task", "parent": "WEB-1", "ref": "$new", "fields": {"title": "New"}},
        {"op": "move_task", "task": "WEB-4", "after": "WEB-2"},
    ],
)
def test_a_move_to_the_end_finds_the_end_where_the_same_set_has_put_its_task(
    ctx: Context, web: ApplyResponse, arrival: dict[str, Any]
) -> None:
    more: dict[str, Any] = {"op": "create_task", "parent": "WEB-1", "fields": {"title": "More"}}
    apply(ctx, *[more] * 20, {"op": "remove_dependency", "task": "WEB-4", "depends_on": "WEB-1"})
    before = siblings(ctx, "WEB-1")

    apply(ctx, arrival, {"op": "move_task", "task": arrival.get("ref", "WEB-4")})

    *others, last = siblings(ctx, "WEB-1")
    assert others == before
    assert last not in before


def test_refs_are_stored_nowhere_so_nothing_is_loaded_for_them() -> None:
    patches = [
        {"op": "create_task", "project": "$p", "ref": "$a", "fields": {"title": "A"}},
        {"op": "create_task", "before": "$a", "fields": {"title": "B"}, "depends_on": ["$a"]},
        {"op": "move_task", "task": "$a", "parent": "$b", "after": "$c"},
    ]

    assert needs_of(parse_patches(patches), {}) == Needs(placements=2)


def test_a_cycle_does_not_hide_in_a_project_that_its_set_deletes(ctx: Context, web: ApplyResponse) -> None:
    apply(ctx, {"op": "create_task", "project": "WEB", "fields": {"title": "Five"}, "depends_on": ["WEB-2"]})
    delete_project = {"op": "delete_project", "project": "WEB"}

    for change in (
        {"op": "add_dependency", "task": "WEB-1", "depends_on": "WEB-5"},
        {"op": "move_task", "task": "WEB-2", "parent": "WEB-5"},
    ):
        with pytest.raises(InvalidPatch, match="would make a cycle"):
            apply(ctx, change, delete_project)

    apply(ctx, {"op": "add_dependency", "task": "WEB-1", "depends_on": "WEB-5"}, {"op": "delete_task", "task": "WEB-2"})
