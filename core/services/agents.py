"""What the agents of this process can do. It is known without a look into the database."""

from collections.abc import Sequence

from pydantic import JsonValue

from core.context import Context, Scope
from core.rules.commands import HELP
from core.services.decomposing import FEWEST, MOST
from schemas.agents import AgentCapability, AgentLimits, AgentName, CapabilitiesResponse
from schemas.patches import MAX_PATCHES, OPS
from schemas.planning import MAX_DESCRIPTION, MAX_FEEDBACK, MAX_OUTLINE_BYTES

RULES = "rules"
EDITED = ("create_task", "update_task", "move_task", "delete_task", "add_dependency", "remove_dependency")


def get_capabilities(ctx: Context, tools: Sequence[dict[str, JsonValue]]) -> CapabilitiesResponse:
    """Return the agents with their engines, actions and limits, beside the catalogue of tools."""
    ctx.principal.require(Scope.PROJECTS_READ)
    return CapabilitiesResponse(
        agents=[
            _agent(AgentName.PLANNER, "generate_plan", "a description becomes a new project", "create_project", "create_task"),
            _agent(
                AgentName.DECOMPOSER, "decompose_task", "the list in a task's description becomes its subtasks", "create_task"
            ),
            _agent(AgentName.EDITOR, "refine_plan", "commands about one project become changes of it", *EDITED),
        ],
        models=ctx.models.names(),
        actions=list(OPS),
        commands=HELP,
        limits=AgentLimits(
            max_patches=MAX_PATCHES,
            max_import_bytes=MAX_OUTLINE_BYTES,
            max_description_characters=MAX_DESCRIPTION,
            max_feedback_characters=MAX_FEEDBACK,
            min_subtasks=FEWEST,
            max_subtasks=MOST,
            max_task_depth=ctx.settings.max_task_depth,
        ),
        tools=list(tools),
    )


def _agent(name: AgentName, operation: str, description: str, *actions: str) -> AgentCapability:
    return AgentCapability(
        name=name, engine=RULES, model=None, operation=operation, description=description, actions=list(actions)
    )
