"""What a conflict tells its reader: the item, what it is about, and the value at the base, now and proposed."""

from typing import Any

import pytest

from core.context import Context
from core.errors import ConcurrentUpdate
from core.services import patch_sets, projects, reverting
from schemas.changes import ApplyResponse
from schemas.errors import Issue
from schemas.patches import PatchSet

Patch = dict[str, Any]


def move(task: str, **where: str | None) -> Patch:
    return {"op": "move_task", "task": task, **where}


def refusal_of(ctx: Context, theirs: Patch, mine: Patch) -> list[Issue]:
    """Return what stands in the way of `mine`, which was written before `theirs` was applied."""
    base = {"WEB": projects.get_project(ctx, "WEB").revision}
    patch_sets.apply_patch_set(ctx, PatchSet(patches=[theirs]))
    with pytest.raises(ConcurrentUpdate) as refused:
        patch_sets.apply_patch_set(ctx, PatchSet(patches=[mine], base_revisions=base))
    return refused.value.details


def values(issue: Issue) -> tuple[Any, Any, Any]:
    assert issue.conflict is not None
    return issue.conflict.base, issue.conflict.current, issue.conflict.proposed


def test_a_place_is_told_by_its_parent_and_the_sibling_before_it(ctx: Context, web: ApplyResponse) -> None:
    parent, place = refusal_of(ctx, move("WEB-3", parent=None, after="WEB-4"), move("WEB-3", before="WEB-2"))

    assert (parent.conflict and parent.conflict.field, values(parent)) == ("parent", ("WEB-1", None, "WEB-1"))
    assert values(place) == (
        {"parent": "WEB-1", "after": "WEB-2"},
        {"parent": None, "after": "WEB-4"},
        {"parent": "WEB-1", "after": None},
    )
    assert place.message == (
        "WEB-3 stands after WEB-4 at the top level now, not after WEB-2 below WEB-1; proposed is first below WEB-1"
    )


@pytest.fixture
def renumbered(ctx: Context, web: ApplyResponse) -> dict[str, int]:
    """A base since when WEB-4 has left its place behind WEB-1, and the siblings there have got new numbers."""
    last: Patch = {"op": "create_task", "project": "WEB", "fields": {"title": "Last"}}
    base = patch_sets.apply_patch_set(ctx, PatchSet(patches=[last])).revisions
    away = PatchSet(id="ps_0123456789abcdef", patches=[move("WEB-4", after="WEB-5")])
    patch_sets.apply_patch_set(ctx, away)
    for _ in range(40):  # halves one gap until it is exhausted
        patch_sets.apply_patch_set(ctx, PatchSet(patches=[{"op": "create_task", "fields": {"title": "x"}, "after": "WEB-1"}]))
    return base


def test_a_task_that_is_back_where_it_was_is_no_conflict_though_its_siblings_were_renumbered(
    ctx: Context, renumbered: dict[str, int]
) -> None:
    reverting.revert_patch_set(ctx, "ps_0123456789abcdef")

    first = PatchSet(patches=[move("WEB-4", before="WEB-1")], base_revisions=renumbered)

    assert patch_sets.apply_patch_set(ctx, first).totals.moved == 1


def test_the_place_at_the_base_is_told_among_siblings_as_they_are_numbered_now(ctx: Context, renumbered: dict[str, int]) -> None:
    preview = patch_sets.validate_patch_set(ctx, PatchSet(patches=[move("WEB-4", before="WEB-1")], base_revisions=renumbered))

    (place,) = preview.conflicts
    assert place.base == {"parent": None, "after": "WEB-7"}  # WEB-6, the first put behind WEB-1 since, got its place
    assert place.current == {"parent": None, "after": "WEB-5"}


def test_a_place_below_a_new_task_is_its_first(ctx: Context, web: ApplyResponse) -> None:
    patch_sets.apply_patch_set(ctx, PatchSet(patches=[move("WEB-4", before="WEB-1")]))
    new: Patch = {"op": "create_task", "ref": "$new", "project": "WEB", "fields": {"title": "New"}}

    preview = patch_sets.validate_patch_set(ctx, PatchSet(patches=[new, move("WEB-4", parent="$new")], base_revisions={"WEB": 2}))

    assert [conflict.proposed for conflict in preview.conflicts] == [{"parent": "WEB-5", "after": None}]


def test_a_dependency_is_told_in_words(ctx: Context, web: ApplyResponse) -> None:
    link = {"task": "WEB-2", "depends_on": "WEB-3"}
    patch_sets.apply_patch_set(ctx, PatchSet(patches=[{"op": "add_dependency", **link}]))

    (issue,) = refusal_of(ctx, {"op": "remove_dependency", **link}, {"op": "add_dependency", **link})

    assert issue.message == "WEB-2 does not wait for WEB-3 now"
    assert values(issue) == (True, False, True)


def test_a_field_is_told_with_all_three_values(ctx: Context, web: ApplyResponse) -> None:
    def title(text: str) -> Patch:
        return {"op": "update_task", "task": "WEB-2", "fields": {"title": text}}

    (issue,) = refusal_of(ctx, title("Theirs"), title("Mine"))

    assert issue.message == 'WEB-2 title is now "Theirs", not "Auth"; proposed is "Mine"'
    assert issue.path == "/patches/0/fields/title"


def test_existence_is_told_in_words(ctx: Context, web: ApplyResponse) -> None:
    (issue,) = refusal_of(
        ctx, {"op": "delete_task", "task": "WEB-3"}, {"op": "update_task", "task": "WEB-3", "fields": {"title": "Mine"}}
    )

    assert issue.message == "WEB-3 has been deleted since"
    assert values(issue) == (False, True, False)


def test_a_wrong_base_is_told_alone_for_nothing_can_be_compared_with_it(ctx: Context, web: ApplyResponse) -> None:
    patches: list[Patch] = [{"op": "update_task", "task": "WEB-2", "fields": {"title": "Mine"}}]

    preview = patch_sets.validate_patch_set(ctx, PatchSet(patches=patches, base_revisions={"WEB": 0}))

    assert [issue.path for issue in preview.issues] == ["/base_revisions/WEB"]
    assert preview.conflicts == []


def test_a_patch_that_only_relies_on_a_value_proposes_no_other(ctx: Context, web: ApplyResponse) -> None:
    create: Patch = {"op": "create_task", "after": "WEB-3", "fields": {"title": "Beside it"}}

    (issue,) = refusal_of(ctx, move("WEB-3", parent=None), create)

    assert issue.message == 'WEB-3 parent is now null, not "WEB-1"'
    assert values(issue) == ("WEB-1", None, "WEB-1")
