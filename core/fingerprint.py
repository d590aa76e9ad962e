"""The normal form of a set's patches, and the hash that names their content."""

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson
import rfc8785
from pydantic import TypeAdapter

from core.patches.parse import ParsedPatches
from schemas.patches import Patch

_FREE_FORM = frozenset({"custom", "links", "task_schema"})
_PATCHES: TypeAdapter[list[Patch]] = TypeAdapter(list[Patch])


def normalise(parsed: ParsedPatches, raw: Sequence[Any]) -> list[Any]:
    """Return the patches with enums, tags and keys in canonical form; malformed ones as sent."""
    models = [patch for _, patch in parsed.patches]
    sound: list[Any] = _PATCHES.serializer.to_python(models, mode="json", exclude_unset=True)
    if len(sound) == len(raw):
        return sound
    by_index = dict(zip((index for index, _ in parsed.patches), sound, strict=True))
    return [by_index.get(index, item) for index, item in enumerate(raw)]


def patches_hash(patches: Sequence[Any]) -> str:
    """Return the SHA-256 of the RFC 8785 form, in hex.

    Without free-form objects every member name is ASCII and every number a whole one; there sorted
    compact JSON is the RFC 8785 form already, and much faster to make.
    """
    ready = [orjson.Fragment(rfc8785.dumps(patch)) if _has_free_form(patch) else patch for patch in patches]
    return hashlib.sha256(orjson.dumps(ready, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _has_free_form(patch: Any) -> bool:
    if not isinstance(patch, dict):
        return True
    fields = patch.get("fields")
    return fields is not None and (not isinstance(fields, dict) or not _FREE_FORM.isdisjoint(fields))
