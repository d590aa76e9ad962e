"""What holds for every document, on 10,200 random ones: nothing raises, nothing is lost, nothing depends on chance.

`RANDOM_DOCUMENTS` sets how many of each format; a failure names the seed that makes the document again.
"""

import os
import re
from typing import Any

import pytest
from pydantic import TypeAdapter

from schemas.patches import Patch
from schemas.planning import OutlineFormat
from tests.core.patches.world import World
from tests.rules.plans import parse, parse_into_web
from tests.rules.random_documents import WRITERS, Author
from tests.rules.test_laws import strings

EACH = int(os.environ.get("RANDOM_DOCUMENTS", "1700"))
PATCH: TypeAdapter[Any] = TypeAdapter(Patch)


@pytest.mark.parametrize("format", WRITERS)
def test_every_word_of_every_document_is_in_a_patch_or_among_the_unused_lines(format: OutlineFormat) -> None:
    for seed in range(EACH):
        text = Author(seed).write(format)

        how = {"format": format if seed % 4 else OutlineFormat.AUTO}
        plan = parse_into_web(text, **how) if seed % 7 == 0 else parse(text, **how)

        if plan is None:
            continue
        everything = "\n".join([strings(plan.patches), *(entry.text for entry in plan.unparsed), *plan.questions])
        lost = [word for word in re.findall(r"w\d+x", text) if word not in everything]
        assert not lost, (seed, lost, text)


@pytest.mark.parametrize("format", WRITERS)
def test_documents_are_read_alike_twice_and_accepted_as_they_are(format: OutlineFormat) -> None:
    for seed in range(0, EACH, 10):
        text = Author(seed).write(format)
        depth = seed % 5

        plan = parse(text, format=format, max_depth=depth, sequential=seed % 3 == 0)

        assert parse(text, format=format, max_depth=depth, sequential=seed % 3 == 0) == plan, seed
        applied = World(max_depth=depth).apply(
            *[PATCH.validate_python(patch).model_dump(exclude_unset=True, mode="json") for patch in plan.patches]
        )
        assert applied.totals.created == len(plan.tasks) + 1, seed


@pytest.mark.parametrize("format", WRITERS)
def test_the_format_of_a_document_makes_no_other_one_raise(format: OutlineFormat) -> None:
    for seed in range(0, EACH, 20):
        text = Author(seed).write(format)
        for other in (OutlineFormat.AUTO, *WRITERS):
            if other is not OutlineFormat.OPML or format is OutlineFormat.OPML:  # XML is well-formed or refused
                assert parse(text, format=other).patches, (seed, other)
