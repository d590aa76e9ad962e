"""Search over HTTP."""

from typing import Any

import httpx2
import pytest

from tests.support.http import data, refused


@pytest.fixture
def found(api: httpx2.Client, project: dict[str, Any]) -> dict[str, Any]:
    """A project whose only task has a word of its own in title, description and comment."""
    word = f"needle{project['id'].replace('-', '')}"
    fields = {"title": f"<b>{word}</b> & more", "description": f"before {word} after"}
    task = data(api.post("/tasks", json={"project_id": project["key"], **fields}))
    api.post(f"/tasks/{task['key']}/comments", json={"body": f"{word}!"})
    return {"word": word, "key": task["key"], "project": project["key"]}


def test_what_was_found_is_marked_in_pieces_of_the_text_as_it_is(api: httpx2.Client, found: dict[str, Any]) -> None:
    word = found["word"]

    answer = data(api.get("/search", params={"query": word}))

    task, comment = answer["hits"]
    assert (answer["total"], answer["page"], answer["has_next"], answer["next_cursor"]) == (2, 1, False, None)
    assert (task["kind"], task["key"], task["project"]) == ("task", found["key"], found["project"])
    assert task["highlights"] == [
        {
            "field": "title",
            "pieces": [{"text": "<b>", "found": False}, {"text": word, "found": True}, {"text": "</b> & more", "found": False}],
        },
        {
            "field": "description",
            "pieces": [{"text": "before ", "found": False}, {"text": word, "found": True}, {"text": " after", "found": False}],
        },
    ]
    assert (comment["kind"], comment["key"], comment["title"]) == ("comment", found["key"], task["title"])
    assert comment["highlights"][0]["field"] == "body"


def test_pages_are_linked_and_a_cursor_goes_on(api: httpx2.Client, found: dict[str, Any]) -> None:
    query = {"query": found["word"], "per_page": 1}

    first = api.get("/search", params=query)
    second = api.get("/search", params=query | {"cursor": data(first)["next_cursor"]})

    assert 'rel="next"' in first.headers["link"]
    assert first.json()["metadata"]["pagination"]["total"] == 2
    assert [hit["kind"] for hit in data(first)["hits"] + data(second)["hits"]] == ["task", "comment"]
    refused(api.get("/search", params=query | {"cursor": "e30"}), 422, "INVALID_CURSOR")
    refused(api.get("/search", params={"query": "other", "cursor": data(first)["next_cursor"]}), 422, "INVALID_CURSOR")


def test_project_and_kinds_bound_the_answer(api: httpx2.Client, found: dict[str, Any]) -> None:
    word = found["word"]

    assert data(api.get("/search", params={"query": word, "kind": "comment"}))["total"] == 1
    assert (
        data(api.get("/search", params={"query": word, "kind": "comment,project", "project_id": found["project"]}))["total"] == 1
    )
    refused(api.get("/search", params={"query": word, "project_id": "NOPE"}), 404, "NOT_FOUND")


def test_an_answer_that_has_not_changed_is_a_304(api: httpx2.Client, found: dict[str, Any]) -> None:
    query = {"query": found["word"]}
    tag = api.get("/search", params=query).headers["etag"]

    assert api.get("/search", params=query, headers={"If-None-Match": tag}).status_code == 304
    api.patch(f"/tasks/{found['key']}", json={"title": "Renamed"})
    assert api.get("/search", params=query, headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize("path", ["/search", "/search/", "http://host/api/search"])
def test_every_form_of_the_path_answers(api: httpx2.Client, base_url: str, path: str) -> None:
    url = path.replace("http://host", base_url)

    assert data(api.get(url, params={"query": "nothing-of-this-sort"}))["hits"] == []
    assert api.head(url, params={"query": "x"}).status_code == 200
    assert "GET" in api.post(url).headers["allow"]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({}, "/query"),
        ({"query": ""}, "/query"),
        ({"query": "a" * 201}, "/query"),
        ({"query": "a\0b"}, "/query"),
        ({"query": "a", "kind": "note"}, "/kind/0"),
        ({"query": "a", "per_page": 101}, "/per_page"),
        ({"query": "a", "q": "b"}, "/q"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(api: httpx2.Client, query: dict[str, Any], path: str) -> None:
    error = refused(api.get("/search", params=query), 422, "VALIDATION_ERROR")

    assert [detail["path"] for detail in error["details"]] == [path]
