"""The OpenAPI document, as clients and their generators read it."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator

from core.settings import Settings
from http_api.app import create_app
from schemas.patches import OPS

OPERATIONS = {
    "list_projects", "create_project", "get_project", "update_project", "patch_project", "delete_project", "restore_project",
    "get_hierarchy", "get_schedule", "list_history", "export_project",
    "diff_revisions", "revert_to_revision",
    "list_tasks", "create_task", "get_task", "update_task", "patch_task", "delete_task", "restore_task",
    "list_next_tasks", "claim_task", "add_comment", "list_comments",
    "import_outline", "generate_plan", "refine_plan", "decompose_task", "apply_patch_set",
    "get_capabilities", "validate_patch_set",
    "chat", "list_conversations", "get_conversation", "delete_conversation",
    "get_job", "cancel_job",
    "propose_patch_set", "list_patch_sets", "get_patch_set", "list_changes", "apply_proposal", "reject_patch_set",
    "revert_patch_set", "rebase_patch_set",
    "stream_events", "search", "list_trash",
    "get_health", "get_liveness", "get_readiness", "get_metrics",
}  # fmt: skip


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings(database_url="sqlite:///./never-opened.db")).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def test_the_title_and_version_are_those_of_the_specification(document: dict[str, Any]) -> None:
    assert (document["info"]["title"], document["info"]["version"]) == ("Databricks Orchestrator API", "1.0.0")


# method, path below /api/v1, and the parameters in path and query that the specification names, with their defaults
SPECIFIED: list[tuple[str, str, dict[str, Any]]] = [
    ("get", "/projects", {"per_page": 20, "status": []}),
    ("post", "/projects", {}),
    ("get", "/projects/{project_id}", {"project_id": None, "include_tasks": True}),
    ("put", "/projects/{project_id}", {"project_id": None}),
    ("delete", "/projects/{project_id}", {"project_id": None, "cascade": True}),
    ("get", "/tasks", {"project_id": None, "parent_id": None, "status": [], "assignee": None}),
    ("post", "/tasks", {}),
    ("get", "/tasks/{task_id}", {"task_id": None, "include_subtasks": True}),
    ("put", "/tasks/{task_id}", {"task_id": None}),
    ("post", "/tasks/{task_id}/decompose", {"task_id": None}),
    ("post", "/planner/generate", {}),
    ("post", "/planner/refine", {}),
    ("post", "/planner/apply", {}),
    ("post", "/agent/chat", {}),
    ("get", "/agent/capabilities", {}),
    ("post", "/agent/validate", {}),
]


@pytest.mark.parametrize(("method", "path", "expected"), SPECIFIED, ids=lambda part: part if isinstance(part, str) else "")
def test_every_route_of_the_specification_is_there_with_its_parameters_and_defaults(
    document: dict[str, Any], method: str, path: str, expected: dict[str, Any]
) -> None:
    parameters = document["paths"][f"/api/v1{path}"][method].get("parameters", [])
    defaults = {parameter["name"]: parameter["schema"].get("default") for parameter in parameters}

    assert {name: defaults[name] for name in expected} == expected
    assert {parameter["name"] for parameter in parameters if parameter.get("required")} <= expected.keys()


def test_operations_are_named_after_their_services_once(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]

    assert sorted(names) == sorted(OPERATIONS)


def test_every_path_is_shown_once_in_its_canonical_form(document: dict[str, Any]) -> None:
    for path in document["paths"]:
        assert path.startswith(("/api/v1/", "/health", "/metrics"))
        assert not path.endswith("/")


def test_every_operation_documents_its_refusals_with_our_envelope(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        if not path.startswith("/api/"):
            continue
        answers = operation["responses"]
        assert {"403", "422", "500", "503"} <= answers.keys(), operation["operationId"]
        assert {"400", "413", "415"} <= answers.keys() or "requestBody" not in operation, operation["operationId"]
        assert "404" in answers or "{" not in path, operation["operationId"]
        for status in (status for status in answers if status >= "400"):
            schema = answers[status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorEnvelope"}
            assert "application/problem+json" in answers[status]["content"]


def test_every_body_has_an_example_that_its_schema_accepts(document: dict[str, Any]) -> None:
    for _, operation in operations(document):
        if "requestBody" not in operation:
            continue
        content = operation["requestBody"]["content"]["application/json"]
        schema = {**content["schema"], "components": document["components"]}
        assert content["examples"], operation["operationId"]
        for example in content["examples"].values():
            assert not list(Draft202012Validator(schema).iter_errors(example["value"])), operation["operationId"]


def test_every_operation_has_an_example_of_its_answer_that_its_schema_accepts(document: dict[str, Any]) -> None:
    for _, operation in operations(document):
        answers = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        contents = [
            content for answer in answers for kind, content in answer.get("content", {}).items() if kind == "application/json"
        ]
        for content in contents:
            schema = {**content["schema"], "components": document["components"]}
            wrong = [error.message for error in Draft202012Validator(schema).iter_errors(content["example"])]
            assert not wrong, (operation["operationId"], wrong)
        assert contents or operation["operationId"] in ("stream_events", "get_metrics"), operation["operationId"]


def test_every_creation_that_takes_a_dry_run_documents_both_answers(document: dict[str, Any]) -> None:
    found = [
        operation
        for _, operation in operations(document)
        if "201" in operation["responses"] and "dry_run" in {parameter["name"] for parameter in operation.get("parameters", [])}
    ]

    assert len(found) >= 7
    assert [operation["operationId"] for operation in found if "200" not in operation["responses"]] == []


def test_every_write_takes_an_idempotency_key(document: dict[str, Any]) -> None:
    keyed = {
        operation["operationId"]
        for _, operation in operations(document)
        for parameter in operation.get("parameters", [])
        if (parameter["in"], parameter["name"]) == ("header", "Idempotency-Key")
    }
    writes = {
        operation["operationId"]
        for methods in document["paths"].values()
        for method, operation in methods.items()
        if method != "get" and operation["operationId"] != "validate_patch_set"  # which stores nothing
    }

    assert keyed == writes


def test_every_tag_is_described(document: dict[str, Any]) -> None:
    described = {tag["name"] for tag in document["tags"]}

    assert {name for _, operation in operations(document) for name in operation["tags"]} == described


def test_patches_are_shown_as_the_exact_union_of_the_twelve_ops(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    assert schemas["PatchSet"]["properties"]["patches"]["items"] == {"$ref": "#/components/schemas/Patch"}
    assert set(schemas["Patch"]["discriminator"]["mapping"]) == set(OPS)
    for reference in schemas["Patch"]["discriminator"]["mapping"].values():
        assert schemas[reference.rpartition("/")[2]]["additionalProperties"] is False


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    known = {f"#/components/{room}/{name}" for room in ("schemas", "headers") for name in document["components"][room]}

    assert set(references(document)) <= known


def test_lists_offer_every_filter_of_their_query(document: dict[str, Any]) -> None:
    tasks = {item["name"] for item in document["paths"]["/api/v1/tasks"]["get"]["parameters"]}

    assert tasks >= {"project_id", "parent_id", "status", "assignee", "page", "per_page", "cursor", "ready", "query", "sort"}


def test_the_docs_page_needs_no_other_server(base_url: str) -> None:
    page = httpx2.get(f"{base_url}/docs")

    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    policy = page.headers["content-security-policy"]
    nonce = policy.partition("script-src 'nonce-")[2].partition("'")[0]
    assert f'<script nonce="{nonce}">' in page.text
    assert "unsafe" not in policy


def test_the_served_document_is_the_generated_one(base_url: str, document: dict[str, Any]) -> None:
    assert httpx2.get(f"{base_url}/openapi.json", timeout=120).json() == document  # made when it is first asked for
