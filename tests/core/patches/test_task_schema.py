"""What a project's task_schema may be, and what it asks of custom."""

from typing import Any

import pytest

from core.patches.schema_check import schema_errors
from schemas.errors import ErrorCode
from schemas.primitives import MAX_CUSTOM_BYTES, MAX_TASK_SCHEMA_BYTES
from tests.core.patches.builders import create, only_issue, update
from tests.core.patches.world import World


def test_custom_must_satisfy_the_projects_schema(world: World) -> None:
    schema = {"type": "object", "properties": {"points": {"type": "integer"}}, "additionalProperties": False}
    world.apply({"op": "update_project", "project": "WEB", "fields": {"task_schema": schema}})

    issue = only_issue(world.plan(update("WEB-2", custom={"points": "many"})).issues)
    world.apply(update("WEB-2", custom={"points": 3}))
    later = world.plan({"op": "update_project", "project": "WEB", "fields": {"task_schema": {"required": ["size"]}}})

    assert issue.path == "/patches/0/fields/custom/points"
    assert len(later.issues) == 5, "every task is checked against a new schema"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"$ref": "http://example.com/schema.json"},
        {"$ref": "#/nope"},
        {"$ref": "#/%"},
        {"properties": {"a": {"$ref": "#name", "$anchor": "name"}}},
        {"unevaluatedProperties": {"$ref": "#/$defs/absent"}},
        {"properties": {"a": {"$dynamicRef": "#q"}}},
        {"properties": {"a": {"pattern": "("}}},
        {"properties": {"a": {"pattern": "(?=look)"}}},
        {"patternProperties": {"^x": True}},
    ],
)
def test_a_task_schema_must_be_a_schema_that_can_be_evaluated_by_itself(world: World, schema: dict[str, Any]) -> None:
    issue = only_issue(world.plan({"op": "update_project", "project": "WEB", "fields": {"task_schema": schema}}).issues)

    assert issue.path.startswith("/patches/0/fields/task_schema/")


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {
            "$defs": {str(n): {"anyOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(30)} | {"30": False},
            "$ref": "#/$defs/0",
        },
    ],
)
def test_a_schema_without_end_is_an_issue_and_no_hang(world: World, schema: dict[str, Any]) -> None:
    world.apply(*({"op": "delete_task", "task": key} for key in ("WEB-1", "WEB-4", "WEB-5")))
    world.apply({"op": "update_project", "project": "WEB", "fields": {"task_schema": schema}})

    issue = only_issue(world.plan(create("x", fields={"custom": {"a": "b"}})).issues)

    assert "without end" in issue.message


def test_a_pattern_cannot_hold_a_write(world: World) -> None:
    schema = {"properties": {"a": {"pattern": "^(a+)+$"}}}
    world.apply({"op": "update_project", "project": "WEB", "fields": {"task_schema": schema}})

    world.apply(update("WEB-2", custom={"a": "aaa"}))
    issue = only_issue(world.plan(update("WEB-2", custom={"a": "a" * 5_000 + "!"})).issues)

    assert issue.path == "/patches/0/fields/custom/a"


def test_properties_may_be_named_like_keywords(world: World) -> None:
    schema = {"properties": {"$ref": {"type": "string"}, "pattern": {"enum": ["("]}}, "default": {"$ref": "nowhere"}}

    world.apply({"op": "update_project", "project": "WEB", "fields": {"task_schema": schema}})


def set_schema(schema: dict[str, Any] | None) -> dict[str, Any]:
    return {"op": "update_project", "project": "WEB", "fields": {"task_schema": schema}}


def test_a_task_schema_is_at_most_so_large(world: World) -> None:
    large = only_issue(world.plan(set_schema({"description": "x" * MAX_TASK_SCHEMA_BYTES})).issues)
    fits = world.plan(set_schema({"description": "x" * (MAX_TASK_SCHEMA_BYTES - len('{"description": ""}'))}))

    assert (large.code, large.path) == (ErrorCode.VALIDATION_ERROR, "/patches/0/fields/task_schema")
    assert not fits.issues


def test_custom_is_at_most_so_large_with_all_its_parts(world: World) -> None:
    half = "x" * (MAX_CUSTOM_BYTES // 2)
    world.apply(update("WEB-2", custom={"a": half}))

    issue = only_issue(world.plan(update("WEB-2", custom={"b": half})).issues)

    assert (issue.code, issue.path) == (ErrorCode.VALIDATION_ERROR, "/patches/0/fields/custom")


def test_a_new_task_must_satisfy_the_schema_whether_or_not_it_has_custom(world: World) -> None:
    world.apply(*({"op": "delete_task", "task": key} for key in ("WEB-1", "WEB-4", "WEB-5")), set_schema({"required": ["size"]}))

    issue = only_issue(world.plan(create("x")).issues)

    assert (issue.code, issue.path) == (ErrorCode.VALIDATION_ERROR, "/patches/0")


def test_a_schema_can_be_taken_away(world: World) -> None:
    world.apply(set_schema({"properties": {"size": {"type": "integer"}}}))

    world.apply(set_schema(None), update("WEB-2", custom={"size": "large"}))

    assert world.project("WEB").task_schema is None


def test_at_most_twenty_tasks_that_break_a_new_schema_are_named(world: World) -> None:
    world.apply(*(create(str(number)) for number in range(30)))

    assert len(world.plan(set_schema({"required": ["size"]})).issues) == 20


def test_references_may_name_the_parts_of_a_list_or_a_whole_schema(world: World) -> None:
    world.apply(set_schema({"properties": {"a": {"anyOf": [{"type": "string"}]}, "b": {"$ref": "#/properties/a/anyOf/0"}}}))

    issue = only_issue(world.plan(update("WEB-2", custom={"b": 1})).issues)

    assert issue.path == "/patches/0/fields/custom/b"


def test_a_tree_of_thirty_levels_is_followed_to_its_leaves(world: World) -> None:
    world.apply(set_schema({"properties": {"child": {"$ref": "#"}, "size": {"type": "integer"}}}))
    tree: dict[str, Any] = {"size": "large"}
    for _ in range(30):
        tree = {"child": tree}

    issue = only_issue(world.plan(update("WEB-2", custom=tree)).issues)

    assert issue.path == "/patches/0/fields/custom" + "/child" * 30 + "/size"


def test_a_schema_without_end_is_found_at_any_depth_of_the_stack() -> None:
    def found_below(frames: int) -> list[str]:
        return found_below(frames - 1) if frames else [problem.message for problem in schema_errors({"$ref": "#"}, {})]

    assert {tuple(found_below(frames)) for frames in range(40)} == {("the schema refers to itself without end",)}
