"""When two values are the same as JSON has it: Python holds true equal to 1 and false to 0."""

import json
from typing import Any


def same(one: Any, other: Any) -> bool:
    """Return whether two stored or wire values are equal; inside objects and lists too, numbers are no truth values."""
    if one != other:
        return False
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if one and isinstance(one, dict | list):
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    return True
