"""Constrained types that every other schema is made of.

Text is stored exactly as sent; what neither database nor JSON can carry (NUL, lone surrogates,
numbers beyond RFC 7493) is refused here, so that no later layer has to think about it.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

MAX_SAFE_INTEGER = 2**53 - 1
MAX_JSON_DEPTH = 32
MAX_CUSTOM_BYTES = 16 * 1024
MAX_TASK_SCHEMA_BYTES = 64 * 1024


class Model(BaseModel):
    """Base of every schema: immutable, closed, and built on first use (start-up time is a budget)."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    _every_field: ClassVar[set[str]]  # one for all trusted instances, which nobody changes

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        cls._every_field = set(cls.__pydantic_fields__)

    @classmethod
    def trusted(cls, **values: Any) -> Self:
        """Return an instance of values that are known to be valid, one for every field.

        `model_construct` without its loop over fields and defaults: a fourth of the time, where there are thousands.
        """
        instance = object.__new__(cls)
        _SET_VALUES(instance, values)
        _SET_FIELDS_SET(instance, cls._every_field)
        _SET_EXTRA(instance, None)
        _SET_PRIVATE(instance, None)
        return instance

    @classmethod
    def part_of(cls, whole: "Model") -> Self:
        """Return what `whole`, a valid instance of a model with more fields, holds of this one; what was set stays set."""
        values = whole.__dict__
        part = cls.trusted(**{name: values[name] for name in cls.__pydantic_fields__})
        _SET_FIELDS_SET(part, whole.model_fields_set & cls._every_field)
        return part


# What pydantic keeps of an instance, written past its immutability.
_SET_VALUES = vars(BaseModel)["__dict__"].__set__
_SET_FIELDS_SET = vars(BaseModel)["__pydantic_fields_set__"].__set__
_SET_EXTRA = vars(BaseModel)["__pydantic_extra__"].__set__
_SET_PRIVATE = vars(BaseModel)["__pydantic_private__"].__set__


class ProjectStatus(StrEnum):
    PLANNING = "planning"
    ACTIVE = "active"
    ON_HOLD = "on_hold"
    COMPLETED = "completed"
    ARCHIVED = "archived"


class TaskStatus(StrEnum):
    TODO = "todo"
    IN_PROGRESS = "in_progress"
    BLOCKED = "blocked"
    IN_REVIEW = "in_review"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Priority(StrEnum):
    """Declared from most to least urgent; lists sort by this order."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    BACKLOG = "backlog"


CLOSED_STATUSES = frozenset({TaskStatus.COMPLETED, TaskStatus.CANCELLED})
TASK_STATUS_ALIASES = {"done": "completed", "review": "in_review"}

E = TypeVar("E", bound=StrEnum)


def one_of(kind: type[E], aliases: dict[str, str] | None = None) -> Callable[[Any], Any]:
    """Return a validator that reads a member of `kind`, case-blind, with `-` and blanks equal to `_`."""
    known: dict[str, E] = {member.value: member for member in kind}
    known |= {alias: known[value] for alias, value in (aliases or {}).items()}
    allowed = ", ".join(member.value for member in kind)

    def read(value: Any) -> E:
        if isinstance(value, str):
            found = known.get(value) or known.get(value.strip().lower().replace("-", "_").replace(" ", "_"))
            if found is not None:
                return found
        raise PydanticCustomError("enum", "must be one of: {allowed}", {"allowed": allowed})

    return read


ProjectStatusInput = Annotated[ProjectStatus, BeforeValidator(one_of(ProjectStatus))]
TaskStatusInput = Annotated[TaskStatus, BeforeValidator(one_of(TaskStatus, TASK_STATUS_ALIASES))]
PriorityInput = Annotated[Priority, BeforeValidator(one_of(Priority))]


def sound_text(text: str) -> str:
    """Refuse NUL, which PostgreSQL cannot store. (Lone surrogates are refused by the string type itself.)"""
    if "\0" in text:
        raise PydanticCustomError("text_nul", "must not contain the NUL character")
    return text


def spoken_text(text: str) -> str:
    """As `sound_text`, and something must be readable in it."""
    if not text.strip():
        raise PydanticCustomError("text_blank", "must not be blank")
    return sound_text(text)


Name = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(spoken_text)]
Description = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(sound_text)]
CommentBody = Annotated[str, StringConstraints(min_length=1, max_length=10_000), AfterValidator(spoken_text)]
Criterion = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(spoken_text)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=50), AfterValidator(spoken_text)]
Assignee = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(spoken_text)]
LinkName = Annotated[str, StringConstraints(min_length=1, max_length=50), AfterValidator(spoken_text)]
LinkTarget = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(spoken_text)]
Summary = Annotated[str, StringConstraints(max_length=500), AfterValidator(sound_text)]


def _unique(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


Tags = Annotated[list[Tag], Field(max_length=50), AfterValidator(_unique)]
AcceptanceCriteria = Annotated[list[Criterion], Field(max_length=50)]
Links = Annotated[dict[LinkName, LinkTarget], Field(max_length=20)]
LinksPatch = Annotated[dict[LinkName, LinkTarget | None], Field(max_length=40)]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]")


def _iso_day(value: Any) -> Any:
    """Days are `YYYY-MM-DD`; pydantic alone would also read numbers and instants."""
    if isinstance(value, datetime) or not (isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value))):
        raise PydanticCustomError("date_format", "must be a day written as YYYY-MM-DD")
    return value


Day = Annotated[date, BeforeValidator(_iso_day)]
Instant = AwareDatetime


def _iso_instant(value: Any) -> Any:
    """Instants are text; pydantic alone would also read a number as seconds since 1970."""
    if isinstance(value, datetime) or (isinstance(value, str) and _INSTANT.match(value)):
        return value
    raise PydanticCustomError("instant_format", "must be an instant with its time zone")


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("instant_range", "must be an instant of the years 1 to 9999 in UTC") from None


InstantInput = Annotated[AwareDatetime, BeforeValidator(_iso_instant), AfterValidator(_in_utc)]
Minutes = Annotated[int, Field(strict=True, ge=1, le=525_600)]
MinutesSpent = Annotated[int, Field(strict=True, ge=0, le=525_600)]
Revision = Annotated[int, Field(strict=True, ge=0, le=MAX_SAFE_INTEGER)]
PatchIndex = Annotated[int, Field(strict=True, ge=0)]


def check_json(value: Any, depth: int = 0) -> None:
    """Raise unless `value` is I-JSON (RFC 7493): finite, safe integers, sound strings, limited depth."""
    if depth > MAX_JSON_DEPTH:
        raise PydanticCustomError("json_depth", "must not be nested deeper than {depth} levels", {"depth": MAX_JSON_DEPTH})
    if isinstance(value, dict):
        for name, item in value.items():
            _check_json_text(name)
            check_json(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            check_json(item, depth + 1)
    elif isinstance(value, str):
        _check_json_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("json_number", "must not contain NaN or infinite numbers")
    elif isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER:
        raise PydanticCustomError("json_number", "must not contain whole numbers beyond 2^53 - 1; send them as text")


def _check_json_text(text: str) -> None:
    sound_text(text)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("string_unicode", "must be valid Unicode, without lone surrogates") from None


def _sound_json(value: Any) -> Any:
    check_json(value)
    return value


# The deep check runs before pydantic walks the value: its own recursion guard would answer less clearly.
JsonObject = Annotated[dict[str, JsonValue], BeforeValidator(_sound_json), WithJsonSchema({"type": "object"})]

# What a list is filtered by: text of any content, but text.
FilterText = Annotated[str, AfterValidator(sound_text)]

PROJECT_KEY = r"[A-Z][A-Z0-9]{1,9}"
REF = r"\$[A-Za-z][A-Za-z0-9_-]{0,39}"
IDEMPOTENCY_KEY = "[!-~]{1,255}"


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) and value.isascii() else value


ProjectKey = Annotated[str, BeforeValidator(_upper), StringConstraints(pattern=f"^{PROJECT_KEY}$")]
Ref = Annotated[str, StringConstraints(pattern=f"^{REF}$")]
# An id, a key such as WEB or WEB-14, or (inside a patch set) a ref such as $api.
ItemName = Annotated[str, StringConstraints(min_length=1, max_length=80), AfterValidator(sound_text)]
PatchSetId = Annotated[str, StringConstraints(pattern=r"^ps_[0-9abcdefghjkmnpqrstvwxyz]{16}$")]
