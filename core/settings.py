"""All settings, read once from the environment (and `.env`) in `wiring`."""

import ipaddress
import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

RATE_LIMIT_OFF = "off"
_ORIGIN = r"[a-z][a-z0-9+.-]*://[^/?#@*\s]+"
_RATE_LIMIT = r"off|[1-9]\d{0,6}/(second|minute|hour|day)"


class Auth(StrEnum):
    """How callers are identified."""

    NONE = "none"
    API_KEY = "api_key"
    JWT = "jwt"


class Approval(StrEnum):
    HOST = "host"
    ELICIT = "elicit"
    EXTERNAL = "external"


class Settings(BaseSettings):
    """Environment variables have the field's name in upper case."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    database_url: str = Field(
        default="sqlite:///./orchestrator.db", description="SQLite file or PostgreSQL (postgresql://user@host/db)"
    )
    host: str = Field(default="127.0.0.1", description="address the REST gateway binds")
    port: int = Field(default=8000, ge=1, le=65535, description="port the REST gateway binds")
    cors_origins: Annotated[list[str], NoDecode] = Field(
        default=["http://localhost:3000"], description="comma list of origins browsers may call from"
    )
    trusted_proxies: Annotated[list[str], NoDecode] = Field(
        default=[], description="comma list of addresses or networks of proxies whose X-Forwarded-For and -Proto are believed"
    )
    workers: int = Field(default=1, ge=1, le=64, description="processes that serve the REST gateway")
    rate_limit_default: str = Field(
        default="300/minute", description="calls of one caller, such as 300/minute (second, minute, hour, day), or off"
    )
    rate_limit_model: str = Field(default="10/minute", description="the same for the routes that ask a model")
    redis_url: SecretStr | None = Field(
        default=None,
        description="Redis (redis:// or rediss://) that counts calls for all processes; without it each counts its own",
    )
    api_sunset: date | None = Field(
        default=None, description="the day on which /api/... ends; until then its answers name /api/v1/... as successor"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO", description="least severe log line written"
    )
    auth: Auth = Field(default=Auth.NONE, description="how callers are identified; none is for loopback only")
    orchestrator_api_key: SecretStr | None = Field(
        default=None, description="key (with AUTH=jwt: token) of orchestrator-mcp over stdio, which no request brings one to"
    )
    jwt_algorithm: Literal["HS256", "RS256", "ES256"] | None = Field(
        default=None, description="the one algorithm of accepted signatures"
    )
    jwt_secret: SecretStr | None = Field(default=None, description="shared secret for HS256, at least 32 bytes")
    jwt_public_key: str | None = Field(default=None, description="PEM public key for RS256 or ES256")
    jwt_jwks_url: str | None = Field(default=None, description="where the public keys for RS256 or ES256 are published")
    jwt_issuer: str | None = Field(default=None, description="the `iss` a token must have")
    jwt_audience: str | None = Field(default=None, description="an `aud` a token must have")
    jwt_workspace_claim: str = Field(default="workspace", min_length=1, description="the claim that names the workspace")
    ai_provider: str | None = Field(
        default=None, description="whose model the agents use, such as openai; without one they answer by rules, with no AI"
    )
    ai_api_key: SecretStr | None = Field(default=None, description="the provider's key; providers on this machine need none")
    ai_model: str | None = Field(default=None, description="the provider's name of the model; each provider has a default")
    ai_api_base: str | None = Field(
        default=None,
        description="base address of the provider or of a server that speaks its protocol, as http://localhost:8080/v1",
    )
    ai_fallbacks: Annotated[list[str], NoDecode] = Field(
        default=[],
        description="comma list of provider or provider/model, asked in this order when the one before fails or is overloaded",
    )
    ai_fallback_keys: Annotated[dict[str, SecretStr], NoDecode] = Field(
        default={}, description="comma list of provider=key, for fallbacks of other providers than AI_PROVIDER"
    )
    ai_deadline_seconds: float = Field(
        default=60.0, gt=0, le=600, description="time for one request of an agent, all its calls, repairs and fallbacks together"
    )
    ai_daily_tokens: int | None = Field(
        default=None, ge=0, description="tokens one caller may use in a day; no limit unless given"
    )
    max_task_depth: int = Field(default=5, ge=0, le=20, description="deepest level of a task; 0 is the top level")
    sqlite_synchronous: Literal["FULL", "NORMAL", "EXTRA"] = Field(
        default="FULL", description="FULL: an acknowledged write survives power loss"
    )
    pool_size: int = Field(default=8, ge=1, le=100, description="connections (and threads) per process on PostgreSQL")
    time_zone: str = Field(default="UTC", description="IANA name; decides what day it is")
    approval: Approval = Field(default=Approval.HOST, description="who confirms apply and revert over MCP")
    mcp_shared_secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="the same 32 characters or more in all processes behind one /mcp address, which then keep no sessions",
    )
    auto_migrate: bool = Field(default=False, description="upgrade a PostgreSQL schema at start; SQLite always upgrades itself")
    hours_per_day: int = Field(default=8, ge=1, le=24, description="working hours in a day, for estimates and schedules")
    days_per_week: int = Field(default=5, ge=1, le=7, description="working days in a week, for estimates and schedules")

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        if isinstance(value, str):
            value = [origin.strip().rstrip("/").lower() for origin in value.split(",") if origin.strip()]
        if isinstance(value, list) and not all(re.fullmatch(_ORIGIN, origin) for origin in value):
            raise PydanticCustomError(
                "setting", "must name each origin as browsers do, such as https://plan.example.com:8443; no *"
            )
        return value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split_proxies(cls, value: object) -> object:
        if isinstance(value, str):
            value = [proxy.strip() for proxy in value.split(",") if proxy.strip()]
        if isinstance(value, list):
            for proxy in value:
                try:
                    ipaddress.ip_network(proxy)
                except ValueError as error:
                    raise PydanticCustomError("setting", "must hold addresses or networks such as 10.0.0.0/8") from error
        return value

    @field_validator("rate_limit_default", "rate_limit_model")
    @classmethod
    def _known_rate(cls, value: str) -> str:
        if not re.fullmatch(_RATE_LIMIT, value):
            raise PydanticCustomError("setting", "must be off, or a rate such as 300/minute (second, minute, hour or day)")
        return value

    @field_validator("redis_url")
    @classmethod
    def _known_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("redis://", "rediss://")):
            raise PydanticCustomError("setting", "must begin with redis:// or rediss://")
        return value

    @field_validator("ai_provider", "ai_model", "ai_api_base", "ai_api_key", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        """Read `AI_PROVIDER=` as not set: that is how a compose file leaves it out."""
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("ai_fallbacks", mode="before")
    @classmethod
    def _split_fallbacks(cls, value: object) -> object:
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @field_validator("ai_fallback_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
        if not all(name.strip() and key.strip() for name, _, key in pairs):
            raise PydanticCustomError("setting", "must be a comma list of provider=key")
        return {name.strip(): key.strip() for name, _, key in pairs}

    @field_validator("ai_api_base")
    @classmethod
    def _known_base(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise PydanticCustomError("setting", "must begin with http:// or https://")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise PydanticCustomError("setting", "must be an IANA time zone such as Europe/Berlin") from error
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
            raise PydanticCustomError("setting", "must begin with sqlite:/// or postgresql://")
        return value

    @model_validator(mode="after")
    def _consistent_tokens(self) -> Self:
        if self.auth is Auth.JWT:
            from core.tokens import complaint  # cryptography is loaded only where it is used

            if (wrong := complaint(self)) is not None:
                raise PydanticCustomError("setting", "{wrong}", {"wrong": wrong})
        return self

    @model_validator(mode="after")
    def _known_models(self) -> Self:
        if self.ai_provider is not None or self.ai_fallbacks:
            from core.llm.providers import complaint  # the table is read only where models are used

            if (wrong := complaint(self)) is not None:
                raise PydanticCustomError("setting", "{wrong}", {"wrong": wrong})
        return self

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach what binds HOST."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"
