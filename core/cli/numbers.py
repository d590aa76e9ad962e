"""Options that are whole numbers, refused in the product's words where typer would use those of its libraries."""

from collections.abc import Callable
from typing import Annotated, Any

import typer


def number(*names: str, help: str, least: int | None = None, most: int | None = None, metavar: str = "NUMBER") -> Any:
    """Return an option of typer that takes whole numbers from `least` to `most`."""
    return typer.Option(*names, metavar=metavar, parser=_whole_number(least, most), help=help)


def revision(*names: str, help: str) -> Any:
    """Return an option of typer that takes a revision; its project knows which ones there are."""
    return number(*names, help=help, metavar="REVISION")


def _whole_number(least: int | None, most: int | None) -> Callable[[str | int], int]:
    bounds = "" if least is None else f" of at least {least:,}" if most is None else f" from {least:,} to {most:,}"

    def parse(given: str | int) -> int:  # typer parses defaults too
        digits = str(given).removeprefix("-")
        value = int(given) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None
        if value is None or (least is not None and value < least) or (most is not None and value > most):
            from pydantic_core import PydanticCustomError  # takes longer to import than --help may take

            shown = {"bounds": bounds, "given": repr(given)}
            raise PydanticCustomError("whole_number", "must be a whole number{bounds}, not {given}", shown)
        return value

    return parse


Page = Annotated[int, number(least=1, help="Page of the list, 20 lines each.")]
