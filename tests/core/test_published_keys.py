"""Published keys: a token is checked with the one of its id, fetched from a key server on this machine."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from core.errors import ServiceUnavailable, Unauthorized
from core.tokens import JWKS_PAUSE_SECONDS, JWKS_SECONDS, PublishedKeys
from tests.core.test_auth import TOKENS, Opening, opened, rsa_key, token

__all__ = ["opened"]


class Published:
    """A key server on this machine."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.fetches = 0
        self.status = 200
        published = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                published.fetches += 1
                body = json.dumps({"keys": published.keys}).encode()
                self.send_response(published.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/keys"

    def add(self, kid: str, key: rsa.RSAPrivateKey) -> None:
        self.keys.append({**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"})


@contextmanager
def serving(published: Published) -> Iterator[Published]:
    thread = Thread(target=published.server.serve_forever, args=(0.01,))
    thread.start()
    yield published
    published.server.shutdown()
    thread.join()
    published.server.server_close()


@pytest.fixture
def published() -> Iterator[Published]:
    with serving(Published()) as one:
        one.add("first", rsa_key())
        yield one


async def test_a_published_key_is_found_by_its_id_and_fetched_once(opened: Opening, published: Published) -> None:
    process = opened(**TOKENS, jwt_algorithm="RS256", jwt_jwks_url=published.url)

    for _ in range(3):
        assert (await process.authenticate(token(key=rsa_key(), algorithm="RS256", kid="first"))).subject == "ann"

    with pytest.raises(Unauthorized):
        await process.authenticate(token(key=rsa_key(1), algorithm="RS256", kid="first"))
    assert published.fetches == 1


async def test_unknown_ids_cause_a_bounded_number_of_fetches(published: Published) -> None:
    seconds = 0.0
    keys = PublishedKeys(published.url, "RS256", timer=lambda: seconds)
    await keys.find("first")
    published.add("second", rsa_key(1))

    assert [await keys.find(f"unknown-{number}") for number in range(20)] == [None] * 20
    assert published.fetches == 1
    seconds = JWKS_PAUSE_SECONDS
    assert await keys.find("second") is not None
    assert published.fetches == 2


async def test_keys_that_were_withdrawn_are_forgotten_and_a_failing_server_changes_nothing(published: Published) -> None:
    seconds = 0.0
    keys = PublishedKeys(published.url, "RS256", timer=lambda: seconds)
    await keys.find("first")

    published.status, seconds = 500, JWKS_SECONDS + 1
    assert await keys.find("first") is not None
    published.status, published.keys = 200, []
    published.add("second", rsa_key(1))
    seconds += JWKS_PAUSE_SECONDS
    assert await keys.find("first") is None


@pytest.mark.parametrize("status", [302, 500])
async def test_without_any_keys_the_caller_is_told_to_come_back(published: Published, status: int) -> None:
    published.status = status  # a redirection is not followed

    with pytest.raises(ServiceUnavailable):
        await PublishedKeys(published.url, "RS256").find("first")
    assert published.fetches == 1
