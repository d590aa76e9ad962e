"""Show a one-patch write's refusal in terms of the body the caller sent."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import DomainError

_PREFIX = re.compile(r"^/patches/\d+(/fields)?")
_BODY_NAMES = {"/parent": "/parent_id", "/project": "/project_id", "/task": ""}


@contextmanager
def as_body_errors() -> Iterator[None]:
    """Turn paths into the patch set (`/patches/0/fields/title`) into paths into the body (`/title`)."""
    try:
        yield
    except DomainError as refusal:
        refusal.details = [
            issue.model_copy(update={"path": _body_path(issue.path), "patch_index": None}) for issue in refusal.details
        ]
        raise


def _body_path(path: str) -> str:
    match = _PREFIX.match(path)
    if match is None:
        return path
    rest = path[match.end() :]
    return rest if match.group(1) else _BODY_NAMES.get(rest, rest)
