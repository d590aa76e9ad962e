"""Show a plan to a model: what it needs of it, within a budget, and as data.

Everything is an outline (alias, key, title, status, parent); details come for the focus first, then for what surrounds it,
then for the rest, as long as there is room. Text of tasks is JSON between two lines that nobody can know in advance, and loses
there what could hide or turn around words; the stored text keeps it.
"""

import json
import secrets
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from core.agents.view import PlanView
from core.agents.wire import Aliases
from core.llm.port import Message, Role
from schemas.tasks import Task

BUDGET_TOKENS = 24_000
SMALL_BUDGET_TOKENS = 5_000  # for a model that found the first prompt too long
CHARACTERS_PER_TOKEN = 3  # a careful guess: no tokenizer fits all models
MAX_TEXT = 1_500  # characters of one description
_HIDING = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})  # control, format (bidi, zero width, tags), private, surrogate, unassigned


@cache
def prompt(name: str) -> str:
    """Return the instructions of an agent."""
    return Path(__file__).with_name("prompts").joinpath(f"{name}.md").read_text(encoding="utf-8")


def clean(text: str) -> str:
    """Return `text` without characters that could hide words, or turn them around; lines and tabs stay."""
    return "".join(sign for sign in text if sign in "\n\t" or unicodedata.category(sign) not in _HIDING)


def data_message(**values: JsonValue) -> Message:
    """Return a message that holds values as data: JSON between two lines with a name made for this message."""
    mark = secrets.token_hex(8)
    return Message(Role.USER, f"DATA {mark}\n{json.dumps(_cleaned(values), ensure_ascii=False)}\nEND {mark}")


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(name): _cleaned(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class Grounding:
    """What a model is shown of a plan, and the aliases by which it may name that."""

    aliases: Aliases
    shown: dict[str, JsonValue]
    omitted: int  # tasks that there was no room for


def ground(view: PlanView, focus: Task | None = None, *, budget: int = BUDGET_TOKENS) -> Grounding:
    """Return a plan within `budget` tokens; what is nearest to `focus` has most of the room."""
    room = budget * CHARACTERS_PER_TOKEN
    order = list(_by_nearness(view, focus))
    kept: set[str] = set()
    for task in order:  # first everybody's outline
        room -= len(json.dumps(_outline(task, "K000", "K000"), ensure_ascii=False))
        if room < 0:
            break
        kept.add(task.id)
    tasks = [task for task in view.tasks if task.id in kept]
    aliases = Aliases(view.project, tasks)
    rows = {task.id: _outline(task, aliases.of_id[task.id], aliases.of_id.get(task.parent_id or "", "")) for task in tasks}
    for task in order:  # then details, as far as they go
        details = _details(task, aliases)
        room -= len(json.dumps(details, ensure_ascii=False))
        if room < 0:
            break
        if task.id in rows:
            rows[task.id] |= details
    shown: dict[str, JsonValue] = {"tasks": [rows[task.id] for task in tasks]}
    if view.project is not None:
        shown = {"project": _project(view, aliases), **shown}
    omitted = len(view.tasks) - len(tasks)
    if omitted:
        shown["tasks_not_shown"] = omitted
    return Grounding(aliases, shown, omitted)


def _by_nearness(view: PlanView, focus: Task | None) -> Iterator[Task]:
    """Yield the focus and what is below it, its ancestors, what depends on it or it on, then the rest."""
    if focus is None:
        yield from view.tasks
        return
    below = view.below(focus)
    inside = [task for task in view.tasks if task.key in below]
    near = {task.key for task in view.above(focus)} | {key for task in inside for key in (*task.depends_on, *task.blocks)}
    yield from inside
    yield from (task for task in view.tasks if task.key in near - below)
    yield from (task for task in view.tasks if task.key not in near | below)


def _outline(task: Task, alias: str, parent: str) -> dict[str, JsonValue]:
    return {"id": alias, "key": task.key, "parent": parent, "title": task.title, "status": task.status.value}


def _details(task: Task, aliases: Aliases) -> dict[str, JsonValue]:
    details: dict[str, JsonValue] = {
        "priority": task.priority.value,
        "description": _cut(task.description),
        "acceptance_criteria": list(task.acceptance_criteria),
        "tags": list(task.tags),
        "assignee": task.assignee,
        "start_date": task.start_date.isoformat() if task.start_date else None,
        "due_date": task.due_date.isoformat() if task.due_date else None,
        "estimated_minutes": task.estimated_minutes,
        "depends_on": [aliases.of_key[key] for key in task.depends_on if key in aliases.of_key],
    }
    return {name: value for name, value in details.items() if value}


def _project(view: PlanView, aliases: Aliases) -> dict[str, JsonValue]:
    project = view.project
    assert project is not None
    return {
        "id": aliases.of_id[project.id],
        "key": project.key,
        "name": project.name,
        "description": _cut(project.description),
        "status": project.status.value,
        "priority": project.priority.value,
        "start_date": project.start_date.isoformat() if project.start_date else None,
        "due_date": project.due_date.isoformat() if project.due_date else None,
    }


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} ... (cut)"
