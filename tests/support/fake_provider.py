"""A model provider on loopback that speaks OpenAI's protocol and does what a script says.

The real model library calls it, so what is tested is what happens on the wire. Each call takes the next act of the
script, and is remembered; a call beyond the script is a failure of its own kind (418), so that counts are exact.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "fake-1"
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: its body, and the headers it came with."""

    body: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def form(self) -> str:
        """Return how a structured answer was asked for."""
        if "tools" in self.body:
            return "tool"
        return str(self.body.get("response_format", {}).get("type", "prompt"))

    @property
    def text(self) -> str:
        """Return all that was said to the model."""
        return "\n".join(message["content"] for message in self.body["messages"] if message["content"])


class Call(BaseHTTPRequestHandler):
    """One request; acts write their answer through it."""

    protocol_version = "HTTP/1.1"
    provider: "FakeProvider"
    asked: Asked

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked = Asked(body, {name.lower(): value for name, value in self.headers.items()})
        act = self.provider.next_act(self.asked)
        with suppress(ConnectionError):  # the caller has hung up, as a deadline makes it
            act(self)

    def send(self, status: int, content: str, headers: Mapping[str, str] | None = None, *, length: int | None = None) -> None:
        data = content.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def send_chunk(self, content: str) -> None:
        data = content.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


Act = Callable[[Call], None]


@dataclass
class FakeProvider:
    """What the script still holds, and what was asked so far."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    _acts: list[Act] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    released: threading.Event = field(default_factory=threading.Event)

    def script(self, *acts: Act) -> None:
        """Forget what was, and answer the next calls with these acts, one each."""
        self.released.set()
        with self._lock:
            self.released = threading.Event()
            self._acts = list(acts)
            self.asked = []

    def next_act(self, asked: Asked) -> Act:
        with self._lock:
            self.asked.append(asked)
            return self._acts.pop(0) if self._acts else status(418, "the script is over")


@contextmanager
def fake_provider() -> Iterator[FakeProvider]:
    """Serve until the block ends."""
    provider = FakeProvider()
    handler = type("ScriptedCall", (Call,), {"provider": provider})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    provider.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


# -- acts


def answer(content: Any, *, finish: str = "stop", usage: bool = True) -> Act:
    """Answer with text, or with an object as JSON; as a stream, word by word, where that is asked for."""
    text = content if isinstance(content, str) or content is None else json.dumps(content)

    def act(call: Call) -> None:
        if call.asked.body.get("stream"):
            stream(*_pieces(text or ""))(call)
        else:
            call.send(200, _completion({"role": "assistant", "content": text}, finish, usage=usage))

    return act


def by(write: Callable[[Asked], Any]) -> Act:
    """Answer with what `write` makes of the question."""
    return lambda call: answer(write(call.asked))(call)


def tool(arguments: Any, *, name: str = "propose_patch_set") -> Act:
    """Answer with a tool call."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    function = {"name": name, "arguments": text}
    message = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": function}]}
    return lambda call: call.send(200, _completion(message, "tool_calls"))


def refusal(text: str) -> Act:
    return lambda call: call.send(200, _completion({"role": "assistant", "content": None, "refusal": text}, "stop"))


def no_choices() -> Act:
    return lambda call: call.send(200, json.dumps({"id": "x", "object": "chat.completion", "model": MODEL, "choices": []}))


def status(http: int, message: str, *, headers: Mapping[str, str] | None = None, **error: str) -> Act:
    """Refuse as OpenAI does."""
    body = {"error": {"message": message, "type": "invalid_request_error", "code": None, "param": None, **error}}
    return lambda call: call.send(http, json.dumps(body), headers)


def raw(text: str, *, media_type: str = "application/json", length: int | None = None) -> Act:
    """Answer 200 with any body; a `length` beyond it cuts the body off."""

    def act(call: Call) -> None:
        call.send(200, text, {"Content-Type": media_type}, length=length)
        call.close_connection = True

    return act


def hang() -> Act:
    """Never answer."""
    return lambda call: _wait(call, call.provider.released)


def drip(seconds: float = 0.2) -> Act:
    """Send an answer byte by byte, which no timeout between bytes ever ends."""

    def act(call: Call) -> None:
        released = call.provider.released
        call.send_response(200)
        call.send_header("Content-Type", "application/json")
        call.send_header("Content-Length", "1000")
        call.end_headers()
        for _ in range(1000):
            if released.wait(seconds):
                return
            call.wfile.write(b" ")
            call.wfile.flush()

    return act


def stream(*pieces: str, end: str = "finish") -> Act:
    """Stream pieces; then `finish`, `cut` the connection, send `garbage`, an `error` event, or `stall`."""

    def act(call: Call) -> None:
        call.begin_stream()
        for piece in pieces:
            call.send_chunk(_event({"content": piece}))
        if end == "garbage":
            call.send_chunk("data: {not json\n\n")
        elif end == "error":
            call.send_chunk('data: {"error": {"message": "overloaded", "type": "server_error", "code": null}}\n\n')
        elif end == "stall":
            _wait(call, call.provider.released)
        elif end == "finish":
            call.send_chunk(_event({}, finish="stop"))
            call.send_chunk(f"data: {json.dumps({**_chunk([]), 'usage': USAGE})}\n\n")
            call.send_chunk("data: [DONE]\n\n")
            call.send_chunk("")
        call.close_connection = True

    return act


def _wait(call: Call, released: threading.Event) -> None:
    released.wait(60)
    call.close_connection = True


def _pieces(text: str) -> list[str]:
    return [word if not index else f" {word}" for index, word in enumerate(text.split(" "))]


def _chunk(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "x", "object": "chat.completion.chunk", "created": int(time.time()), "model": MODEL, "choices": choices}


def _event(delta: dict[str, str], *, finish: str | None = None) -> str:
    return f"data: {json.dumps(_chunk([{'index': 0, 'delta': delta, 'finish_reason': finish}]))}\n\n"


def _completion(message: dict[str, Any], finish: str, *, usage: bool = True) -> str:
    body = {
        "id": "x",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }
    return json.dumps(body | ({"usage": USAGE} if usage else {}))
