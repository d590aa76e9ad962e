"""Ten answers as a model gets them, on a fixed clock and counted ids: a change of their words or their size shows in review.

Write them anew after a change that is meant:

python -m tests.mcp_server.representative_answers
"""

import asyncio
import json
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mcp import Client

from core.clock import FixedClock
from core.ids import RandomIds
from core.settings import Settings
from core.wiring import Orchestrator
from mcp_server.server import build_server
from tests.mcp_server.clients import Tools, database_url, text_of
from tests.mcp_server.website import PLAN

SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "mcp_answers.json"
NOW = datetime(2031, 3, 3, 9, tzinfo=UTC)


class CountedIds(RandomIds):
    """Ids of patch sets in the order they are made; those of rows are never shown."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def new_patch_set_id(self) -> str:
        return f"ps_{next(self._numbers):016}"


async def answers(folder: Path) -> dict[str, Any]:
    """Return text and structure of each answer, by the call."""
    orchestrator = Orchestrator(
        Settings(_env_file=None, database_url=database_url(folder)), clock=FixedClock(NOW), ids=CountedIds()
    )
    told: dict[str, Any] = {}

    async def ask(tool: str, **arguments: Any) -> None:
        result = await tools.call(tool, **arguments)
        call = f"{tool} {json.dumps(arguments)}"
        told[call] = {"text": text_of(result).splitlines(), "structure": result.structured_content}

    change = [
        {"op": "create_task", "ref": "$t", "parent": "WEB-2", "fields": {"title": "Tests", "estimated_minutes": 480}},
        {"op": "add_dependency", "task": "WEB-6", "depends_on": "$t"},
        {"op": "update_task", "task": "WEB-5", "fields": {"status": "todo", "assignee": "eve"}},
        {"op": "delete_task", "task": "WEB-8"},
    ]
    wrong = [
        {"op": "update_task", "task": "WEB-33", "fields": {"status": "finished"}},
        {"op": "add_dependency", "task": "WEB-3", "depends_on": "WEB-6"},
    ]
    try:
        async with Client(build_server(orchestrator)) as client:
            tools = Tools(client)
            await tools.ask("apply_patch_set", patches=PLAN, summary="The plan")
            await ask("list_projects")
            await ask("get_project", project="WEB")
            await ask("list_tasks", project="WEB", ready=True)
            await ask("get_task", task="WEB-7")
            await ask("get_schedule", project="WEB", start_date="2031-03-03")
            await ask("propose_patch_set", patches=change, summary="Test first", base_revisions={"WEB": 1})
            await ask("propose_patch_set", patches=wrong)
            await ask("get_patch_set", id="ps_0000000000000002")
            await ask("apply_patch_set", id="ps_0000000000000002")
            await ask("list_history", project="WEB")
    finally:
        orchestrator.close()
    return told


def as_file(told: dict[str, Any]) -> str:
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    with TemporaryDirectory() as folder:
        SNAPSHOT.write_text(as_file(asyncio.run(answers(Path(folder)))), encoding="utf-8")


if __name__ == "__main__":
    main()
