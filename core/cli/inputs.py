"""Input files of the command line: read whole, checked, and refused in one sentence with the way out."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from schemas.errors import ErrorCode, ErrorDetail

if TYPE_CHECKING:
    from datetime import date

    from schemas.access import Role, Scope
    from schemas.patches import PatchSet
    from schemas.planning import OutlineFormat

TASK_KEY = re.compile(r"([A-Za-z][A-Za-z0-9]{1,9})-[0-9]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MAX_PATCH_SET_BYTES = 16 * 1024 * 1024
STDIN = "-"
_FORMATS = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".taskpaper": "taskpaper",
    ".opml": "opml",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
}

P = TypeVar("P")
T = TypeVar("T")


class BadInput(Exception):
    """An input file, an option or a setting cannot be used; ends with exit code 2."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.detail = ErrorDetail(code=code, message=message)


def missing_option(option: str, purpose: str) -> BadInput:
    return BadInput(ErrorCode.VALIDATION_ERROR, f"name a patch set (ps_...), or give {option} REVISION {purpose}")


def read_text(name: str, limit_bytes: int, way_out: str) -> str:
    """Return the UTF-8 text of a file, or of standard input for `-`.

    Raises:
        BadInput: missing, unreadable, empty, binary, or larger than `limit_bytes`; `way_out` says what to do then.
    """
    content = _read_bytes(name, limit_bytes)
    shown = _shown(name)
    if len(content) > limit_bytes:
        raise BadInput(ErrorCode.BODY_TOO_LARGE, f"{shown} is larger than {limit_bytes:,} bytes; {way_out}")
    if b"\0" in content:
        raise BadInput(ErrorCode.VALIDATION_ERROR, f"{shown} is a binary file; give a text file encoded as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"{shown} is not UTF-8 text (line {line}); save it as UTF-8 and try again"
        raise BadInput(ErrorCode.VALIDATION_ERROR, message) from None
    if not text.strip():
        raise BadInput(ErrorCode.VALIDATION_ERROR, f"{shown} is empty; write at least one line")
    return text


def _shown(name: str) -> str:
    return "standard input" if name == STDIN else name


def _read_bytes(name: str, limit_bytes: int) -> bytes:
    if name == STDIN:
        if sys.stdin is None:  # closed by the caller: `<&-`
            raise BadInput(ErrorCode.VALIDATION_ERROR, "standard input is closed; name a file, or send the text to it")
        return sys.stdin.buffer.read(limit_bytes + 1)
    try:
        with Path(name).open("rb") as file:
            return file.read(limit_bytes + 1)
    except FileNotFoundError:
        raise BadInput(
            ErrorCode.NOT_FOUND, f"there is no file {name}; check the path, or give - to read standard input"
        ) from None
    except IsADirectoryError:
        raise BadInput(ErrorCode.VALIDATION_ERROR, f"{name} is a folder; name a file in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise BadInput(ErrorCode.VALIDATION_ERROR, f"{name} cannot be read: {reason}") from None


def read_patch_set(name: str) -> "PatchSet":
    """Return the patch set in a JSON file; each patch in it is checked later, with all others.

    Raises:
        BadInput: the file cannot be read, is not JSON, or is no JSON object.
        pydantic.ValidationError: the JSON is not a patch set.
    """
    from core.strict_json import NotJson, read_json
    from schemas.patches import PatchSet

    text = read_text(name, MAX_PATCH_SET_BYTES, "split it into several patch sets")
    try:
        value = read_json(text)
    except NotJson as error:
        raise BadInput(ErrorCode.MALFORMED_BODY, f"{_shown(name)} {error}") from None
    if not isinstance(value, dict):
        message = f'{_shown(name)} is no patch set; write an object: {{"summary": "...", "patches": [...]}}'
        raise BadInput(ErrorCode.VALIDATION_ERROR, message)
    return PatchSet.model_validate(value)


def format_of(name: str) -> "OutlineFormat":
    """Return the format that a file's name says its plan is written in."""
    from schemas.planning import OutlineFormat

    path = Path(name)
    return OutlineFormat("todotxt" if path.name.lower() == "todo.txt" else _FORMATS.get(path.suffix.lower(), "auto"))


def write_text(path: Path, text: str) -> None:
    """Write `text` to a file, line ends as they are.

    Raises:
        BadInput: the file cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise BadInput(ErrorCode.VALIDATION_ERROR, f"{path} cannot be written: {error.strerror}") from None


def project_name(option: str, name: str) -> str:
    """Return the name of a project, which `option` is only for."""
    if task := TASK_KEY.fullmatch(name):
        message = f"{option} is for whole projects; name {task[1]}, or ask for the history of {name}"
        raise BadInput(ErrorCode.VALIDATION_ERROR, message)
    return name


def either_kind(name: str, *, project: Callable[[], P], task: Callable[[], T]) -> P | T:
    """Return what the one of two calls returns that is for the kind of item that a key or id names."""
    from core.errors import DomainError

    if TASK_KEY.fullmatch(name):
        return task()
    try:
        return project()
    except DomainError as refusal:
        if refusal.code is ErrorCode.NOT_FOUND and _UUID.fullmatch(name):  # an id does not tell what it names
            return task()
        raise


def parse_indexes(text: str | None) -> list[int] | None:
    """Return the whole numbers of a comma list such as `0,2,5`."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        message = f"--only takes the numbers of patches, from 0, separated by commas, such as 0,2,5; not {text!r}"
        raise BadInput(ErrorCode.VALIDATION_ERROR, message)
    return [int(part) for part in parts]


def parse_scopes(text: str) -> "list[Scope]":
    """Return the scopes of a role, or those of a comma list."""
    from schemas.access import ROLE_SCOPES, Role, Scope

    if text in set(Role):
        return list(ROLE_SCOPES[Role(text)])
    words = [word.strip() for word in text.split(",")]
    if not set(words) <= set(Scope):
        allowed = f"a role ({', '.join(Role)}) or a comma list of {', '.join(Scope)}"
        raise BadInput(ErrorCode.VALIDATION_ERROR, f"--scopes takes {allowed}; not {text!r}")
    return [Scope(word) for word in words]


def parse_role(text: str) -> "Role":
    from schemas.access import Role

    if text not in set(Role):
        raise BadInput(ErrorCode.VALIDATION_ERROR, f"the role is one of {', '.join(Role)}; not {text!r}")
    return Role(text)


def parse_workspace(text: str) -> str:
    """Return the name of a workspace."""
    from schemas.access import WorkspaceName

    workspace: str = _parsed(WorkspaceName, text, "--workspace takes a-z, 0-9, dot, dash and underscore, at most 63")
    return workspace


def parse_subject(text: str) -> str:
    """Return the name a caller will sign with."""
    from schemas.access import Subject

    subject: str = _parsed(Subject, text, "a name has 1 to 200 characters, and no control characters")
    return subject


def parse_day(option: str, text: str | None) -> "date | None":
    """Return the day that an option names."""
    from schemas.primitives import Day

    if text is None:
        return None
    day: date = _parsed(Day, text, f"{option} takes a day as YYYY-MM-DD, such as 2026-12-01")
    return day


def _parsed(kind: Any, text: str, rule: str) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(text)
    except ValidationError:
        raise BadInput(ErrorCode.VALIDATION_ERROR, f"{rule}; not {text!r}") from None
