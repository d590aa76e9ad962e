"""A gateway with a model, asked over HTTP: a real process, the real model library, and a provider that follows a script."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.http_api.test_chat_stream import END, EVENTS, client, kinds, parts, read
from tests.http_api.test_jobs import begin, ended
from tests.support.fake_provider import FakeProvider, answer, fake_provider, hang, status, stream
from tests.support.http import data, refused
from tests.support.servers import running_server

pytestmark = pytest.mark.timeout(300)  # the first test waits until the gateway has loaded the model library
__all__ = ["client"]

KEY = "sk-canary-0123456789"
PATIENCE = 60.0


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with fake_provider() as provider:
        yield provider


def settings_of(provider: FakeProvider) -> dict[str, str]:
    return {"AI_PROVIDER": "openai", "AI_MODEL": "fake-1", "AI_API_KEY": KEY, "AI_API_BASE": provider.url}


@pytest.fixture(scope="module")
def base(provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("model")
    with running_server(f"sqlite:///{folder}/plan.db", folder=folder, **settings_of(provider)) as url:
        yield url
    assert KEY not in (folder / "gateway.log").read_text("utf-8")


@pytest.fixture(scope="module")
def talk(base: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{base}/api/v1", timeout=PATIENCE) as client:
        data(client.post("/projects", json={"name": "Website", "key": "WEB"}))
        data(client.post("/tasks", json={"project_id": "WEB", "title": "Docs"}))
        yield client


def decide(route: str, **more: str) -> Any:
    empty = {"target": "", "look_up": "none", "instruction": "", "reply": "", "summary": "They met."}
    return answer({**empty, "route": route, **more})


def assign(to: str) -> Any:
    members = {"ref": "", "parent": "", "depends_on": "", "title": "", "reason": ""}
    op = {"op": "update_task", "target": "K2", "set": [{"field": "assignee", "value": to}], **members}
    return answer({"summary": f"Docs go to {to}", "questions": [], "ops": [op]})


def wait_for(what: Any) -> None:
    until = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


def asked(provider: FakeProvider, count: int) -> None:
    wait_for(lambda: len(provider.asked) >= count)


def test_a_wish_is_a_proposal_of_the_model_and_a_repetition_asks_nobody(talk: httpx2.Client, provider: FakeProvider) -> None:
    provider.script(decide("edit", target="WEB-1", instruction="assign WEB-1 to ana"), assign("ana"))
    key, body = {"Idempotency-Key": str(uuid4())}, {"message": "the docs are Ana's", "project_id": "WEB"}

    said = data(talk.post("/agent/chat", json=body, headers=key))
    again = data(talk.post("/agent/chat", json=body, headers=key))

    assert again == said
    assert len(provider.asked) == 2
    assert (said["engine"], said["model"], said["route"]) == ("model", "openai/fake-1", "edit")
    assert (said["usage"]["total_tokens"], said["usage"]["calls"]) == (240, 2)
    assert said["patch_set"]["patches"][0]["fields"] == {"assignee": "ana"}
    assert data(talk.get("/tasks/WEB-1"))["assignee"] is None


def test_an_answer_is_streamed_as_the_model_writes_it(talk: httpx2.Client, provider: FakeProvider) -> None:
    provider.script(decide("answer", look_up="show", target="WEB"), stream("There ", "is ", "one task."))

    text = talk.post("/agent/chat", json={"message": "what is there?", "project_id": "WEB"}, headers=EVENTS).text

    deltas = [part["delta"] for part in parts(text)[:-1] if part["type"] == "text-delta"]
    assert deltas == ["There ", "is ", "one task."]
    assert kinds(text)[-3:] == END
    assert "WEB-1 Docs" in provider.asked[1].text


def test_a_failure_of_the_provider_is_a_refusal_and_in_a_stream_an_event(talk: httpx2.Client, provider: FakeProvider) -> None:
    wrong_key = status(401, f"Incorrect API key provided: {KEY}")
    provider.script(wrong_key, wrong_key, decide("answer"), stream("There ", end="cut"))
    body = {"message": "what is there?"}

    plain = talk.post("/agent/chat", json=body)
    early = talk.post("/agent/chat", json=body, headers=EVENTS)
    late = talk.post("/agent/chat", json=body, headers=EVENTS)

    refused(plain, 502, "AI_PROVIDER_ERROR")
    assert kinds(early.text) == ["start", "start-step", "error", "[DONE]"]
    assert kinds(late.text)[-3:] == ["text-end", "error", "[DONE]"]
    assert all(KEY not in answer.text for answer in (plain, early, late))


def test_the_published_client_reads_the_pieces_and_the_error(client: Path, base: str, provider: FakeProvider) -> None:
    provider.script(decide("answer"), stream("There ", "is ", "one task."), decide("answer"), stream("There ", end="cut"))

    whole = read(client, base, "what is there?")
    broken = read(client, base, "what is there?")

    assert whole["errors"] == []
    assert [part["text"] for part in whole["message"]["parts"] if part["type"] == "text"] == ["There is one task."]
    assert (whole["message"]["metadata"]["engine"], whole["message"]["metadata"]["model"]) == ("model", "openai/fake-1")
    assert "AI_PROVIDER_ERROR" in broken["errors"][0]


def test_other_calls_are_answered_while_the_model_thinks_and_the_conversation_is_held(
    talk: httpx2.Client, provider: FakeProvider
) -> None:
    provider.script(decide("clarify", reply="Which?"))
    first = data(talk.post("/agent/chat", json={"message": "hello"}))
    body = {"message": "go on", "conversation_id": first["conversation_id"]}
    provider.script(hang())
    place = begin(talk, "/agent/chat", body)
    asked(provider, 1)

    refused(talk.post("/agent/chat", json=body), 409, "IDEMPOTENCY_IN_PROGRESS")
    assert data(talk.get("/tasks/WEB-1"))["key"] == "WEB-1"
    assert data(talk.get(place))["state"] == "running"
    assert data(talk.delete(place))["state"] == "cancelled"

    provider.script(decide("clarify", reply="Which?"))
    wait_for(lambda: talk.post("/agent/chat", json=body).status_code == 200)
    assert data(talk.get(place))["state"] == "cancelled"


@pytest.mark.parametrize("headers", [{}, EVENTS], ids=["plain", "stream"])
def test_a_caller_that_leaves_ends_its_turn(
    base: str, talk: httpx2.Client, provider: FakeProvider, headers: dict[str, str]
) -> None:
    provider.script(decide("clarify", reply="Which?"))
    first = data(talk.post("/agent/chat", json={"message": "hello"}))
    body = {"message": "go on", "conversation_id": first["conversation_id"]}
    provider.script(hang())
    with httpx2.Client(base_url=f"{base}/api/v1", timeout=3) as impatient:
        leaving = threading.Thread(target=_leave, args=(impatient, body, headers))
        leaving.start()
        asked(provider, 1)
        leaving.join()

    provider.script(decide("clarify", reply="Which?"))
    wait_for(lambda: talk.post("/agent/chat", json=body).status_code == 200)


def _leave(client: httpx2.Client, body: dict[str, str], headers: dict[str, str]) -> None:
    with pytest.raises(httpx2.ReadTimeout):
        client.post("/agent/chat", json=body, headers=headers)


def test_a_server_that_is_stopped_tells_of_the_jobs_it_ran(provider: FakeProvider, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/plan.db"
    provider.script(hang())
    with (
        running_server(url, folder=tmp_path, **settings_of(provider)) as base,
        httpx2.Client(base_url=f"{base}/api/v1", timeout=30) as api,
    ):
        place = begin(api, "/agent/chat", {"message": "hello"})
        asked(provider, 1)

    with running_server(url, folder=tmp_path) as base, httpx2.Client(base_url=f"{base}/api/v1", timeout=30) as api:
        job = data(api.get(place))

    assert (job["state"], job["error"]["code"], job["error"]["retryable"]) == ("failed", "SERVICE_UNAVAILABLE", True)
    assert "was stopped" in job["error"]["message"]


def test_a_plan_of_the_model_can_be_made_in_a_job(talk: httpx2.Client, provider: FakeProvider) -> None:
    op = {"target": "", "parent": "", "depends_on": "", "set": [], "reason": ""}
    plan = [
        {"op": "create_project", "ref": "p", "title": "Book shop", **op},
        {"op": "create_task", "ref": "t1", "title": "Choose a payment provider", **op},
    ]
    provider.script(answer({"summary": "A book shop", "questions": [], "ops": plan}))

    job = ended(talk, begin(talk, "/planner/generate", {"description": "A shop for second-hand books"}))

    assert (job["state"], job["result"]["engine"]) == ("done", "model")
    assert [task["title"] for task in job["result"]["tasks"]] == ["Choose a payment provider"]


def test_answers_calls_and_tokens_are_counted(base: str, talk: httpx2.Client, provider: FakeProvider) -> None:
    provider.script(decide("clarify", reply="Which?"))
    before = counted(base)
    data(talk.post("/agent/chat", json={"message": "hello"}))
    after = counted(base)

    assert {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name)} == {
        'orchestrator_agent_answers_total{engine="model",operation="chat"}': 1,
        'orchestrator_model_calls_total{model="openai/fake-1"}': 1,
        'orchestrator_model_tokens_total{kind="input",model="openai/fake-1"}': 100,
        'orchestrator_model_tokens_total{kind="output",model="openai/fake-1"}': 20,
    }


def counted(base: str) -> dict[str, float]:
    lines = httpx2.get(f"{base}/metrics", timeout=PATIENCE).text.splitlines()
    wanted = ("orchestrator_agent_", "orchestrator_model_")
    counts = [line.rpartition(" ") for line in lines if line.startswith(wanted) and "_total" in line]
    return {name: float(value) for name, _, value in counts}


def test_the_agents_name_their_model_and_never_its_key(talk: httpx2.Client) -> None:
    answer = talk.get("/agent/capabilities")

    assert data(answer)["models"] == ["openai/fake-1"]
    assert {agent["engine"] for agent in data(answer)["agents"]} == {"model"}
    assert KEY not in json.dumps(answer.json())
