"""The chat as a stream: the parts of the Vercel AI SDK's UI message stream, read by its published client."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from core.errors import AiTimeout
from core.services.conversations import Turn
from http_api import chat_stream
from http_api.chat_stream import Listener, stream_chat
from schemas.chat import ChatResponse, Route
from schemas.usage import Usage
from tests.support.http import data, refused
from tests.support.services import missing

CLIENT = Path(__file__).parents[1] / "node" / "chat"
EVENTS = {"Accept": "text/event-stream"}
TURN = Turn(id="m1", conversation_id="c1", message="hello", project=None, history=[], summary="")
ANSWER = ChatResponse(
    conversation_id="c1",
    message_id="m1",
    message="Hello there",
    route=Route.ANSWER,
    patch_set=None,
    questions=[],
    engine="rules",
    model=None,
    usage=Usage(),
)


def parts(text: str) -> list[Any]:
    """Return the parts of a whole stream, [DONE] included."""
    assert text.endswith("\n\n")
    told = [message.removeprefix("data: ") for message in text.removesuffix("\n\n").split("\n\n") if message.startswith("data: ")]
    return [message if message == "[DONE]" else json.loads(message) for message in told]


def kinds(text: str) -> list[str]:
    return [part if isinstance(part, str) else part["type"] for part in parts(text)]


WITHOUT_PROPOSAL = ["start", "start-step", "text-start", "text-delta", "text-end", "data-usage", "message-metadata"]
END = ["finish-step", "finish", "[DONE]"]


def test_an_answer_comes_as_parts_with_the_proposal_and_one_end(api: httpx2.Client, task: dict[str, Any]) -> None:
    answer = api.post("/agent/chat", json={"message": f"done {task['key']}"}, headers=EVENTS)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-store", "no")
    assert kinds(answer.text) == [*WITHOUT_PROPOSAL[:5], "data-proposal", *WITHOUT_PROPOSAL[5:], *END]
    told = {part["type"]: part for part in parts(answer.text)[:-1]}
    proposal, about = told["data-proposal"], told["message-metadata"]["messageMetadata"]
    assert data(api.get(f"/patch-sets/{proposal['id']}"))["proposal"]["state"] == "proposed"
    assert (about["engine"], about["model"], about["route"]) == ("rules", None, "edit")
    assert told["data-usage"]["transient"] is True
    kept = data(api.get(f"/agent/conversations/{about['conversation_id']}"))["messages"][-1]
    assert (kept["text"], kept["patch_set_id"]) == (told["text-delta"]["delta"], proposal["id"])


def test_what_is_refused_before_it_begins_is_refused_like_any_call(api: httpx2.Client) -> None:
    refused(api.post("/agent/chat", json={"message": ""}, headers=EVENTS), 422, "VALIDATION_ERROR")
    refused(api.post("/agent/chat", json={"message": "help", "conversation_id": "nope"}, headers=EVENTS), 404, "NOT_FOUND")


def test_a_repetition_with_the_same_key_streams_the_first_answer(api: httpx2.Client, task: dict[str, Any]) -> None:
    headers, body = {**EVENTS, "Idempotency-Key": str(uuid4())}, {"message": f"done {task['key']}"}

    first, again = (api.post("/agent/chat", json=body, headers=headers) for _ in range(2))

    assert again.text == first.text


async def streamed(chat: Any) -> str:
    stream = await stream_chat(chat)
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    async def receive() -> Any:
        await asyncio.Event().wait()

    await stream({"type": "http", "asgi": {"spec_version": "2.3"}, "state": {"bodiless": False}}, receive, send)
    return b"".join(sent).decode()


async def test_text_comes_in_pieces_while_it_is_made_and_heartbeats_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_stream, "HEARTBEAT_SECONDS", 0.01)

    async def chat(listener: Listener) -> ChatResponse:
        listener.begin(TURN)
        await listener.text("Hello ")
        await asyncio.sleep(0.1)
        await listener.text("there")
        return ANSWER

    text = await streamed(chat)

    assert kinds(text) == [*WITHOUT_PROPOSAL[:4], "text-delta", *WITHOUT_PROPOSAL[4:], *END]
    assert [part["delta"] for part in parts(text)[:-1] if part["type"] == "text-delta"] == ["Hello ", "there"]
    assert ": heartbeat\n\n" in text


@pytest.mark.parametrize(
    ("failure", "shown"), [(AiTimeout(), "AI_TIMEOUT: The model"), (ZeroDivisionError("secret"), "INTERNAL_ERROR: Something")]
)
async def test_a_failure_after_the_beginning_is_an_event_and_the_end(failure: Exception, shown: str) -> None:
    async def chat(listener: Listener) -> ChatResponse:
        listener.begin(TURN)
        await listener.text("Hello ")
        raise failure

    text = await streamed(chat)

    assert kinds(text) == ["start", "start-step", "text-start", "text-delta", "text-end", "error", "[DONE]"]
    assert parts(text)[-2]["errorText"].startswith(shown)
    assert "secret" not in text


async def test_a_client_that_leaves_ends_the_answer() -> None:
    was_cancelled = asyncio.Event()

    async def chat(listener: Listener) -> ChatResponse:
        listener.begin(TURN)
        try:
            await asyncio.Event().wait()
        finally:
            was_cancelled.set()
        return ANSWER

    async def leave() -> Any:
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        pass

    stream = await stream_chat(chat)
    await stream({"type": "http", "asgi": {"spec_version": "2.3"}, "state": {"bodiless": False}}, leave, send)

    assert was_cancelled.is_set()


@pytest.fixture(scope="session")
def client() -> Path:
    """The published client; installed by its lock file where npm is."""
    lacking = next((tool for tool in ("node", "npm") if shutil.which(tool) is None), None)
    if lacking is not None:
        missing(f"{lacking} is not installed, so the stream is not read by the published client")
    if not (CLIENT / "node_modules" / "ai").is_dir():
        subprocess.run(["npm", "ci", "--silent", "--no-fund", "--no-audit"], cwd=CLIENT, check=True)
    return CLIENT / "read.mjs"


def read(client: Path, base_url: str, message: str) -> dict[str, Any]:
    command = ["node", str(client), base_url, json.dumps({"message": message})]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    return found


def test_the_published_client_reads_the_stream_as_one_message(client: Path, base_url: str, task: dict[str, Any]) -> None:
    found = read(client, base_url, f"done {task['key']}")

    assert found["errors"] == []
    assert [chunk["type"] for chunk in found["chunks"]].count("finish") == 1
    message = found["message"]
    assert message["role"] == "assistant"
    assert [part["type"] for part in message["parts"]] == ["step-start", "text", "data-proposal"]
    assert message["parts"][1]["state"] == "done"
    assert message["parts"][2]["data"]["patches"][0]["task"] == task["key"]
    assert message["metadata"]["engine"] == "rules"
