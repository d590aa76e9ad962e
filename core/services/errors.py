"""Show the refusal of a write in terms of the body the caller sent."""

import re
from types import TracebackType

from core.errors import DomainError

_PREFIX = re.compile(r"^/patches/(\d+)(/fields)?")
_BODY_NAMES = {"/parent": "/parent_id", "/project": "/project_id", "/task": ""}


class as_body_errors:  # noqa: N801  # reads as a context manager, and as a generator each small write would pay for it
    """Turn paths into the patch set (`/patches/0/fields/title`) into paths into the body (`/title`).

    With `listed`, the patches after the first are the items of this list of the body (`/tasks/0/title`).
    """

    def __init__(self, listed: str = "") -> None:
        self._listed = listed

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        if isinstance(error, DomainError):
            error.details = [
                issue.model_copy(update={"path": _body_path(issue.path, self._listed), "patch_index": None})
                for issue in error.details
            ]


def _body_path(path: str, listed: str) -> str:
    match = _PREFIX.match(path)
    if match is None:
        return path
    place = f"/{listed}/{int(match[1]) - 1}" if listed and match[1] != "0" else ""
    rest = path[match.end() :]
    return place + (rest if match[2] else _BODY_NAMES.get(rest, rest))
