"""What is stated exactly, in code blocks below an item or the title: `text description`, `text comment`, `json fields`.

Nothing in such a block is a marker. `json fields` holds the fields of a task or project as a patch does, and `comments`;
it comes before every marker. When it has a title, the line of the item only names it for readers: of the line, just the
checkbox and the `^name` at its end are read. A block that is not sound stays text.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from pydantic import JsonValue, ValidationError

from core.rules.markdown import Block, BlockKind
from schemas.primitives import Model
from schemas.tasks import CommentCreate, TaskFields

_OPENING = re.compile(r"[^`~]*?(?P<fence>`{3,}|~{3,})")
_INFO = frozenset({"text description", "text comment", "json fields"})


@dataclass(slots=True)
class Exact:
    """The fields that code blocks state, and the lines of these blocks. `problems` go with the block's first line."""

    fields: dict[str, JsonValue] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lines)


def read_exact(blocks: Sequence[Block], lines: Sequence[str], kind: type[Model]) -> Exact:
    """Return what the blocks of an item state, of the fields that `kind` has."""
    exact = Exact()
    for block in blocks:
        if block.kind is not BlockKind.VERBATIM or block.info not in _INFO:
            continue
        content = _content(lines[block.start : block.end])
        problem = "is not closed" if content is None else _take(exact, block.info, content, kind)
        if problem:
            exact.problems.append((block.start, f"the block '{block.info}' {problem}; kept as text"))
        else:
            exact.lines += range(block.start, block.end)
    return exact


def _content(lines: Sequence[str]) -> str | None:
    """Return the text between the fences, without the blanks that stand before the opening one."""
    opening = _OPENING.match(lines[0])
    if opening is None or len(lines) < 2:
        return None
    fence, margin = opening["fence"], opening.start("fence")
    closing = lines[-1].strip(" \t>")
    if len(closing) < len(fence) or set(closing) != {fence[0]}:
        return None
    return "\n".join(line[len(line[:margin]) - len(line[:margin].lstrip(" \t")) :] for line in lines[1:-1])


def _take(exact: Exact, info: str, content: str, kind: type[Model]) -> str | None:
    """Store what a block says; return why it cannot be stored."""
    try:
        match info:
            case "text comment":
                return _add(exact, {}, [content], kind)
            case "text description":
                return _add(exact, {"description": content}, [], kind)
            case _:
                stated = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return "is not JSON"
    if not isinstance(stated, dict):
        return "is no JSON object"
    comments = stated.pop("comments", [])
    return _add(exact, stated, comments, kind)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _add(exact: Exact, stated: dict[str, JsonValue], comments: JsonValue, kind: type[Model]) -> str | None:
    twice = stated.keys() & exact.fields.keys()
    if twice:
        return f"states {', '.join(sorted(twice))} a second time"
    if not isinstance(comments, list) or (comments and kind is not TaskFields):
        return "has comments that are no list below a task"
    try:
        bodies = [CommentCreate(body=body).body for body in comments]
        fields = kind.model_validate({**exact.fields, **stated}).model_dump(mode="json", exclude_unset=True, exclude_none=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return f"has a value that is not allowed ({'/'.join(map(str, first['loc']))}: {first['msg']})"
    start, due = fields.get("start_date"), fields.get("due_date")
    if start and due and start > due:  # ISO days sort as text
        return "starts after it is due"
    exact.fields, exact.comments = fields, [*exact.comments, *bodies]
    return None
