"""The OpenAPI document: what the framework generates, and the few things only we know."""

import warnings
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from pydantic.warnings import UnsupportedFieldAttributeWarning

from http_api.envelope import API_VERSION, Problem
from http_api.scopes import NEEDED
from schemas.events import Event, StreamClosed, StreamOpened
from schemas.patches import OPS, Patch

TITLE = "Databricks Orchestrator API"
DESCRIPTION = """Projects and tasks that change by reviewed patch sets: propose, see exactly what would change,
apply it whole or not at all, revert it. `/api/...` is the same API as `/api/v1/...`. Every write takes `dry_run`."""
TAGS = [
    {"name": "projects", "description": "Projects, and the views of a whole project"},
    {"name": "tasks", "description": "Tasks, claims and comments"},
    {"name": "planner", "description": "From a written plan to a proposal; apply a reviewed patch set"},
    {"name": "agent", "description": "What agents ask before they propose"},
    {"name": "patch sets", "description": "Proposals and history: review, apply, reject, revert, rebase"},
    {"name": "events", "description": "The live feed of applied patch sets"},
    {"name": "health", "description": "For machines"},
]
REF_TEMPLATE = "#/components/schemas/{model}"


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
    document = get_openapi(title=TITLE, version=API_VERSION, description=DESCRIPTION, tags=TAGS, routes=app.routes)
    schemas: dict[str, Any] = document["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema(ref_template=REF_TEMPLATE, mode="serialization")
    schemas["Problem"].pop("$defs")  # Issue and ErrorCode are components already
    _say_who_may(document)
    _say_what_minimal_means(document)
    _add_the_events(schemas)
    _name_the_ops(schemas)
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
