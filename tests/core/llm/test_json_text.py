"""What is read as JSON in a model's text."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.llm.json_text import MAX_BYTES, NotJson, parse_json

PLAN = {"summary": "A {plan}", "ops": [{"op": "create_task"}]}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(PLAN),
        "\ufeff" + json.dumps(PLAN, indent=2),
        f"```json\n{json.dumps(PLAN)}\n```",
        f"Here is the plan.\n\n```\n{json.dumps(PLAN, indent=1)}\n```\nTell me if it fits.",
        f"Sure! {json.dumps(PLAN)} Anything else?",
    ],
)
def test_an_object_is_found_wherever_it_stands(text: str) -> None:
    assert parse_json(text) == PLAN


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON object"),
        ("I cannot do that.", "no JSON object"),
        ("[1, 2]", "no JSON object"),
        ('{"summary": "cut', "cut off"),
        ('{"summary": "cut", "ops": [{"op": "create_task"}', "not valid JSON"),
        ('{"ops": [], "ops": [1]}', "names the key 'ops' twice"),
        ('{"estimate": NaN}', "NaN"),
        ('{"estimate": 1e999}', "a number that is too large"),
        ('{"a": ' + "[" * 30 + "]" * 30 + "}", "deeper than 20"),
        ('{"a": "' + "x" * MAX_BYTES + '"}', "512 KB"),
    ],
)
def test_what_is_no_sound_object_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(NotJson, match=why):
        parse_json(text)


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(NotJson):
        parse_json("{" + text + "}")
