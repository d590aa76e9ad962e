"""The list in a task's description, as subtasks of that task: the author's wording, nothing added.

The text around the list stays where it is, in the description, which is not changed.
"""

from dataclasses import dataclass
from datetime import date

from core.rules.markdown import read_document
from core.rules.outline import Reading, read_outline
from core.rules.plan import Patch, parse_plan
from schemas.planning import OutlineFormat
from schemas.tasks import Task


@dataclass(frozen=True, slots=True)
class Checklist:
    """The creates of the subtasks, those directly below the task, and what the author should decide."""

    patches: list[Patch]
    titles: list[str]  # of those directly below the task
    questions: list[str]


_LISTS = (Reading.CHECKLIST, Reading.OUTLINE)  # headings alone structure a text


def find_checklist(
    task: Task, project: str, *, today: date, hours_per_day: int, days_per_week: int, max_depth: int
) -> Checklist | None:
    """Return the checkboxes of the task's description (else its list items) as creates below it in `project` (a key).

    None where the description has neither. The task is above `max_depth`, so that there is room below it.
    """
    if not task.description.strip() or read_outline(read_document(task.description)).reading not in _LISTS:
        return None
    parsed = parse_plan(
        task.description,
        format=OutlineFormat.MARKDOWN,
        project=project,
        name=None,
        sequential=False,
        today=today,
        hours_per_day=hours_per_day,
        days_per_week=days_per_week,
        max_depth=max_depth - task.depth - 1,
    )
    patches = [{**patch, "parent": task.key} if _is_top(patch) else patch for patch in parsed.patches]
    return Checklist(patches, [planned.title for planned in parsed.tasks if planned.parent is None], parsed.questions)


def _is_top(patch: Patch) -> bool:
    return patch["op"] == "create_task" and "parent" not in patch
