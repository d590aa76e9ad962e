"""The server of the product, with the tools, resources and prompts that the official conformance suite calls by name.

Most of its scenarios look for fixed names. They are put into the same catalogue, so that they take the same path as our
own tools: `StrictTool`, the era shim on stdio, the HTTP endpoint. Run it as `orchestrator-mcp` is run:

python -m tests.mcp_server.conformance_fixtures --http 127.0.0.1:8001
"""

import asyncio
from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import AcceptedElicitation, Elicit, ElicitationResult, ListRoots, Resolve, Sample
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    ImageContent,
    InputRequiredResult,
    ListRootsResult,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)
from pydantic import BaseModel, Field

from core.errors import Forbidden
from core.wiring import Orchestrator
from mcp_server import __main__ as command
from mcp_server import catalogue, server
from mcp_server.calls import CallContext

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
STEP_SECONDS = 0.05


def says(*content: ContentBlock | str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=block) if isinstance(block, str) else block for block in content])


def embedded(uri: str, text: str, mime_type: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


# Content of every kind


async def test_simple_text() -> CallToolResult:
    """Answer with text."""
    return says("This is a simple text response for testing.")


async def test_image_content() -> CallToolResult:
    """Answer with an image."""
    return says(ImageContent(data=PIXEL, mime_type="image/png"))


async def test_audio_content() -> CallToolResult:
    """Answer with sound."""
    return says(AudioContent(data=SILENCE, mime_type="audio/wav"))


async def test_embedded_resource() -> CallToolResult:
    """Answer with a resource."""
    return says(embedded("test://embedded-resource", "This is an embedded resource content."))


async def test_multiple_content_types() -> CallToolResult:
    """Answer with text, image and resource."""
    mixed = embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json")
    return says("Multiple content types test:", ImageContent(data=PIXEL, mime_type="image/png"), mixed)


async def test_error_handling() -> CallToolResult:
    """Refuse."""
    raise Forbidden("This tool intentionally returns an error for testing")


async def test_tool_with_progress(ctx: CallContext) -> CallToolResult:
    """Report progress."""
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100)
        await asyncio.sleep(STEP_SECONDS)
    return says("Done.")


async def test_custom_header(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> CallToolResult:
    """Take an argument that clients repeat as a header."""
    return says(region)


# Questions to the user and to the client, asked as `apply_patch_set` asks


class User(BaseModel):
    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


class Name(BaseModel):
    name: str


class Color(BaseModel):
    color: str


class Agreement(BaseModel):
    ok: bool


class Defaults(BaseModel):
    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Literal["active", "inactive", "pending"] = "active"
    verified: bool = True


def options(keyword: str, *values: str) -> dict[str, Any]:
    return {keyword: [{"const": value, "title": value.title()} for value in values]}


class Choices(BaseModel):
    untitled: Literal["option1", "option2", "option3"] = Field(alias="untitledSingle")
    titled: str = Field(alias="titledSingle", json_schema_extra=options("oneOf", "value1", "value2", "value3"))
    legacy: str = Field(alias="legacyEnum", json_schema_extra={"enum": ["opt1", "opt2"], "enumNames": ["One", "Two"]})
    several: list[Literal["option1", "option2", "option3"]] = Field(alias="untitledMulti")
    several_titled: list[str] = Field(
        alias="titledMulti", json_schema_extra={"items": options("anyOf", "value1", "value2", "value3")}
    )


def ask_what_was_said(message: str) -> Elicit[User]:
    return Elicit(message, User)


def ask_name() -> Elicit[Name]:
    return Elicit("What is your name?", Name)


def ask_color(name: Annotated[Name, Resolve(ask_name)]) -> Elicit[Color]:
    return Elicit(f"What is your favorite color, {name.name}?", Color)


def ask_agreement() -> Elicit[Agreement]:
    return Elicit("Please confirm", Agreement)


def ask_defaults() -> Elicit[Defaults]:
    return Elicit("Please review", Defaults)


def ask_choices() -> Elicit[Choices]:
    return Elicit("Please choose", Choices)


def ask_capital() -> Sample:
    return Sample([SamplingMessage(role="user", content=TextContent(text="What is the capital of France?"))], max_tokens=100)


def ask_prompt(prompt: str) -> Sample:
    return Sample([SamplingMessage(role="user", content=TextContent(text=prompt))], max_tokens=100)


def ask_roots() -> ListRoots:
    return ListRoots()


def told(answer: ElicitationResult[Any]) -> str:
    content = answer.data.model_dump_json() if isinstance(answer, AcceptedElicitation) else "{}"
    return f"action={answer.action}, content={content}"


async def test_elicitation(
    message: str, answer: Annotated[ElicitationResult[User], Resolve(ask_what_was_said)]
) -> CallToolResult:
    """Ask the user what the caller says."""
    return says(f"User response: {told(answer)}")


async def test_elicitation_sep1034_defaults(
    answer: Annotated[ElicitationResult[Defaults], Resolve(ask_defaults)],
) -> CallToolResult:
    """Ask with default values."""
    return says(f"Elicitation completed: {told(answer)}")


async def test_elicitation_sep1330_enums(answer: Annotated[ElicitationResult[Choices], Resolve(ask_choices)]) -> CallToolResult:
    """Ask for a choice of every kind."""
    return says(f"Elicitation completed: {told(answer)}")


async def test_streaming_elicitation(name: Annotated[Name, Resolve(ask_name)]) -> CallToolResult:
    """Ask within a stream."""
    return says(name.name)


async def test_missing_capability(answer: Annotated[CreateMessageResult, Resolve(ask_capital)]) -> CallToolResult:
    """Need what the client has not declared."""
    return says(str(answer.content))


def asked_by_hand(ctx: CallContext, key: str, message: str, field: str) -> str | InputRequiredResult:
    """Return what the client answered to the question `key`, or the question; `Resolve` would choose the key itself."""
    answer = (ctx.input_responses or {}).get(key)
    if isinstance(answer, ElicitResult) and answer.content and field in answer.content:
        return str(answer.content[field])
    schema = {"type": "object", "properties": {field: {"type": "string"}}, "required": [field]}
    question = ElicitRequestFormParams(message=message, requested_schema=schema)
    return InputRequiredResult(input_requests={key: ElicitRequest(params=question)})


async def test_input_required_result_elicitation(ctx: CallContext) -> CallToolResult | InputRequiredResult:
    """Ask for a name."""
    name = asked_by_hand(ctx, "user_name", "What is your name?", "name")
    return says(f"Hello, {name}!") if isinstance(name, str) else name


async def test_input_required_result_sampling(answer: Annotated[CreateMessageResult, Resolve(ask_capital)]) -> CallToolResult:
    """Ask the client's model."""
    return says(str(answer.content))


async def test_sampling(prompt: str, answer: Annotated[CreateMessageResult, Resolve(ask_prompt)]) -> CallToolResult:
    """Ask the client's model what the caller says."""
    return says(f"LLM response: {answer.content}")


async def test_input_required_result_list_roots(roots: Annotated[ListRootsResult, Resolve(ask_roots)]) -> CallToolResult:
    """Ask for the client's roots."""
    return says(", ".join(str(root.uri) for root in roots.roots))


async def test_input_required_result_request_state(answer: Annotated[Agreement, Resolve(ask_agreement)]) -> CallToolResult:
    """Ask once, and know what was asked."""
    return says(f"state-ok: {answer.ok}")


async def test_input_required_result_tampered_state(answer: Annotated[Agreement, Resolve(ask_agreement)]) -> CallToolResult:
    """Ask once, and notice a forged state."""
    return says(f"state-ok: {answer.ok}")


async def test_input_required_result_multiple_inputs(
    name: Annotated[Name, Resolve(ask_name)],
    greeting: Annotated[CreateMessageResult, Resolve(ask_capital)],
    roots: Annotated[ListRootsResult, Resolve(ask_roots)],
) -> CallToolResult:
    """Ask three things at once."""
    return says(f"{name.name}, {greeting.content}, {len(roots.roots)}")


async def test_input_required_result_multi_round(color: Annotated[Color, Resolve(ask_color)]) -> CallToolResult:
    """Ask twice, one after the other."""
    return says(color.color)


def ask_the_able(ctx: CallContext) -> Sample | Name:
    able = ctx.client_capabilities
    return ask_capital() if able is not None and able.sampling is not None else Name(name="nobody")


async def test_input_required_result_capabilities(
    answer: Annotated[CreateMessageResult | Name, Resolve(ask_the_able)],
) -> CallToolResult:
    """Ask only what the client can answer."""
    return says(str(answer))


TOOLS = (
    test_simple_text,
    test_image_content,
    test_audio_content,
    test_embedded_resource,
    test_multiple_content_types,
    test_error_handling,
    test_tool_with_progress,
    test_custom_header,
    test_elicitation,
    test_elicitation_sep1034_defaults,
    test_elicitation_sep1330_enums,
    test_streaming_elicitation,
    test_missing_capability,
    test_sampling,
    test_input_required_result_elicitation,
    test_input_required_result_sampling,
    test_input_required_result_list_roots,
    test_input_required_result_request_state,
    test_input_required_result_tampered_state,
    test_input_required_result_multiple_inputs,
    test_input_required_result_multi_round,
    test_input_required_result_capabilities,
)


# Resources and prompts


def static_text() -> str:
    return "This is the content of the static text resource."


def static_binary() -> bytes:
    return bytes.fromhex("89504e470d0a1a0a")


def template_data(id: str) -> str:
    return f'{{"id":"{id}","templateTest":true,"data":"Data for ID: {id}"}}'


def test_simple_prompt() -> str:
    """Say something simple."""
    return "This is a simple prompt for testing."


def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """Say what was given."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803 - the suite's name
    """Say it with a resource."""
    resource = embedded(resourceUri, "Embedded resource content for testing.")
    return [UserMessage(resource), UserMessage("Please process the embedded resource above.")]


def test_prompt_with_image() -> list[UserMessage]:
    """Say it with an image."""
    return [UserMessage(ImageContent(data=PIXEL, mime_type="image/png")), UserMessage("Please analyze the image above.")]


def test_input_required_result_prompt(ctx: CallContext) -> str | InputRequiredResult:
    """Ask before anything is said."""
    context = asked_by_hand(ctx, "user_context", "What context should the prompt use?", "context")
    return f"Context: {context}" if isinstance(context, str) else context


PROMPTS = (
    test_simple_prompt,
    test_prompt_with_arguments,
    test_prompt_with_embedded_resource,
    test_prompt_with_image,
    test_input_required_result_prompt,
)


def add_fixtures(made: MCPServer[Orchestrator]) -> None:
    made.resource("test://static-text", mime_type="text/plain")(static_text)
    made.resource("test://static-binary", mime_type="image/png")(static_binary)
    made.resource("test://template/{id}/data", mime_type="application/json")(template_data)
    for prompt in PROMPTS:
        made.prompt()(prompt)


def main() -> None:
    """Serve the catalogue with the fixtures in it."""
    build_server = server.build_server

    def build_with_fixtures(orchestrator: Orchestrator, **options: Any) -> server.OrchestratorServer:
        made = build_server(orchestrator, **options)
        add_fixtures(made)
        return made

    catalogue.TOOLS += tuple((tool, tool.__name__, catalogue.READ) for tool in TOOLS)
    catalogue.TOOL_NAMES = tuple(function.__name__ for function, _, _ in catalogue.TOOLS)
    server.build_server = build_with_fixtures
    command.main()


if __name__ == "__main__":
    main()
