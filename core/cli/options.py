"""Options for a number or one of several words, refused in the product's words where typer would use those of its libraries."""

from collections.abc import Callable
from typing import Annotated, Any

import typer


def number(*, least: int, most: int, help: str, metavar: str = "NUMBER") -> Any:
    """Return an option of typer that takes whole numbers from `least` to `most`."""
    return typer.Option(metavar=metavar, parser=_whole_number(range(least, most + 1)), help=help)


def revision(*names: str, help: str) -> Any:
    """Return an option of typer that takes a revision; its project knows which ones there are."""
    return typer.Option(*names, metavar="REVISION", parser=_whole_number(None), help=help)


def _whole_number(allowed: range | None) -> Callable[[str | int], int]:
    bounds = f" from {allowed[0]:,} to {allowed[-1]:,}" if allowed else ""

    def parse(given: str | int) -> int:  # typer parses defaults too
        digits = str(given).removeprefix("-")
        value = int(given) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None
        if value is None or (allowed and value not in allowed):
            raise _unusable(f"must be a whole number{bounds}", given)
        return value

    return parse


def choice(*allowed: str, help: str) -> Any:
    """Return an option of typer that takes one of the words `allowed`."""

    def parse(given: str) -> str:
        if given not in allowed:
            raise _unusable(f"must be one of {', '.join(allowed)}", given)
        return given

    return typer.Option(metavar="|".join(allowed), parser=parse, help=help)


def _unusable(rule: str, given: str | int) -> Exception:
    from pydantic_core import PydanticCustomError  # takes longer to import than --help may take

    return PydanticCustomError("option", "{rule}, not {given}", {"rule": rule, "given": repr(given)})


Page = Annotated[int, number(least=1, most=1_000_000, help="Page of the list, 20 lines each.")]
