"""A plan in a database of its own, and a model that says what a test wrote down for it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from core.clock import FixedClock
from core.context import Context
from core.llm.scripted import Line, ScriptedModel
from core.services import patch_sets
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.patches import PatchSet

JsonObject = dict[str, JsonValue]

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PLAN: list[dict[str, Any]] = [
    {"op": "create_project", "ref": "$p", "key": "WEB", "fields": {"name": "Website"}},
    {"op": "create_task", "ref": "$api", "project": "$p", "fields": {"title": "API", "estimated_minutes": 240}},
    {"op": "create_task", "parent": "$api", "fields": {"title": "Auth", "estimated_minutes": 90, "tags": ["api"]}},
    {"op": "create_task", "parent": "$api", "fields": {"title": "Routes", "estimated_minutes": 60}},
    {
        "op": "create_task",
        "ref": "$beta",
        "project": "$p",
        "fields": {"title": "Beta", "due_date": "2026-03-10"},
        "depends_on": ["$api"],
    },
    {"op": "create_task", "project": "$p", "fields": {"title": "Docs", "due_date": "2026-03-12"}, "depends_on": ["$beta"]},
]  # WEB-1 API (WEB-2 Auth, WEB-3 Routes), WEB-4 Beta, WEB-5 Docs: to a model K1 is the project, K2 to K6 are the tasks


class Scripted:
    """A context whose model follows a script."""

    def __init__(self, orchestrator: Orchestrator, model: ScriptedModel) -> None:
        self.ctx: Context = orchestrator.context()
        self.model = model

    @property
    def asked(self) -> list[str]:
        """Return what the model was shown, call by call."""
        return ["\n".join(message.text for message in heard.messages) for heard in self.model.heard]


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Callable[..., Scripted]]:
    """Make a context on the plan, and a script."""
    opened: list[Orchestrator] = []

    def make(*lines: Line, **settings: Any) -> Scripted:
        model = ScriptedModel(*lines)
        values = {"database_url": f"sqlite:///{tmp_path}/plans{len(opened)}.db", **settings}
        orchestrator = Orchestrator(Settings(**values), clock=FixedClock(NOON), models=model)
        orchestrator.start(create=True)
        opened.append(orchestrator)
        patch_sets.apply_patch_set(orchestrator.context(), PatchSet(summary="Plan", patches=PLAN))
        return Scripted(orchestrator, model)

    yield make
    for orchestrator in opened:
        orchestrator.close()


def op(kind: str, **members: Any) -> JsonObject:
    """Return an op as a model writes it; `set` may be given as a mapping."""
    fields = members.pop("set", {})
    empty = {"ref": "", "target": "", "parent": "", "depends_on": "", "title": "", "reason": ""}
    return {"op": kind, **empty, "set": [{"field": name, "value": value} for name, value in fields.items()], **members}


def answer(*ops: JsonObject, summary: str = "A change", questions: Sequence[str] = ()) -> JsonObject:
    return {"summary": summary, "questions": list(questions), "ops": list(ops)}
