"""Apply a history again, one set after the other, in a store where nobody else writes."""

import json
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path
from typing import Any

from core.ids import RandomIds
from core.services import patch_sets, reverting
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.patches import PatchSet
from tests.crash.workload import contents
from tests.support.audit import read_tables


class _GivenIds(RandomIds):
    """Gives the sets of reverts, whose ids the server makes, the ids they had."""

    next_id = ""

    def new_patch_set_id(self) -> str:
        return self.next_id


def replay(database: str, folder: Path) -> str:
    """Apply the sets that were applied to `database`, by `seq`, to a new store in `folder`; return its URL."""
    url = f"sqlite:///{folder / 'replayed.db'}"
    ids = _GivenIds()
    orchestrator = Orchestrator(Settings(database_url=url, sqlite_synchronous="NORMAL"), ids=ids)
    orchestrator.start(create=True)
    try:
        for row in _history(database):
            ids.next_id = row["id"]
            if row["reverts"]:
                reverting.revert_patch_set(orchestrator.context(), *row["reverts"])
            else:
                given = {name: row[name] for name in ("id", "summary", "base_revisions", "patches")}
                patch_sets.apply_patch_set(orchestrator.context(), PatchSet(**given), only=row["only"])
    finally:
        orchestrator.close()
    return url


def _history(database: str) -> Iterable[dict[str, Any]]:
    tables, _ = read_tables(database)
    applied = [row for row in tables["patch_sets"] if row["state"] == "applied"]
    for row in sorted(applied, key=lambda row: row["seq"]):
        yield row | {name: _parsed(row[name]) for name in ("base_revisions", "reverts", "only")}


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def differences(one: str, other: str) -> list[str]:
    """Return where two databases differ in anything that their sets decide."""
    found, expected = _decided(one), _decided(other)
    return [
        f"{name}: {here} and {there}"
        for name in found
        for here, there in zip_longest(found[name], expected[name])
        if here != there
    ]


def _decided(database: str) -> dict[str, list[Any]]:
    found = contents(database)
    found["changes"] = sorted(_change(*change) for change in found["changes"])
    return found


def _change(set_id: str, _ordinal: int, key: str, action: str, revision: int, fields: list[str]) -> tuple[Any, ...]:
    """Return a change without what the database decides: the order of what a deletion takes along, and ids."""
    return set_id, key, action, revision, ["a position"] * len(fields) if action == "renumbered" else fields
