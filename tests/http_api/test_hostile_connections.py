"""Callers who are slow, say too much, or speak no HTTP: a documented answer, in bounded time, and the server goes on."""

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.support.http import refused
from tests.support.servers import free_port, gateway_environment

IMPATIENT = """
from gateway.__main__ import main
from http_api import bodies, protocol
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


def test_a_head_that_does_not_end_ends_the_connection(impatient: str) -> None:
    assert said(impatient, b"GET /health HTTP/1.1\r\nHost: loc") == b""
    assert said(impatient) == b""


@pytest.mark.parametrize("size", [80_000, 3_000_000])
def test_a_head_that_is_too_large_is_refused(impatient: str, size: int) -> None:
    answer = said(impatient, b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Big: " + b"a" * size + b"\r\n\r\n")

    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")  # empty: it was closed before all had been sent


def test_what_is_not_http_is_refused_in_our_envelope(impatient: str) -> None:
    answer = said(impatient, b"\x16\x03\x01 hello\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"MALFORMED_BODY"' in answer


def test_a_compressed_body_is_refused_unread(impatient: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    refused(httpx2.post(f"{impatient}/api/v1/projects", content=b"\x1f\x8b" * 10, headers=headers), 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b"[" + b"0," * 1_000_000 + b"0]", b'{"name": "\\ud800"}', b'{"name": "a\\u0000b"}', b'{"name": "\xff"}'],
    ids=["deep", "long", "surrogate", "NUL", "not UTF-8"],
)
def test_hostile_json_is_a_documented_refusal(impatient: str, content: bytes) -> None:
    answer = httpx2.post(
        f"{impatient}/api/v1/projects", content=content, headers={"Content-Type": "application/json"}, timeout=30
    )

    assert answer.status_code in (400, 422)
    assert "Traceback" not in answer.text
    assert httpx2.get(f"{impatient}/health/ready").status_code == 200
