"""Position numbers: where a gap is known only in part, and what happens when it is used up."""

import pytest

from core.patches.places import STEP, Places
from core.patches.snapshot import Snapshot, TaskRecord
from tests.core.patches.world import START

TOP = ("p", None)


def test_a_task_goes_behind_the_last_one_even_if_that_one_is_not_loaded() -> None:
    places = Places(Snapshot(siblings={TOP: [(10, "a")]}, last_position={TOP: 50}))

    places.append(TOP, "new")

    assert places.assign() == ({"new": 50 + STEP}, {})


def test_the_first_task_of_a_place_has_a_step_of_its_own() -> None:
    places = Places(Snapshot())

    places.append(TOP, "new")

    assert places.assign() == ({"new": STEP}, {})


def test_a_run_is_spaced_evenly_in_a_gap() -> None:
    places = Places(Snapshot(siblings={TOP: [(0, "a"), (30, "b")]}, last_position={TOP: 30}))

    places.put(TOP, "one", "b", before=True)
    places.put(TOP, "two", "b", before=True)

    assert places.assign() == ({"one": 10, "two": 20}, {})


def test_an_exhausted_gap_numbers_all_siblings_anew() -> None:
    places = Places(Snapshot(siblings={TOP: [(1, "a"), (2, "b")]}, last_position={TOP: 2}))

    places.put(TOP, "new", "a", before=False)

    assert places.assign() == ({"new": 2 * STEP}, {TOP: {"a": STEP, "b": 3 * STEP}})


def test_a_task_that_moves_never_gets_the_number_it_had() -> None:
    stored = {"c": TaskRecord("c", "WEB-3", 3, "p", None, 2 * STEP, 0, "", "ann", START, START)}
    siblings = [(STEP, "a"), (STEP + 1, "b"), (2 * STEP, "c")]
    places = Places(Snapshot(tasks=stored, siblings={TOP: siblings}, last_position={TOP: 2 * STEP}))

    places.put(TOP, "c", "a", before=False)

    assert places.assign() == ({"c": 3 * STEP}, {TOP: {"a": 2 * STEP, "b": 4 * STEP}})


def test_a_task_that_is_placed_twice_stands_only_where_it_was_put_last() -> None:
    places = Places(Snapshot(siblings={TOP: [(0, "a"), (30, "b")]}, last_position={TOP: 30}))

    places.put(TOP, "x", "b", before=True)
    places.append(TOP, "x")
    places.put(TOP, "y", "b", before=True)
    places.fix("z", 7)
    places.put(TOP, "z", "b", before=True)

    assert places.assign() == ({"y": 10, "z": 20, "x": 30 + STEP}, {})


@pytest.mark.parametrize(("task", "position", "stands"), [("a", 10, False), ("not loaded", 50, True), ("other", 40, False)])
def test_whether_a_task_is_last_is_known_though_the_last_one_is_not_loaded(task: str, position: int, stands: bool) -> None:
    places = Places(Snapshot(siblings={TOP: [(10, "a")]}, last_position={TOP: 50}))

    assert places.stands(TOP, task, position, None, before=False) is stands


def test_a_task_that_leaves_an_end_again_leaves_nothing_there() -> None:
    places = Places(Snapshot(siblings={TOP: [(10, "a")]}, last_position={TOP: 10}))

    places.put(TOP, "first", "a", before=True)
    places.append(TOP, "first")
    places.put(TOP, "new first", "a", before=True)
    places.append(TOP, "first")
    places.put(TOP, "first", "a", before=False)
    places.append(TOP, "last")

    assert places.assign() == ({"new first": 10 - STEP, "first": 10 + STEP, "last": 10 + 2 * STEP}, {})


def test_what_is_appended_comes_behind_what_is_there_when_another_has_left_the_end() -> None:
    places = Places(Snapshot(siblings={TOP: [(10, "a")]}, last_position={TOP: 10}))

    places.append(TOP, "x")
    places.put(TOP, "x", "a", before=True)
    places.append(TOP, "y")

    assert places.assign() == ({"x": 10 - STEP, "y": 10 + STEP}, {})
