"""Our own export in JSON: every task is an item whose fields are stated exactly."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from core.errors import ValidationFailed
from core.rules.draft import Draft
from core.rules.exact import Exact
from core.rules.fields import Fields
from core.rules.items import Item, Reference
from core.rules.markdown import Document
from core.rules.markers import Inline, MarkerReader
from core.rules.outline import Node, NodeKind, Outline, Reading
from schemas.export import ExportDocument
from schemas.projects import Project, ProjectFields
from schemas.tasks import Task, TaskFields

_EMPTY: tuple[object, ...] = (None, "", [], {})
_APART = frozenset({"title", "description", "acceptance_criteria"})


def draft_document(content: str, reader: MarkerReader, max_depth: int) -> Draft:
    """Return the draft of an export.

    Raises:
        ValidationFailed: the text is no such document; says where.
    """
    document = _read(content)
    root = Node(NodeKind.ROOT, 0, 0)
    draft = Draft(Document([], [], frozenset()), Outline(root, None, [], Reading.STATED), reader, max_depth=max_depth)
    draft.project_exact = Exact(_given(document.project, ProjectFields.model_fields), lines=[0])
    comments: dict[str, list[str]] = defaultdict(list)
    for comment in document.comments:
        comments[comment.task_id].append(comment.body)
    places: dict[str, int] = {}
    for task in document.tasks:
        parent = draft.place(0, None if task.parent is None else _place(places, task.parent, "parent"))
        places[task.key] = len(draft.items)
        draft.add(_item(task, parent, comments[task.id]))
    for task in document.tasks:
        edges = [(places[task.key], _place(places, key, "depends_on")) for key in task.depends_on]
        draft.references.append(Reference(places[task.key], 0, "", edges=edges))
    return draft


def _read(content: str) -> ExportDocument:
    try:
        if re.match(r'\s*\{\s*"success"', content):  # as REST answers it, in the envelope
            return ExportDocument.model_validate(json.loads(content)["data"])
        return ExportDocument.model_validate_json(content.removeprefix("\ufeff"))
    except (ValueError, KeyError, RecursionError) as error:
        if not isinstance(error, ValidationError):
            raise _refusal("it cannot be read as JSON") from None
        first = error.errors(include_url=False)[0]
        where = "/".join(map(str, first["loc"])) or "the text"
        raise _refusal(f"{where}: {first['msg']}") from None


def _refusal(reason: str) -> ValidationFailed:
    return ValidationFailed(
        f"The text is no export of a project in JSON: {reason}.",
        hint="send what `orchestrator export --format json` writes, or another format",
    )


def _place(places: dict[str, int], key: str, what: str) -> int:
    if key not in places:
        raise _refusal(f"{what} {key} is no task {'above it' if what == 'parent' else 'of it'}")
    return places[key]


def _item(task: Task, parent: int | None, comments: list[str]) -> Item:
    fields = _given(task, TaskFields.model_fields)
    inline = Inline(task.title, is_exact=True)
    inline.fields = Fields({name: value for name, value in fields.items() if name not in _APART})
    node = Node(NodeKind.SECTION, 0, 0, is_task=True)
    exact = Exact({name: fields[name] for name in fields if name == "description"}, comments=comments)
    return Item(node, 0, parent, inline, 0, exact, criteria=[*task.acceptance_criteria])


def _given(item: Project | Task, names: Iterable[str]) -> dict[str, Any]:
    """Return the fields that are set to something; a schema may be empty."""
    fields = item.model_dump(mode="json", include=set(names))
    return {name: value for name, value in fields.items() if value not in (_EMPTY[:3] if name == "task_schema" else _EMPTY)}
