"""Builders for the importer's tests: parse with fixed settings, and read the result by title."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from core.errors import ValidationFailed
from core.rules.plan import ParsedPlan, parse_plan

TODAY = date(2026, 11, 23)  # a Monday


def parse(content: str, **settings: Any) -> ParsedPlan:
    """Parse with 8 hours a day, 5 days a week, tasks down to depth 5, unless told otherwise."""
    defaults: dict[str, Any] = {
        "project": None,
        "name": None,
        "sequential": False,
        "today": TODAY,
        "hours_per_day": 8,
        "days_per_week": 5,
        "max_depth": 5,
    }
    return parse_plan(content, **(defaults | settings))


def parse_into_web(content: str, **settings: Any) -> ParsedPlan | None:
    """Parse for an existing project; None if there is no task to add, such as where a text states only fields of a project."""
    try:
        return parse(content, project="WEB", **settings)
    except ValidationFailed as refusal:
        if "no tasks to add" in str(refusal):
            return None
        raise


@dataclass(frozen=True)
class PlanReader:
    """A parsed plan, with refs replaced by titles."""

    plan: ParsedPlan

    @property
    def project(self) -> dict[str, Any]:
        return next((patch["fields"] for patch in self.patches if patch["op"] == "create_project"), {})

    @property
    def patches(self) -> list[dict[str, Any]]:
        return list(self.plan.patches)

    @property
    def tasks(self) -> dict[str, dict[str, Any]]:
        """Fields by title."""
        return {patch["fields"]["title"]: patch["fields"] for patch in self._created}

    @property
    def tree(self) -> list[str]:
        """Titles in order, indented by depth."""
        depths: dict[str | None, int] = {None: -1}
        lines = []
        for patch in self._created:
            depths[patch["ref"]] = depths[patch.get("parent")] + 1
            lines.append("  " * depths[patch["ref"]] + patch["fields"]["title"])
        return lines

    @property
    def waits(self) -> dict[str, list[str]]:
        """What each task that waits depends on, by title."""
        titles = {patch["ref"]: patch["fields"]["title"] for patch in self._created}
        return {
            patch["fields"]["title"]: [titles[ref] for ref in patch["depends_on"]]
            for patch in self._created
            if patch.get("depends_on")
        }

    @property
    def _created(self) -> list[dict[str, Any]]:
        return [patch for patch in self.patches if patch["op"] == "create_task"]


def read(content: str, **settings: Any) -> PlanReader:
    return PlanReader(parse(content, **settings))


def only_task(content: str, **settings: Any) -> dict[str, Any]:
    """Return the fields of the one task of a plan."""
    tasks = list(read(content, **settings).tasks.values())
    assert len(tasks) == 1
    return tasks[0]
