"""Read the JSON in a model's text: strictly, but wherever it stands.

Models wrap JSON in fences and prose. What is inside is read as JSON is defined, and nothing is mended: a text that
was cut is no value.
"""

import re

from pydantic import JsonValue

from core import strict_json

MAX_BYTES = 512 * 1024
MAX_DEPTH = 20
_FENCE = re.compile(r"```(?:json)?[ \t]*\r?\n(.*?)\r?\n[ \t]*```", re.DOTALL | re.IGNORECASE)


class NotJson(Exception):
    """The text holds no usable JSON; the message says why, in words a model can act on."""


def parse_json(text: str) -> JsonValue:
    """Return the object in `text`: all of it, what stands in its first fence, or from the first brace to the last.

    Raises NotJson for none, for duplicate keys, NaN and infinity, more than 512 KB, and more than 20 levels.
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise NotJson(f"the answer is longer than {MAX_BYTES // 1024} KB")
    text = text.strip().removeprefix("\ufeff").strip()
    if fenced := _FENCE.search(text):
        text = fenced[1].strip()
    start, end = text.find("{"), text.rfind("}")
    if start < 0:
        raise NotJson("the answer is no JSON object")
    if end < start:
        raise NotJson("the JSON object is cut off before its end")
    _check_depth(text[start : end + 1])
    try:
        value: JsonValue = strict_json.read_json(text[start : end + 1])
    except strict_json.NotJson as error:
        raise NotJson(f"the answer {error}") from None
    return value


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the parser meets it: its own limit is the interpreter's stack."""
    depth, quoted, escaped = 0, False, False
    for sign in text:
        if quoted:
            if escaped:
                escaped = False
            elif sign == "\\":
                escaped = True
            elif sign == '"':
                quoted = False
        elif sign == '"':
            quoted = True
        elif sign in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise NotJson(f"the JSON is nested deeper than {MAX_DEPTH} levels")
        elif sign in "]}":
            depth -= 1
