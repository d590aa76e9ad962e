"""What the agents of this process can do. It is known without a look into the database."""

from collections.abc import Sequence
from functools import partial

from pydantic import JsonValue

from core.context import Context, Scope
from core.rules.commands import HELP
from core.services.asking import MODEL, RULES
from core.services.decomposing import FEWEST, MOST
from schemas.agents import AgentCapability, AgentLimits, AgentName, CapabilitiesResponse
from schemas.chat import MAX_MESSAGE
from schemas.patches import MAX_AGENT_PATCHES, MAX_PATCHES, OPS
from schemas.planning import MAX_DESCRIPTION, MAX_FEEDBACK, MAX_OUTLINE_BYTES

CREATED = ("create_task", "add_dependency")
EDITED = ("create_task", "update_task", "move_task", "delete_task", "add_dependency", "remove_dependency")


def get_capabilities(ctx: Context, tools: Sequence[dict[str, JsonValue]]) -> CapabilitiesResponse:
    """Return the agents with their engines, actions and limits, beside the catalogue of tools."""
    ctx.principal.require(Scope.PROJECTS_READ)
    models = ctx.models.names()
    agent = partial(_agent, models[0] if models else None)
    split = "a task" if models else "the list in a task's description"
    told = "what is said about a project becomes changes of it" if models else "commands about a project become changes of it"
    talked = "a message is answered, or handed to one of the others"
    return CapabilitiesResponse(
        agents=[
            agent(AgentName.PLANNER, "generate_plan", "a description becomes a new project", "create_project", *CREATED),
            agent(AgentName.DECOMPOSER, "decompose_task", f"{split} becomes its subtasks", *CREATED),
            agent(AgentName.EDITOR, "refine_plan", told, *EDITED),
            agent(AgentName.ORCHESTRATOR, "chat", talked),
        ],
        models=models,
        actions=list(OPS),
        commands=HELP,
        limits=AgentLimits(
            max_patches=MAX_PATCHES,
            max_agent_patches=MAX_AGENT_PATCHES,
            max_message_characters=MAX_MESSAGE,
            max_import_bytes=MAX_OUTLINE_BYTES,
            max_description_characters=MAX_DESCRIPTION,
            max_feedback_characters=MAX_FEEDBACK,
            min_subtasks=FEWEST,
            max_subtasks=MOST,
            max_task_depth=ctx.settings.max_task_depth,
        ),
        tools=list(tools),
    )


def _agent(model: str | None, name: AgentName, operation: str, description: str, *actions: str) -> AgentCapability:
    return AgentCapability(
        name=name,
        engine=RULES if model is None else MODEL,
        model=model,
        operation=operation,
        description=description,
        actions=list(actions),
    )
