"""Laws of the importer that hold for any text."""

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from core.errors import BodyTooLarge, ValidationFailed
from schemas.patches import Patch
from tests.core.patches.world import World
from tests.rules.plans import parse, parse_into_web

PATCH: TypeAdapter[Any] = TypeAdapter(Patch)
MARKUP = (
    "# {}",
    "## {}",
    "### Task 1.{n}: {}",
    "## Phase {n}: {}",
    "#### {} (90 min)",
    "## Notes {}",
    "## Notes",
    "#",
    "{}\n---",
    "{}\n===",
    "- {}",
    "* {}",
    "1. {}",
    "{n}) {}",
    "- [ ] {}",
    "- [x] {} (2h)",
    "- [-] {}",
    "- [ ]",
    "-",
    "- - {}",
    "- # {}",
    "  - {}",
    "  - [ ] {}",
    "    - {}",
    "\t- {}",
    "      - [x] {} @ann",
    "   1. {}",
    "1.1 {}\n1.1.1 {}\n1.2 {}",
    "{n}.{n} {}",
    "a. {}",
    "   b) {}",
    "> {}",
    ">> - [ ] {}",
    "```\n{}\n```",
    "~~~\n- [ ] {}",
    "```text description\n{}\n```",
    "  ```text comment\n  {}\n  ```",
    '  ```json fields\n  {{"custom": {{"a": "{}"}}}}\n  ```',
    "```json fields\n{}\n```",
    "  ~~~text comment\n{}",
    "    {}",
    "  {}",
    "{}",
    "{} | {n}\n-- | --\n1 | 2",
    "<div>{}</div>",
    "<!-- {}",
    "***",
    "---",
    "[{}]: http://example.org",
    "[P] {}",
    "- [ ] [P] {} #tag",
    "**Duration**: 1 day",
    "**Owner**: {}",
    "**Dependencies**: {}",
    "- **Status**: done",
    "**Due**: 01/02/2027 {}",
    "Acceptance criteria:",
    "**{}**",
    "{}:",
    "- {} after T001",
    "- [ ] T00{n} {} after T002",
    "- {} depends on Task 1.1",
    "**Phase 1**: Depends on Phase 2",
    "- [x] {} ^b{n}",
    "",
    "",
    "",
    "\u00a0{}",
    "{}\u2028x",
    "\x0b{}",
    "{}\x85",
    "- \u200b{}",
    "- **{}** `code @x` due:2026-12-0{n} !high",
    "a" * 300 + " {}",
    "- " + "long " * 60 + "{}",
    "# " + "long " * 60 + "{}",
    "- [x] " + "wrapped " * 9 + "{}",
    "  and on {}",
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Lines of Markdown in any order, each with a word of its own."""
    lines = draw(
        st.lists(
            st.tuples(st.sampled_from(MARKUP), st.integers(1, 5), st.sampled_from(["", "  ", "    "])), min_size=1, max_size=30
        )
    )
    text = "\n".join(
        indent + markup.format(*[f"word{index}x"] * 3, n=number) for index, (markup, number, indent) in enumerate(lines)
    )
    return text if text.strip() else text + "end"


def strings(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(strings(item) for item in value.values())
    if isinstance(value, list):
        return "\n".join(strings(item) for item in value)
    return str(value)


@settings(max_examples=400, deadline=None)
@given(documents())
def test_every_word_of_a_plan_is_in_a_patch_or_among_the_unused_lines_and_never_in_both(text: str) -> None:
    plan = parse(text)

    created, unused = strings(plan.patches), "\n".join(entry.text for entry in plan.unparsed)
    for word in re.findall(r"word\d+x", text):
        places = (re.search(rf"\b{word}", created) is not None, re.search(rf"\b{word}", unused) is not None)
        assert places in ((True, False), (False, True)), word


@settings(max_examples=200, deadline=None)
@given(documents())
def test_in_an_existing_project_nothing_is_lost_either(text: str) -> None:
    plan = parse_into_web(text)

    if plan is None:
        return
    everything = strings(plan.patches) + "\n".join(entry.text for entry in plan.unparsed)
    assert all(word in everything for word in re.findall(r"word\d+x", text))


@settings(max_examples=300, deadline=None)
@given(documents(), st.integers(0, 6), st.booleans())
def test_every_plan_is_accepted_as_it_is(text: str, depth: int, sequential: bool) -> None:
    plan = parse(text, max_depth=depth, sequential=sequential)
    world = World(max_depth=depth)

    applied = world.apply(*plan.patches)  # no schema, depth, date or circle is in the way

    assert applied.totals.created == len(plan.tasks) + 1
    assert [task.title for task in plan.tasks] == [
        task.title for task in sorted(world.tasks.values(), key=lambda task: task.number)
    ]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.text(alphabet="-*+1.)#>`~|[]xX()@!:\n\t abT0=_<&\\\u00a0\u2028\r"), documents()))
def test_any_text_is_parsed_alike_twice_or_refused(text: str) -> None:
    try:
        first = parse(text)
    except (ValidationFailed, BodyTooLarge):
        return

    assert parse(text) == first
    for patch in first.patches:
        PATCH.validate_python(patch)
    numbers = [entry.line for entry in first.unparsed]
    assert numbers == sorted(set(numbers))
