"""Callers who are slow, say too much, or speak no HTTP: an answer, in bounded time; bodies are in `test_hostile_input`."""

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from urllib.parse import urlsplit

import pytest

from tests.support.servers import free_port, gateway_environment

IMPATIENT = """
from core import bodies
from gateway.__main__ import main
from http_api import protocol
bodies.BODY_SECONDS = protocol.HEAD_SECONDS = protocol.LINGER_SECONDS = 0.5
main()
"""


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway that waits half a second where others wait longer."""
    folder: Path = tmp_path_factory.mktemp("impatient")
    port = free_port()
    environment = gateway_environment(f"sqlite:///{folder}/plan.db", PORT=str(port), LOG_LEVEL="CRITICAL")
    with Popen([sys.executable, "-c", IMPATIENT], env=environment, cwd=folder, stdout=PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def said(url: str, *parts: bytes, pause: float = 0.0) -> bytes:
    """Send `parts` with pauses between them; return all that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass
        return answer


POST = b"POST /api/v1/projects HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def test_a_body_that_does_not_come_is_a_timeout(impatient: str) -> None:
    answer = said(impatient, POST + b"Content-Length: 100\r\n\r\n", b'{"name"')

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"REQUEST_TIMEOUT" in answer


def test_a_caller_who_leaves_before_the_body_is_whole_is_counted_and_not_answered(impatient: str) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(impatient).port or 0)) as connection:
        connection.sendall(POST + b"Content-Length: 100\r\n\r\n" + b'{"name"')
    metrics = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    for _ in range(50):
        if b'method="POST",route="/api/v1/projects",status="499"' in said(impatient, metrics):
            return
        time.sleep(0.02)
    pytest.fail("the call was not counted as one whose caller has left")


def test_a_head_that_does_not_end_ends_the_connection(impatient: str) -> None:
    assert said(impatient, b"GET /health HTTP/1.1\r\nHost: loc") == b""
    assert said(impatient) == b""


def test_neither_does_it_stay_open_for_a_further_head_that_does_not_end(impatient: str) -> None:
    whole = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    began = time.monotonic()

    answer = said(impatient, whole, b"GET /health HTTP/1.1\r\nHost: loc", pause=0.2)

    assert answer.count(b"HTTP/1.1 200 ") == 1
    assert time.monotonic() - began < 4  # before a connection that is only kept alive would be closed


@pytest.mark.parametrize("size", [80_000, 3_000_000])
def test_a_head_that_is_too_large_is_refused(impatient: str, size: int) -> None:
    answer = said(impatient, b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Big: " + b"a" * size + b"\r\n\r\n")

    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")  # empty: it was closed before all had been sent


def test_what_is_not_http_is_refused_in_our_envelope(impatient: str) -> None:
    answer = said(impatient, b"\x16\x03\x01 hello\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"MALFORMED_BODY"' in answer
