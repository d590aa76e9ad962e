"""Regular expressions that strangers wrote: matched in linear time, by the engine pydantic brings along.

The standard library's engine backtracks, so that one short expression can hold a thread for hours.
"""

from collections.abc import Callable
from functools import lru_cache

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema


@lru_cache(maxsize=256)
def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a function that says whether `pattern` is found in a text.

    Raises:
        ValueError: it is no regular expression, or needs look-around or back-references.
    """
    try:
        validator = SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError:
        raise ValueError("is no regular expression, or uses look-around or back-references") from None

    def found(text: str) -> bool:
        try:
            validator.validate_python(text)
        except ValidationError:
            return False
        return True

    return found
