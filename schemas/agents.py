"""What a caller can ask of the agents here, so that a frontend can offer exactly that."""

from enum import StrEnum

from pydantic import Field, JsonValue

from schemas.primitives import Model


class AgentName(StrEnum):
    PLANNER = "planner"
    DECOMPOSER = "decomposer"
    EDITOR = "editor"
    ORCHESTRATOR = "orchestrator"


class AgentCapability(Model):
    """One agent: what it turns into a proposal or an answer, and where it is asked."""

    name: AgentName
    engine: str = Field(description="what answers: rules (no AI), or a model")
    model: str | None
    operation: str = Field(description="operation id of its route")
    description: str
    actions: list[str] = Field(description="operations a proposal of its can hold")


class AgentLimits(Model):
    """Bounds that are worth showing before somebody runs into them."""

    max_patches: int = Field(description="in one patch set")
    max_agent_patches: int = Field(description="in one that an agent has made with a model")
    max_message_characters: int = Field(description="of one message to the chat")
    max_import_bytes: int
    max_description_characters: int
    max_feedback_characters: int
    min_subtasks: int = Field(description="of one decomposition")
    max_subtasks: int
    max_task_depth: int


class CapabilitiesResponse(Model):
    """Agents, what patches can do, the commands that the rules understand, limits, and the tools of MCP."""

    agents: list[AgentCapability]
    models: list[str] = Field(description="configured ones as provider/model, the default first; empty without any")
    actions: list[str] = Field(description="every operation of a patch set")
    commands: str = Field(description="what refine understands without a model")
    limits: AgentLimits
    tools: list[dict[str, JsonValue]] = Field(description="as tools/list of the MCP server at /mcp answers them")
