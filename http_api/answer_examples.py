"""An example of each successful answer, made of its schema, so that none can fall behind it.

A field holds what is usual under its name, else the least its schema allows; what may be null and has nothing usual, is.
"""

import re
from typing import Any

from pydantic import JsonValue

_ID = "01a22260-48b4-7267-b207-4beb52efcabc"
_USUAL: dict[str, JsonValue] = {
    "acceptance_criteria": ["Each route has an example"],
    "api_version": "1.0.0",
    "assignee": "ada",
    "author": "ada",
    "blocks": ["WEB-15"],
    "body": "The staging server is up.",
    "created_by": "ada",
    "critical_path": ["WEB-3", "WEB-14"],
    "days_per_week": 5,
    "depends_on": ["WEB-3"],
    "description": "",
    "diff": "in WEB:\n  ~ WEB-14 Draft the API: status todo -> in_progress",
    "estimated_minutes": 240,
    "hours_per_day": 8,
    "id": _ID,
    "key": "WEB-14",
    "kind": "task",
    "message": "WEB-14 is in progress.",
    "name": "Website relaunch",
    "page": 1,
    "path": "/patches/0/fields/due_date",
    "patch_set_id": "ps_82zaxrb6e1hbxxsb",
    "per_page": 20,
    "priority": "medium",
    "project": "WEB",
    "project_id": _ID,
    "request_id": "7f3c2b1a9d8e4f60",
    "revision": 42,
    "success": True,
    "summary": "Split the API work",
    "tags": ["marketing"],
    "task_id": _ID,
    "title": "Draft the API",
    "unestimated": ["WEB-9"],
    "warnings": [],
}
_PROJECT_KEY = "WEB"
_NULL = {"type": "null"}
_BY_FORM = ("ps_82zaxrb6e1hbxxsb", "WEB", "$api")  # for what a pattern describes
_BY_FORMAT = {"date": "2026-03-31", "date-time": "2026-03-02T09:00:00Z", "uuid": _ID, "uri": "https://example.com"}
_BY_TYPE: dict[str, JsonValue] = {"string": "text", "boolean": False, "number": 1, "object": {}, "array": [], "null": None}
_KINDS: dict[str, type[Any]] = {"string": str, "integer": int, "array": list, "boolean": bool}


def add(document: dict[str, Any]) -> None:
    """Give each JSON answer of `document` that is no refusal its example; those of other kinds and of no form have none."""
    schemas = document["components"]["schemas"]
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                content = answer.get("content", {}).get("application/json", {})
                if status.startswith("2") and content.get("schema"):
                    content["example"] = _Maker(schemas).value("", content["schema"])


class _Maker:
    def __init__(self, schemas: dict[str, Any]) -> None:
        self._schemas = schemas
        self._open: list[str] = []  # the models around the value being made: one within itself ends there

    def value(self, name: str, schema: dict[str, Any]) -> JsonValue:
        if "$ref" in schema:
            return self._model(name, schema["$ref"].rpartition("/")[2])
        if "const" in schema or "enum" in schema:
            closed = schema.get("enum") or [schema["const"]]
            return _USUAL[name] if _USUAL.get(name) in closed else closed[0]
        if kinds := schema.get("anyOf") or schema.get("oneOf"):
            if _NULL in kinds and name not in _USUAL and name != "data":
                return None
            return self.value(name, kinds[0])
        if "format" in schema and schema["format"] in _BY_FORMAT:
            return _BY_FORMAT[schema["format"]]
        if "pattern" in schema:
            return next(text for text in _BY_FORM if re.search(schema["pattern"], text))
        kind = schema.get("type", "object")
        usual = _USUAL.get(name)
        if usual is not None and isinstance(usual, _KINDS.get(kind, ())):
            return usual
        return self._plain(name, kind, schema)

    def _plain(self, name: str, kind: str, schema: dict[str, Any]) -> JsonValue:
        if kind == "object" and "properties" in schema:
            sparse = name == "metadata"  # where nulls are left out
            made = {
                field: self.value(field, inner)
                for field, inner in schema["properties"].items()
                if not (sparse and _NULL in inner.get("anyOf", ()))
            }
            return {**made, "key": _PROJECT_KEY} if "task_count" in made and "key" in made else made
        if kind == "array" and "items" in schema and not self._is_open(schema["items"]):
            return [self.value(name, schema["items"])]
        if kind == "integer":
            least: int = schema["minimum"]
            return max(least, 1)
        return _BY_TYPE[kind]

    def _model(self, name: str, model: str) -> JsonValue:
        self._open.append(model)
        made = self.value(name, self._schemas[model])
        self._open.pop()
        return made

    def _is_open(self, schema: dict[str, Any]) -> bool:
        return schema.get("$ref", "").rpartition("/")[2] in self._open
