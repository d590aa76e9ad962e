"""Signed tokens (RFC 7519): what a token must be, and what it says about its bearer.

Algorithm and keys come from the settings alone. What a token's own header says of keys or of where to
get them is never followed, except `kid`, which only chooses among the keys we trust.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import TypeAdapter, ValidationError

from core.context import LOCAL
from core.errors import ServiceUnavailable, TokenExpired, Unauthorized
from core.settings import Settings
from schemas.access import Scope, Subject, WorkspaceName

log = logging.getLogger(__name__)

REQUIRED = ("exp", "iss", "aud", "sub")
LEEWAY_SECONDS = 10  # clocks differ
MIN_SECRET_BYTES = 32  # as long as what HS256 makes of it (RFC 7518, 3.2)
MIN_RSA_BITS = 2048
MAX_TOKEN = 8_192
JWKS_SECONDS = 300.0  # so long a key that its issuer has withdrawn may still be trusted
JWKS_PAUSE_SECONDS = 30.0  # at most one fetch in this time, whatever unknown keys tokens name
JWKS_TIMEOUT = 5.0
MAX_JWKS_BYTES = 1_000_000

PublicKey = RSAPublicKey | EllipticCurvePublicKey
_SUBJECT: TypeAdapter[str] = TypeAdapter(Subject)
_WORKSPACE: TypeAdapter[str] = TypeAdapter(WorkspaceName)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says: who, where, and which of our scopes, if any."""

    subject: str
    workspace: str
    scopes: frozenset[Scope]


def complaint(settings: Settings) -> str | None:
    """Return what is wrong with the settings of AUTH=jwt, naming the one to change; None when they fit together."""
    for name in ("jwt_algorithm", "jwt_issuer", "jwt_audience"):
        if not getattr(settings, name):
            return f"{name.upper()} must be set with AUTH=jwt"
    given = [name for name in ("jwt_secret", "jwt_public_key", "jwt_jwks_url") if getattr(settings, name) is not None]
    if settings.jwt_algorithm == "HS256":
        if given != ["jwt_secret"]:
            return "JWT_SECRET must be set for HS256, and neither JWT_PUBLIC_KEY nor JWT_JWKS_URL"
        assert settings.jwt_secret is not None
        if len(settings.jwt_secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            return f"JWT_SECRET must have at least {MIN_SECRET_BYTES} bytes"
        return None
    if given not in (["jwt_public_key"], ["jwt_jwks_url"]):
        return f"JWT_PUBLIC_KEY or JWT_JWKS_URL must be set for {settings.jwt_algorithm}, one of them, and no JWT_SECRET"
    if settings.jwt_public_key is not None:
        return None if _pem_key(settings) is not None else f"JWT_PUBLIC_KEY must be a PEM public key for {settings.jwt_algorithm}"
    url = urlsplit(settings.jwt_jwks_url or "")
    if not (
        url.hostname and (url.scheme == "https" or (url.scheme == "http" and url.hostname in ("localhost", "127.0.0.1", "::1")))
    ):
        return "JWT_JWKS_URL must begin with https:// (http:// only for this machine)"
    return None


def _pem_key(settings: Settings) -> PublicKey | None:
    """Return the public key of the settings if it is one that their algorithm can trust."""
    text = (settings.jwt_public_key or "").replace("\\n", "\n")  # how one-line environments write it
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return _suitable(key, settings.jwt_algorithm)


def _suitable(key: object, algorithm: str | None) -> PublicKey | None:
    if algorithm == "RS256" and isinstance(key, RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
        return key
    if algorithm == "ES256" and isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return key
    return None


class TokenVerifier:
    def __init__(self, settings: Settings) -> None:
        assert settings.jwt_algorithm is not None
        self._settings = settings
        self._algorithms = [settings.jwt_algorithm]
        self._fixed = settings.jwt_secret.get_secret_value() if settings.jwt_secret else _pem_key(settings)
        self._published = PublishedKeys(settings.jwt_jwks_url, settings.jwt_algorithm) if settings.jwt_jwks_url else None

    async def verify(self, token: str) -> Claims:
        """Return what a token says once signature, issuer, audience and times are in order.

        Raises:
            TokenExpired: it was valid until its `exp`.
            Unauthorized: anything else is wrong with it; the answer says what, as far as that helps no forger.
            ServiceUnavailable: the keys to judge it by cannot be fetched.
        """
        if len(token) > MAX_TOKEN:
            raise Unauthorized("This token is too long.")
        try:
            key = self._fixed if self._published is None else await self._published.find(_kid(token))
            if key is None:
                raise Unauthorized("No trusted key has signed this token.")
            payload = jwt.decode(
                token,
                key,
                algorithms=self._algorithms,
                audience=self._settings.jwt_audience,
                issuer=self._settings.jwt_issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": list(REQUIRED)},
            )
        except jwt.ExpiredSignatureError:
            raise TokenExpired("This token has expired.", hint="get a new one from its issuer") from None
        except (jwt.InvalidAudienceError, jwt.InvalidIssuerError, jwt.MissingRequiredClaimError) as error:
            raise Unauthorized(f"This token is not for this server: {error}.") from None
        except (jwt.PyJWTError, ValueError, TypeError):  # signature, algorithm, form, not yet valid
            raise Unauthorized("This token is not valid.") from None
        return self._claims(payload)

    def _claims(self, payload: Mapping[str, Any]) -> Claims:
        claim = self._settings.jwt_workspace_claim
        try:
            subject, workspace = _SUBJECT.validate_python(payload["sub"]), _WORKSPACE.validate_python(payload.get(claim))
        except ValidationError:
            raise Unauthorized(
                "This token must name its subject, and a workspace.", hint=f"in the claims sub and {claim}"
            ) from None
        if subject == LOCAL:  # it would sign as the owner of the database does
            raise Unauthorized(f"The subject {LOCAL} is reserved.")
        return Claims(subject, workspace, _scopes(payload.get("scope", payload.get("scp"))))


def _kid(token: str) -> str | None:
    kid = jwt.get_unverified_header(token).get("kid")
    return kid if isinstance(kid, str) else None


def _scopes(claim: object) -> frozenset[Scope]:
    """Return those of our scopes that are in a claim, a list or words in one text; others belong to somebody else."""
    words = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return frozenset(scope for scope in Scope if scope.value in words)


class PublishedKeys:
    """The keys at a JWKS address (RFC 7517), fetched when needed and kept for a while."""

    def __init__(self, url: str, algorithm: str, timer: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._algorithm = algorithm
        self._timer = timer
        self._keys: dict[str | None, PublicKey] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._fetching = asyncio.Lock()

    async def find(self, kid: str | None) -> PublicKey | None:
        """Return the key of this id; a token without an id may only mean the only key there is.

        Raises ServiceUnavailable when no keys could ever be fetched.
        """
        if self._is_due(kid):
            async with self._fetching:
                if self._is_due(kid):  # another call may have been first
                    await self._refresh()
        if self._fetched is None:
            raise ServiceUnavailable("The keys that sign tokens cannot be fetched now; try again in a moment.")
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    def _is_due(self, kid: str | None) -> bool:
        now = self._timer()
        if self._tried is not None and now - self._tried < JWKS_PAUSE_SECONDS:
            return False
        return self._fetched is None or now - self._fetched > JWKS_SECONDS or (kid is not None and kid not in self._keys)

    async def _refresh(self) -> None:
        """Fetch the keys; when that fails the former ones stay, since a token they signed is no worse for it."""
        self._tried = self._timer()
        try:
            self._keys = _trusted(await asyncio.to_thread(_fetch, self._url), self._algorithm)
        except (URLError, OSError, ValueError) as error:
            log.warning("the keys at %s cannot be fetched: %s", self._url, error)
            return
        self._fetched = self._timer()


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow nothing: the address of the settings is the one that is trusted."""


def _fetch(url: str) -> bytes:
    with build_opener(_NoRedirects).open(url, timeout=JWKS_TIMEOUT) as answer:
        content: bytes = answer.read(MAX_JWKS_BYTES + 1)
    if len(content) > MAX_JWKS_BYTES:
        raise ValueError("the answer is too large")
    return content


def _trusted(content: bytes, algorithm: str) -> dict[str | None, PublicKey]:
    """Return the keys of a JWK set that can sign with `algorithm`; ValueError when it is none, or has none."""
    document = json.loads(content)
    items = document.get("keys") if isinstance(document, dict) else None
    keys: dict[str | None, PublicKey] = {}
    for item in items if isinstance(items, list) else ():
        if not isinstance(item, dict) or item.get("use", "sig") != "sig" or item.get("alg", algorithm) != algorithm:
            continue
        try:
            key = _suitable(jwt.PyJWK(item, algorithm).key, algorithm)
        except (jwt.PyJWTError, ValueError, TypeError):  # a kind of key we do not know
            continue
        if key is not None:
            keys[item.get("kid")] = key
    if not keys:
        raise ValueError(f"there is no key for {algorithm}")
    return keys
