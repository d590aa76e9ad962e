"""Who is let in, and as whom: keys by their state, tokens by their signature and claims."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

from core import auth
from core.auth import CACHE_SECONDS, ApiKeys, Cache
from core.clock import FixedClock
from core.context import OWNER, Context, Principal, local_owner
from core.errors import (
    DomainError,
    DuplicateResource,
    Forbidden,
    ServiceUnavailable,
    TokenExpired,
    Unauthorized,
    ValidationFailed,
)
from core.services import access
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.access import ROLE_SCOPES, Role, Scope

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECRET = "a shared secret of more than 32 bytes"
TOKENS: dict[str, Any] = {"auth": "jwt", "jwt_issuer": "https://issuer.example", "jwt_audience": "orchestrator"}
HS256 = TOKENS | {"jwt_algorithm": "HS256", "jwt_secret": SECRET}


@cache
def rsa_key(_number: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> str:
    text: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


def claims(**changed: Any) -> dict[str, Any]:
    """Return what a good token says; None leaves a claim out."""
    good = {
        "iss": "https://issuer.example",
        "aud": "orchestrator",
        "exp": time.time() + 600,
        "sub": "ann",
        "workspace": "default",
    }
    return {name: value for name, value in {**good, "scope": "projects:read openid", **changed}.items() if value is not None}


def token(*, key: Any = SECRET, algorithm: str = "HS256", kid: str | None = None, **changed: Any) -> str:
    return jwt.encode(claims(**changed), key, algorithm, headers={"kid": kid} if kid else None)


Opening = Callable[..., Orchestrator]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opening]:
    """Opens processes on one database."""
    made: list[Orchestrator] = []

    def open_one(clock: FixedClock | None = None, **settings: Any) -> Orchestrator:
        one = Orchestrator(Settings(_env_file=None, database_url=f"sqlite:///{tmp_path}/plans.db", **settings), clock=clock)
        one.start(create=True)
        made.append(one)
        return one

    yield open_one
    for one in made:
        one.close()


def owner_of(orchestrator: Orchestrator, workspace: str = "default") -> Context:
    return orchestrator.context(local_owner(workspace))


# API keys


async def test_without_authentication_everybody_is_the_local_owner(opened: Opening) -> None:
    assert await opened().authenticate(None) == OWNER


async def test_a_key_stands_for_its_name_workspace_and_scopes(opened: Opening) -> None:
    process = opened(auth="api_key")
    made = access.create_api_key(owner_of(process, "acme"), "ci", [Scope.PATCHES_PROPOSE, Scope.PROJECTS_READ])

    caller = await process.authenticate(made.key)

    assert (caller.subject, caller.workspace) == ("ci", "acme")
    assert caller.scopes == {Scope.PROJECTS_READ, Scope.PATCHES_PROPOSE}


async def test_only_the_hash_of_a_key_is_stored(opened: Opening, tmp_path: Path) -> None:
    made = access.create_api_key(owner_of(opened(auth="api_key")), "ci", [Scope.ADMIN])

    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert made.api_key.id.encode() in stored
    assert made.key.rpartition(made.api_key.id)[2].encode() not in stored


@pytest.mark.parametrize("wrong", [None, "", "orc_", "x" * 5_000, "orc_000000000000_" + "a" * 43, "orc_00000000000é_" + "a" * 43])
async def test_what_is_no_key_is_unauthorized(opened: Opening, wrong: str | None) -> None:
    with pytest.raises(Unauthorized):
        await opened(auth="api_key").authenticate(wrong)


async def test_the_right_id_with_another_secret_is_unauthorized(opened: Opening) -> None:
    process = opened(auth="api_key")
    made = access.create_api_key(owner_of(process), "ci", [Scope.ADMIN])
    last = "A" if made.key[-1] != "A" else "B"

    with pytest.raises(Unauthorized):
        await process.authenticate(made.key[:-1] + last)


async def test_a_key_expires(opened: Opening) -> None:
    clock = FixedClock(NOW)
    process = opened(clock, auth="api_key")
    made = access.create_api_key(owner_of(process), "ci", [Scope.PROJECTS_READ], lifetime=timedelta(days=1))

    clock.instant = NOW + timedelta(hours=23)
    await process.authenticate(made.key)
    clock.instant = NOW + timedelta(days=1)
    with pytest.raises(TokenExpired):
        await process.authenticate(made.key)


async def test_a_revoked_key_stops_once_it_is_not_remembered_any_more(opened: Opening) -> None:
    process, seconds = opened(auth="api_key"), 0.0
    ctx = owner_of(process)
    resolver = ApiKeys(ctx.storage, ctx.runner, FixedClock(NOW), timer=lambda: seconds)
    made = access.create_api_key(ctx, "ci", [Scope.PROJECTS_READ])
    await resolver.authenticate(made.key)

    access.revoke_api_key(ctx, made.api_key.id)

    seconds = CACHE_SECONDS
    with pytest.raises(Unauthorized):
        await resolver.authenticate(made.key)


async def test_the_use_of_a_key_is_recorded_at_most_once_a_minute(opened: Opening) -> None:
    clock, seconds = FixedClock(NOW), 0.0
    process = opened(clock, auth="api_key")
    ctx = owner_of(process)
    resolver = ApiKeys(ctx.storage, ctx.runner, clock, timer=lambda: seconds)
    made = access.create_api_key(ctx, "ci", [Scope.PROJECTS_READ])

    async def used(later: int) -> datetime | None:
        nonlocal seconds
        clock.instant, seconds = NOW + timedelta(seconds=later), float(later)
        await resolver.authenticate(made.key)
        (listed,) = (await ctx.run(access.list_api_keys)).api_keys  # behind the record on the store's only thread
        return listed.last_used_at

    await used(0)
    assert await used(1) == NOW
    assert await used(59) == NOW
    await used(61)
    assert await used(62) == NOW + timedelta(seconds=61)


async def test_the_name_of_a_live_key_is_taken_until_it_is_revoked(opened: Opening) -> None:
    ctx = owner_of(opened())
    first = access.create_api_key(ctx, "ci", [Scope.PROJECTS_READ])

    with pytest.raises(DuplicateResource):
        access.create_api_key(ctx, "ci", [Scope.PROJECTS_READ])
    access.create_api_key(owner_of(opened(), "acme"), "ci", [Scope.PROJECTS_READ])
    access.revoke_api_key(ctx, first.api_key.id)
    access.create_api_key(ctx, "ci", [Scope.PROJECTS_READ])


def test_nobody_else_signs_as_the_local_owner(opened: Opening) -> None:
    ctx = owner_of(opened())

    with pytest.raises(ValidationFailed):
        access.create_api_key(ctx, "local", [Scope.PROJECTS_READ])
    with pytest.raises(ValidationFailed):
        access.set_member(ctx, "local", Role.VIEWER)


def test_what_is_remembered_is_bounded() -> None:
    remembered: Cache[int, int] = Cache(lambda: 0.0, most=2)

    for number in range(3):
        remembered.put(number, number)

    assert [number in remembered for number in range(3)] == [False, True, True]


# Tokens


async def test_a_token_stands_for_its_subject_workspace_and_scopes(opened: Opening) -> None:
    caller = await opened(**HS256).authenticate(token(scope="openid projects:read patches:propose"))

    assert (caller.subject, caller.workspace) == ("ann", "default")
    assert caller.scopes == {Scope.PROJECTS_READ, Scope.PATCHES_PROPOSE}
    assert (await opened(**HS256).authenticate(token(scope=None, scp=["agent:chat"]))).scopes == {Scope.AGENT_CHAT}


@pytest.mark.parametrize(("algorithm", "key"), [("RS256", rsa_key), ("ES256", ec_key)])
async def test_a_public_key_is_enough_to_check_a_token(opened: Opening, algorithm: str, key: Callable[[], Any]) -> None:
    process = opened(**TOKENS, jwt_algorithm=algorithm, jwt_public_key=pem(key()).replace("\n", "\\n"))

    assert (await process.authenticate(token(key=key(), algorithm=algorithm))).subject == "ann"


async def test_a_token_without_our_scopes_gets_the_role_of_its_subject(opened: Opening) -> None:
    process = opened(**HS256)
    access.set_member(owner_of(process, "acme"), "ann", Role.EDITOR)

    assert (await process.authenticate(token(scope="openid", workspace="acme"))).scopes == ROLE_SCOPES[Role.EDITOR]
    for stranger in (token(scope="openid"), token(scope="openid", workspace="acme", sub="ben")):
        with pytest.raises(Forbidden):
            await process.authenticate(stranger)


async def test_a_token_cannot_name_a_workspace_that_nobody_has_made(opened: Opening) -> None:
    with pytest.raises(Forbidden):
        await opened(**HS256).authenticate(token(workspace="unheard-of"))


BAD: dict[str, Callable[[], str | None]] = {
    "no token": lambda: None,
    "not a token": lambda: "a.b.c",
    "another secret": lambda: token(key="b" * 40),
    "another issuer": lambda: token(iss="https://evil.example"),
    "another audience": lambda: token(aud="other"),
    "without exp": lambda: token(exp=None),
    "without iss": lambda: token(iss=None),
    "without aud": lambda: token(aud=None),
    "without sub": lambda: token(sub=None),
    "empty sub": lambda: token(sub=""),
    "control characters": lambda: token(sub="a\nb"),
    "reserved subject": lambda: token(sub="local"),
    "without workspace": lambda: token(workspace=None),
    "odd workspace": lambda: token(workspace="../default"),
    "not yet valid": lambda: token(nbf=time.time() + 600),
    "too long": lambda: token(sub="a" * 10_000),
    "other algorithm": lambda: token(algorithm="HS512"),
    "no algorithm": lambda: token(key=None, algorithm="none"),
}


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")  # of the forgeries
@pytest.mark.parametrize("bad", BAD)
async def test_a_token_with_anything_wrong_is_unauthorized(opened: Opening, bad: str) -> None:
    with pytest.raises(Unauthorized):
        await opened(**HS256).authenticate(BAD[bad]())


async def test_an_expired_token_is_told_apart(opened: Opening) -> None:
    with pytest.raises(TokenExpired):
        await opened(**HS256).authenticate(token(exp=time.time() - 60))


async def test_a_public_key_is_no_shared_secret(opened: Opening) -> None:
    """The classic forgery: sign by HMAC with the public key, which everybody has."""
    public = pem(rsa_key())

    def part(value: Any) -> bytes:
        return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=")

    signed = part({"alg": "HS256", "typ": "JWT"}) + b"." + part(claims())
    forged = signed + b"." + part(hmac.digest(public.encode(), signed, hashlib.sha256))

    with pytest.raises(Unauthorized):
        await opened(**TOKENS, jwt_algorithm="RS256", jwt_public_key=public).authenticate(forged.decode())


# Settings


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"jwt_algorithm": None}, "JWT_ALGORITHM"),
        ({"jwt_issuer": None}, "JWT_ISSUER"),
        ({"jwt_audience": ""}, "JWT_AUDIENCE"),
        ({"jwt_secret": None}, "JWT_SECRET"),
        ({"jwt_secret": "short"}, "JWT_SECRET"),
        ({"jwt_public_key": "x"}, "JWT_PUBLIC_KEY"),
        ({"jwt_algorithm": "RS256"}, "JWT_PUBLIC_KEY"),
        ({"jwt_algorithm": "RS256", "jwt_secret": None, "jwt_public_key": "no key"}, "JWT_PUBLIC_KEY"),
        ({"jwt_algorithm": "RS256", "jwt_secret": None, "jwt_public_key": pem(ec_key())}, "JWT_PUBLIC_KEY"),
        ({"jwt_algorithm": "RS256", "jwt_secret": None, "jwt_jwks_url": "http://issuer.example/keys"}, "JWT_JWKS_URL"),
        ({"jwt_algorithm": "RS256", "jwt_secret": None, "jwt_jwks_url": "file:///etc/passwd"}, "JWT_JWKS_URL"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused_by_name(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=None, **{**HS256, **changed})

    (error,) = refused.value.errors()
    assert named in error["msg"]
    assert SECRET not in error["msg"]


@pytest.mark.parametrize("service", [access.list_api_keys, access.list_members])
def test_only_owners_see_who_may_come_in(opened: Opening, service: Callable[[Context], object]) -> None:
    process = opened()
    caller = Principal("ed", "default", ROLE_SCOPES[Role.EDITOR])

    with pytest.raises(DomainError, match="may not"):
        service(process.context(caller))


class Scripted:
    """An authenticator that answers one thing after another."""

    def __init__(self, *answers: Principal | DomainError) -> None:
        self.answers = list(answers)

    async def authenticate(self, credential: str | None) -> Principal:  # noqa: ARG002  the port's
        answer = self.answers.pop(0)
        if isinstance(answer, DomainError):
            raise answer
        return answer


READER = Principal("ana", "default", frozenset({Scope.PROJECTS_READ}))


@pytest.mark.parametrize(
    ("last", "code"),
    [
        (Unauthorized(), "UNAUTHORIZED"),
        (TokenExpired(), "TOKEN_EXPIRED"),
        (Forbidden(), "FORBIDDEN"),
        (Principal("ana", "default", frozenset({Scope.AGENT_CHAT})), "FORBIDDEN"),
        (Principal("ana", "elsewhere", READER.scopes), "FORBIDDEN"),
    ],
)
async def test_access_ends_when_the_caller_may_not_read_any_more_and_not_when_nobody_knows(
    monkeypatch: pytest.MonkeyPatch, last: Principal | DomainError, code: str
) -> None:
    monkeypatch.setattr(auth, "RECHECK_SECONDS", 0)
    caller = Scripted(READER, ServiceUnavailable(), READER, last)

    ended = await auth.access_ended(caller, "orc_...", READER)

    assert ended.code == code
    assert caller.answers == []
