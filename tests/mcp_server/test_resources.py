"""Resources, prompts and completions, for clients of either era."""

import json
import re
from pathlib import Path

import pytest
from mcp import MCPError
from mcp.server.apps import EXTENSION_ID
from mcp.types import (
    INVALID_PARAMS,
    PromptReference,
    ReadResourceResult,
    ResourceTemplateReference,
    TextContent,
    TextResourceContents,
)

from tests.mcp_server.clients import ERAS, memory_tools, stdio_tools

SCHEMA = Path(__file__).parents[2] / "schemas" / "json" / "patch-set.schema.json"


def text_of(result: ReadResourceResult) -> str:
    [content] = result.contents
    assert isinstance(content, TextResourceContents)
    return content.text


@pytest.mark.parametrize("era", ERAS)
async def test_projects_tasks_and_patch_sets_are_resources(tmp_path: Path, era: str) -> None:
    async with stdio_tools(tmp_path, era=era) as tools:
        await tools.make_project("Ship")
        [applied] = (await tools.facts("list_history", project="WEB"))["patch_sets"]
        read = tools.client.read_resource
        project = text_of(await read("orchestrator://projects/WEB"))
        task = text_of(await read("orchestrator://tasks/WEB-1"))
        record = json.loads(text_of(await read(f"orchestrator://patch-sets/{applied['id']}")))
        templates = await tools.client.list_resource_templates()

    assert project.splitlines()[1] == "WEB-1 [todo] Ship (ready)"
    assert task.startswith("WEB-1 [todo] Ship (ready)")
    assert record["patches"][0]["op"] == "create_project"
    assert record["proposal"]["state"] == "applied"
    assert [template.uri_template for template in templates.resource_templates] == [
        "orchestrator://projects/{key}",
        "orchestrator://tasks/{key}",
        "orchestrator://patch-sets/{id}",
    ]


async def test_the_greeting_of_the_stateless_era_tells_that_there_are_apps(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        told = tools.client.session.discover_result

    assert told is not None
    assert told.capabilities.extensions == {EXTENSION_ID: {}}


async def test_the_schema_resource_is_the_published_schema(tmp_path: Path) -> None:
    async with memory_tools(tmp_path) as tools:
        listed = await tools.client.list_resources()
        schema = text_of(await tools.client.read_resource("orchestrator://schemas/patch-set"))

    assert [resource.uri for resource in listed.resources] == ["orchestrator://schemas/patch-set", "ui://orchestrator/review"]
    assert json.loads(schema) == json.loads(SCHEMA.read_text("utf-8"))
    assert "\n" not in schema


@pytest.mark.parametrize("uri", ["orchestrator://projects/NONE", "orchestrator://tasks/WEB-9", "orchestrator://elsewhere/1"])
async def test_a_resource_that_does_not_exist_is_invalid_params(tmp_path: Path, uri: str) -> None:
    async with memory_tools(tmp_path) as tools:
        with pytest.raises(MCPError) as refused:
            await tools.client.read_resource(uri)

    assert refused.value.code == -32602


@pytest.mark.parametrize("era", ERAS)
async def test_keys_are_completed_in_resources_and_prompts(tmp_path: Path, era: str) -> None:
    async with memory_tools(tmp_path, era=era) as tools:
        await tools.make_project("Ship", "Shop")
        await tools.make_project("Other", key="ABC")
        [applied] = (await tools.facts("list_history", project="ABC"))["patch_sets"]

        async def completed(ref: PromptReference | ResourceTemplateReference, name: str, begun: str) -> list[str]:
            return list((await tools.client.complete(ref, {"name": name, "value": begun})).completion.values)

        projects = await completed(ResourceTemplateReference(uri="orchestrator://projects/{key}"), "key", "w")
        tasks = await completed(ResourceTemplateReference(uri="orchestrator://tasks/{key}"), "key", "WEB-")
        sets = await completed(ResourceTemplateReference(uri="orchestrator://patch-sets/{id}"), "id", applied["id"][:-2])
        prompted = await completed(PromptReference(name="weekly_review"), "project", "")
        unknown = await completed(PromptReference(name="plan_project"), "goal", "x")

    assert projects == ["WEB"]
    assert sorted(tasks) == ["WEB-1", "WEB-2"]
    assert sets == [applied["id"]]
    assert sorted(prompted) == ["ABC", "WEB"]
    assert unknown == []


@pytest.mark.parametrize("era", ERAS)
async def test_every_prompt_leads_to_one_proposed_patch_set(tmp_path: Path, era: str) -> None:
    arguments = {
        "plan_project": {"goal": "Launch the website"},
        "decompose_task": {"task": "WEB-1"},
        "refine_plan": {"project": "WEB", "change": "Ana is away"},
        "weekly_review": {"project": "WEB"},
    }

    async with memory_tools(tmp_path, era=era) as tools:
        listed = [prompt.name for prompt in (await tools.client.list_prompts()).prompts]
        texts = []
        for name, given in arguments.items():
            [message] = (await tools.client.get_prompt(name, given)).messages
            assert isinstance(message.content, TextContent)
            texts.append(message.content.text)

    assert listed == list(arguments)
    assert all("propose_patch_set" in text and "base_revisions" in text for text in texts)
    assert all(value in text for text, given in zip(texts, arguments.values(), strict=True) for value in given.values())


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        (
            "plan",
            {},
            "There is no prompt of this name; the prompts are: plan_project, decompose_task, refine_plan, weekly_review",
        ),
        (
            "refine_plan",
            {"change": " ", "aim": "x"},
            "project is required; change is required; aim is not an argument of this prompt (refine_plan takes: project, change)",
        ),
    ],
)
async def test_a_wrong_request_for_a_prompt_is_told_what_would_be_right_and_is_no_failure_of_the_server(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, era: str, name: str, given: dict[str, str], sentence: str
) -> None:
    async with memory_tools(tmp_path, era=era) as tools:
        with pytest.raises(MCPError, match=re.escape(sentence)) as refused:
            await tools.client.get_prompt(name, given)

    assert refused.value.code == INVALID_PARAMS
    assert not caplog.records
