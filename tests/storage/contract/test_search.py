"""Search on both databases: what is found, in which order, and that the index follows the history."""

import asyncio
import random
from typing import Any
from uuid import uuid4

import pytest

from core.context import Context
from core.errors import NotFound
from core.services import patch_sets, projects, reverting, search, tasks
from core.words import terms_of, words_of
from schemas.changes import ApplyResponse
from schemas.patches import PatchSet
from schemas.projects import ProjectCreate
from schemas.search import SearchQuery, SearchResponse
from schemas.tasks import TaskCreate, TaskQuery, TaskUpdate
from tests.storage.builders import Database
from tests.storage.conftest import process

NASTY = [
    '"',
    '""',
    "'; DROP TABLE tasks; --",
    "load*",
    "*",
    "NEAR(load test)",
    "load AND",
    "AND OR NOT",
    "-load",
    "title:load",
    "{title}: load",
    "load | test",
    "load & !test",
    "<-> <2>",
    ":*",
    "load:*",
    "(((",
    "%",
    "_",
    "\\",
    "\\'",
    "^load",
    "a" * 200,
    "🚀 日本 हि ½ ﷺ \u202e \u0301",
]
TEXTS = ["项目管理系统", "ภาษาไทย", "हिन्दी में लिखा", "Ελληνικά", "🚀 launch", "ﬁnal ½", "naïve café", "a" * 255]


def apply(ctx: Context, *patches: dict[str, Any]) -> ApplyResponse:
    return patch_sets.apply_patch_set(ctx, PatchSet(patches=list(patches)))


def fill(ctx: Context) -> None:
    """WEB: 1 Load test (commented), 2 Staging (about load), 3 Copy; and API, about load."""
    projects.create_project(ctx, ProjectCreate(name="Website relaunch", key="WEB"))
    projects.create_project(ctx, ProjectCreate(name="Interface", key="API", description="Everything about load."))
    for title, description in (
        ("Load test", "k6 against the new pages"),
        ("Staging", "Load the texts first"),
        ("Übersetzung", "see WEB-1"),
    ):
        tasks.create_task(ctx, TaskCreate(project_id="WEB", title=title, description=description))
    tasks.add_comment(ctx, "WEB-1", "The load was too high; loading failed.")


async def found(ctx: Context, query: str, **filters: Any) -> SearchResponse:
    return await search.search(ctx, SearchQuery(query=query, **filters))


async def keys(ctx: Context, query: str, **filters: Any) -> list[str]:
    """Return kind and key of what is found, such as `task WEB-1`."""
    return [f"{hit.kind} {hit.key}" for hit in (await found(ctx, query, **filters)).hits]


async def test_titles_come_before_texts_and_every_kind_of_item_is_found(ctx: Context) -> None:
    fill(ctx)

    answer = await found(ctx, "load")

    assert answer.hits[0].title == "Load test"
    assert {f"{hit.kind} {hit.key} {hit.highlights[0].field}" for hit in answer.hits} == {
        "task WEB-1 title",
        "task WEB-2 description",
        "comment WEB-1 body",
        "project API description",
    }
    assert {hit.project for hit in answer.hits} == {"WEB", "API"}
    assert (answer.total, answer.page, answer.has_next) == (4, 1, False)


async def test_all_words_must_be_in_one_item_and_the_last_may_be_unfinished(ctx: Context) -> None:
    fill(ctx)

    assert await keys(ctx, "load pages") == ["task WEB-1"]
    assert await keys(ctx, "LOAD pag") == ["task WEB-1"]
    assert await keys(ctx, "pag load") == []
    assert await keys(ctx, "uberset") == ["task WEB-3"]
    assert await keys(ctx, "relaunch k6") == []


async def test_a_key_finds_its_item_first_and_then_what_mentions_it(ctx: Context) -> None:
    fill(ctx)

    assert await keys(ctx, "web-1") == ["task WEB-1", "task WEB-3"]
    assert await keys(ctx, "api") == ["project API"]
    assert (await found(ctx, "WEB-2")).hits[0].highlights == []


async def test_what_people_write_is_words_and_never_syntax(ctx: Context) -> None:
    fill(ctx)
    texts = {
        "WEB-1": "Load test k6 against the new pages",
        "WEB-2": "Staging load the texts first",
        "WEB-3": "Übersetzung see WEB-1",
    }

    for query in NASTY:
        terms = terms_of(query)
        expected = {
            f"task {key}"
            for key, text in texts.items()
            if terms and all(any(term.matches(word) for word in words_of(text)) for term in terms)
        }
        assert set(await keys(ctx, query, project="WEB", kind=["task"])) == expected, query


async def test_texts_of_any_script_are_found_by_themselves(ctx: Context) -> None:
    projects.create_project(ctx, ProjectCreate(name="Texts", key="T1"))
    patches = [
        {"op": "create_task", "project": "T1", "fields": {"title": text, "description": text * (10_000 // len(text))}}
        for text in TEXTS
    ]
    apply(ctx, *patches)

    for number, text in enumerate(TEXTS, start=1):
        assert await keys(ctx, text[:200]) == [f"task T1-{number}"], text


async def test_the_longest_texts_are_found_to_their_end(ctx: Context) -> None:
    fill(ctx)
    text = " ".join(f"w{number}" for number in range(1_600))[:9_990] + " needle"
    tasks.add_comment(ctx, "WEB-2", text)
    tasks.create_task(ctx, TaskCreate(project_id="API", title="Long", description="管" * 9_990 + " needle"))

    assert set(await keys(ctx, "needle")) == {"comment WEB-2", "task API-1"}


async def test_deleted_items_are_not_found_and_restored_ones_are(ctx: Context) -> None:
    fill(ctx)
    all_of_web = {"task WEB-1", "task WEB-2", "comment WEB-1"}
    assert set(await keys(ctx, "load", project="WEB")) == all_of_web

    tasks.delete_task(ctx, "WEB-1")
    assert await keys(ctx, "load", project="WEB") == ["task WEB-2"]
    tasks.restore_task(ctx, "WEB-1")
    assert set(await keys(ctx, "load", project="WEB")) == all_of_web

    projects.delete_project(ctx, "WEB")
    assert await keys(ctx, "load") == ["project API"]
    assert await keys(ctx, "relaunch") == []
    projects.restore_project(ctx, "WEB")
    assert set(await keys(ctx, "load", project="WEB")) == all_of_web


async def test_a_changed_text_is_found_by_its_new_words_only_until_it_is_reverted(ctx: Context) -> None:
    fill(ctx)
    assert await keys(ctx, "staging") == ["task WEB-2"]

    renamed = apply(ctx, {"op": "update_task", "task": "WEB-2", "fields": {"title": "Rehearsal", "description": None}})
    tasks.update_task(ctx, "WEB-1", TaskUpdate(status="in_progress"))

    assert await keys(ctx, "staging") == await keys(ctx, "texts") == []
    assert await keys(ctx, "rehearsal") == ["task WEB-2"]
    reverting.revert_patch_set(ctx, renamed.patch_set_id or "")
    assert await keys(ctx, "rehearsal") == []
    assert await keys(ctx, "staging texts") == ["task WEB-2"]


async def test_the_answer_can_be_bounded_to_a_project_and_to_kinds(ctx: Context) -> None:
    fill(ctx)

    assert await keys(ctx, "load", project="api") == ["project API"]
    assert await keys(ctx, "load", kind=["comment"]) == ["comment WEB-1"]
    assert set(await keys(ctx, "load", kind=["comment", "project"])) == {"comment WEB-1", "project API"}
    with pytest.raises(NotFound) as refusal:
        await found(ctx, "load", project="WEBB")
    assert "WEB" in (refusal.value.details[0].hint or "")


async def test_pages_and_cursors_walk_the_same_order_once(ctx: Context) -> None:
    projects.create_project(ctx, ProjectCreate(name="Many", key="MANY"))
    texts = [f"needle {'needle ' * (number % 3)}{'hay ' * (number % 5)}" for number in range(23)]
    apply(ctx, *({"op": "create_task", "project": "MANY", "fields": {"title": text}} for text in texts))
    whole = await keys(ctx, "needle", per_page=100)

    by_page = [key for page in range(1, 6) for key in await keys(ctx, "needle", per_page=5, page=page)]
    by_cursor: list[str] = []
    cursor = None
    while not by_cursor or cursor:
        answer = await found(ctx, "needle", per_page=5, cursor=cursor)
        by_cursor += [f"{hit.kind} {hit.key}" for hit in answer.hits]
        cursor = answer.next_cursor

    assert len(set(whole)) == 23
    assert by_page == by_cursor == whole


async def test_nothing_of_another_workspace_is_found(ctx: Context, database: Database) -> None:
    fill(ctx)
    with process(database, f"test-{uuid4()}") as elsewhere:
        elsewhere.write(lambda tx: tx.make_workspace(elsewhere.now))
        projects.create_project(elsewhere, ProjectCreate(name="Load of others", key="WEB"))

        assert await keys(elsewhere, "load") == ["project WEB"]
        assert len(await keys(ctx, "load")) == 4
        assert await keys(ctx, "others") == []


async def test_what_another_process_applied_before_the_search_is_found(ctx: Context, database: Database) -> None:
    fill(ctx)
    assert await keys(ctx, "fresh") == []

    with process(database) as another:
        tasks.create_task(another, TaskCreate(project_id="WEB", title="Fresh"))
        tasks.update_task(another, "WEB-2", TaskUpdate(title="Fresh too"))
        assert set(await keys(ctx, "fresh")) == {"task WEB-4", "task WEB-2"}
        assert set(await keys(another, "fresh")) == {"task WEB-4", "task WEB-2"}


@pytest.mark.parametrize("at_once", [1, 3, 7])
async def test_the_index_catches_up_in_small_steps(ctx: Context, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(search, "CHANGES_AT_ONCE", at_once)
    projects.create_project(ctx, ProjectCreate(name="Many", key="MANY"))
    apply(ctx, *({"op": "create_task", "project": "MANY", "fields": {"title": f"Item {number}"}} for number in range(7)))
    apply(ctx, {"op": "update_task", "task": "MANY-1", "fields": {"status": "todo"}})  # a set without any change

    assert (await found(ctx, "item")).total == 7


async def test_searches_at_once_take_in_everything_and_each_thing_once(ctx: Context, database: Database) -> None:
    projects.create_project(ctx, ProjectCreate(name="Many", key="MANY"))
    apply(ctx, *({"op": "create_task", "project": "MANY", "fields": {"title": f"Item {number}"}} for number in range(600)))

    with process(database) as another:
        answers = await asyncio.gather(*(found(one, "item") for one in (ctx, another) * 3))

    assert [answer.total for answer in answers] == [600] * 6


async def test_search_agrees_with_reading_everything_after_any_history(ctx: Context) -> None:
    fill(ctx)
    chance = random.Random(7)  # noqa: S311  # a test's own dice
    words = "load staging rehearsal pages copy".split()
    applied: list[str] = []

    for _ in range(25):
        key = f"WEB-{chance.randint(1, 6)}"
        change: dict[str, Any] = chance.choice(
            [
                {"op": "create_task", "project": "WEB", "fields": {"title": " ".join(chance.sample(words, 2))}},
                {"op": "update_task", "task": key, "fields": {"title": chance.choice(words)}},
                {"op": "update_task", "task": key, "fields": {"description": chance.choice(words), "priority": "high"}},
                {"op": "delete_task", "task": key},
                {"op": "restore_task", "task": key},
            ]
        )
        validated = patch_sets.validate_patch_set(ctx, PatchSet(patches=[change]))
        if validated.valid:
            applied.append(apply(ctx, change).patch_set_id or "")
        if applied and chance.random() < 0.2:
            effect = reverting.revert_patch_set(ctx, applied.pop())
            assert effect.patch_set_id
        word = chance.choice(words)

        live = ctx.read(lambda tx: tx.list_tasks(TaskQuery(project="WEB", per_page=100), today=ctx.today)).tasks
        expected = {f"task {task.key}" for task in live if word in words_of(f"{task.title} {task.description}")}
        assert set(await keys(ctx, word, project="WEB", kind=["task"], per_page=100)) == expected
