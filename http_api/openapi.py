"""The OpenAPI document: what the framework generates, and the few things only we know."""

import warnings
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from pydantic.warnings import UnsupportedFieldAttributeWarning

from http_api import answer_examples
from http_api.envelope import API_PREFIX, API_VERSION, Problem
from http_api.scopes import NEEDED
from schemas.events import Event, StreamClosed, StreamOpened
from schemas.patches import OPS, Patch

TITLE = "Databricks Orchestrator API"
DESCRIPTION = """Projects and tasks that change by reviewed patch sets: propose, see exactly what would change,
apply it whole or not at all, revert it. `/api/...` is the same API as `/api/v1/...`. Every write of plans takes `dry_run`."""
TAGS = [
    {"name": "projects", "description": "Projects, and the views of a whole project"},
    {"name": "tasks", "description": "Tasks, claims and comments"},
    {"name": "search", "description": "Find items by their words, and deleted ones"},
    {"name": "planner", "description": "From a written plan to a proposal; apply a reviewed patch set"},
    {"name": "agent", "description": "Conversations with the agents, what they can do, and what agents ask before they propose"},
    {"name": "jobs", "description": "Calls that go on after they were answered"},
    {"name": "patch sets", "description": "Proposals and history: review, apply, reject, revert, rebase"},
    {"name": "events", "description": "The live feed of applied patch sets"},
    {"name": "health", "description": "For machines"},
]
REF_TEMPLATE = "#/components/schemas/{model}"


SERVERS = [{"url": "/", "description": "The gateway that serves this document, local or production", "x-internal": False}]
HEADERS = {
    "RateLimit": {
        "description": "What is left of the caller's limit, and for how many seconds (draft-ietf-httpapi-ratelimit-headers)",
        "schema": {"type": "string"},
        "example": '"default";r=299;t=60',
    },
    "Retry-After": {
        "description": "Seconds to wait before the next try",
        "schema": {"type": "integer", "minimum": 0},
        "example": 20,
    },
    "X-Request-ID": {
        "description": "Names this request in the log",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
        "example": "7f3c2b1a9d8e4f60",
    },
    "Access-Control-Allow-Origin": {
        "description": "The caller's origin, when CORS_ORIGINS names it",
        "schema": {"type": "string", "format": "uri"},
        "example": "http://localhost:3000",
    },
}
INT64 = {"format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1}  # what both databases hold
LONGEST = 2**31 - 1  # what an int32 counts: for what has no bound of its own, because an answer has none
LENGTHS = {"date": 10, "date-time": 40, "uri": 2_000}


def install(app: FastAPI) -> None:
    """Make `app.openapi()` return our document."""
    ignore_alias_warnings()

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            with warnings.catch_warnings():
                ignore_alias_warnings()
                app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the documented way to extend it


def ignore_alias_warnings() -> None:
    """FastAPI silences these while it declares parameters, but our models are built on first use, after that."""
    warnings.filterwarnings("ignore", category=UnsupportedFieldAttributeWarning)


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=TITLE, version=API_VERSION, description=DESCRIPTION, tags=TAGS, routes=app.routes, servers=SERVERS
    )
    schemas: dict[str, Any] = document["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema(ref_template=REF_TEMPLATE, mode="serialization")
    schemas["Problem"].pop("$defs")  # Issue and ErrorCode are components already
    _say_who_may(document)
    _say_what_minimal_means(document)
    _add_the_events(schemas)
    _name_the_ops(schemas)
    _add_headers(document)
    _give_bounds(document)
    answer_examples.add(document)
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document


def _say_who_may(document: dict[str, Any]) -> None:
    """Name the scope of each operation; one without an entry in the table is a KeyError."""
    about = "An API key (AUTH=api_key) or a signed token (AUTH=jwt); with AUTH=none nothing is asked for"
    document["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "description": about}}
    for operations in document["paths"].values():
        for operation in operations.values():
            scope = NEEDED[operation["operationId"]]
            operation["security"] = [] if scope is None else [{"bearer": [scope.value]}]


def _say_what_minimal_means(document: dict[str, Any]) -> None:
    """Document the answer without a body that every write has for `Prefer: return=minimal`."""
    for operations in document["paths"].values():
        for operation in operations.values():
            if any(parameter["name"] == "prefer" for parameter in operation.get("parameters", [])):
                operation["responses"]["204"] = {"description": "Done, with `Prefer: return=minimal`"}


def _add_the_events(schemas: dict[str, Any]) -> None:
    """Add what a stream carries, which is no body that a route could declare."""
    for model in (Event, StreamOpened, StreamClosed):
        own = model.model_json_schema(ref_template=REF_TEMPLATE, mode="serialization")
        for name, schema in {**own.pop("$defs", {}), model.__name__: own}.items():
            schemas.setdefault(name, schema)


def _name_the_ops(schemas: dict[str, Any]) -> None:
    """Show `patches` as the union it is; the models keep it untyped, so that each patch is judged on its own."""
    union = TypeAdapter(Patch).json_schema(ref_template=REF_TEMPLATE)
    for name, schema in union.pop("$defs").items():
        schemas.setdefault(name, schema)
    schemas["Patch"] = {"title": "Patch", "description": f"One of {len(OPS)} operations, named by `op`.", **union}
    for model in ("PatchSet", "StoredPatchSet", "PatchSetDetail"):
        schemas[model]["properties"]["patches"]["items"] = {"$ref": "#/components/schemas/Patch"}


def _add_headers(document: dict[str, Any]) -> None:
    """Add the headers that every answer may have; those of limits to what is limited."""
    document["components"]["headers"] = HEADERS
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                limits = ["RateLimit"] * path.startswith(API_PREFIX) + ["Retry-After"] * (status in ("429", "503"))
                headers = answer.setdefault("headers", {})
                for name in [*limits, "X-Request-ID", "Access-Control-Allow-Origin"]:
                    headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})


def _give_bounds(node: Any) -> None:
    """Give every number, text and list a format and bounds, as generated clients and gateways expect of a schema."""
    if isinstance(node, list):
        for item in node:
            _give_bounds(item)
        return
    if not isinstance(node, dict):
        return
    if "schema" in node and "in" in node:  # a parameter is given or absent: null does not travel in a query or a header
        node["schema"] = _without_null(node["schema"])
    match node.get("type"):
        case "integer":
            for name, value in INT64.items():
                exclusive = f"exclusive{name.capitalize()}"
                if exclusive not in node:
                    node.setdefault(name, value)
        case "string" if not {"enum", "const"} & node.keys():
            node.setdefault("maxLength", LENGTHS.get(node.get("format", ""), LONGEST))
        case "array":
            node.setdefault("maxItems", LONGEST)
    for child in node.values():
        _give_bounds(child)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {**kinds[0], **{name: value for name, value in schema.items() if name != "anyOf" and value is not None}}
