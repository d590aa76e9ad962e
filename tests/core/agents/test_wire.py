"""The form in which models write changes, and what becomes of it."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from core.agents import decomposer, editor
from core.agents.planner import PlannerAgent
from core.agents.view import PlanView
from core.agents.wire import CLEAR, OPS, Aliases, Lowered, answer_schema, lower
from schemas.changes import ValidationResponse
from schemas.patches import PatchSet
from tests.core.agents.builders import project, task
from tests.core.agents.conftest import JsonObject, answer, op

SCHEMA = answer_schema(*OPS)
ALLOWED = {"type", "properties", "required", "additionalProperties", "items", "enum", "description"}


ALIASES = Aliases(
    project(), [task("WEB-1", "API", due_date=date(2026, 3, 1), tags=["api"]), task("WEB-2", "Docs", parent="WEB-1")]
)


def lowered(*ops: JsonObject) -> Lowered:
    return lower(answer(*ops), SCHEMA, ALIASES)


def problems(*ops: JsonObject) -> list[str]:
    return [str(problem) for problem in lowered(*ops).problems]


# -- the form


def nodes(schema: Any) -> list[dict[str, Any]]:
    """Return every schema in a schema."""
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return [schema, *(node for one in inner for node in nodes(one))]


@pytest.mark.parametrize("ops", [OPS, editor.OPS, decomposer.OPS], ids=["all", "editor", "decomposer"])
def test_every_strict_mode_takes_the_form(ops: tuple[str, ...]) -> None:
    found = nodes(answer_schema(*ops).schema)

    assert all(node.keys() <= ALLOWED for node in found)
    for node in found:
        assert isinstance(node["type"], str), "no unions"
        if node["type"] == "object":
            assert node["required"] == list(node["properties"]), "no optional members"
            assert node["additionalProperties"] is False


def test_an_agent_is_offered_its_own_operations_only() -> None:
    form = answer_schema(*decomposer.OPS).schema
    assert form["properties"]["ops"]["items"]["properties"]["op"]["enum"] == ["create_task", "add_dependency"]


# -- lowering


def test_refs_aliases_and_keys_become_names_of_the_patch_set() -> None:
    result = lowered(
        op("create_task", ref="t1", title="Auth", parent="K2", depends_on="WEB-2, t2"),
        op("create_task", ref="s2.t2", title="Login", parent="K1"),
        op("create_task", ref="t2", title="Logout"),
        op("add_dependency", target="s2.t2", depends_on="K3"),
    )

    assert result.problems == []
    assert result.patches == [
        {"op": "create_task", "ref": "$t1", "parent": "WEB-1", "fields": {"title": "Auth"}, "depends_on": ["WEB-2", "$t2"]},
        {"op": "create_task", "ref": "$s2-t2", "project": "WEB", "fields": {"title": "Login"}},
        {"op": "create_task", "ref": "$t2", "project": "WEB", "fields": {"title": "Logout"}},
        {"op": "add_dependency", "task": "$s2-t2", "depends_on": "WEB-2"},
    ]


def test_values_become_what_their_field_holds() -> None:
    values = {
        "status": "Completed",
        "assignee": "@ann",
        "tags": "api, #ui ,",
        "estimated_minutes": "120",
        "acceptance_criteria": "- it works\n\n2) it is fast",
        "description": "",
    }

    [patch] = lowered(op("create_task", ref="t1", title="Auth", set=values)).patches

    assert patch["fields"] == {
        "title": "Auth",
        "status": "completed",
        "assignee": "ann",
        "tags": ["api", "ui"],
        "estimated_minutes": 120,
        "acceptance_criteria": ["it works", "it is fast"],
    }


def test_an_update_expects_what_the_model_saw_and_clears_by_name() -> None:
    [patch] = lowered(op("update_task", target="K2", title="The API", set={CLEAR: "due_date, tags", "assignee": "ann"})).patches

    assert patch == {
        "op": "update_task",
        "task": "WEB-1",
        "fields": {"title": "The API", "due_date": None, "tags": None, "assignee": "ann"},
        "expect": {"title": "API", "due_date": "2026-03-01", "tags": ["api"], "assignee": None},
    }


def test_deletions_come_last_and_keep_the_place_they_were_written_at() -> None:
    result = lowered(op("delete_task", target="K2"), op("move_task", target="K3"), op("create_task", ref="t1", title="New"))

    assert [patch["op"] for patch in result.patches] == ["move_task", "create_task", "delete_task"]
    assert result.places == [1, 2, 0]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (op("update_task", target="K9", set={"status": "done"}), "ops[0].target: 'K9' unknown; known: K1, K2, K3, and the refs"),
        (op("update_task", target="WEB-77"), "ops[0].target: 'WEB-77' unknown"),
        (op("update_task", target="K1", set={"status": "done"}), "ops[0].target: K1 is a project"),
        (op("create_task", title="No ref"), "ops[0].ref: each new item needs a ref"),
        (op("create_task", ref="K2", title="Alias"), "ops[0].ref: 'K2' is no ref"),
        (op("create_task", ref="t 1", title="Blank"), "ops[0].ref: 't 1' is no ref"),
        (op("update_task", target="K2", parent="K3", set={"status": "done"}), "ops[0].parent: update_task has no parent"),
        (op("delete_task", target="K2", set={"status": "done"}), "ops[0].set: delete_task has no set"),
        (op("update_task", target="K2", set={"estimated_minutes": "2h"}), "ops[0].set[0]: '2h' is no whole number"),
        (op("update_task", target="K2", set={"name": "API"}), "ops[0].set[0]: update_task has no field name"),
    ],
)
def test_what_cannot_be_meant_is_said_in_terms_of_the_answer(wrong: JsonObject, said: str) -> None:
    assert any(problem.startswith(said) for problem in problems(wrong)), problems(wrong)


def test_a_ref_that_is_used_twice_is_said_and_so_is_everything_else() -> None:
    found = problems(
        op("create_task", ref="t1", title="A"), op("create_task", ref="t1", title="B"), op("delete_task", target="K9")
    )

    assert [problem.partition(":")[0] for problem in found] == ["ops[1].ref", "ops[2].target"]


def test_a_wrong_shape_is_said_completely() -> None:
    wrong: JsonValue = {"summary": 1, "ops": [{"op": "explode"}], "more": True}

    found = [str(problem) for problem in lower(wrong, SCHEMA, ALIASES).problems]

    assert any(problem.startswith("summary: 1 is not of type") for problem in found)
    assert any("'explode' is not one of" in problem for problem in found)
    assert any("'questions' is a required property" in problem for problem in found)
    assert any("'more' was unexpected" in problem for problem in found)


def test_more_changes_than_an_agent_may_make_are_refused() -> None:
    assert problems(*[op("delete_task", target="K2")] * 501) == ["ops: at most 500 ops; group them, or leave details to later"]


FIELDS = st.sampled_from(["title", "name", "tags", "estimated_minutes", "due_date", CLEAR])
VALUES = st.sampled_from(["", "Ship", "90", "1.5h", "2026-13-01", "title, tags", "\u202e"])
NAMES = st.sampled_from(["", "K1", "K2", "K9", "t1", "$t1", "WEB-1", "a b", "\u202e"])
ANY_OP = st.builds(
    op,
    st.sampled_from(OPS),
    ref=NAMES,
    target=NAMES,
    parent=NAMES,
    depends_on=NAMES,
    title=VALUES,
    set=st.dictionaries(FIELDS, VALUES, max_size=3),
)


@given(st.lists(ANY_OP, max_size=4))
def test_no_answer_breaks_the_lowering_and_what_is_named_is_known(ops: list[JsonObject]) -> None:
    result = lowered(*ops)

    named = {patch.get(member) for patch in result.patches for member in ("task", "project", "parent") if patch.get(member)}
    if not result.problems:
        assert all(name in {"WEB", "WEB-1", "WEB-2"} or str(name).startswith("$") for name in named)


def test_an_agent_has_nothing_to_write_with() -> None:
    async def check(_: PatchSet) -> ValidationResponse:
        raise AssertionError

    view = PlanView(check, date(2026, 3, 2), 5)
    held = [getattr(agent, name) for agent in (PlannerAgent(view), editor.EditorAgent(view)) for name in vars(agent)]

    assert held == [view, view]
    assert not [name for name in dir(view) if name.startswith(("write", "apply", "save", "storage"))]
