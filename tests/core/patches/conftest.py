"""The project most tests of a plan begin with."""

import pytest

from tests.core.patches.builders import create
from tests.core.patches.world import World


@pytest.fixture
def world() -> World:
    """WEB: 1 API (2 Auth, 3 Routes), 4 Docs, 5 Release; 5 waits for 4."""
    world = World()
    world.apply({"op": "create_project", "key": "WEB", "fields": {"name": "Website"}})
    world.apply(
        create("API", ref="$api"),
        create("Auth", parent="$api", fields={"estimated_minutes": 60}),
        create("Routes", parent="$api", fields={"estimated_minutes": 120}),
        create("Docs", ref="$docs"),
        create("Release", ref="$release", depends_on=["$docs"]),
    )
    return world
