"""JSON Schema 2020-12 checks of a project's `task_schema` and of its tasks' `custom` objects.

`jsonschema` is imported on first use: most projects have no schema, and start-up time is a budget.
A schema is a stranger's program that runs while a write waits. So references stay inside it and
must resolve, expressions are matched in linear time, and the number of references followed is
bounded; what could still not be evaluated is reported like any other broken rule.
"""

import json
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from schemas.patterns import matcher

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

MAX_MESSAGE = 200
MAX_PROBLEMS = 20
MAX_REFERENCES = 2_000  # followed in one check; a few nested choices between references would multiply without end
MAX_NESTED_REFERENCES = 50  # some ten frames each: the interpreter's own limit could strike inside an extension, which panics

# Values under these are data, not schemas.
DATA_KEYWORDS = frozenset({"const", "default", "enum", "examples"})
UNSUPPORTED = frozenset({"$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef", "patternProperties"})

_references_left: ContextVar[int] = ContextVar("references_left")
_references_open: ContextVar[int] = ContextVar("references_open")

Path = tuple[str | int, ...]


class Problem(NamedTuple):
    path: Sequence[str | int]
    message: str


class _Endless(Exception):
    """The schema follows more references, or more inside one another, than one check may."""


def task_schema_errors(schema: dict[str, Any]) -> Problem | None:
    """Return what is wrong with a schema itself, or None."""
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return Problem(list(error.absolute_path), _short(error.message))
    return next(_unusable(schema, schema, ()), None)


def schema_errors(schema: dict[str, Any], custom: dict[str, Any]) -> list[Problem]:
    """Return every way in which `custom` breaks the schema, at most 20."""
    validator = _validator(json.dumps(schema, sort_keys=True))
    _references_left.set(MAX_REFERENCES)
    _references_open.set(0)
    try:
        problems = sorted(validator.iter_errors(custom), key=lambda error: [str(part) for part in error.absolute_path])
    except (RecursionError, _Endless):
        return [Problem((), "the schema refers to itself without end")]
    return [Problem(list(error.absolute_path), _short(error.message)) for error in problems[:MAX_PROBLEMS]]


@lru_cache(maxsize=64)
def _validator(schema: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.validators import extend

    follow = Draft202012Validator.VALIDATORS["$ref"]

    def bounded_ref(validator: Any, ref: Any, instance: Any, within: Any) -> Iterator[ValidationError]:
        left, nested = _references_left.get(), _references_open.get()
        if left == 0 or nested == MAX_NESTED_REFERENCES:
            raise _Endless
        _references_left.set(left - 1)
        _references_open.set(nested + 1)
        try:
            yield from follow(validator, ref, instance, within) or ()
        finally:
            _references_open.set(nested)

    def linear_pattern(_validator: Any, pattern: str, instance: Any, _within: Any) -> Iterator[ValidationError]:
        if isinstance(instance, str) and not matcher(pattern)(instance):
            yield ValidationError(f"{instance!r} does not match {pattern!r}")

    keywords = {"$ref": bounded_ref, "pattern": linear_pattern}
    bounded = extend(Draft202012Validator, keywords)  # type: ignore[no-untyped-call]  # untyped in its stubs
    found: Draft202012Validator = bounded(json.loads(schema))
    return found


def _unusable(schema: Any, root: dict[str, Any], path: Path) -> Iterator[Problem]:
    """Yield what a valid schema may not contain here: see the module's first lines."""
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from _unusable(item, root, (*path, index))
    if not isinstance(schema, dict):
        return
    for name, item in schema.items():
        here = (*path, name)
        if name == "$ref" and isinstance(item, str):
            if not _resolves(item, root):
                yield Problem(here, "must name a part of this schema that exists, such as #/$defs/size")
        elif name in UNSUPPORTED or (name == "$id" and path):
            yield Problem(here, f"{name} is not supported")
        elif name == "pattern" and isinstance(item, str):
            try:
                matcher(item)
            except ValueError as error:
                yield Problem(here, str(error))
        elif name in ("properties", "$defs", "dependentSchemas") and isinstance(item, dict):
            for member, inner in item.items():  # names here are the user's, not keywords
                yield from _unusable(inner, root, (*here, member))
        elif name not in DATA_KEYWORDS:
            yield from _unusable(item, root, here)


def _resolves(reference: str, root: Any) -> bool:
    """Whether a reference is `#` or a JSON Pointer (RFC 6901) to a schema inside `root`."""
    if not reference.startswith("#"):
        return False
    target = root
    pointer = unquote(reference[1:])
    if pointer and not pointer.startswith("/"):
        return False
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(target, dict) and name in target:
            target = target[name]
        elif isinstance(target, list) and name.isascii() and name.isdigit() and int(name) < len(target):
            target = target[int(name)]
        else:
            return False
    return isinstance(target, dict | bool)


def _short(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 3] + "..."
