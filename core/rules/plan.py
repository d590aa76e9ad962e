"""Read a written plan as patches, by rules alone: the author's wording, nothing added.

Every line of the text has exactly one owner by construction: items are painted over the lines they
span, inner ones over outer ones, and a line is a title, a stated field, text of its owner, or it is
reported as not used. `outline` says what becomes a task; `docs/rules.md` describes the whole grammar.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from pydantic import JsonValue

from core.errors import BodyTooLarge, ValidationFailed
from core.rules.dates import Calendar
from core.rules.dependencies import link
from core.rules.descriptions import shorten, write_descriptions
from core.rules.draft import PROJECT, Draft
from core.rules.estimates import WorkingTime
from core.rules.formats.reading import MAX_BYTES, find_format, read_draft
from core.rules.free_text import add_free_text
from core.rules.items import Item
from core.rules.markdown import BlockKind
from core.rules.markers import MarkerReader
from core.rules.outline import LEAD_LEVEL, MAX_LEAD, Outline, Reading
from core.rules.overlooked import ask_about_overlooked
from core.rules.stated import read_criteria, read_stated_fields
from schemas.patches import MAX_PATCHES
from schemas.planning import MAX_OUTLINE_BYTES, OutlineFormat, PlannedTask, UnparsedLine
from schemas.primitives import CLOSED_STATUSES, TaskStatus

DEFAULT_NAME = "Imported plan"
PROJECT_REF = "$project"

Patch = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ParsedPlan:
    """What a text would create, and what it left open."""

    summary: str
    patches: list[Patch]
    tasks: list[PlannedTask]
    unparsed: list[UnparsedLine]
    questions: list[str]


def parse_plan(
    content: str,
    *,
    format: OutlineFormat = OutlineFormat.AUTO,
    project: str | None,
    name: str | None,
    sequential: bool,
    today: date,
    hours_per_day: int,
    days_per_week: int,
    max_depth: int,
) -> ParsedPlan:
    """Return the patches that create what `content` describes, in `project` or in a new one.

    Pure and linear in the text. `name` is used when the text has no title.

    Raises:
        ValidationFailed: there is nothing in the text, more than one patch set can hold, or not what `format` says.
        BodyTooLarge: the text is longer than its format may be.
    """
    check_text(content)
    format = find_format(content) if format is OutlineFormat.AUTO else format
    check_size(content, format)
    reader = MarkerReader(Calendar(today, days_per_week), WorkingTime(hours_per_day, days_per_week), frozenset())
    draft = read_draft(content, format, reader, max_depth)
    outline = draft.outline
    if project is None:
        draft.take(draft.project_exact)
    is_free_text = outline.reading is Reading.FREE_TEXT and not draft.project_exact  # with it, a project without tasks
    if is_free_text:
        add_free_text(draft)
    read_stated_fields(draft, with_project=project is None)
    read_criteria(draft)
    link(draft, sequential=sequential)
    _complete_groups(draft.items)
    if project is not None:
        _leave_project_text(draft)
        new_name = ""
    else:
        new_name = _exact_name(draft) or _name(outline, name) or _take_first_line(draft) or DEFAULT_NAME
    descriptions = write_descriptions(draft)
    created = [] if project is not None else [_project_patch(draft, new_name, descriptions.get(PROJECT, ""))]
    target = project if project is not None else PROJECT_REF
    tasks = [_task_patch(index, item, target, descriptions.get(index, "")) for index, item in enumerate(draft.items)]
    comments = list(_comment_patches(draft))
    if not created and not tasks:
        raise ValidationFailed(
            "The plan has no tasks to add to the project.", hint="write at least one, such as `- [ ] First task`"
        )
    if len(created) + len(tasks) + len(comments) > MAX_PATCHES:
        raise _too_many("tasks and comments")
    return ParsedPlan(
        summary=_summary(draft, project or new_name),
        patches=[*created, *tasks, *comments],
        tasks=[_planned(index, item) for index, item in enumerate(draft.items)],
        unparsed=sorted(draft.unparsed, key=lambda entry: entry.line),
        questions=[
            *_general_questions(draft, max_depth, is_free_text=is_free_text),
            *ask_about_overlooked(draft),
            *draft.questions(),
        ],
    )


def check_size(content: str, format: OutlineFormat) -> None:
    """Refuse a text that is longer than its format may be."""
    size, limit = len(content.encode()), MAX_BYTES.get(format, MAX_OUTLINE_BYTES)
    if size > limit:
        raise BodyTooLarge(
            f"The plan has {size:,} bytes; an import takes at most {limit:,} bytes of UTF-8.",
            hint="split it into several files and import them into the same project",
        )


def check_text(content: str) -> None:
    """Refuse a text that is blank or not sound Unicode."""
    try:
        content.encode()
    except UnicodeEncodeError:
        raise ValidationFailed("The plan is not valid Unicode text.", hint="send it as UTF-8") from None
    if "\0" in content:
        raise ValidationFailed("The plan contains NUL characters, so it is no text.", hint="send a Markdown or text file")
    if not content.removeprefix("\ufeff").strip():
        raise ValidationFailed("The plan is empty.", hint="write at least one line, such as `- [ ] First task`")


def _complete_groups(items: list[Item]) -> None:
    """Mark headings and plain items as done when all their subtasks are closed, so that others need not wait."""
    closed: dict[int, list[bool]] = {}
    for index in reversed(range(len(items))):
        item, fields = items[index], items[index].inline.fields.values
        below = closed.get(index, [])
        if item.node.checkbox is None and "status" not in fields and below and all(below):
            fields["status"] = TaskStatus.COMPLETED.value
        if item.parent is not None:
            closed.setdefault(item.parent, []).append(fields.get("status") in CLOSED_STATUSES)


def _leave_project_text(draft: Draft) -> None:
    title = draft.outline.title
    if draft.project_exact and not draft.document.lines:
        draft.remark(0, "the fields of the project itself are not used; the tasks go into an existing project")
    if title is not None:
        for line in range(title.start, title.title_end):
            if draft.document.lines[line].strip():
                draft.leave(line, "the title of the text; the tasks go into an existing project")
    for line, owner in enumerate(draft.owners):
        if owner == PROJECT and line not in draft.used and draft.document.lines[line].strip():
            draft.leave(line, "about the plan as a whole; the tasks go into an existing project")


def _exact_name(draft: Draft) -> str | None:
    name = draft.project_exact.fields.get("name")
    return str(name) if name else None


def _name(outline: Outline, name: str | None) -> str | None:
    headings = (node.heading for node in outline.root.walk() if 1 <= node.level < LEAD_LEVEL and node.heading)
    return outline.title.heading if outline.title else name or next(headings, None)


def _take_first_line(draft: Draft) -> str | None:
    """Return a first line that stands alone and is no sentence ("Kitchen renovation"): it is the name of what follows."""
    blocks = draft.outline.root.blocks
    if (
        draft.outline.reading is Reading.FREE_TEXT
        or not blocks
        or blocks[0].kind is not BlockKind.PARAGRAPH
        or len(blocks[0].text) > 1
    ):
        return None
    if blocks[0].start in draft.used:  # it states a field
        return None
    line = blocks[0].text[0].strip(" *_")
    if not 0 < len(line) <= MAX_LEAD or line.endswith((".", "!", "?", ":", ",", ";")):
        return None
    draft.used.add(blocks[0].start)
    return line


def _project_patch(draft: Draft, name: str, description: str) -> Patch:
    fields: Patch = {"name": shorten(name), **draft.project.values, **draft.project_exact.fields}
    if description:
        fields["description"] = description
    return {"op": "create_project", "ref": PROJECT_REF, "fields": fields}


def _task_patch(index: int, item: Item, project: str, description: str) -> Patch:
    fields: Patch = {"title": shorten(item.inline.title())}
    if description:
        fields["description"] = description
    if item.criteria:
        fields["acceptance_criteria"] = [*item.criteria]
    fields |= item.inline.fields.values
    patch: Patch = {"op": "create_task", "ref": _ref(index), "project": project}
    if item.parent is not None:
        patch["parent"] = _ref(item.parent)
    patch["fields"] = fields
    if item.depends_on:
        patch["depends_on"] = [_ref(other) for other in item.depends_on]
    return patch


def _planned(index: int, item: Item) -> PlannedTask:
    parent = None if item.parent is None else _ref(item.parent)
    return PlannedTask(ref=_ref(index), parent=parent, title=shorten(item.inline.title()))


def _comment_patches(draft: Draft) -> Iterator[Patch]:
    for index, item in enumerate(draft.items):
        for body in item.exact.comments:
            yield {"op": "add_comment", "task": _ref(index), "body": body}


def _too_many(what: str) -> ValidationFailed:
    return ValidationFailed(
        f"The plan has more than {MAX_PATCHES - 1:,} {what}; one import creates at most that many.",
        hint="split the plan into several files and import them into the same project",
    )


def _ref(index: int) -> str:
    return f"$t{index + 1}"


def _summary(draft: Draft, name: str) -> str:
    boxes = [item for item in draft.items if item.node.checkbox]
    done = sum(item.inline.fields.values.get("status") == TaskStatus.COMPLETED for item in boxes)
    tasks = "1 task" if len(draft.items) == 1 else f"{len(draft.items):,} tasks"
    progress = f", {done:,} of {len(boxes):,} checkboxes done" if boxes else ""
    return f"Import {shorten(name)}: {tasks}{progress}"


def _general_questions(draft: Draft, max_depth: int, *, is_free_text: bool) -> list[str]:
    questions = []
    if is_free_text:
        questions.append(
            "The text has no list, checkbox or task heading (tables are kept as text), so it became one task; what are its steps?"
        )
    elif draft.outline.reading is Reading.HEADINGS:
        questions.append("The text has no list, checkbox or task heading, so each of its headings became a task; is that meant?")
    if draft.flattened:
        lines = ", ".join(str(line + 1) for line in draft.flattened[:20])
        more = ", ..." if len(draft.flattened) > 20 else ""
        questions.append(
            f"{len(draft.flattened)} items are nested deeper than the {max_depth + 1} levels allowed; "
            f"they were put on the deepest, in order: lines {lines}{more}"
        )
    return questions
