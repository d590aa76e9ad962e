"""Answers that are ready to be sent again are never stale, whoever wrote meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from core.services.tasks import update_task
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.tasks import TaskUpdate
from tests.support.http import data, refused


def read(api: httpx2.Client, project: dict[str, Any], **query: Any) -> Any:
    return data(api.get(f"/projects/{project['key']}", params=query))


def test_a_repeated_read_is_the_same(api: httpx2.Client, project: dict[str, Any], task: dict[str, Any]) -> None:
    first, again = (api.get(f"/projects/{project['key']}") for _ in range(2))

    assert data(first) == data(again)
    assert first.headers["etag"] == again.headers["etag"]
    assert [item["key"] for item in data(again)["tasks"]] == [task["key"]]


def test_a_write_of_another_process_shows_in_the_next_read(
    api: httpx2.Client, gateway_folder: Path, project: dict[str, Any], task: dict[str, Any]
) -> None:
    read(api, project)
    other = Orchestrator(Settings(_env_file=None, database_url=f"sqlite:///{gateway_folder / 'plan.db'}"))
    other.start(create=False)
    try:
        update_task(other.context(), task["key"], TaskUpdate(title="Written elsewhere"))
    finally:
        other.close()

    assert read(api, project)["tasks"][0]["title"] == "Written elsewhere"


def test_readers_who_come_together_after_a_write_all_see_it(
    api: httpx2.Client, project: dict[str, Any], task: dict[str, Any]
) -> None:
    for title in ("Once more", "And again"):
        data(api.patch(f"/tasks/{task['key']}", json={"title": title}))

        with ThreadPoolExecutor(12) as pool:
            shown = list(pool.map(lambda _: read(api, project)["tasks"][0]["title"], range(24)))

        assert shown == [title] * 24


@pytest.mark.parametrize("name", ["key", "id"])
def test_every_variant_of_a_read_is_its_own(api: httpx2.Client, project: dict[str, Any], task: dict[str, Any], name: str) -> None:
    whole = data(api.get(f"/projects/{project[name]}"))
    bare = data(api.get(f"/projects/{project[name]}", params={"include_tasks": "false"}))

    assert [item["id"] for item in whole["tasks"]] == [task["id"]]
    assert bare["tasks"] is None
    assert data(api.get(f"/projects/{project[name].lower()}")) == whole


def test_a_deleted_project_is_gone_at_once_and_back_when_restored(
    api: httpx2.Client, project: dict[str, Any], task: dict[str, Any]
) -> None:
    read(api, project)

    api.delete(f"/projects/{project['key']}").raise_for_status()
    refused(api.get(f"/projects/{project['key']}"), 404, "DELETED_RESOURCE")
    api.post(f"/projects/{project['key']}/restore").raise_for_status()

    assert [item["id"] for item in read(api, project)["tasks"]] == [task["id"]]


def test_reads_that_come_together_are_all_answered(api: httpx2.Client, project: dict[str, Any], task: dict[str, Any]) -> None:
    names = [project["key"], "NOSUCH", project["id"]] * 20

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda name: api.get(f"/projects/{name}").status_code, names))

    assert answers == [200, 404, 200] * 20
