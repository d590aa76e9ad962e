"""Keys that projects get when none is given."""

from core.patches.keys import FreeKeys


def test_the_smallest_free_number_is_added() -> None:
    taken = {"WEB", "WEB2", "WEB4"}
    keys = FreeKeys(taken.__contains__)

    assert keys.like("API") == "API"
    assert keys.like("WEB") == "WEB3"
    taken.add("WEB3")
    assert keys.like("WEB") == "WEB5"


def test_a_long_base_gives_way_to_its_number() -> None:
    assert FreeKeys({"ABCDEFGHIJ"}.__contains__).like("ABCDEFGHIJ") == "ABCDEFGHI2"


def test_each_of_many_projects_of_one_name_costs_the_same() -> None:
    taken: set[str] = set()
    asked = 0

    def is_taken(key: str) -> bool:
        nonlocal asked
        asked += 1
        return key in taken

    keys = FreeKeys(is_taken)
    for _ in range(1_000):
        taken.add(keys.like("WEB"))

    assert len(taken) == 1_000
    assert asked < 4 * 1_000
