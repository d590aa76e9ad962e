"""Compare a model's plans with plans that people wrote: `make eval`.

The model is the one of the settings (AI_PROVIDER, AI_API_KEY, AI_MODEL). Without one a stand-in recites the written plans, every
fourth of them wrongly at first, which shows that the measuring works and says nothing about any model.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import JsonValue

from core.errors import DomainError
from core.llm.scripted import ScriptedModel
from core.rules.plan import parse_plan
from core.services import asking
from core.wiring import Orchestrator, load_settings
from evaluation.scores import Outline, Score, outline_of, report, score_of
from schemas.planning import PlannerRequest

Patches = list[dict[str, Any]]

IDEAS = Path(__file__).with_name("ideas.json")
WRONG_AT_FIRST = 4  # every so many of the stand-in's answers


def main() -> None:
    """Print one line for each idea, and the figures of all."""
    ideas = json.loads(IDEAS.read_text(encoding="utf-8"))
    gold = [_gold(idea["gold"]) for idea in ideas]
    settings = load_settings()
    stand_in = None if settings.ai_provider else ScriptedModel(*_lines(gold), name="stand-in/recites")
    with TemporaryDirectory(prefix="orchestrator-eval-") as folder:
        private = settings.model_copy(update={"database_url": f"sqlite:///{folder}/eval.db"})
        orchestrator = Orchestrator(private, models=stand_in)
        orchestrator.start(create=True)
        try:
            scores = asyncio.run(_evaluate(orchestrator, ideas, gold))
        finally:
            orchestrator.close()
    sys.stdout.write(report(", ".join(orchestrator.models.names()), scores) + "\n")


async def _evaluate(
    orchestrator: Orchestrator, ideas: Sequence[dict[str, str]], gold: Sequence[list[dict[str, Any]]]
) -> list[Score]:
    scores = []
    for idea, patches in zip(ideas, gold, strict=True):
        request = PlannerRequest(description=idea["description"])
        try:
            plan = await asking.generate_plan(orchestrator.context(), request, dry_run=True)
            scores.append(score_of(idea["name"], outline_of(patches), outline_of(plan.patch_set.patches), plan.usage))
        except DomainError as refusal:
            scores.append(score_of(idea["name"], outline_of(patches), Outline(), None, failure=refusal.code.value))
        sys.stderr.write(f"{scores[-1].line()}\n")
    return scores


def _gold(text: str) -> Patches:
    """Return a written plan as patches."""
    parsed = parse_plan(
        text, project=None, name=None, sequential=False, today=date(2026, 3, 2), hours_per_day=8, days_per_week=5, max_depth=5
    )
    if parsed.unparsed or parsed.questions:
        raise ValueError(f"a gold plan must be understood whole: {parsed.unparsed} {parsed.questions}")
    return parsed.patches


# -- the stand-in


def _lines(gold: Sequence[Patches]) -> list[str]:
    lines: list[str] = []
    for number, patches in enumerate(gold, start=1):
        if number % WRONG_AT_FIRST == 0:
            lines.append("Here is your plan!")
        lines.append(json.dumps(_recited(patches)))
    return lines


def _recited(patches: Patches) -> dict[str, JsonValue]:
    """Return patches in the form in which models write them."""
    empty = {"ref": "", "target": "", "parent": "", "depends_on": "", "title": "", "set": [], "reason": ""}
    ops: list[JsonValue] = []
    for patch in patches:
        fields = patch.get("fields", {})
        op: dict[str, Any] = {**empty, "op": patch["op"], "ref": patch.get("ref", "")}
        op["title"] = fields.get("title") or fields.get("name") or ""
        op["parent"] = patch.get("parent", "")
        if "estimated_minutes" in fields:
            op["set"] = [{"field": "estimated_minutes", "value": str(fields["estimated_minutes"])}]
        if patch["op"] == "add_dependency":
            op |= {"target": patch["task"], "depends_on": patch["depends_on"]}
        elif patch["op"] == "create_task":
            op["depends_on"] = ", ".join(patch.get("depends_on", []))
        ops.append(op)
    return {"summary": "Recited", "questions": [], "ops": ops}


if __name__ == "__main__":
    main()
