"""Conversations without a model: questions, commands and plans by rules, each answer kept, and nothing applied."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from core.services import conversations
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.chat import ChatRequest
from tests.support.http import data, refused


def say(api: httpx2.Client, message: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = data(api.post("/agent/chat", json={"message": message, **more}))
    assert (answer["engine"], answer["model"], answer["usage"]["input_tokens"]) == ("rules", None, 0)
    return answer


def test_commands_become_a_pending_proposal_that_only_an_explicit_call_applies(api: httpx2.Client, task: dict[str, Any]) -> None:
    key = task["key"]

    first = say(api, f"start {key} and assign {key} to @ana\nmake it nicer")

    proposal = first["patch_set"]
    assert (first["route"], proposal["proposal"]["state"], proposal["proposal"]["engine"]) == ("edit", "proposed", "rules")
    assert proposal["preview"]["valid"] is True
    assert first["questions"] == ["line 2, 'make it nicer': is no command I know, or no task I know; `help` lists the commands"]
    pending = say(api, "Apply it.", conversation_id=first["conversation_id"])
    assert pending["patch_set"]["id"] == proposal["id"]
    assert f"POST /api/v1/patch-sets/{proposal['id']}/apply" in pending["message"]
    assert data(api.get(f"/tasks/{key}"))["status"] == "todo"
    data(api.post(f"/patch-sets/{proposal['id']}/apply", json={}))
    assert data(api.get(f"/tasks/{key}"))["assignee"] == "ana"
    none = say(api, "apply it", conversation_id=first["conversation_id"])
    assert (none["route"], none["patch_set"]) == ("clarify", None)


def test_a_conversation_remembers_its_project(api: httpx2.Client, project: dict[str, Any]) -> None:
    first = say(api, "add Write the docs (2h)", project_id=project["key"])
    second = say(api, "add Write the tests", conversation_id=first["conversation_id"])

    created = second["patch_set"]["patches"][0]
    assert created["fields"]["title"] == "Write the tests"
    assert data(api.get(f"/agent/conversations/{first['conversation_id']}"))["project_id"] == project["id"]
    unplaced = say(api, "add Write more")
    assert (unplaced["route"], unplaced["patch_set"]) == ("clarify", None)


def test_a_task_of_the_project_that_is_meant_may_be_named_by_its_title(api: httpx2.Client, task: dict[str, Any]) -> None:
    answer = say(api, f"assign {task['title'].lower()} to @ana", project_id=task["project_id"])

    assert answer["patch_set"]["patches"][0]["task"] == task["key"]
    assert say(api, "status", project_id=task["project_id"])["message"].count(task["key"]) == 1


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is next?", "best first:\n1. {0} Design [todo]"),
        ("what blocks {1}?", "{1} Build waits for:\n- {0} Design [todo]"),
        ("what blocks {0}", "Nothing blocks {0} Design; it can be started."),
        ("show {project}", "0 of 2 tasks completed"),
        ("show {1}", "{1} Build [todo] !medium waits for {0}"),
        ("what is overdue", "Nothing is overdue in {project}."),
        ("list projects", "- {project} Website relaunch [planning]"),
    ],
)
def test_questions_are_answered_from_the_plan(api: httpx2.Client, project: dict[str, Any], question: str, answer: str) -> None:
    first = data(api.post("/tasks", json={"project_id": project["key"], "title": "Design"}))["key"]
    second = data(api.post("/tasks", json={"project_id": project["key"], "title": "Build", "depends_on": [first]}))["key"]

    said = say(api, question.format(first, second, project=project["key"]), project_id=project["key"])

    assert (said["route"], said["patch_set"]) == ("answer", None)
    assert answer.format(first, second, project=project["key"]) in said["message"]


def test_a_written_plan_and_a_split_become_proposals(api: httpx2.Client, task: dict[str, Any]) -> None:
    plan = say(api, "plan: Book shop\n\n- [ ] Choose a payment provider (2h)\n- [ ] Draft the catalogue")
    assert plan["route"] == "plan"
    assert [patch["op"] for patch in plan["patch_set"]["patches"]] == ["create_project", "create_task", "create_task"]

    data(api.patch(f"/tasks/{task['key']}", json={"description": "- [ ] One\n- [ ] Two"}))
    split = say(api, f"break down {task['key']}")
    assert split["route"] == "decompose"
    assert {patch["parent"] for patch in split["patch_set"]["patches"]} == {task["key"]}


@pytest.mark.parametrize("message", ["help", "?", "What can I say?"])
def test_help_lists_commands_and_questions_and_says_that_there_is_no_ai(api: httpx2.Client, message: str) -> None:
    answer = say(api, message)

    assert answer["route"] == "answer"
    for part in ("without AI", "done WEB-3", "what blocks WEB-3", "split WEB-3"):
        assert part in answer["message"]


def test_what_is_not_understood_or_breaks_a_rule_is_an_answer_that_says_why(api: httpx2.Client, task: dict[str, Any]) -> None:
    lost = say(api, "Could you kindly improve everything?")
    unknown = say(api, "show NOPE-1")
    broken = say(api, f"due {task['key']} 2026-01-01\n{task['key']} starts 2026-02-01")
    idea = say(api, f"split {task['key']}")

    for answer in (lost, unknown, broken, idea):
        assert (answer["route"], answer["patch_set"]) == ("clarify", None)
        assert answer["questions"]
    assert "NOPE-1" in unknown["message"]
    assert "AI_PROVIDER" in idea["questions"][0]


def test_a_conversation_is_listed_resumed_and_deleted(api: httpx2.Client) -> None:
    first = say(api, "help")
    name = first["conversation_id"]
    say(api, "projects", conversation_id=name)

    listed = data(api.get("/agent/conversations", params={"per_page": 1}))["conversations"]
    whole = data(api.get(f"/agent/conversations/{name}"))

    assert [(item["id"], item["title"], item["message_count"]) for item in listed] == [(name, "help", 4)]
    assert [(message["number"], message["role"]) for message in whole["messages"]] == [
        (1, "user"),
        (2, "assistant"),
        (3, "user"),
        (4, "assistant"),
    ]
    assert whole["messages"][1]["text"] == first["message"]
    assert (whole["messages"][1]["route"], whole["messages"][1]["engine"]) == ("answer", "rules")
    earlier = data(api.get(f"/agent/conversations/{name}", params={"before": 3}))["messages"]
    assert [message["number"] for message in earlier] == [1, 2]
    assert data(api.delete(f"/agent/conversations/{name}"))["id"] == name
    for gone in (api.get(f"/agent/conversations/{name}"), api.delete(f"/agent/conversations/{name}")):
        refused(gone, 404, "NOT_FOUND")
    refused(api.post("/agent/chat", json={"message": "help", "conversation_id": name}), 404, "NOT_FOUND")


def test_the_same_key_gives_the_first_answer_and_says_nothing_twice(api: httpx2.Client, task: dict[str, Any]) -> None:
    key, body = {"Idempotency-Key": str(uuid4())}, {"message": f"done {task['key']}"}

    first = api.post("/agent/chat", json=body, headers=key)
    again = api.post("/agent/chat", json=body, headers=key)

    assert data(again) == data(first)
    assert again.json()["metadata"]["replayed"] is True
    whole = data(api.get(f"/agent/conversations/{data(first)['conversation_id']}"))
    assert whole["message_count"] == 2
    refused(api.post("/agent/chat", json={"message": "help"}, headers=key), 422, "IDEMPOTENCY_KEY_REUSED")


def test_a_second_message_while_one_is_being_answered_is_refused(api: httpx2.Client, gateway_folder: Path) -> None:
    other = Orchestrator(Settings(_env_file=None, database_url=f"sqlite:///{gateway_folder / 'plan.db'}"))
    turn = conversations.begin_turn(other.context(), ChatRequest(message="help"))
    body = {"message": "help", "conversation_id": turn.conversation_id}

    error = refused(api.post("/agent/chat", json=body), 409, "IDEMPOTENCY_IN_PROGRESS")
    conversations.abandon_turn(other.context(), turn)
    other.close()

    assert error["retryable"] is True
    assert data(api.post("/agent/chat", json=body))["route"] == "answer"


def test_a_message_is_neither_blank_nor_endless(api: httpx2.Client) -> None:
    for message in ("", "  \n", "x" * 20_001, "a\0b"):
        error = refused(api.post("/agent/chat", json={"message": message}), 422, "VALIDATION_ERROR")
        assert error["details"][0]["path"] == "/message"
