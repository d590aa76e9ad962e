"""JSON Schema 2020-12 checks of a project's `task_schema` and of its tasks' `custom` objects.

`jsonschema` is imported on first use: most projects have no schema, and start-up time is a budget.
References to other documents are refused before a validator sees them, so that none is ever fetched.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

MAX_MESSAGE = 200
MAX_PROBLEMS = 20


class Problem(NamedTuple):
    path: Sequence[str | int]
    message: str


def task_schema_errors(schema: dict[str, Any]) -> Problem | None:
    """Return what is wrong with a schema itself, or None."""
    from jsonschema import Draft202012Validator, SchemaError

    foreign = _foreign_reference(schema)
    if foreign is not None:
        return foreign
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return Problem(list(error.absolute_path), _short(error.message))
    return None


def schema_errors(schema: dict[str, Any], custom: dict[str, Any]) -> list[Problem]:
    """Return every way in which `custom` breaks the schema, at most 20."""
    validator = _validator(json.dumps(schema, sort_keys=True))
    problems = sorted(validator.iter_errors(custom), key=lambda error: [str(part) for part in error.absolute_path])
    return [Problem(list(error.absolute_path), _short(error.message)) for error in problems[:MAX_PROBLEMS]]


@lru_cache(maxsize=64)
def _validator(schema: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema))


def _foreign_reference(schema: Any, path: tuple[str | int, ...] = ()) -> Problem | None:
    if isinstance(schema, dict):
        for keyword in ("$ref", "$dynamicRef"):
            target = schema.get(keyword)
            if isinstance(target, str) and not target.startswith("#"):
                return Problem([*path, keyword], "may only refer to a part of itself (#/...)")
        items: list[tuple[str | int, Any]] = [*schema.items()]
    elif isinstance(schema, list):
        items = list(enumerate(schema))
    else:
        return None
    for name, item in items:
        found = _foreign_reference(item, (*path, name))
        if found is not None:
            return found
    return None


def _short(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 3] + "..."
