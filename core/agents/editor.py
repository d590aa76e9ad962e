"""EditorAgent: what should be different in a plan, as the fewest changes; never outside the focus."""

from core.agents.grounding import data_message, ground, prompt
from core.agents.loop import Asker, Brief, Draft, draft_within
from core.agents.scope import outside
from core.agents.view import PlanView
from core.agents.wire import answer_schema
from core.llm.port import Message, Role
from schemas.tasks import Task

OPS = ("update_project", "create_task", "update_task", "move_task", "delete_task", "add_dependency", "remove_dependency")


class EditorAgent:
    """Turns an instruction into a draft of changes to one project."""

    def __init__(self, view: PlanView) -> None:
        self._view = view

    async def propose(self, asker: Asker, instruction: str, *, focus: Task | None = None, context: str = "") -> Draft:
        """Return a draft of what `instruction` asks for; with `focus`, only it and what is below it can change.

        `context` is what was said before. Raises what `core.agents.loop.draft` raises.
        """
        project = self._view.project
        assert project is not None
        schema = answer_schema(*OPS)

        def brief(budget: int) -> Brief:
            grounding = ground(self._view, focus, budget=budget)
            shown = {"today": self._view.today.isoformat(), **grounding.shown}
            if focus is not None:
                shown["only_change"] = grounding.aliases.of_id[focus.id]
            return Brief(
                messages=[
                    Message(Role.SYSTEM, prompt("editor")),
                    data_message(**shown),
                    data_message(instruction=instruction, earlier=context),
                ],
                schema=schema,
                aliases=grounding.aliases,
                review=lambda lowered: outside(lowered, self._view, focus),
                base_revisions={project.key: project.revision},
            )

        return await draft_within(asker, brief, self._view.check)
