"""P7: a project that is exported and imported is the same project, whatever its texts contain, in each of the formats."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.context import Context
from core.exports.rendering import render_export
from core.services import patch_sets, planning, projects
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.export import ExportDocument, ExportFormat
from schemas.patches import PatchSet
from schemas.planning import ImportRequest, OutlineFormat
from schemas.primitives import Priority, ProjectStatus, TaskStatus
from schemas.projects import ProjectFields
from schemas.tasks import TaskFields
from tests.rules.random_documents import WRITERS, Author

EXAMPLES = int(os.environ.get("ROUND_TRIPS", "80"))
DOCUMENTS = EXAMPLES // 8  # of each format
PIECES = (
    "# Heading", "## Task 1.1: Part", "- item", "- [ ] box", "* [x] done", "1. first", "2) second", "a. one", "1.1 Part",
    "> quote", "```", "````json fields", "~~~", '{"title": "x"}', "---", "===", "| a | b |", "|--|--|", "<!-- no", "<b>", "[x]: http://x.org",
    "[P] tag", "(A) first", "**bold**", "__so__", "`code", "\\@escaped", "@ann", "#tag", "!high", "!!", "p1", "due:2026-12-01",
    "start: tomorrow", "by Friday", "(2h)", "~30m", "after ^Q-1", "after One", "depends on Two", "blocked by T001", "^name", "#3",
    "Owner: Ann", "**Status**: done", "Due: 2026-12-24", "Acceptance criteria:", "Acceptance criteria", "DoD:", "Steps:", "Notes",
    "One, two.", "Two", "T001", "None", "=1+1", "+1", "-1", "@cmd", "'=1", "''", '"quoted"', '"', "a;b", "a,b", "\t", "\ttab",
    "  ", "    code", "\r", "\r\n", "\x0b", "\x0c", "\x1b[0m", "\x85", "\u2028", "\u202e", "\u200b", "\ufeff",
    "\u00a0", "\uff08@\u5c0f\uff09",
    "Größe", "🚀", "e\u0301", "|", "·", ":", "\\", "/", "{", "[", "]", "null", "project", "comment", "x" * 60, "word " * 20,
)  # fmt: skip


def texts(size: int, pieces: int = 6) -> st.SearchStrategy[str]:
    """Texts with something to read in them, from structure and signs that mean something in one of the formats."""
    part = st.one_of(st.sampled_from(PIECES), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6))
    joined = st.lists(st.tuples(part, st.sampled_from(["", " ", "\n", "\n\n", "\n  "])), min_size=1, max_size=pieces)
    return joined.map(lambda parts: "".join(map("".join, parts))[:size]).filter(str.strip)


def plain(size: int, pieces: int = 6) -> st.SearchStrategy[str]:
    return st.one_of(
        st.sampled_from(["Build the API", "Say hello", "Plan\n\nthen do"]).filter(lambda t: len(t) <= size), texts(size, pieces)
    )


def values(depth: int = 2) -> st.SearchStrategy[Any]:
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53) + 1, 2**53 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        texts(20, 2),
    )
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts(10, 1), inner, max_size=2), max_leaves=depth
    )


DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))
TAGS = st.lists(st.one_of(st.sampled_from(["api", "front end", "#x", "a,b", "ü1"]), texts(50, 2)), max_size=3, unique=True)
LINKS = st.dictionaries(texts(50, 1), texts(500, 2), max_size=2)


def maybe(fields: dict[str, st.SearchStrategy[Any]], **always: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(always, optional=fields).map(_with_days_in_order)


def _with_days_in_order(fields: dict[str, Any]) -> dict[str, Any]:
    days = sorted(fields[name] for name in ("start_date", "due_date") if name in fields)
    names = [name for name in ("start_date", "due_date") if name in fields]
    return fields | {name: day.isoformat() for name, day in zip(names, days, strict=True)}


SHARED = {"description": plain(10_000, 12), "priority": st.sampled_from(list(Priority)), "tags": TAGS, "links": LINKS,
          "start_date": DAYS, "due_date": DAYS}  # fmt: skip
TASK = maybe(
    SHARED
    | {
        "status": st.sampled_from(list(TaskStatus)),
        "assignee": st.one_of(st.sampled_from(["ann", "Ann Smith", "@x", "a|b"]), texts(100, 2)),
        "estimated_minutes": st.integers(1, 525_600),
        "actual_minutes": st.integers(0, 525_600),
        "acceptance_criteria": st.lists(plain(500, 3), max_size=3),
        "custom": st.dictionaries(texts(20, 1), values(), max_size=2),
    },
    title=plain(255),
)
PROJECT = maybe(
    SHARED
    | {"status": st.sampled_from(list(ProjectStatus)), "task_schema": st.sampled_from([{}, {"type": "object", "title": "é`\r"}])},
    name=plain(255),
)


@st.composite
def plans(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Patches that create a project of up to seven tasks, with comments, down to level 5."""
    patches: list[dict[str, Any]] = [{"op": "create_project", "ref": "$p", "fields": draw(PROJECT)}]
    path: list[str] = []
    before: list[str] = []
    for number in range(draw(st.integers(0, 7))):
        path = path[: draw(st.integers(0, min(len(path), 5)))]
        patch: dict[str, Any] = {"op": "create_task", "ref": f"$t{number}", "project": "$p", "fields": draw(TASK)}
        patch |= {"parent": path[-1]} if path else {}
        others = [ref for ref in before if ref not in path]
        patch["depends_on"] = draw(st.lists(st.sampled_from(others), max_size=2, unique=True)) if others else []
        patches.append(patch)
        before.append(patch["ref"])
        path.append(patch["ref"])
        patches += [
            {"op": "add_comment", "task": patch["ref"], "body": body} for body in draw(st.lists(plain(10_000), max_size=2))
        ]
    return patches


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    path = tmp_path_factory.mktemp("round-trips") / "plans.db"
    orchestrator = Orchestrator(Settings(database_url=f"sqlite:///{path}", sqlite_synchronous="NORMAL"))
    orchestrator.start(create=True)
    yield orchestrator.context()
    orchestrator.close()


def content(document: ExportDocument) -> dict[str, Any]:
    """Return all that callers have said about a project; tasks are numbered in outline order."""
    numbers = {task.key: number for number, task in enumerate(document.tasks)}
    comments: dict[str, list[str]] = defaultdict(list)
    for comment in document.comments:
        comments[comment.task_id].append(comment.body)
    tasks = [
        task.model_dump(mode="json", include=set(TaskFields.model_fields))
        | {"parent": numbers.get(task.parent or ""), "depends_on": {numbers[key] for key in task.depends_on}}
        | {"comments": comments[task.id]}
        for task in document.tasks
    ]
    return document.project.model_dump(mode="json", include=set(ProjectFields.model_fields)) | {"tasks": tasks}


def imported(ctx: Context, text: str) -> ExportDocument:
    answer = planning.import_outline(ctx, ImportRequest(content=text))
    assert (answer.unparsed, answer.questions) == ([], [])
    return projects.export_project(ctx, patch_sets.apply_proposal(ctx, answer.patch_set.id).refs["$project"].id)


def without_keys(document: ExportDocument, format: ExportFormat) -> str:
    return re.sub(rf"\b{document.project.key}\b(?=-|,)", "KEY", render_export(document, format))


@settings(max_examples=EXAMPLES, deadline=None)
@given(patches=plans())
@example(patches=[{"op": "create_project", "ref": "$p", "fields": {"name": "Only a name"}}])
def test_a_project_survives_its_export_in_every_format(ctx: Context, patches: list[dict[str, Any]]) -> None:
    applied = patch_sets.apply_patch_set(ctx, PatchSet(patches=patches))
    exported = projects.export_project(ctx, applied.refs["$p"].id)

    for format in ExportFormat:
        again = imported(ctx, render_export(exported, format))

        assert content(again) == content(exported), format
        if format is not ExportFormat.JSON:
            assert without_keys(again, format) == without_keys(exported, format)


@pytest.mark.parametrize("format", WRITERS)
def test_what_was_imported_survives_its_export(ctx: Context, format: OutlineFormat) -> None:
    for seed in range(DOCUMENTS):
        answer = planning.import_outline(ctx, ImportRequest(content=Author(seed).write(format), format=format))
        first = projects.export_project(ctx, patch_sets.apply_proposal(ctx, answer.patch_set.id).refs["$project"].id)

        for exported in ExportFormat:
            assert content(imported(ctx, render_export(first, exported))) == content(first), (seed, exported)
