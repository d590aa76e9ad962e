"""What pydantic found wrong, in the product's own words.

Bodies, queries and patches all pass through here, so that one mistake reads the same behind every
door. Nothing the caller sent is repeated, except the names of fields in the path.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schemas.errors import ErrorCode, Issue
from schemas.patches import OPS, Patch
from schemas.primitives import IDEMPOTENCY_KEY, PROJECT_KEY, REF

MAX_NAME_IN_PATH = 100

_PATTERNS = {
    f"^{PROJECT_KEY}$": ("must be 2 to 10 of A-Z and 0-9, beginning with a letter", "for example WEB"),
    f"^{REF}$": ("must be $, a letter, then up to 39 letters, digits, - or _", "for example $api"),
    "^ps_[0-9abcdefghjkmnpqrstvwxyz]{16}$": (
        "must be ps_ and 16 of 0-9 and a-z without i, l, o, u",
        "copy it from the answer that named the set; a new set may leave it out, and the server makes one",
    ),
    f"^{IDEMPOTENCY_KEY}$": (
        "must be 1 to 255 visible ASCII characters, without blanks",
        "for example a new UUID",
    ),
}
_DAY = ("must be a day written as YYYY-MM-DD", "for example 2026-03-31")
_INSTANT = ("must be an instant with its time zone", "for example 2026-03-31T09:00:00Z")
_OPS = "one of: " + ", ".join(OPS)

Words = tuple[str, str | None]
Limits = Mapping[str, Any]


def _text_limit(limits: Limits) -> Words:
    return f"must be at most {limits['max_length']:,} characters", None


def _text_minimum(limits: Limits) -> Words:
    least = limits["min_length"]
    return ("must not be empty" if least == 1 else f"must be at least {least:,} characters"), None


def _most_items(limits: Limits) -> Words:
    return f"must have at most {limits['max_length']:,} items", None


def _least_items(limits: Limits) -> Words:
    least = limits["min_length"]
    return f"must have at least {least:,} {'item' if least == 1 else 'items'}", None


def _one_of(limits: Limits) -> Words:
    expected = str(limits["expected"]).replace("' or '", "', '")
    return f"must be one of: {expected.replace(chr(39), '')}", None


def _pattern(limits: Limits) -> Words:
    return _PATTERNS.get(limits["pattern"], (f"must match {limits['pattern']}", None))


# pydantic's error type -> our words, fixed or made from the limits in its `ctx`.
_WORDS: dict[str, Words | Callable[[Limits], Words]] = {
    "missing": ("is required", None),
    "extra_forbidden": ("is not a known field", "remove it, or check its spelling"),
    "string_type": ("must be text", None),
    "string_sub_type": ("must be text", None),
    "string_unicode": ("must be valid Unicode, without lone surrogates", None),
    "string_too_long": _text_limit,
    "string_too_short": _text_minimum,
    "string_pattern_mismatch": _pattern,
    "int_type": ("must be a whole number", None),
    "int_parsing": ("must be a whole number", None),
    "int_parsing_size": ("must be a whole number", None),
    "int_from_float": ("must be a whole number", None),
    "float_type": ("must be a number", None),
    "float_parsing": ("must be a number", None),
    "finite_number": ("must be a finite number", None),
    "bool_type": ("must be true or false", None),
    "bool_parsing": ("must be true or false", None),
    "list_type": ("must be a list", "also when it holds one item: [...]"),
    "dict_type": ("must be an object", None),
    "model_type": ("must be an object", None),
    "model_attributes_type": ("must be an object", None),
    "too_long": _most_items,
    "too_short": _least_items,
    "greater_than_equal": lambda limits: (f"must be at least {limits['ge']:,}", None),
    "less_than_equal": lambda limits: (f"must be at most {limits['le']:,}", None),
    "greater_than": lambda limits: (f"must be more than {limits['gt']:,}", None),
    "less_than": lambda limits: (f"must be less than {limits['lt']:,}", None),
    "enum": _one_of,
    "literal_error": _one_of,
    "union_tag_invalid": (f"must be {_OPS}", None),
    "union_tag_not_found": ("is required", _OPS),
    "date_type": _DAY,
    "date_parsing": _DAY,
    "date_from_datetime_parsing": _DAY,
    "date_from_datetime_inexact": _DAY,
    "datetime_type": _INSTANT,
    "datetime_parsing": _INSTANT,
    "datetime_from_date_parsing": _INSTANT,
    "datetime_object_invalid": _INSTANT,
    "timezone_aware": _INSTANT,
    "recursion_loop": ("is nested too deeply", None),
    "json_invalid": ("is not valid JSON", None),
}


@cache
def _patch_reader() -> TypeAdapter[Patch]:
    return TypeAdapter(Patch)  # on first use: building it takes longer than a cold start can spare


@cache
def _patches_reader() -> TypeAdapter[list[Patch]]:
    return TypeAdapter(list[Patch])


def find_patches(items: Sequence[Any]) -> list[Patch] | None:
    """Return the patches that `items` spell, or None when anything is wrong with the form of one; quicker than one by one."""
    try:
        return _patches_reader().validate_python(items)
    except ValidationError:
        return None


def read_patch(item: Any, index: int) -> Patch | list[Issue]:
    """Return the patch that `item`, at `index` of its set, spells; or everything that is wrong with its form."""
    try:
        return _patch_reader().validate_python(item)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    for violation in found:
        if violation["loc"] and violation["loc"][0] in OPS:  # pydantic names the union's branch first
            violation["loc"] = violation["loc"][1:]
    issues = issues_of(found, prefix=f"/patches/{index}")
    return [issue.model_copy(update={"patch_index": index}) for issue in issues]


def issues_of(errors: Sequence[Mapping[str, Any]], *, prefix: str = "") -> list[Issue]:
    """Return an issue for each of pydantic's `errors()`; `prefix` is the JSON Pointer of what was parsed."""
    return [_issue(error, prefix) for error in errors]


def pointer(parts: Sequence[str | int], prefix: str = "") -> str:
    """Return the JSON Pointer (RFC 6901) of `parts` below `prefix`; very long names are cut."""
    return prefix + "".join(f"/{_escape(str(part))}" for part in parts)


def _escape(name: str) -> str:
    sound = name.encode(errors="replace").decode()  # a lone surrogate could not be sent back
    if len(sound) > MAX_NAME_IN_PATH:
        sound = sound[:MAX_NAME_IN_PATH] + "..."
    return sound.replace("~", "~0").replace("/", "~1")


def _issue(error: Mapping[str, Any], prefix: str) -> Issue:
    kind: str = error["type"]
    place = list(_without_tags(error["loc"]))
    if kind.startswith("union_tag_"):
        place.append("op")
    message, hint = _words(kind, error["msg"], error.get("ctx", {}))
    return Issue(path=pointer(place, prefix), code=ErrorCode.VALIDATION_ERROR, message=message, hint=hint)


def _without_tags(loc: Sequence[str | int]) -> Sequence[str | int]:
    """Drop what pydantic adds to a location and the caller never sent: the op of a patch, and `[key]`."""
    place = list(loc[:-1]) if loc and loc[-1] == "[key]" else list(loc)
    return [part for at, part in enumerate(place) if not _is_tag(place, at)]


def _is_tag(place: Sequence[str | int], at: int) -> bool:
    first_of_patch = isinstance(place[at - 1], int) if at else len(place) > 1
    return first_of_patch and place[at] in OPS


def _words(kind: str, message: str, limits: Limits) -> Words:
    if message.startswith("must "):  # raised by our own types, already in our words
        return message, {"date_format": _DAY[1], "instant_format": _INSTANT[1]}.get(kind)
    words = _WORDS.get(kind, ("is not valid", None))
    return words(limits) if callable(words) else words
