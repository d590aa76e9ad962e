"""PlannerAgent: an idea or a requirements document as a new project.

A long document is planned section by section, at the same time, and merged by one more question; the merge sees titles
only, and what it says is carried out here, so that no wording of a section passes through a model twice.
"""

import asyncio
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from pydantic import JsonValue

from core.agents.grounding import data_message, prompt
from core.agents.loop import Asker, Brief, Draft, draft
from core.agents.sections import Section, split_sections
from core.agents.view import PlanView
from core.agents.wire import Aliases, Lowered, Patch, Problem, answer_schema
from core.errors import DomainError
from core.llm.failures import PromptTooLong
from core.llm.port import Message, Role
from schemas.patches import PatchSet
from schemas.planning import PlanConstraints

SECTIONS_AT_ONCE = 4
SHORT_SECTION = 5_000  # characters, for a model that found more too long
BEGINNING = 2_000  # characters of a document that the merge is shown
PROJECT = "$project"
NO_ALIASES = Aliases()


class PlannerAgent:
    """Turns a description into a draft of a new project."""

    def __init__(self, view: PlanView) -> None:
        self._view = view

    async def propose(
        self, asker: Asker, description: str, *, name: str | None = None, constraints: PlanConstraints | None = None
    ) -> Draft:
        """Return a draft of one project with its tasks. Raises what `core.agents.loop.draft` raises."""
        frame = _Frame(self._view, name, constraints or PlanConstraints())
        try:
            return await self._plan(asker, frame, description, split_sections(description))
        except PromptTooLong:
            shorter = split_sections(description, SHORT_SECTION)
            if len(shorter) == 1:
                raise
            return await self._plan(asker, frame, description, shorter)

    async def _plan(self, asker: Asker, frame: "_Frame", description: str, sections: Sequence[Section]) -> Draft:
        if len(sections) == 1:
            return await draft(asker, frame.brief_of_whole(description), self._view.check)
        headings: list[JsonValue] = [heading for section in sections for heading in section.headings]
        parts = await self._plan_sections(asker, frame, sections, headings)
        planned = [patch for number, part in enumerate(parts, start=1) for patch in _renamed(part.patch_set, number)]
        if not planned:
            return Draft(None, [question for part in parts for question in part.questions])
        merged = await draft(asker, frame.brief_of_merge(description, headings, planned), self._view.check)
        return Draft(merged.patch_set, [*merged.questions, *(question for part in parts for question in part.questions)])

    async def _plan_sections(
        self, asker: Asker, frame: "_Frame", sections: Sequence[Section], headings: list[JsonValue]
    ) -> list[Draft]:
        places = asyncio.Semaphore(SECTIONS_AT_ONCE)

        async def plan(section: Section) -> Draft:
            async with places:
                return await draft(asker, frame.brief_of_section(section, headings), self._view.check)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(plan(section)) for section in sections]
        except ExceptionGroup as failures:
            refusals, rest = failures.split(DomainError)
            if rest is not None or refusals is None:
                raise
            raise _first(refusals) from None
        return [task.result() for task in tasks]


def _first(group: ExceptionGroup[DomainError]) -> DomainError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error


class _Frame:
    """What all questions about one document have in common."""

    def __init__(self, view: PlanView, name: str | None, constraints: PlanConstraints) -> None:
        self._view = view
        self._name = name
        self._constraints = constraints
        depths = [view.max_depth] if constraints.max_depth is None else [view.max_depth, constraints.max_depth]
        self._max_depth = min(depths)

    def _shown(self, **more: JsonValue) -> Message:
        constraints = {**self._constraints.model_dump(mode="json"), "max_depth": self._max_depth, "name": self._name}
        kept = {name: value for name, value in constraints.items() if value not in (None, "", [])}
        return data_message(today=self._view.today.isoformat(), constraints=kept, **more)

    def brief_of_whole(self, description: str) -> Brief:
        return Brief(
            messages=[Message(Role.SYSTEM, prompt("planner")), self._shown(description=description)],
            schema=answer_schema("create_project", "create_task", "add_dependency"),
            aliases=NO_ALIASES,
            review=self._review,
            assemble=self._named,
        )

    def brief_of_section(self, section: Section, headings: list[JsonValue]) -> Brief:
        return Brief(
            messages=[Message(Role.SYSTEM, prompt("section")), self._shown(section=section.text, headings=headings)],
            schema=answer_schema("create_task", "add_dependency"),
            aliases=NO_ALIASES,
            review=self._review_tasks,
            project=PROJECT,
            assemble=_with_project,
        )

    def brief_of_merge(self, description: str, headings: list[JsonValue], planned: list[Patch]) -> Brief:
        creates = [patch for patch in planned if patch["op"] == "create_task"]
        tasks: list[JsonValue] = [
            {"ref": patch["ref"][1:], "parent": patch.get("parent", "")[1:], "title": patch["fields"]["title"]}
            for patch in creates
        ]
        shown = self._shown(beginning=description[:BEGINNING], headings=headings, tasks=tasks)
        return Brief(
            messages=[Message(Role.SYSTEM, prompt("merge")), shown],
            schema=answer_schema("create_project", "add_dependency", "delete_task", "move_task"),
            aliases=NO_ALIASES,
            review=self._review,
            refs=frozenset(patch["ref"] for patch in creates),
            assemble=lambda lowered: self._named(_merged(lowered, planned)),
        )

    # -- what the caller has decided, and not the model

    def _named(self, lowered: Lowered) -> Lowered:
        """Give the project the name and the deadline that were asked for."""
        deadline = self._constraints.deadline
        for patch in lowered.patches:
            if patch["op"] == "create_project":
                if self._name is not None:
                    patch["fields"]["name"] = self._name
                if deadline is not None:
                    patch["fields"]["due_date"] = deadline.isoformat()
        return lowered

    def _review(self, lowered: Lowered) -> list[Problem]:
        ops = [patch["op"] for patch in lowered.patches]
        problems = []
        if ops.count("create_project") != 1:
            problems.append(Problem("ops", f"exactly one create_project, and not {ops.count('create_project')}"))
        if "create_task" not in ops:
            problems.append(Problem("ops", "a plan has tasks: at least one create_task"))
        tops = sum(1 for patch in lowered.patches if patch["op"] == "create_task" and "parent" not in patch)
        if self._constraints.max_milestones is not None and tops > self._constraints.max_milestones:
            problems.append(Problem("ops", f"at most {self._constraints.max_milestones} tasks at the top level, and not {tops}"))
        return problems + self._review_tasks(lowered)

    def _review_tasks(self, lowered: Lowered) -> list[Problem]:
        parents = {patch["ref"]: patch.get("parent") for patch in lowered.patches if patch["op"] == "create_task"}
        problems = []
        for patch, place in zip(lowered.patches, lowered.places, strict=True):
            if patch["op"] != "create_task":
                continue
            where = "tasks" if place is None else f"ops[{place}]"
            fields = patch["fields"]
            if _depth(patch["ref"], parents) > self._max_depth:
                problems.append(Problem(f"{where}.parent", f"too deep: level {self._max_depth} is the deepest, 0 the top level"))
            deadline = self._constraints.deadline
            if deadline is not None and str(fields.get("due_date") or "") > deadline.isoformat():
                problems.append(Problem(f"{where}.due_date", f"the deadline is {deadline.isoformat()}"))
            if (assignee := fields.get("assignee")) is not None and assignee not in self._constraints.team:
                team = ", ".join(self._constraints.team) or "nobody: leave it empty"
                problems.append(Problem(f"{where}.assignee", f"{assignee!r} is not of the team: {team}"))
        return problems


def _depth(ref: str, parents: Mapping[str, str | None]) -> int:
    """Return the level of a new task; circles are reported by the validator."""
    depth = 0
    while (parent := parents.get(ref)) is not None and depth <= len(parents):
        depth, ref = depth + 1, parent
    return depth


def _with_project(lowered: Lowered) -> Lowered:
    """Put a project around the tasks of a section, so that the validator can judge them."""
    lowered.patches.insert(0, {"op": "create_project", "ref": PROJECT, "fields": {"name": "A section"}})
    lowered.places.insert(0, None)
    lowered.reasons = {index + 1: reason for index, reason in lowered.reasons.items()}
    return lowered


def _renamed(section: PatchSet | None, number: int) -> list[Patch]:
    """Return the tasks of a section without its project, with refs that no other section has."""
    patches: list[dict[str, Any]] = section.patches[1:] if section is not None else []
    creates = [patch for patch in patches if patch["op"] == "create_task"]
    names = {patch["ref"]: f"$s{number}-{place}" for place, patch in enumerate(creates, start=1)}

    def renamed(value: Any) -> Any:
        if isinstance(value, list):
            return [names.get(name, name) for name in value]
        return names.get(value, value) if isinstance(value, str) else value

    return [{member: value if member == "fields" else renamed(value) for member, value in patch.items()} for patch in patches]


def _merged(lowered: Lowered, planned: Sequence[Patch]) -> Lowered:
    """Carry out what the merge says: the project, what is left out, what moves, what waits for what."""
    said = list(zip(lowered.patches, lowered.places, strict=True))
    projects, links, moves, deletions = (
        [(patch, place) for patch, place in said if patch["op"] == op]
        for op in ("create_project", "add_dependency", "move_task", "delete_task")
    )
    project = projects[0][0]["ref"] if projects else PROJECT
    moved = {patch["task"]: patch["parent"] for patch, _ in moves}
    creates = [patch for patch in planned if patch["op"] == "create_task"]
    parents = {patch["ref"]: moved.get(patch["ref"], patch.get("parent")) for patch in creates}
    gone = {patch["task"] for patch, _ in deletions}
    while below := {ref for ref, parent in parents.items() if parent in gone} - gone:
        gone |= below
    tasks = [(_placed(patch, parents[patch["ref"]], project, gone), None) for patch in creates if patch["ref"] not in gone]
    links = [*((patch, None) for patch in planned if patch["op"] == "add_dependency"), *links]
    whole = [*projects, *tasks, *((patch, place) for patch, place in links if not {patch["task"], patch["depends_on"]} & gone)]
    return replace(lowered, patches=[patch for patch, _ in whole], places=[place for _, place in whole], reasons={})


def _placed(patch: Patch, parent: str | None, project: str, gone: Set[str]) -> Patch:
    """Return the creation of a task at its place in the merged plan."""
    kept = {member: value for member, value in patch.items() if member not in ("parent", "project", "depends_on")}
    waits = [name for name in patch.get("depends_on", []) if name not in gone]
    return kept | ({"parent": parent} if parent else {"project": project}) | ({"depends_on": waits} if waits else {})
