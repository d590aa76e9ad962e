"""JSON as RFC 8259 advises senders to write it: keys once, numbers finite. The one reader of what people and models send.

Python's own reader keeps the last of two equal keys and knows NaN: what somebody wrote would be lost without a word.
"""

import json
import math
from collections import Counter
from typing import Any, NoReturn

MAX_SHOWN = 100


class NotJson(Exception):
    """The text is no JSON that can be used; the message goes on where "the text" is its subject."""


def read_json(text: str) -> Any:
    """Return the value that `text` spells.

    Raises:
        NotJson: it is not JSON, names a key twice in one object, or holds NaN, a number that is too large, or too many levels.
    """
    if text.startswith("\ufeff"):  # json.loads tells of it, a decoder only that it finds no value
        raise NotJson("is not valid JSON: Unexpected UTF-8 BOM (decode using utf-8-sig) at line 1, column 1")
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotJson(f"is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise NotJson("is nested too deeply") from None
    except ValueError:  # a number with thousands of digits
        raise NotJson("contains a number that is too large") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise NotJson(f"names the key {twice[:MAX_SHOWN]!a} twice in one object; each key may occur once")
    return found


def _no_constant(name: str) -> NoReturn:
    raise NotJson(f"contains {name}, which is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
