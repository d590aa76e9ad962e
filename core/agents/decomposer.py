"""DecomposerAgent: one task as two to twenty subtasks. It only creates, and only below that task."""

from core.agents.grounding import data_message, ground, prompt
from core.agents.loop import Asker, Brief, Draft, draft_within
from core.agents.view import PlanView
from core.agents.wire import Lowered, Problem, answer_schema
from core.llm.port import Message, Role
from schemas.tasks import Task

OPS = ("create_task", "add_dependency")


class DecomposerAgent:
    """Turns one task into a draft of its subtasks."""

    def __init__(self, view: PlanView, *, fewest: int, most: int) -> None:
        self._view = view
        self._fewest, self._most = fewest, most

    async def propose(self, asker: Asker, task: Task, *, instructions: str = "") -> Draft:
        """Return a draft that splits `task`, which is above the deepest level. Raises what `core.agents.loop.draft` raises."""
        project = self._view.project
        assert project is not None
        schema = answer_schema(*OPS)

        def brief(budget: int) -> Brief:
            grounding = ground(self._view, task, budget=budget)
            shown = {
                "today": self._view.today.isoformat(),
                **grounding.shown,
                "split": grounding.aliases.of_id[task.id],
                "levels_below_it": self._view.max_depth - task.depth,
                "instructions": instructions,
            }
            return Brief(
                messages=[Message(Role.SYSTEM, prompt("decomposer")), data_message(**shown)],
                schema=schema,
                aliases=grounding.aliases,
                review=lambda lowered: self._review(lowered, task),
                base_revisions={project.key: project.revision},
            )

        return await draft_within(asker, brief, self._view.check)

    def _review(self, lowered: Lowered, task: Task) -> list[Problem]:
        below = self._view.below(task)
        created = {patch["ref"]: patch.get("parent") for patch in lowered.patches if patch["op"] == "create_task"}
        problems = [
            Problem(f"ops[{place}]", "only the task that is split may get new tasks, and only they may depend on each other")
            for patch, place in zip(lowered.patches, lowered.places, strict=True)
            if not self._is_inside(patch, created, below, task)
        ]
        direct = [patch for patch in lowered.patches if patch.get("parent") == task.key]
        if not self._fewest <= len(direct) <= self._most:
            problems.append(Problem("ops", f"{self._fewest} to {self._most} direct subtasks, and not {len(direct)}"))
        return problems + _estimates(lowered, task)

    @staticmethod
    def _is_inside(patch: dict[str, object], created: dict[str, str | None], below: set[str], task: Task) -> bool:
        if patch["op"] == "create_task":
            return patch.get("parent") == task.key or patch.get("parent") in created
        ends = {patch["task"], patch["depends_on"]}
        return ends <= created.keys() | (below - {task.key})


def _estimates(lowered: Lowered, task: Task) -> list[Problem]:
    """Ask for a reason where the parts are estimated at something else than the whole."""
    parts = [patch["fields"].get("estimated_minutes") for patch in lowered.patches if patch.get("parent") == task.key]
    known = [minutes for minutes in parts if isinstance(minutes, int)]
    if task.estimated_minutes is None or not known or sum(known) == task.estimated_minutes or lowered.reasons:
        return []
    message = f"estimated_minutes of the parts are {sum(known)} together, of the whole {task.estimated_minutes}"
    return [Problem("ops", f"{message}: make them equal, or say why not in the reason of a part")]
