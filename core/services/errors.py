"""Show the refusal of a write in terms of the body the caller sent."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import DomainError

_PREFIX = re.compile(r"^/patches/(\d+)(/fields)?")
_BODY_NAMES = {"/parent": "/parent_id", "/project": "/project_id", "/task": ""}


@contextmanager
def as_body_errors(listed: str = "") -> Iterator[None]:
    """Turn paths into the patch set (`/patches/0/fields/title`) into paths into the body (`/title`).

    With `listed`, the patches after the first are the items of this list of the body (`/tasks/0/title`).
    """
    try:
        yield
    except DomainError as refusal:
        refusal.details = [
            issue.model_copy(update={"path": _body_path(issue.path, listed), "patch_index": None}) for issue in refusal.details
        ]
        raise


def _body_path(path: str, listed: str) -> str:
    match = _PREFIX.match(path)
    if match is None:
        return path
    place = f"/{listed}/{int(match[1]) - 1}" if listed and match[1] != "0" else ""
    rest = path[match.end() :]
    return place + (rest if match[2] else _BODY_NAMES.get(rest, rest))
